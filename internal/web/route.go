package web

import "slices"

// who says whom a page is for.
type who int

const (
	anyone   who = iota // no session is looked at, though there may be one
	enrolee             // a session of any kind: also one that can only enrol
	handed              // a normal session, or one that was handed over for one request
	signedIn            // a normal session
)

// route is one page, or one press of a button.
type route struct {
	pattern string // "GET /inbox"
	who     who
	attempt bool // bounded as an attempt to prove something
	// large says how many bytes a form may have; 0 is the usual bound.
	large int64
	serve func(*visit) error
}

// routes are all pages. Each area of the product lists its own.
func (s *Site) routes() []route {
	return slices.Concat(
		signInRoutes(), inboxRoutes(), requestRoutes(), stepUpRoutes(), factorRoutes(), adminRoutes(),
		policyRoutes(), explorerRoutes(), tableRoutes(), preferenceRoutes(), s.demoRoutes(),
	)
}
