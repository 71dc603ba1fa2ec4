package web

func policyRoutes() []route { return nil }

func policySpecimens(s *Site) []specimen { return nil }
