package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
)

// TestC2SPVector verifies a tlog-proof with a witness's cosignature that other
// programs made.
func TestC2SPVector(t *testing.T) {
	proof := string(shared(t, "c2sp/example.tlog-proof"))
	keys := strings.Split(string(shared(t, "c2sp/example.keys.txt")), "\n")
	logKey := strings.TrimPrefix(keys[0], "log vkey: ")
	witnessKey := keys[1][strings.Index(keys[1], "witness.example"):]
	leaf := keys[2][strings.Index(keys[2], "{"):]

	p, err := audit.ParseProof(proof)
	if err != nil {
		t.Fatal(err)
	}
	if again := audit.FormatProof(p.Index, p.Path, p.Checkpoint); again != proof {
		t.Fatalf("written again: %q", again)
	}
	verifier, err := note.NewVerifier(logKey)
	if err != nil {
		t.Fatal(err)
	}
	head, err := audit.OpenCheckpoint(p.Checkpoint, "countersign.example/audit/1", verifier)
	if err != nil || head.Size != 5 {
		t.Fatalf("%+v %v", head, err)
	}
	if err := verify.Inclusion(head, p, []byte(leaf)); err != nil {
		t.Fatal(err)
	}
	if err := verify.Inclusion(head, p, []byte(leaf+" ")); err == nil {
		t.Error("another leaf is included")
	}
	w, err := verify.WitnessVerifier(witnessKey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(p.Checkpoint, note.VerifierList(w)); err != nil || len(n.Sigs) != 1 {
		t.Fatalf("cosignature: %v", err)
	}
	damaged := []byte(strings.Replace(string(p.Checkpoint), "\n5\n", "\n4\n", 1))
	if _, err := note.Open(damaged, note.VerifierList(w)); err == nil {
		t.Error("the cosignature fits another size")
	}
	if _, err := audit.OpenCheckpoint(p.Checkpoint, "elsewhere", verifier); err == nil {
		t.Error("opened as another log")
	}
}

// TestProofHasOneForm: whatever is not exactly what FormatProof writes is refused.
func TestProofHasOneForm(t *testing.T) {
	w := newWorld(t)
	w.filler(6)
	path, err := audit.InclusionProof(8, 3, w.tile)
	if err != nil {
		t.Fatal(err)
	}
	text := audit.FormatProof(3, path, w.checkpoint())
	if _, err := audit.ParseProof(text); err != nil {
		t.Fatal(err)
	}
	hash := path[0].String()
	for name, bad := range map[string]string{
		"leading zero":  strings.Replace(text, "index 3", "index 03", 1),
		"plus":          strings.Replace(text, "index 3", "index +3", 1),
		"negative":      strings.Replace(text, "index 3", "index -3", 1),
		"too large":     strings.Replace(text, "index 3", "index 9223372036854775808", 1),
		"spare bits":    strings.Replace(text, hash, hash[:42]+string(hash[42]+1)+"=", 1),
		"no padding":    strings.Replace(text, hash, strings.TrimSuffix(hash, "="), 1),
		"line end":      strings.Replace(text, "\n", "\r\n", 1),
		"carriage":      strings.Replace(text, hash, hash+"\r", 1),
		"extra":         strings.Replace(text, "index 3", "extra AAAA\nindex 3", 1),
		"version":       strings.Replace(text, "@v1", "@v2", 1),
		"no checkpoint": text[:strings.Index(text, "\n\n")],
		"short hash":    strings.Replace(text, hash, "AAAA", 1),
		"many hashes":   strings.Replace(text, hash+"\n", strings.Repeat(hash+"\n", 64), 1),
		"empty":         "",
	} {
		if bad == text {
			t.Fatalf("%s: not changed", name)
		}
		if _, err := audit.ParseProof(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCheckpointHasOneForm: note.Open alone lets pass unused bits of base64 and
// repeated signatures, so that one checkpoint would have many forms.
func TestCheckpointHasOneForm(t *testing.T) {
	w := newWorld(t)
	v, _ := note.NewVerifier(w.key.Verifier)
	signed := string(w.checkpoint())
	if _, err := audit.OpenCheckpoint([]byte(signed), origin, v); err != nil {
		t.Fatal(err)
	}
	line := signed[strings.Index(signed, "— "):]
	last := strings.LastIndexByte(line, '=') - 1
	for name, bad := range map[string]string{
		"spare bits":     strings.Replace(signed, line, line[:last]+string(next64(line[last]))+line[last+1:], 1),
		"signed twice":   signed + line,
		"extension line": strings.Replace(signed, "\n\n", "\nmore\n\n", 1),
		"size 02":        strings.Replace(signed, "\n2\n", "\n02\n", 1),
		"no end of line": strings.TrimSuffix(signed, "\n"),
		"no signature":   signed[:strings.Index(signed, "— ")],
		"two spaces":     strings.Replace(signed, "— ", "—  ", 1),
		"half a note":    signed[:20],
	} {
		if bad == signed {
			t.Fatalf("%s: not changed", name)
		}
		if _, err := audit.OpenCheckpoint([]byte(bad), origin, v); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, bad := range []string{"", "has space", "has+plus", "has\nline", "ümlaut", strings.Repeat("x", 300)} {
		if err := audit.CheckOrigin(bad); err == nil {
			t.Errorf("origin %q accepted", bad)
		}
		if _, err := audit.GenerateKey(bad); err == nil {
			t.Errorf("key named %q made", bad)
		}
	}
	if _, err := audit.NewSigner(w.key.Signer, "elsewhere"); err == nil || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("key of another log: %v", err)
	}
	if _, err := (audit.Checkpoint{Origin: origin, Size: -1}).Sign(w.signer); err == nil {
		t.Error("a negative size is signed")
	}
}

// next64 is the character whose six bits differ in the lowest.
func next64(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// TestKeyRotation: a checkpoint signed with both keys is followed by whoever trusts
// either; afterwards both keys are given. A key of another name never counts.
func TestKeyRotation(t *testing.T) {
	w := newWorld(t)
	q := w.submit(allowed)
	fresh, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	newSigner, err := audit.NewSigner(fresh.Signer, origin)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := audit.GenerateKey("countersign.example/log/other")
	for _, c := range []struct {
		signed []byte
		keys   []string
		ok     bool
	}{
		{w.checkpoint(w.signer, newSigner), []string{w.key.Verifier}, true},
		{w.checkpoint(w.signer, newSigner), []string{fresh.Verifier}, true},
		{w.checkpoint(newSigner), []string{w.key.Verifier, fresh.Verifier, fresh.Verifier}, true},
		{w.checkpoint(newSigner), []string{w.key.Verifier}, false},
		{w.checkpoint(), []string{other.Verifier}, false},
	} {
		_, err := verify.Receipt(q.receiptAt(c.signed).Bytes(), verify.Options{Keys: c.keys})
		if (err == nil) != c.ok {
			t.Errorf("with %v: %v", c.keys, err)
		}
	}
	v, _ := note.NewVerifier(fresh.Verifier)
	if id := audit.KeyID(v); !strings.HasPrefix(fresh.Verifier, id) {
		t.Errorf("key id %q of %q", id, fresh.Verifier)
	}
	for _, opts := range []verify.Options{{}, {Keys: []string{"nonsense"}}, {Keys: []string{w.key.Verifier}, Witnesses: []string{"nonsense"}}, {Keys: []string{w.key.Verifier}, WitnessesNeeded: 1}} {
		var fail *verify.Error
		if v, err := verify.Receipt(q.receipt().Bytes(), opts); err == nil || errors.As(err, &fail) || v == nil || v.OK {
			t.Errorf("options %+v: %v", opts, err)
		}
	}
}

// cosigner is a witness that signs as C2SP tlog-cosignature says.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
	at   uint64
}

func newCosigner(name string) (*cosigner, string) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	raw := append([]byte{0x04}, pub...)
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	c := &cosigner{name: name, hash: binary.BigEndian.Uint32(sum[:]), key: priv, at: 1795500000}
	return c, fmt.Sprintf("%s+%08x+%s", name, c.hash, base64.StdEncoding.EncodeToString(raw))
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Sign(msg []byte) ([]byte, error) {
	signed := append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", c.at), msg...)
	return append(binary.BigEndian.AppendUint64(nil, c.at), ed25519.Sign(c.key, signed)...), nil
}

// TestWitnesses: as many as the verifier asks for, and only those it trusts.
func TestWitnesses(t *testing.T) {
	w := newWorld(t)
	q := w.submit(allowed)
	a, aKey := newCosigner("witness.example/a")
	b, bKey := newCosigner("witness.example/b")
	_, cKey := newCosigner("witness.example/c")
	receipt := q.receiptAt(w.checkpoint(w.signer, a, b)).Bytes()
	for _, c := range []struct {
		keys   []string
		needed int
		ok     bool
	}{{nil, 0, true}, {[]string{aKey}, 1, true}, {[]string{aKey, bKey}, 2, true}, {[]string{aKey, cKey}, 1, true}, {[]string{aKey, cKey}, 2, false}, {[]string{cKey}, 1, false}, {[]string{aKey, aKey, cKey}, 2, false}} {
		opts := w.options()
		opts.Witnesses, opts.WitnessesNeeded = c.keys, c.needed
		v, err := verify.Receipt(receipt, opts)
		if (err == nil) != c.ok {
			t.Errorf("%d of %d keys: %v", c.needed, len(c.keys), err)
		}
		if !c.ok && v.Failed != verify.StepWitnesses {
			t.Errorf("failed at %q", v.Failed)
		}
	}
	a.at++ // the time is signed too
	sig, _ := a.Sign([]byte("x\n"))
	sig[7]++
	v, _ := verify.WitnessVerifier(aKey)
	if v.Verify([]byte("x\n"), sig) {
		t.Error("another time is accepted")
	}
}

// TestConsistencyWithAnEarlierCheckpoint (ruling 31): a roll-back or a rewritten
// log is found when an earlier checkpoint is given.
func TestConsistencyWithAnEarlierCheckpoint(t *testing.T) {
	w := newWorld(t)
	w.filler(4)
	earlier := w.checkpoint()
	q := w.submit(allowed)
	w.filler(9)
	head := w.checkpoint()
	receipt := q.receiptAt(head).Bytes()
	proof, err := audit.ConsistencyProof(6, int64(len(w.leaves)), w.tile)
	if err != nil {
		t.Fatal(err)
	}
	opts := w.options()
	opts.Earlier, opts.Consistency = earlier, proof
	if _, err := verify.Receipt(receipt, opts); err != nil {
		t.Fatal(err)
	}
	w.filler(3)
	opts.Earlier = w.checkpoint() // kept later than the receipt: the receipt's log must be its beginning
	if opts.Consistency, err = audit.ConsistencyProof(16, 19, w.tile); err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Receipt(receipt, opts); err != nil {
		t.Fatal(err)
	}
	opts.Earlier, opts.Consistency = head, nil
	if _, err := verify.Receipt(receipt, opts); err != nil {
		t.Fatal(err)
	}

	fork := newWorld(t) // another history, signed with the same key
	fork.key, fork.signer, fork.org = w.key, w.signer, w.org
	fork.filler(14)
	for name, earlier := range map[string][]byte{"same size": fork.checkpoint(), "unsigned": []byte("x")} {
		opts.Earlier, opts.Consistency = earlier, nil
		if v, err := verify.Receipt(receipt, opts); err == nil || v.Failed != verify.StepConsistency {
			t.Errorf("%s: %v", name, err)
		}
	}
	fork.leaves = fork.leaves[:16]
	forkProof, err := audit.ConsistencyProof(6, 16, fork.tile)
	if err != nil {
		t.Fatal(err)
	}
	opts.Earlier, opts.Consistency = earlier, forkProof
	if v, err := verify.Receipt(receipt, opts); err == nil || v.Failed != verify.StepConsistency {
		t.Errorf("proof of the fork: %v", err)
	}
	opts.Consistency = append(cloned(proof), proof[0])
	if _, err := verify.Receipt(receipt, opts); err == nil {
		t.Error("a proof with a hash too many is accepted")
	}
}

func cloned[T any](s []T) []T { return append([]T(nil), s...) }

// TestRuling33ErasureLeavesInclusion: after an erasure the receipt still proves
// that entries are in the log, and says what it no longer proves. Without leave it
// is refused, so that nobody can strip a receipt of what speaks against it.
func TestRuling33ErasureLeavesInclusion(t *testing.T) {
	for _, s := range stories {
		w := newWorld(t)
		q := s.tell(w)
		whole := q.receipt()
		for i, e := range q.entries {
			for name := range e.Openings {
				q.entries[i].Openings = maps.Clone(e.Openings)
				delete(q.entries[i].Openings, name)
				r := q.receipt()
				if v, err := verify.Receipt(r.Bytes(), w.options()); err == nil || v.Failed != verify.StepOpenings {
					t.Errorf("%s without %s of %s: %v", s.name, name, e.Role, err)
				}
				opts := w.options()
				opts.AllowErased = true
				v, err := verify.Receipt(r.Bytes(), opts)
				if err != nil || len(v.Erased) != 1 || v.Erased[0].Opening != name || v.Status != whole.Status {
					t.Errorf("%s, %s of %s erased: %v %+v", s.name, name, e.Role, err, v.Erased)
					continue
				}
				if last := v.Claims[len(v.Claims)-1]; last.By != verify.ByNobody {
					t.Errorf("the last claim is %+v", last)
				}
				// Stripping alone is noticed even with leave: the summary says what is not shown.
				stripped := whole
				stripped.Entries = r.Entries
				if v, err := verify.Receipt(stripped.Bytes(), opts); err == nil || v.Failed != verify.StepSummary {
					t.Errorf("%s stripped of %s: %v", s.name, name, err)
				}
				q.entries[i].Openings = e.Openings
			}
		}
	}
}

// TestDocumentCompared: any JSON form of the same document fits, no other document
// does, and an erased one cannot be compared.
func TestDocumentCompared(t *testing.T) {
	w := newWorld(t)
	q := w.submit(allowed)
	opts := w.options()
	opts.AllowErased = true
	opts.Document = []byte(strings.Replace(string(order), ",", ",\n ", 2))
	if _, err := verify.Receipt(q.receipt().Bytes(), opts); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]string{"a cent": strings.Replace(string(order), "00.00", "00.01", 1), "not JSON": "{", "twice": strings.Replace(string(order), `"id"`, `"id":"PO-4711","id"`, 1)} {
		opts.Document = []byte(other)
		if v, err := verify.Receipt(q.receipt().Bytes(), opts); err == nil || v.Failed != verify.StepDocument {
			t.Errorf("%s: %v", name, err)
		}
	}
	opts.Document = order
	delete(q.entries[0].Openings, countersign.OpeningDocument)
	if v, err := verify.Receipt(q.receipt().Bytes(), opts); err == nil || v.Failed != verify.StepDocument {
		t.Errorf("erased: %v", err)
	}
}

// TestNewEntry: what the log cannot hold is refused when it is made.
func TestNewEntry(t *testing.T) {
	w := newWorld(t)
	good := audit.EntrySpec{ID: "ent_1", Org: w.org, Type: countersign.EntrySignedIn, Time: w.now, Subject: "per_1", Actor: "per_1"}
	leaf, openings, err := audit.NewEntry(good)
	if err != nil || len(openings) != 0 || leaf.Time != "2026-11-24T06:00:02.000000Z" {
		t.Fatalf("%+v %v", leaf, err)
	}
	for name, bad := range map[string]func(*audit.EntrySpec){
		"no subject": func(s *audit.EntrySpec) { s.Subject = "" },
		"no actor":   func(s *audit.EntrySpec) { s.Actor = "" },
		"no type":    func(s *audit.EntrySpec) { s.Type = "" },
		"not UTF-8":  func(s *audit.EntrySpec) { s.Openings = map[string][]byte{"detail": {0xFF}} },
		"too long":   func(s *audit.EntrySpec) { s.Facts = map[string]string{"x": strings.Repeat("x", audit.MaxLeaf)} },
	} {
		spec := good
		bad(&spec)
		if _, _, err := audit.NewEntry(spec); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	a, b := countersign.NewOpening([]byte("same")), countersign.NewOpening([]byte("same"))
	ca, _ := a.Commitment("detail")
	cb, _ := b.Commitment("detail")
	cc, _ := a.Commitment("policy")
	if ca == cb || ca == cc {
		t.Error("commitments of the same value can be told to be the same, or do not bind the name")
	}
	a.Salt = "AAAA"
	if _, err := a.Commitment("detail"); err == nil {
		t.Error("a short salt is accepted")
	}
}
