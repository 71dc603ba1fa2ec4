package web

func adminRoutes() []route { return nil }

func adminSpecimens(s *Site) []specimen { return nil }
