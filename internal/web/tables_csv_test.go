package web

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestExportIsWholeOrBrokenOff: what fails before the first row is an error page; what
// fails later ends the connection, so that nobody takes a part for the whole.
func TestExportIsWholeOrBrokenOff(t *testing.T) {
	trouble := errors.New("the disk is gone")
	run := func(rows int, err error) (w *httptest.ResponseRecorder, broken any, out error) {
		w = httptest.NewRecorder()
		v := &visit{site: &Site{cfg: Config{Log: slog.New(slog.DiscardHandler), Clock: time.Now}}, w: w, r: httptest.NewRequest("GET", "/requests.csv", nil)}
		defer func() { broken = recover() }()
		out = writeCSV(v, "requests", []string{"a", "b"}, func(yield func(int, error) bool) {
			for i := range rows {
				if !yield(i, nil) {
					return
				}
			}
			if err != nil {
				yield(0, err)
			}
		}, func(int) []string { return []string{"=1+1", "-12.50"} })
		return w, broken, out
	}
	if w, _, err := run(0, trouble); !errors.Is(err, trouble) || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "" {
		t.Errorf("%v: %q", err, w.Body)
	}
	if w, broken, err := run(3*flushRows, trouble); err != nil || broken != http.ErrAbortHandler || strings.Count(w.Body.String(), "\n") < flushRows { //nolint:errorlint // the value itself is the signal
		t.Errorf("%v, %v: %d lines", err, broken, strings.Count(w.Body.String(), "\n"))
	}
	w, broken, err := run(2, nil)
	if err != nil || broken != nil || w.Body.String() != "a,b\r\n'=1+1,-12.50\r\n'=1+1,-12.50\r\n" {
		t.Errorf("%v, %v: %q", err, broken, w.Body)
	}
	for cellText, want := range map[string]string{"": "", "a=b": "a=b", "\t=x": "'\t=x", "-5": "-5", "-5+1": "'-5+1", "+49 30 1": "'+49 30 1", "@a": "'@a", "\r@": "'\r@"} {
		if got := cell(cellText); got != want {
			t.Errorf("%q is written %q, want %q", cellText, got, want)
		}
	}
}
