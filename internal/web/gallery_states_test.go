package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func gallery(t *testing.T) (*Site, []specimen) {
	t.Helper()
	s, all, err := newGallery()
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

// TestEveryPageInEveryState renders the whole gallery: each template with each of its
// states. A page without a specimen is found.
func TestEveryPageInEveryState(t *testing.T) {
	s, all := gallery(t)
	shown := map[string]bool{}
	lists := map[string]*listing{}
	seen := map[string]bool{}
	for _, sp := range all {
		shown[sp.view.name] = true
		if at := sp.page + "/" + sp.state; seen[at] {
			t.Errorf("two specimens are called %s", at)
		} else {
			seen[at] = true
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+specimenPath(sp), nil))
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
		if lists[sp.page] == nil {
			lists[sp.page] = &listing{}
		}
		lists[sp.page].look(sp.state, body)
	}
	for name := range s.sets {
		if !shown[name] {
			t.Errorf("no specimen shows the page %q", name)
		}
	}
	n := 0
	for page, l := range lists {
		if l.lists && page != "demo" && page != "enrol-welcome" { // which list the same always
			n++
			l.judge(t, page)
		}
	}
	for _, page := range []string{"receipt", "request", "step-up"} { // which say much of one thing
		lists[page].empty = true
		lists[page].judge(t, page)
	}
	if n < 14 {
		t.Errorf("only %d pages list anything", n)
	}
}

// listing is what the states of a page that lists things show.
type listing struct {
	lists, money, empty        bool
	long, fromRight, mostMoney bool
}

var (
	listOf    = regexp.MustCompile(`class="(list|rows-table|log)[" ]`)
	moneyIn   = regexp.MustCompile(`EUR\x{a0}?\d`)
	longWord  = regexp.MustCompile(`[\pL_.-]{40}`)
	rightWord = regexp.MustCompile(`[\p{Arabic}\p{Hebrew}]{4}`)
	digits12  = regexp.MustCompile(`\d{3}(\x{202f}?\d{3}){3}`)
)

func (l *listing) look(state, body string) {
	_, main, _ := strings.Cut(body, "<main")
	l.lists = l.lists || listOf.MatchString(main)
	l.money = l.money || moneyIn.MatchString(main)
	switch state {
	case "empty":
		l.empty = true
	case "long":
		l.long, l.fromRight, l.mostMoney = longWord.MatchString(main), rightWord.MatchString(main), digits12.MatchString(main)
	}
}

// judge demands of a page that lists things that it is seen with nothing, and with the
// longest that can stand there.
func (l *listing) judge(t *testing.T, page string) {
	t.Helper()
	if !l.empty && page != "admin-settings" {
		t.Errorf("%s: no state is called empty", page) // settings are always there
	}
	if !l.long || !l.fromRight || l.money && !l.mostMoney {
		t.Errorf("%s/long: a long word %v, a word written from the right %v, an amount of twelve digits %v: want them where the page shows such things", page, l.long, l.fromRight, l.mostMoney)
	}
}

// TestEveryPasswordSaysWhose: beside each field for a password stands a login name that
// password managers find, and that is sent only where the page asks for it.
func TestEveryPasswordSaysWhose(t *testing.T) {
	s, all := gallery(t)
	field := regexp.MustCompile(`<input[^>]*>`)
	asked := 0
	for _, g := range all {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+specimenPath(g), nil))
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
