package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/terminal"
	"github.com/countersign/countersign/internal/testkit"
)

// A server that shows one document and names another, or that asks for a signature on
// something else than it has shown, gets nothing signed, and no password.
func TestNothingIsSignedForALiar(t *testing.T) {
	doc := json.RawMessage(`{"amount":{"currency":"EUR","value":"900.00"},"id":"PO-1","kind":"purchase_order","requester":{"id":"elif","type":"person"},"revision":"1"}`)
	honest := countersign.Approval{ID: "req_1", Status: countersign.StatusPending, Document: doc, Digest: countersign.SumBytes(doc), RequirementDigest: countersign.SumBytes([]byte("r"))}
	statement := countersign.Statement{Version: countersign.StatementVersion, Org: "org_1", Approval: "req_1", Digest: honest.Digest, RequirementDigest: honest.RequirementDigest,
		Act: countersign.ActApprove, Person: "per_1", Expires: "2026-11-24T07:00:00Z", Nonce: "n"}
	for name, lie := range map[string]func(a *countersign.Approval, s *countersign.Statement){
		"the truth": func(*countersign.Approval, *countersign.Statement) {},
		"the document": func(a *countersign.Approval, _ *countersign.Statement) {
			a.Document = bytes.Replace(a.Document, []byte("900.00"), []byte("100.00"), 1)
		},
		"the digest":  func(_ *countersign.Approval, s *countersign.Statement) { s.Digest = countersign.SumBytes([]byte("x")) },
		"the request": func(_ *countersign.Approval, s *countersign.Statement) { s.Approval = "req_2" },
		"the act":     func(_ *countersign.Approval, s *countersign.Statement) { s.Act = countersign.ActDeny },
		"the requirement": func(_ *countersign.Approval, s *countersign.Statement) {
			s.RequirementDigest = countersign.SumBytes([]byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := honest, statement
			lie(&a, &s)
			var decided atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var answer any = a
				switch {
				case strings.HasSuffix(r.URL.Path, "/challenges"):
					answer = countersign.ChallengeAnswer{ID: "chl_1", Statement: s.Bytes(), Factors: []string{"totp"}}
				case strings.HasSuffix(r.URL.Path, "/decisions"):
					decided.Store(true)
				}
				json.NewEncoder(w).Encode(answer)
			}))
			defer server.Close()
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"request", "approve", "req_1"}, process{in: strings.NewReader("password\n123456\n"), out: &out, err: &errs,
				env: []string{"COUNTERSIGN_SERVER=" + server.URL, "COUNTERSIGN_TOKEN=css_x"}})
			if truth := name == "the truth"; decided.Load() != truth || (code == exitDone) != truth || strings.Contains(errs.String(), "nothing is signed") == truth {
				t.Errorf("decided %v, exit code %d\n%s%s", decided.Load(), code, &out, &errs)
			}
		})
	}
}

// What comes from outside cannot move the cursor, and a credential follows no redirect.
func TestOutputAndRedirectsAreHarmless(t *testing.T) {
	doc := json.RawMessage(`{"id":"PO-1\u001b[2J","kind":"invoice","payee":{"name":"No\u202erd"},"requester":{"id":"elif","type":"person"},"revision":"1"}`)
	canonical, err := countersign.Canonicalize(doc)
	must(t, err)
	var out bytes.Buffer
	p := &process{out: &out, err: &out}
	must(t, p.printCard(&countersign.Approval{Document: canonical, Digest: countersign.SumBytes(canonical)}))
	if strings.ContainsAny(out.String(), "\x1b\u202e") || !strings.Contains(out.String(), "PO-1") {
		t.Errorf("%q", &out)
	}
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	conn, err := dial(server.URL)
	must(t, err)
	if err := conn.Call(t.Context(), "css_x", http.MethodGet, "/v1/session", nil, nil); err == nil || followed.Load() {
		t.Errorf("followed %v: %v", followed.Load(), err)
	}
}

// An import that is broken off says how to go on, and going on brings in the rest.
func TestImportGoesOn(t *testing.T) {
	var calls atomic.Int32
	var broken atomic.Bool
	broken.Store(true)
	s := testkit.StartSQLite(t, testkit.Options{Unchecked: true, Handler: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/facts" && calls.Add(1) > 2 && broken.Load() {
				http.Error(w, "gone", http.StatusInternalServerError)
				return
			}
			next.ServeHTTP(w, r)
		})
	}})
	var b strings.Builder
	b.WriteString("id,vendor_id,amount,currency,date\n")
	const rows = 3500
	for i := range rows {
		b.WriteString(strings.Join([]string{"INV-" + string(rune('A'+i%26)) + strings.Repeat("x", i/26), "V-1", "10.00", "EUR", "2026-01-05"}, ",") + "\n")
	}
	file := filepath.Join(t.TempDir(), "p.csv")
	must(t, os.WriteFile(file, []byte(b.String()), 0o600))
	code, _, errs := online(t, s, "import", "purchases", file)
	_, hint, found := strings.Cut(errs, "--from-line ")
	if code != exitFailed || !found {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	broken.Store(false)
	line := strings.Fields(hint)[0]
	i, _ := importing(t, s, exitDone, "purchases", file, "--from-line", line)
	if i.Unchanged != 0 || i.New+i.Skipped != rows || i.Skipped == 0 {
		t.Errorf("from line %s: %+v", line, i)
	}
	if i, _ := importing(t, s, exitDone, "purchases", file); i.Unchanged != rows {
		t.Errorf("all once more: %+v", i)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"a\nb\nc\n", "a\nb\nc\n", nil},
		{"a\nb\nc\nd\ne\nf\n", "a\nb\nX\nd\ne\nf\n", []string{"@ line 1", "  a", "  b", "- c", "+ X", "  d", "  e"}},
		{"", "a\n", []string{"@ line 1", "+ a"}},
		{"a\n", "", []string{"@ line 1", "- a"}},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\nx\n3\n4\n5\n6\n7\n8\ny\n", []string{"@ line 1", "  1", "- 2", "+ x", "  3", "  4", "@ line 7", "  7", "  8", "- 9", "+ y"}},
	} {
		if have := diff(c.from, c.to); !slices.Equal(have, c.want) {
			t.Errorf("%q to %q: %q, want %q", c.from, c.to, have, c.want)
		}
	}
	now := &authority.PolicyView{Text: "p", Lists: map[string]string{"gone": "x", "same": "y"}}
	changes := policyChanges(now, policy.Source{Text: []byte("p"), Lists: map[string]string{"same": "y", "new": "z"}})
	if len(changes) != 2 || changes[0].Field != "list:gone" || changes[0].To != "" || changes[1].Field != "list:new" {
		t.Errorf("%+v", changes)
	}
}

func TestMoneyAndAccounts(t *testing.T) {
	for value, want := range map[string]string{"900.00": "EUR 900.00", "30000.00": "EUR 30,000.00", "-1234567.89": "EUR -1,234,567.89", "100": "EUR 100", "-100.00": "EUR -100.00"} {
		if have := terminal.Money(countersign.Amount{Value: value, Currency: "EUR"}); have != want {
			t.Errorf("%s: %s, want %s", value, have, want)
		}
	}
	if have := accountInGroups(countersign.Account{Scheme: "iban", Value: "DE89370400440532013000", Holder: "Nord"}); have != "DE89 3704 0044 0532 0130 00  Nord" {
		t.Error(have)
	}
}
