package web

func explorerRoutes() []route { return nil }

func explorerSpecimens(s *Site) []specimen { return nil }
