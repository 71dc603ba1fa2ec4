package web

func tableRoutes() []route { return nil }

func tableSpecimens(s *Site) []specimen { return nil }
