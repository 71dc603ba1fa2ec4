package web

func adminSpecimens(s *Site) []specimen { return nil }

func preferenceSpecimens(s *Site) []specimen { return nil }
