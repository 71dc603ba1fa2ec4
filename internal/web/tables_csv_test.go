package web

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/testkit/steady"
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
	for cellText, want := range map[string]string{"": "", "a=b": "a=b", "\t=x": "'\t=x", "-5": "-5", "-5+1": "'-5+1", "+49 30 1": "'+49 30 1", "@a": "'@a", "\r@": "'\r@", "\n=1": "'\n=1",
		"＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠a": "'＠a", "株式会社": "株式会社", "\xef\xbc": "\xef\xbc"} {
		if got := cell(cellText); got != want {
			t.Errorf("%q is written %q, want %q", cellText, got, want)
		}
	}
}

// bound is what a bounded answer has. It runs from when the answer begins, so that a busy
// machine does not use it up before.
const bound = time.Second

func bounded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, end := http.NewResponseController(w), time.Now().Add(bound)
		if err := errors.Join(c.SetReadDeadline(end), c.SetWriteDeadline(end)); err != nil {
			panic(err)
		}
		h(w, r)
	}
}

// exported runs an export of endless or many rows through a real connection of a server
// that gives every answer a second, and hands its end to the channel.
func exported(t *testing.T, clock func() time.Time, rows func(yield func(int, error) bool)) (url string, ended chan any) {
	t.Helper()
	ended = make(chan any, 1)
	site := &Site{cfg: Config{Log: slog.New(slog.DiscardHandler), Clock: clock}}
	server := httptest.NewServer(bounded(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			broken := recover()
			ended <- broken
			if broken != nil {
				panic(broken)
			}
		}()
		v := &visit{site: site, w: w, r: r}
		if err := writeCSV(v, "requests", []string{"a"}, rows, func(int) []string { return []string{strings.Repeat("x", 500)} }); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, ended
}

// TestExportOutlastsTheBoundsOfAnswers: a long export goes on while it flows, and ends
// when nobody takes it any more or its time is over.
func TestExportOutlastsTheBoundsOfAnswers(t *testing.T) {
	endless := func(yield func(int, error) bool) {
		for yield(0, nil) {
		}
	}
	brokenOff := func(t *testing.T, ended chan any) {
		t.Helper()
		select {
		case broken := <-ended:
			if broken != http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
				t.Errorf("%v", broken)
			}
		case <-time.After(steady.Limit):
			t.Fatal("it goes on")
		}
	}
	t.Run("long", func(t *testing.T) {
		url, _ := exported(t, time.Now, func(yield func(int, error) bool) {
			for i := range 3 * flushRows {
				if i == flushRows {
					time.Sleep(bound + bound/4)
				}
				if !yield(i, nil) {
					return
				}
			}
		})
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err != nil || strings.Count(string(b), "\n") != 3*flushRows+1 {
			t.Errorf("%v: %d lines", err, strings.Count(string(b), "\n"))
		}
	})
	t.Run("hung up", func(t *testing.T) {
		url, ended := exported(t, time.Now, endless)
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		brokenOff(t, ended)
	})
	t.Run("nobody reads", func(t *testing.T) {
		slow := func() time.Time { return time.Now().Add(200*time.Millisecond - exportWrite) }
		url, ended := exported(t, slow, endless)
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		brokenOff(t, ended)
	})
	t.Run("too long", func(t *testing.T) {
		var asked atomic.Int64 // half a minute goes by each time that somebody looks at the clock
		began := time.Now()
		url, ended := exported(t, func() time.Time { return began.Add(time.Duration(asked.Add(1)) * 30 * time.Second) }, endless)
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("a part ends like the whole")
		}
		brokenOff(t, ended)
	})
}
