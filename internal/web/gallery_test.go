package web

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func gallery(t *testing.T) *Site {
	t.Helper()
	s, err := New(Config{Gallery: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryPageInEveryState renders the whole gallery: each template with each of its
// states. A page without a specimen is found.
func TestEveryPageInEveryState(t *testing.T) {
	s := gallery(t)
	shown := map[string]bool{"gallery": true}
	seen := map[string]bool{}
	for _, sp := range s.states() {
		shown[sp.view.name] = true
		if at := sp.page + "/" + sp.state; seen[at] {
			t.Errorf("two specimens are called %s", at)
		} else {
			seen[at] = true
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/gallery/"+sp.page+"/"+sp.state, nil))
		want := sp.view.status
		if want == 0 {
			want = 200
		}
		body := w.Body.String()
		if w.Code != want || !strings.Contains(body, "</html>") {
			t.Errorf("%s/%s: %d, %.300s", sp.page, sp.state, w.Code, body)
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s/%s: %d headings of the first order, want one", sp.page, sp.state, n)
		}
	}
	for name := range s.sets {
		if !shown[name] {
			t.Errorf("no specimen shows the page %q", name)
		}
	}
}
