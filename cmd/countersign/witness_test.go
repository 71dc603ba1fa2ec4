package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
	"github.com/countersign/countersign/verify"
)

// The program asks a witness over the network; a receipt that is fetched later verifies
// offline against the witness's key; doctor says how far the witness is.
func TestRuling31CosignedOverTheNetwork(t *testing.T) {
	p := newPlant(t, inFolder(t))
	w := testkit.NewWitness("witness.example/w1")
	origin := authority.LogOrigin(strings.TrimPrefix(p.url, "http://"), p.cfg.Org)
	keys, err := checkpoint.OpenKeys(filepath.Join(p.dir, "keys"), origin)
	p.must(err)
	p.must(w.Follow(origin, keys.Verifiers()...))
	outside := httptest.NewServer(w)
	defer outside.Close()
	t.Setenv("COUNTERSIGN_WITNESSES", w.Key()+" "+outside.URL+"/w1/")
	p.start()
	out, err := p.submit(purchase("PO-1", "900.00"))
	p.must(err)
	for end := time.Now().Add(steady.Limit); ; time.Sleep(20 * time.Millisecond) {
		p.must(p.call("GET", "/v1/requests/"+out.ID, p.key, nil, out))
		if bytes.Contains(out.Receipt, []byte("witness.example/w1")) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no receipt is cosigned\n%s", p.log.String())
		}
	}
	receipt := filepath.Join(t.TempDir(), "receipt.json")
	write(t, receipt, string(out.Receipt))
	env := []string{"COUNTERSIGN_DATA=" + filepath.Dir(p.cfg.Path), "COUNTERSIGN_KEYS=" + filepath.Join(p.dir, "keys"), "COUNTERSIGN_GUARD=" + filepath.Join(p.dir, "guard"),
		"COUNTERSIGN_PUBLIC_URL=" + p.url}
	said := func(want string, code int, env []string, args ...string) {
		t.Helper()
		var text, errs heard
		if got := run(t.Context(), args, process{in: strings.NewReader(""), out: &text, err: &errs, env: env}); got != code || !strings.Contains(text.String(), want) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s%s", args, got, code, want, &text, &errs)
		}
	}
	said("cosigned by witness.example/w1+", exitDone, nil, "audit", "verify", receipt, "--key", keys.Verifiers()[0], "--witness", w.Key())
	said("0 of 1 cosignatures", exitFailed, nil, "audit", "verify", receipt, "--key", keys.Verifiers()[0], "--witness", testkit.NewWitness("witness.example/w1").Key())
	at := func(key, url string) []string { return append(env, "COUNTERSIGN_WITNESSES="+key+" "+url) }
	said("witness.example/w1 is there", exitDone, at(w.Key(), outside.URL+"/w1"), "doctor")
	said("answers with another key", exitFailed, at(testkit.NewWitness("witness.example/w1").Key(), outside.URL), "doctor")
	w.Down(true)
	said("answers with status 503; it has cosigned ", exitDone, at(w.Key(), outside.URL), "doctor")
	outside.Close()
	said("cannot be reached", exitDone, at(w.Key(), outside.URL), "doctor")
	if _, err := p.submit(purchase("PO-2", "900.00")); err != nil {
		t.Errorf("with the witness away: %v", err)
	}
}

// What a witness may cost is bounded, and it sends nobody elsewhere.
func TestWitnessesAreAskedWithinBounds(t *testing.T) {
	elsewhere := false
	mux := http.NewServeMux()
	mux.HandleFunc("/long/add-checkpoint", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) })
	mux.HandleFunc("/moved/add-checkpoint", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere = true })
	mux.HandleFunc("/slow/add-checkpoint", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	outside := httptest.NewServer(mux)
	defer outside.Close()
	if _, _, _, err := (witnessAt{URL: outside.URL + "/long"}).ask(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a long answer: %v", err)
	}
	if status, _, _, err := (witnessAt{URL: outside.URL + "/moved"}).ask(t.Context(), nil); err != nil || status != http.StatusTemporaryRedirect || elsewhere {
		t.Errorf("a redirection: %d, %v, followed %v", status, err, elsewhere)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, _, err := (witnessAt{URL: outside.URL + "/slow"}).ask(ctx, nil); err == nil {
		t.Error("an answer that does not come")
	}
	if witnessClient.Timeout <= 0 || audit.MaxWitnessAnswer > 1<<20 {
		t.Error("no bound of time, or of the answer")
	}
	if _, err := verify.WitnessVerifier(witnessKey); err != nil {
		t.Error(err)
	}
}
