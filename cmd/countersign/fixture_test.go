package main

import (
	"bytes"
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
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
)

const (
	rpID   = "approve.example"
	site   = "https://approve.example"
	origin = "countersign.example/log/acme"
)

// ledger is a small log as a server would write it, for the verifier to read.
type ledger struct {
	t        testing.TB
	now      time.Time
	org      string
	caller   string
	key      audit.Key
	signer   note.Signer
	leaves   [][]byte
	openings []map[string]countersign.Opening
	tiles    map[audit.TileKey][]byte
	policy   countersign.Digest
	policyAt int64
}

func newLedger(t testing.TB) *ledger {
	l := &ledger{t: t, now: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC), tiles: map[audit.TileKey][]byte{}}
	l.org, l.caller = l.id(countersign.PrefixOrganisation), l.id(countersign.PrefixKey)
	var err error
	l.key, err = audit.GenerateKey(origin)
	must(t, err)
	l.signer, err = audit.NewSigner(l.key.Signer, origin)
	must(t, err)
	l.add(audit.EntrySpec{Type: countersign.EntryOrganisationCreated, Subject: l.org, Actor: "operator"})
	body := l.canonical(map[string]any{"text": "rules: []\n", "lists": map[string]string{}})
	l.policy = countersign.SumBytes(body)
	l.policyAt = l.add(audit.EntrySpec{Type: countersign.EntryPolicyPublished, Subject: "policy", Actor: "operator",
		Facts:    map[string]string{"policy_digest": string(l.policy), "version": strconv.Itoa(1)},
		Openings: map[string][]byte{countersign.OpeningPolicy: body}})
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *ledger) id(prefix string) string { return countersign.NewID(prefix, l.now) }

func (l *ledger) canonical(v any) []byte {
	b, err := countersign.Canonical(v)
	must(l.t, err)
	return b
}

func (l *ledger) tile(k audit.TileKey) ([]byte, error) {
	if t, ok := l.tiles[k]; ok {
		return t, nil
	}
	return nil, audit.ErrTile
}

func (l *ledger) add(spec audit.EntrySpec) int64 {
	l.now = l.now.Add(time.Second)
	spec.ID, spec.Org, spec.Time = l.id(countersign.PrefixEntry), l.org, l.now
	leaf, openings, err := audit.NewEntry(spec)
	must(l.t, err)
	size := int64(len(l.leaves))
	a, err := audit.Append(size, l.tile, []tlog.Hash{audit.LeafHash(leaf.Bytes())})
	must(l.t, err)
	maps.Copy(l.tiles, a.Tiles)
	l.leaves, l.openings = append(l.leaves, leaf.Bytes()), append(l.openings, openings)
	return size
}

func (l *ledger) checkpoint() []byte {
	size := int64(len(l.leaves))
	root, err := audit.Root(size, l.tile)
	must(l.t, err)
	signed, err := audit.Checkpoint{Origin: origin, Size: size, Root: root}.Sign(l.signer)
	must(l.t, err)
	return signed
}

var order = []byte(`{"amount":{"currency":"EUR","value":"30000.00"},"id":"PO-4711","kind":"purchase_order","requester":{"id":"u17","type":"person"},"revision":"1"}`)

// submit logs a request and returns its id and its entry.
func (l *ledger) submit(r countersign.Requirement) (string, audit.Logged) {
	id := l.id(countersign.PrefixRequest)
	status := countersign.StatusApproved
	if r.Outcome == countersign.OutcomeStepUp {
		status = countersign.StatusPending
	}
	at := l.add(audit.EntrySpec{Type: countersign.EntryRequestSubmitted, Subject: id, Actor: l.caller,
		Facts: map[string]string{"outcome": string(r.Outcome), "status": string(status), "policy_digest": string(l.policy), "requirement_digest": string(r.Digest())},
		Openings: map[string][]byte{countersign.OpeningDocument: order, countersign.OpeningSubmission: []byte(`{}`),
			countersign.OpeningRequirement: l.canonical(r), countersign.OpeningWeighing: []byte(`{"findings":[]}`)}})
	return id, l.logged(countersign.RoleSubmission, at)
}

func (l *ledger) logged(role string, at int64) audit.Logged {
	shown := maps.Clone(l.openings[at])
	for _, name := range []string{countersign.OpeningSubmission, countersign.OpeningWeighing, countersign.OpeningPolicy} {
		delete(shown, name)
	}
	return audit.Logged{Role: role, Index: at, Leaf: l.leaves[at], Openings: shown}
}

// approve enrols a passkey and decides a request with it.
func (l *ledger) approve(request string, r countersign.Requirement) []audit.Logged {
	person, fac := l.id(countersign.PrefixPerson), l.id(countersign.PrefixAuthenticator)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(l.t, err)
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(l.t, err)
	enrolment := countersign.Enrolment{Authenticator: fac, Person: person, Name: "Ann", Type: "passkey", CredentialID: b64([]byte("credential")),
		PublicKey: b64(spki), RPID: rpID, EnrolledBy: "setup"}
	enrolled := l.add(audit.EntrySpec{Type: countersign.EntryAuthenticatorEnrolled, Subject: person, Actor: person,
		Facts:    map[string]string{"authenticator": fac, "type": "passkey"},
		Openings: map[string][]byte{countersign.OpeningEnrolment: l.canonical(enrolment)}})
	at := l.now.Add(time.Second).Format(audit.TimeFormat)
	s := countersign.Statement{Version: 1, Org: l.org, Approval: request, Digest: countersign.SumBytes(order), RequirementDigest: r.Digest(), PolicyDigest: l.policy,
		Act: countersign.ActApprove, Person: person, Expires: l.now.Add(5 * time.Minute).Format(audit.TimeFormat), Nonce: b64(make([]byte, 32))}
	d := countersign.Decision{ID: l.id(countersign.PrefixDecision), Person: countersign.Principal{ID: person, Name: "Ann"}, Act: s.Act, Groups: []string{"finance"}, At: at,
		Evidence: countersign.Evidence{Statement: s.Bytes(), Assurance: countersign.AssurancePhishingResistant, AMR: []string{"mfa", "pop", "user"}, AuthTime: at,
			Passkey: l.assert(s, key, enrolment)}}
	decided := l.add(audit.EntrySpec{Type: countersign.EntryDecisionMade, Subject: request, Actor: person,
		Facts: map[string]string{"decision": d.ID, "act": string(d.Act), "status": string(countersign.StatusApproved), "assurance": string(d.Evidence.Assurance),
			"policy_digest": string(l.policy), "requirement_digest": string(r.Digest())},
		Openings: map[string][]byte{countersign.OpeningDecision: l.canonical(d)}})
	return []audit.Logged{l.logged(countersign.RoleDecision, decided), l.logged(countersign.RoleEnrolment, enrolled)}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (l *ledger) assert(s countersign.Statement, key *ecdsa.PrivateKey, e countersign.Enrolment) *countersign.PasskeyEvidence {
	challenge := s.Challenge()
	client, err := json.Marshal(map[string]any{"type": "webauthn.get", "challenge": b64(challenge[:]), "origin": site, "crossOrigin": false})
	must(l.t, err)
	rp := sha256.Sum256([]byte(rpID))
	data := binary.BigEndian.AppendUint32(append(rp[:], 0x05), 7)
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	must(l.t, err)
	return &countersign.PasskeyEvidence{Authenticator: e.Authenticator, CredentialID: e.CredentialID, AuthenticatorData: b64(data),
		ClientDataJSON: b64(client), Signature: b64(sig), RPID: rpID, Origin: site}
}

func (l *ledger) receipt(entries ...audit.Logged) []byte {
	entries = append(entries, audit.Logged{Role: countersign.RolePolicy, Index: l.policyAt, Leaf: l.leaves[l.policyAt]})
	r, err := audit.BuildReceipt(audit.ReceiptInput{Entries: entries, Checkpoint: l.checkpoint(), Prove: audit.NewProver(l.tile).Inclusion})
	must(l.t, err)
	return r.Bytes()
}

// evidence is what the scripts of verify find in their folder.
func evidence(t testing.TB) map[string][]byte {
	l := newLedger(t)
	files := folder{}
	allowed := countersign.Requirement{Outcome: countersign.OutcomeAllow}
	_, silent := l.submit(allowed)
	files["silent.json"] = l.receipt(silent)
	files["earlier"] = l.checkpoint()
	was := int64(len(l.leaves))
	needsKey := countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant,
		Clauses: []countersign.Clause{{Count: 1, From: []string{"finance"}}}}
	id, submitted := l.submit(needsKey)
	files["passkey.json"] = l.receipt(append(l.approve(id, needsKey), submitted)...)
	proof, err := audit.ConsistencyProof(was, int64(len(l.leaves)), l.tile)
	must(t, err)
	for _, h := range proof {
		files["consistency"] = fmt.Appendf(files["consistency"], "%s\n", h)
	}
	files["consistency.json"], err = json.Marshal(proof)
	must(t, err)
	files["order.json"] = order
	files["other.json"] = bytes.Replace(order, []byte("30000.00"), []byte("30000.01"), 1)
	files["log.key"] = []byte("# the log of acme\n" + l.key.Verifier + "\n")
	files["verifier"] = []byte(l.key.Verifier)
	other, err := audit.GenerateKey(origin)
	must(t, err)
	files["other.key"] = []byte(other.Verifier + "\n")
	files["edited.json"] = append(bytes.Clone(files["passkey.json"]), '\n')
	files["forged.json"] = bytes.Replace(files["passkey.json"], []byte(`"name\":\"Ann`), []byte(`"name\":\"Eve`), 1)
	if bytes.Equal(files["forged.json"], files["passkey.json"]) {
		t.Fatal("nothing was forged")
	}
	in := audit.ExportInput{Checkpoint: l.checkpoint(), Tiles: l.tile, Entries: func(index int64, n int) ([]audit.Exported, error) {
		out := make([]audit.Exported, n)
		for i := range out {
			out[i] = audit.Exported{Leaf: l.leaves[index+int64(i)], Openings: l.openings[index+int64(i)]}
		}
		return out, nil
	}}
	must(t, audit.Export(in, files.under("export/")))
	for name, data := range maps.Clone(files) {
		if rest, ok := bytes.CutPrefix([]byte(name), []byte("export/")); ok {
			files["tampered/"+string(rest)] = bytes.ReplaceAll(data, []byte("request.submitted"), []byte("request.submittex"))
		}
	}
	return files
}

// folder is a folder in memory.
type folder map[string][]byte

type subfolder struct {
	folder
	prefix string
}

func (f folder) under(prefix string) subfolder { return subfolder{f, prefix} }

type file struct {
	bytes.Buffer
	close func([]byte)
}

func (f *file) Close() error { f.close(f.Bytes()); return nil }

func (s subfolder) Create(path string) (io.WriteCloser, error) {
	return &file{close: func(b []byte) { s.folder[s.prefix+path] = bytes.Clone(b) }}, nil
}
