package web

func inboxRoutes() []route { return nil }

func inboxSpecimens(s *Site) []specimen { return nil }
