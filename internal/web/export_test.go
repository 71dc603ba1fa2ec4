package web

import "strings"

// PagePatterns are the patterns of all pages that a browser can open.
func PagePatterns(s *Site) []string {
	var all []string
	for _, r := range s.routes() {
		if strings.HasPrefix(r.pattern, "GET ") {
			all = append(all, r.pattern)
		}
	}
	return all
}
