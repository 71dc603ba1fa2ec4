package web

import "strings"

// Bound and Bounded are of answers that have little time.
const Bound = bound

var Bounded = bounded

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
