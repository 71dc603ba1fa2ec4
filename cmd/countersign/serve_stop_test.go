package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/testkit/steady"
)

// A call that is under way when the server is told to stop gets its answer; nothing new
// is taken; and every line that was logged is JSON with its time, level and sentence.
func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	s := serveWith(t, t.TempDir()).ready()
	address := strings.TrimPrefix(s.url, "http://")
	under, err := net.Dial("tcp", address)
	must(t, err)
	defer under.Close()
	must(t, under.SetDeadline(time.Now().Add(steady.Limit)))
	body := `{"login":"nobody","password":"wrong","totp":"000000"}`
	fmt.Fprintf(under, "POST /v1/session HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body[:10])
	if status, _ := fetch(t, plain, s.url+"/healthz", ""); status != http.StatusOK { // by then the first bytes were read, too
		t.Fatal(status)
	}
	plain.CloseIdleConnections()
	s.stop()
	s.err.find(t, `("msg":"stopping")`)
	for end := time.Now().Add(steady.Limit); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("it still takes new calls")
		}
	}
	select {
	case code := <-s.done:
		t.Fatalf("it ended with %d while a call was under way", code)
	default:
	}
	_, err = io.WriteString(under, body[10:])
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(under), nil)
	if err != nil {
		t.Fatalf("the call under way was cut off: %v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("it was answered %d", res.StatusCode)
	}
	if code := s.ended(); code != exitDone {
		t.Errorf("exit code %d: %s", code, &s.err)
	}
	lines := 0
	for line := range strings.Lines(s.err.String()) {
		var l struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Time == "" || l.Level == "" || l.Msg == "" {
			t.Errorf("%s: %v", line, err)
		}
		lines++
	}
	if lines < 3 {
		t.Errorf("%d lines were logged", lines)
	}
}
