package web

func stepUpRoutes() []route { return nil }

func stepUpSpecimens(s *Site) []specimen { return nil }
