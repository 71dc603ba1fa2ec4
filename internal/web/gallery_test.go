package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
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

// TestEveryPasswordSaysWhose: beside each field for a password stands a login name that
// password managers find, and that is sent only where the page asks for it.
func TestEveryPasswordSaysWhose(t *testing.T) {
	s := gallery(t)
	field := regexp.MustCompile(`<input[^>]*>`)
	asked := 0
	for _, g := range s.specimens() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/gallery/"+g.page+"/"+g.state, nil))
		for form := range strings.SplitSeq(w.Body.String(), "<form") {
			form, _, _ = strings.Cut(form, "</form>")
			if !strings.Contains(form, `type="password"`) {
				continue
			}
			asked++
			named := false
			for _, f := range field.FindAllString(form, -1) {
				if !strings.Contains(f, `autocomplete="username"`) {
					continue
				}
				named = true
				if strings.Contains(f, " hidden") && (strings.Contains(f, "name=") || strings.Contains(f, `value=""`)) {
					t.Errorf("%s %s: %s", g.page, g.state, f)
				}
			}
			if !named {
				t.Errorf("%s %s: nothing says whose password it is", g.page, g.state)
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d forms ask for a password", asked)
	}
}
