package web

func factorRoutes() []route { return nil }

func factorSpecimens(s *Site) []specimen { return nil }
