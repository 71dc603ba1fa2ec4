package web_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// bench is a log of the test's own, with a page that shows one entry of it.
type bench struct {
	t      *testing.T
	signer note.Signer
	key    string
	leaves [][]byte
	open   []map[string]countersign.Opening
	tiles  map[audit.TileKey][]byte
}

const benchOrigin = "log.example/bench"

func newBench(t *testing.T) *bench {
	secret, key, err := note.GenerateKey(rand.Reader, benchOrigin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, signer: signer, key: key, tiles: map[audit.TileKey][]byte{}}
}

func (b *bench) add(typ countersign.EntryType, subject, actor string, facts map[string]string, openings map[string][]byte) int {
	_, leaf, open, err := audit.NewLeaf(audit.EntrySpec{ID: fmt.Sprintf("ent_%d", len(b.leaves)), Org: "org_1", Type: typ, Time: time.Now(), Subject: subject, Actor: actor, Facts: facts, Openings: openings})
	if err != nil {
		b.t.Fatal(err)
	}
	grown, err := audit.Append(int64(len(b.leaves)), b.tile, []tlog.Hash{audit.LeafHash(leaf)})
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range grown.Tiles {
		b.tiles[k] = v
	}
	b.leaves, b.open = append(b.leaves, leaf), append(b.open, open)
	return len(b.leaves) - 1
}

func (b *bench) tile(k audit.TileKey) ([]byte, error) { return b.tiles[k], nil }

func (b *bench) checkpoint(size int64) []byte {
	root, err := audit.Root(size, b.tile)
	if err != nil {
		b.t.Fatal(err)
	}
	signed, err := verify.Checkpoint{Origin: benchOrigin, Size: size, Root: root}.Sign(b.signer)
	if err != nil {
		b.t.Fatal(err)
	}
	return signed
}

func (b *bench) entry(index int, size int64) map[string]any {
	path, err := audit.InclusionProof(size, int64(index), b.tile)
	if err != nil {
		b.t.Fatal(err)
	}
	return map[string]any{"index": index, "leaf": string(b.leaves[index]), "openings": b.open[index], "proof": audit.FormatProof(int64(index), path, b.checkpoint(size))}
}

// key is a passkey's key pair of one algorithm.
type key struct {
	name   string
	public crypto.PublicKey
	sign   func([]byte) ([]byte, error)
}

func keys(t *testing.T) []key {
	var all []key
	for _, c := range []struct {
		curve elliptic.Curve
		sum   func([]byte) []byte
	}{{elliptic.P256(), func(b []byte) []byte { d := sha256.Sum256(b); return d[:] }}, {elliptic.P384(), func(b []byte) []byte { d := sha512.Sum384(b); return d[:] }}, {elliptic.P521(), func(b []byte) []byte { d := sha512.Sum512(b); return d[:] }}} {
		k, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key{c.curve.Params().Name, k.Public(), func(b []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, k, c.sum(b)) }})
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, key{"Ed25519", public, func(b []byte) ([]byte, error) { return ed25519.Sign(private, b), nil }})
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, key{"RS256", r.Public(), func(b []byte) ([]byte, error) {
		d := sha256.Sum256(b)
		return rsa.SignPKCS1v15(rand.Reader, r, crypto.SHA256, d[:])
	}})
}

// ceremony is what a passkey signs, and how a test spoils it.
type ceremony struct {
	rpID, origin, more string
	flags              byte
	challenge          []byte // nil: the statement's
	by                 func([]byte) ([]byte, error)
}

var url64 = base64.RawURLEncoding.EncodeToString

// decide logs an enrolment and a decision that the key signed.
func (b *bench) decide(k key, change func(*ceremony, *countersign.Statement)) (enrolment, decision int) {
	t := b.t
	spki, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		t.Fatal(err)
	}
	fac := fmt.Sprintf("fac_%d", len(b.leaves))
	enrolled, err := countersign.Canonical(countersign.Enrolment{Authenticator: fac, Person: "per_1", Name: "Ruth Adler", Type: "passkey", CredentialID: "Y3JlZA", PublicKey: url64(spki), RPID: "example.com", EnrolledBy: "setup"})
	if err != nil {
		t.Fatal(err)
	}
	enrolment = b.add(countersign.EntryAuthenticatorEnrolled, "per_1", "per_1", map[string]string{"authenticator": fac, "type": "passkey"}, map[string][]byte{"enrolment": enrolled})
	digest := countersign.SumBytes([]byte(benchDocument))
	s := countersign.Statement{Version: 1, Org: "org_1", Approval: "req_1", Digest: digest, RequirementDigest: digest, PolicyDigest: digest, Act: "approve", Reason: "checked ünd <fine>\u2028", Person: "per_1", Expires: "2026-11-24T10:00:00Z", Nonce: "x"}
	c := ceremony{rpID: "example.com", origin: "https://approve.example.com", flags: 5, by: k.sign}
	change(&c, &s)
	if c.challenge == nil {
		sum := s.Challenge()
		c.challenge = sum[:]
	}
	client := `{"type":"webauthn.get","challenge":"` + url64(c.challenge) + `","origin":"` + c.origin + `"` + c.more + `}`
	rp, sum := sha256.Sum256([]byte(c.rpID)), sha256.Sum256([]byte(client))
	data := append(rp[:], c.flags, 0, 0, 0, 1)
	signature, err := c.by(append(append([]byte{}, data...), sum[:]...))
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("dec_%d", len(b.leaves))
	d, err := countersign.Canonical(countersign.Decision{ID: id, Person: countersign.Principal{ID: "per_1", Name: "Ruth Adler"}, Act: "approve", Reason: "checked ünd <fine>\u2028", Groups: []string{}, At: "2026-11-24T09:59:00.000000Z",
		Evidence: countersign.Evidence{Assurance: "phishing_resistant", AMR: []string{"hwk"}, Statement: s.Bytes(), AuthTime: "2026-11-24T09:59:00Z",
			Passkey: &countersign.PasskeyEvidence{Authenticator: fac, CredentialID: "Y3JlZA", AuthenticatorData: url64(data), ClientDataJSON: url64([]byte(client)), Signature: url64(signature), RPID: "example.com", Origin: c.origin}}})
	if err != nil {
		t.Fatal(err)
	}
	decision = b.add(countersign.EntryDecisionMade, "req_1", "per_1", map[string]string{"decision": id, "act": "approve", "policy_digest": string(digest), "requirement_digest": string(digest)}, map[string][]byte{"decision": d})
	return enrolment, decision
}

const benchDocument = `{"amount":{"currency":"EUR","value":"1.00"},"id":"INV-1"}`

// page shows one entry the way the explorer's page does, as far as the script needs.
func (b *bench) page(index int) string {
	words := map[string]string{}
	text, err := os.ReadFile("texts/en/audit.json")
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &words); err != nil {
		b.t.Fatal(err)
	}
	var p strings.Builder
	p.WriteString(`<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/verify.js" defer></script><main data-proof="/proof.json" data-origin="` + benchOrigin + `" data-group=" "><template data-words>`)
	for k, v := range words {
		if name, ok := strings.CutPrefix(k, "audit.check."); ok {
			fmt.Fprintf(&p, `<p data-word="%s">%s</p>`, name, html.EscapeString(v))
		}
	}
	p.WriteString(`</template>`)
	for _, name := range []string{"grown", "included", "signed", "witnessed"} {
		fmt.Fprintf(&p, `<p data-check="%s"><b class="tag"></b><span data-said></span></p>`, name)
	}
	fmt.Fprintf(&p, `<div hidden><input id="held-key"><p data-held><b class="tag"></b><span data-said></span></p></div><pre data-leaf>%s</pre></main>`, html.EscapeString(string(b.leaves[index])))
	return p.String()
}

// TestTheBrowserKnowsEveryKind: trees of many sizes and their growth, each algorithm
// that a passkey may have, and ceremonies that a signature alone does not excuse.
func TestTheBrowserKnowsEveryKind(t *testing.T) {
	b := newBench(t)
	document := b.add(countersign.EntryRequestSubmitted, "req_1", "key_1", nil, map[string][]byte{"document": []byte(benchDocument)})
	type story struct {
		name                string
		enrolment, decision int
		says                string
	}
	var all []story
	fine := func(*ceremony, *countersign.Statement) {}
	const good = "ok: The checkpoint"
	ks := keys(t)
	for _, k := range ks {
		e, d := b.decide(k, fine)
		all = append(all, story{k.name, e, d, good})
		wrong := k
		wrong.sign = func(m []byte) ([]byte, error) { return k.sign(append(m, 0)) }
		e, d = b.decide(wrong, fine)
		all = append(all, story{k.name + " over other bytes", e, d, "no: Failed at passkey signature"})
	}
	for _, c := range []struct {
		name, says string
		change     func(*ceremony, *countersign.Statement)
	}{
		{"another challenge", "no: Failed at passkey challenge", func(c *ceremony, _ *countersign.Statement) { c.challenge = make([]byte, 32) }},
		{"in a frame", "no: Failed at passkey origin", func(c *ceremony, _ *countersign.Statement) { c.more = `,"crossOrigin":true` }},
		{"under another page", "no: Failed at passkey origin", func(c *ceremony, _ *countersign.Statement) { c.more = `,"topOrigin":"https://evil.example"` }},
		{"another party", "no: Failed at passkey origin", func(c *ceremony, _ *countersign.Statement) { c.rpID = "evil.example" }},
		{"another place", "no: Failed at passkey origin", func(c *ceremony, _ *countersign.Statement) { c.origin = "https://evilexample.com" }},
		{"nobody verified", "no: Failed at user verification", func(c *ceremony, _ *countersign.Statement) { c.flags = 1 }},
		{"backed up", "no: Failed at user verification", func(c *ceremony, _ *countersign.Statement) { c.flags = 5 | 8 }},
		{"another request", "no: Failed at statement", func(_ *ceremony, s *countersign.Statement) { s.Approval = "req_2" }},
		{"another person", "no: Failed at statement", func(_ *ceremony, s *countersign.Statement) { s.Person = "per_2" }},
		{"another document", "no: Failed at document", func(_ *ceremony, s *countersign.Statement) { s.Digest = countersign.SumBytes([]byte("x")) }},
	} {
		e, d := b.decide(ks[0], c.change)
		all = append(all, story{c.name, e, d, c.says})
	}
	size := int64(len(b.leaves))
	shown, data := 0, map[string]any{}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/verify.js":
			http.ServeFile(w, r, "static/verify.js")
		case "/proof.json":
			if since := r.URL.Query().Get("since"); since != "" {
				data["consistency"] = b.growth(since, size)
			}
			json.NewEncoder(w).Encode(data)
		default:
			w.Write([]byte(b.page(shown)))
		}
	}))
	t.Cleanup(site.Close)
	browser := testkit.OpenBrowser(t)
	look := func(index int, at int64, more map[string]any) string {
		shown, size, data = index, at, b.entry(index, at)
		data["checkpoint"], data["keys"] = string(b.checkpoint(at)), []string{b.key}
		for k, v := range more {
			data[k] = v
		}
		browser.Open(site.URL)
		browser.Wait(`document.querySelector('[data-done]')`)
		return testkit.Eval[string](browser, `[...document.querySelectorAll('[data-check]')].map(c => c.dataset.state + ': ' + c.querySelector('[data-said]').textContent).join('\n')`)
	}
	for i, n := range []int64{1, 2, 3, 4, 6, 7, 8, 13, 16, 17, 29} {
		said := strings.Split(look(int(n*2/3), n, nil), "\n")
		if !strings.HasPrefix(said[1], "ok") || (i > 0 && !strings.HasPrefix(said[0], "ok")) {
			t.Errorf("a tree of %d: %v", n, said)
		}
	}
	full := int64(len(b.leaves))
	for _, s := range all {
		said := strings.Split(look(s.decision, full, map[string]any{"submission": b.entry(document, full), "enrolment": b.entry(s.enrolment, full)}), "\n")
		if !strings.HasPrefix(said[2], s.says) || !strings.HasPrefix(said[1], "ok") {
			t.Errorf("%s: %q, want %s", s.name, said, s.says)
		}
	}
}

func (b *bench) growth(since string, size int64) map[string]any {
	var old int64
	fmt.Sscan(since, &old)
	path, err := audit.ConsistencyProof(old, size, b.tile)
	if err != nil {
		return nil
	}
	hashes := []string{}
	for _, h := range path {
		hashes = append(hashes, h.String())
	}
	return map[string]any{"size": old, "path": hashes}
}
