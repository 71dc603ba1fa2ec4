package main

import (
	"errors"
	"net/http"
	"syscall"

	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/web"
)

// front is what stands at the door: the API, and the pages for everything else. The
// two share nothing but the port: a cookie opens pages, and never the API.
type front struct {
	api   *api.API
	pages *web.Site
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if api.Serves(r.URL.Path) {
		f.api.ServeHTTP(w, r)
		return
	}
	f.pages.ServeHTTP(w, r)
}

// inUse reports whether an address could not be listened on because somebody else does.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
