package audit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	rpID   = "approve.example"
	site   = "https://approve.example"
	origin = "countersign.example/log/acme"
)

// world is an organisation's log as a server would write it: entries, openings,
// tiles and a key. Every part of it can be bent, so that a verifier has something
// to find.
type world struct {
	tb       testing.TB
	now      time.Time
	org      string
	key      audit.Key
	signer   note.Signer
	leaves   [][]byte
	openings []map[string]countersign.Opening
	tiles    map[audit.TileKey][]byte
	policy   countersign.Digest
	policyAt int64
	caller   string
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb, now: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC), tiles: map[audit.TileKey][]byte{}}
	w.org = w.id(countersign.PrefixOrganisation)
	w.caller = w.id(countersign.PrefixKey)
	var err error
	if w.key, err = audit.GenerateKey(origin); err != nil {
		tb.Fatal(err)
	}
	if w.signer, err = audit.NewSigner(w.key.Signer, origin); err != nil {
		tb.Fatal(err)
	}
	w.add(audit.EntrySpec{Type: countersign.EntryOrganisationCreated, Subject: w.org, Actor: "operator"})
	w.publish("rules: []\n", 1)
	return w
}

func (w *world) id(prefix string) string { return countersign.NewID(prefix, w.now) }

func (w *world) tile(k audit.TileKey) ([]byte, error) {
	if t, ok := w.tiles[k]; ok {
		return t, nil
	}
	return nil, audit.ErrTile
}

// add logs an entry a second later and returns its index.
func (w *world) add(spec audit.EntrySpec) int64 {
	w.tb.Helper()
	if spec.Time.IsZero() {
		w.now = w.now.Add(time.Second)
		spec.Time = w.now
	}
	if spec.ID == "" {
		spec.ID = w.id(countersign.PrefixEntry)
	}
	if spec.Org == "" {
		spec.Org = w.org
	}
	leaf, openings, err := audit.NewEntry(spec)
	if err != nil {
		w.tb.Fatal(err)
	}
	return w.addLeaf(leaf.Bytes(), openings)
}

func (w *world) addLeaf(leaf []byte, openings map[string]countersign.Opening) int64 {
	w.tb.Helper()
	size := int64(len(w.leaves))
	a, err := audit.Append(size, w.tile, []tlog.Hash{audit.LeafHash(leaf)})
	if err != nil {
		w.tb.Fatal(err)
	}
	maps.Copy(w.tiles, a.Tiles)
	w.leaves = append(w.leaves, leaf)
	w.openings = append(w.openings, openings)
	return size
}

func (w *world) checkpoint(signers ...note.Signer) []byte {
	w.tb.Helper()
	size := int64(len(w.leaves))
	root, err := audit.Root(size, w.tile)
	if err != nil {
		w.tb.Fatal(err)
	}
	if len(signers) == 0 {
		signers = []note.Signer{w.signer}
	}
	signed, err := audit.Checkpoint{Origin: origin, Size: size, Root: root}.Sign(signers...)
	if err != nil {
		w.tb.Fatal(err)
	}
	return signed
}

func (w *world) publish(text string, version int) {
	body, err := countersign.Canonical(map[string]any{"text": text, "lists": map[string]string{}})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.policy = countersign.SumBytes(body)
	w.policyAt = w.add(audit.EntrySpec{Type: countersign.EntryPolicyPublished, Subject: "policy", Actor: "operator",
		Facts:    map[string]string{"policy_digest": string(w.policy), "version": strconv.Itoa(version)},
		Openings: map[string][]byte{countersign.OpeningPolicy: body}})
}

// person is somebody with a software passkey.
type person struct {
	id, name, fac string
	groups        []string
	key           *ecdsa.PrivateKey
	enrolment     countersign.Enrolment
	enrolledAt    int64
}

func (w *world) person(name string, groups ...string) *person {
	w.tb.Helper()
	p := w.stranger(name, groups...)
	w.enrol(p)
	return p
}

func (w *world) stranger(name string, groups ...string) *person {
	w.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.tb.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		w.tb.Fatal(err)
	}
	p := &person{id: w.id(countersign.PrefixPerson), name: name, fac: w.id(countersign.PrefixAuthenticator), groups: groups, key: key}
	p.enrolment = countersign.Enrolment{Authenticator: p.fac, Person: p.id, Name: name, Type: "passkey", CredentialID: b64("credential of " + name),
		PublicKey: b64(string(spki)), RPID: rpID, EnrolledBy: "setup"}
	return p
}

func (w *world) enrol(p *person) {
	p.enrolledAt = w.add(audit.EntrySpec{Type: countersign.EntryAuthenticatorEnrolled, Subject: p.id, Actor: p.id,
		Facts:    map[string]string{"authenticator": p.fac, "type": "passkey"},
		Openings: map[string][]byte{countersign.OpeningEnrolment: w.canonical(p.enrolment)}})
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func (w *world) canonical(v any) []byte {
	w.tb.Helper()
	b, err := countersign.Canonical(v)
	if err != nil {
		w.tb.Fatal(err)
	}
	return b
}

// request is one case in the log.
type request struct {
	w           *world
	id          string
	document    []byte
	requirement countersign.Requirement
	entries     []audit.Logged
	keys        map[string]bool
	policies    map[int64]bool
}

// bend changes what the server or the authenticator makes, where set.
type bend struct {
	statement func(*countersign.Statement) // before it is signed
	client    func(map[string]any)         // members of the client data
	auth      func([]byte) []byte          // authenticator data
	sign      func([]byte) []byte          // the signature
	decision  func(*countersign.Decision)  // before it is logged
	spec      func(*audit.EntrySpec)       // the entry
}

var order = []byte(`{"amount":{"currency":"EUR","value":"30000.00"},"id":"PO-4711","kind":"purchase_order","requester":{"id":"u17","type":"person"},"revision":"1"}`)

func (w *world) submit(r countersign.Requirement, bends ...func(*audit.EntrySpec)) *request {
	w.tb.Helper()
	q := &request{w: w, id: w.id(countersign.PrefixRequest), document: order, requirement: r, keys: map[string]bool{}, policies: map[int64]bool{w.policyAt: true}}
	status := map[countersign.Outcome]countersign.Status{countersign.OutcomeAllow: countersign.StatusApproved,
		countersign.OutcomeStepUp: countersign.StatusPending, countersign.OutcomeDeny: countersign.StatusDenied}[r.Outcome]
	spec := audit.EntrySpec{Type: countersign.EntryRequestSubmitted, Subject: q.id, Actor: w.caller,
		Facts: map[string]string{"outcome": string(r.Outcome), "status": string(status), "policy_digest": string(w.policy), "requirement_digest": string(r.Digest())},
		Openings: map[string][]byte{countersign.OpeningDocument: order, countersign.OpeningSubmission: []byte(`{}`),
			countersign.OpeningRequirement: w.canonical(r), countersign.OpeningWeighing: []byte(`{"findings":[]}`)}}
	for _, b := range bends {
		b(&spec)
	}
	q.logged(countersign.RoleSubmission, w.add(spec))
	return q
}

func (q *request) logged(role string, index int64) {
	shown := maps.Clone(q.w.openings[index])
	for _, name := range []string{countersign.OpeningSubmission, countersign.OpeningWeighing, countersign.OpeningPolicy} {
		delete(shown, name)
	}
	q.entries = append(q.entries, audit.Logged{Role: role, Index: index, Leaf: q.w.leaves[index], Openings: shown})
}

func (q *request) reweigh(r countersign.Requirement, status countersign.Status) {
	q.requirement = r
	q.policies[q.w.policyAt] = true
	q.logged(countersign.RoleReweighing, q.w.add(audit.EntrySpec{Type: countersign.EntryRequestReweighed, Subject: q.id, Actor: "system",
		Facts: map[string]string{"outcome": string(r.Outcome), "status": string(status), "policy_digest": string(q.w.policy),
			"requirement_digest": string(r.Digest()), "why": "policy"},
		Openings: map[string][]byte{countersign.OpeningRequirement: q.w.canonical(r), countersign.OpeningWeighing: []byte(`{}`)}}))
}

// statement is what the person is asked to sign now.
func (q *request) statement(p *person, act countersign.Act) countersign.Statement {
	var nonce [32]byte
	rand.Read(nonce[:])
	s := countersign.Statement{Version: 1, Org: q.w.org, Approval: q.id, Digest: countersign.SumBytes(q.document), RequirementDigest: q.requirement.Digest(),
		PolicyDigest: q.w.policy, Act: act, Person: p.id, Expires: q.w.now.Add(5 * time.Minute).Format(audit.TimeFormat), Nonce: b64(string(nonce[:]))}
	for _, a := range q.requirement.Attestations {
		a.Answer = "yes, at 14:02"
		s.Attestations = append(s.Attestations, a)
	}
	if q.requirement.Reason {
		s.Reason = "agreed in the budget"
	}
	return s
}

// decide logs a decision with a passkey.
func (q *request) decide(p *person, act countersign.Act, status countersign.Status, b bend) {
	q.w.tb.Helper()
	at := q.w.now.Add(time.Second)
	s := q.statement(p, act)
	if b.statement != nil {
		b.statement(&s)
	}
	ev := countersign.Evidence{Assurance: countersign.AssurancePhishingResistant, AMR: []string{"mfa", "pop", "user"}, AuthTime: at.Format(audit.TimeFormat),
		Passkey: p.assert(q.w.tb, s, b)}
	q.keys[p.fac] = true
	q.conclude(p, s, ev, status, b)
	q.logged(countersign.RoleEnrolment, p.enrolledAt)
}

// code logs a decision with a code on top of a password, or of another first factor.
func (q *request) code(p *person, first countersign.FirstFactor, status countersign.Status, b bend) {
	q.w.tb.Helper()
	at := q.w.now.Add(time.Second)
	s := q.statement(p, countersign.ActApprove)
	if b.statement != nil {
		b.statement(&s)
	}
	if first.At == "" {
		first.At = at.Add(-2 * time.Minute).Format(audit.TimeFormat)
	}
	ev := countersign.Evidence{Assurance: countersign.AssuranceMFA, AMR: []string{"mfa", "otp", "pwd"}, AuthTime: first.At,
		TOTP: &countersign.TOTPEvidence{Authenticator: q.w.id(countersign.PrefixAuthenticator), Step: at.Unix() / 30}, FirstFactor: &first}
	q.conclude(p, s, ev, status, b)
}

func (q *request) conclude(p *person, s countersign.Statement, ev countersign.Evidence, status countersign.Status, b bend) {
	q.w.tb.Helper()
	at := q.w.now.Add(time.Second)
	q.w.now = at
	ev.Statement = s.Bytes()
	d := countersign.Decision{ID: q.w.id(countersign.PrefixDecision), Person: countersign.Principal{ID: p.id, Name: p.name}, Act: s.Act, Reason: s.Reason,
		Attestations: s.Attestations, Groups: p.groups, Evidence: ev, At: at.Format(audit.TimeFormat)}
	if b.decision != nil {
		b.decision(&d)
	}
	spec := audit.EntrySpec{Type: countersign.EntryDecisionMade, Time: at, Subject: q.id, Actor: p.id,
		Facts: map[string]string{"decision": d.ID, "act": string(d.Act), "status": string(status), "assurance": string(d.Evidence.Assurance),
			"policy_digest": string(q.w.policy), "requirement_digest": string(q.requirement.Digest())},
		Openings: map[string][]byte{countersign.OpeningDecision: q.w.canonical(d)}}
	if b.spec != nil {
		b.spec(&spec)
	}
	q.logged(countersign.RoleDecision, q.w.add(spec))
}

func (q *request) release(after time.Duration) {
	q.w.now = q.w.now.Add(after)
	q.logged(countersign.RoleRelease, q.w.add(audit.EntrySpec{Type: countersign.EntryRequestReleased, Subject: q.id, Actor: q.w.caller,
		Facts: map[string]string{"lease": q.w.id(countersign.PrefixLease), "status": string(countersign.StatusReleased)}}))
}

// assert makes a WebAuthn assertion over the statement.
func (p *person) assert(tb testing.TB, s countersign.Statement, b bend) *countersign.PasskeyEvidence {
	tb.Helper()
	challenge := s.Challenge()
	members := map[string]any{"type": "webauthn.get", "challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "origin": site, "crossOrigin": false}
	if b.client != nil {
		b.client(members)
	}
	client, err := json.Marshal(members)
	if err != nil {
		tb.Fatal(err)
	}
	rp := sha256.Sum256([]byte(rpID))
	data := binary.BigEndian.AppendUint32(append(rp[:], 0x05), 7)
	if b.auth != nil {
		data = b.auth(data)
	}
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte(nil), data...), sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, p.key, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	if b.sign != nil {
		sig = b.sign(sig)
	}
	return &countersign.PasskeyEvidence{Authenticator: p.fac, CredentialID: p.enrolment.CredentialID, AuthenticatorData: b64(string(data)),
		ClientDataJSON: b64(string(client)), Signature: b64(string(sig)), RPID: rpID, Origin: site, Simulated: p.enrolment.Simulated}
}

// receipt builds the receipt of the case as the log stands.
func (q *request) receipt() countersign.Receipt {
	q.w.tb.Helper()
	return q.receiptAt(q.w.checkpoint())
}

func (q *request) receiptAt(checkpoint []byte) countersign.Receipt {
	q.w.tb.Helper()
	entries := []audit.Logged{}
	seen := map[string]bool{}
	for _, e := range q.entries {
		if key := e.Role + fmt.Sprint(e.Index); !seen[key] {
			seen[key] = true
			entries = append(entries, e)
		}
	}
	for at := range q.policies {
		entries = append(entries, audit.Logged{Role: countersign.RolePolicy, Index: at, Leaf: q.w.leaves[at]})
	}
	r, err := audit.BuildReceipt(audit.ReceiptInput{Entries: entries, Checkpoint: checkpoint, Prove: audit.NewProver(q.w.tile).Inclusion})
	if err != nil {
		q.w.tb.Fatal(err)
	}
	return r
}

func (w *world) options() verify.Options {
	return verify.Options{Keys: []string{w.key.Verifier}}
}

// filler puts other entries around, so that paths are longer than one hash.
func (w *world) filler(n int) {
	for range n {
		w.submit(allowed)
	}
}

// mapFiles is an export in memory.
type mapFiles struct{ fstest.MapFS }

type mapFile struct {
	files mapFiles
	path  string
	data  []byte
}

func (m mapFiles) Create(path string) (io.WriteCloser, error) {
	return &mapFile{files: m, path: path}, nil
}
func (f *mapFile) Write(b []byte) (int, error) { f.data = append(f.data, b...); return len(b), nil }
func (f *mapFile) Close() error {
	f.files.MapFS[f.path] = &fstest.MapFile{Data: f.data}
	return nil
}

func (w *world) export() mapFiles {
	w.tb.Helper()
	files := mapFiles{fstest.MapFS{}}
	if err := audit.Export(w.exportInput(), files); err != nil {
		w.tb.Fatal(err)
	}
	return files
}

func (w *world) exportInput() audit.ExportInput {
	return audit.ExportInput{Checkpoint: w.checkpoint(), Tiles: w.tile, Entries: func(index int64, n int) ([]audit.Exported, error) {
		out := make([]audit.Exported, n)
		for i := range out {
			out[i] = audit.Exported{Leaf: w.leaves[index+int64(i)], Openings: w.openings[index+int64(i)]}
		}
		return out, nil
	}}
}

// shared opens a file of the test vectors, or skips the test where they are absent.
func shared(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../../shared/vectors/" + path)
	if err != nil {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("the shared test vectors are absent: %v", err)
	}
	return data
}
