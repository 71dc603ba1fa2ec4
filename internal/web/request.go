package web

func requestRoutes() []route { return nil }

func requestSpecimens(s *Site) []specimen { return nil }
