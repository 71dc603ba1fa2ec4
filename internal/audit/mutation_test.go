package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
)

// specimen is a receipt that verifies, and what a forger could take parts from.
type specimen struct {
	name    string
	receipt countersign.Receipt
	bytes   []byte
	later   countersign.Receipt // the same case under a later checkpoint
	forged  countersign.Receipt // the same case under a checkpoint of another key
	opts    verify.Options
}

func specimens(t testing.TB) []specimen {
	var all []specimen
	for _, s := range stories {
		w := newWorld(t)
		w.filler(2)
		q := s.tell(w)
		w.filler(3)
		sp := specimen{name: s.name, receipt: q.receipt(), opts: w.options()}
		other, err := audit.GenerateKey(origin)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := audit.NewSigner(other.Signer, origin)
		if err != nil {
			t.Fatal(err)
		}
		sp.forged = q.receiptAt(w.checkpoint(signer))
		w.filler(4)
		sp.later = q.receipt()
		sp.bytes = sp.receipt.Bytes()
		if _, err := verify.Receipt(sp.bytes, sp.opts); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		all = append(all, sp)
	}
	return all
}

// forger makes one random change to a receipt.
type forger struct {
	rng *rand.Rand
	all []specimen
}

type change struct {
	name string
	make func(*forger, specimen) []byte
}

var changes = []change{
	{"bit", func(f *forger, s specimen) []byte {
		b := bytes.Clone(s.bytes)
		b[f.rng.IntN(len(b))] ^= 1 << f.rng.IntN(8)
		return b
	}},
	{"character", func(f *forger, s specimen) []byte {
		b := bytes.Clone(s.bytes)
		i, j := f.rng.IntN(len(b)), f.rng.IntN(len(b))
		b[i], b[j] = b[j], b[i]
		return b
	}},
	{"replaced character", func(f *forger, s specimen) []byte {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ \n\"\\{}[]:,."
		b := bytes.Clone(s.bytes)
		b[f.rng.IntN(len(b))] = alphabet[f.rng.IntN(len(alphabet))]
		return b
	}},
	{"cut or doubled", func(f *forger, s specimen) []byte {
		i, n := f.rng.IntN(len(s.bytes)), 1+f.rng.IntN(40)
		j := min(i+n, len(s.bytes))
		if f.rng.IntN(2) == 0 {
			return slices.Concat(s.bytes[:i], s.bytes[j:])
		}
		return slices.Concat(s.bytes[:j], s.bytes[i:])
	}},
	{"JSON value", (*forger).jsonEdit},
	{"JSON value inside a leaf or an opening", (*forger).innerEdit},
	{"entries moved, left out, doubled, exchanged", (*forger).entries},
	{"openings exchanged", (*forger).openings},
	{"checkpoint", (*forger).checkpoint},
	{"another case", (*forger).crossed},
}

func (f *forger) clone(r countersign.Receipt) countersign.Receipt {
	var c countersign.Receipt
	if err := countersign.DecodeStrict(r.Bytes(), &c); err != nil {
		panic(err)
	}
	return c
}

// jsonEdit changes one value of the receipt's JSON, and writes it canonically
// again, so that it gets past the encoding.
func (f *forger) jsonEdit(s specimen) []byte {
	var v any
	if err := json.Unmarshal(s.bytes, &v); err != nil {
		panic(err)
	}
	v = f.edit(v)
	b, err := countersign.Canonical(v)
	if err != nil {
		return s.bytes
	}
	return b
}

// innerEdit does the same within a string that holds JSON or lines.
func (f *forger) innerEdit(s specimen) []byte {
	r := f.clone(s.receipt)
	i := f.rng.IntN(len(r.Entries))
	inner := func(text string) string {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return f.text(text)
		}
		b, err := countersign.Canonical(f.edit(v))
		if err != nil {
			return text
		}
		return string(b)
	}
	switch names := slices.Sorted(keysOf(r.Entries[i].Openings)); {
	case len(names) > 0 && f.rng.IntN(2) == 0:
		name := names[f.rng.IntN(len(names))]
		o := r.Entries[i].Openings[name]
		o.Value = inner(o.Value)
		r.Entries[i].Openings[name] = o
	case f.rng.IntN(3) == 0:
		lines := strings.Split(r.Entries[i].Proof, "\n")
		j := f.rng.IntN(len(lines))
		lines[j] = f.text(lines[j])
		r.Entries[i].Proof = strings.Join(lines, "\n")
	default:
		r.Entries[i].Leaf = inner(r.Entries[i].Leaf)
	}
	return r.Bytes()
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// edit changes one value somewhere within v.
func (f *forger) edit(v any) any {
	switch x := v.(type) {
	case map[string]any:
		names := slices.Sorted(keysOf(x))
		if len(names) == 0 {
			x["more"] = "x"
			return x
		}
		name := names[f.rng.IntN(len(names))]
		switch f.rng.IntN(8) {
		case 0:
			delete(x, name)
		case 1:
			x[f.text(name)] = x[name]
		case 2:
			other := names[f.rng.IntN(len(names))]
			x[name], x[other] = x[other], x[name]
		default:
			x[name] = f.edit(x[name])
		}
		return x
	case []any:
		if len(x) == 0 {
			return append(x, "x")
		}
		i, j := f.rng.IntN(len(x)), f.rng.IntN(len(x))
		switch f.rng.IntN(6) {
		case 0:
			x[i], x[j] = x[j], x[i]
		case 1:
			return slices.Delete(x, i, i+1)
		case 2:
			return append(x, x[i])
		default:
			x[i] = f.edit(x[i])
		}
		return x
	case string:
		return f.text(x)
	case bool:
		return !x
	case float64:
		return x + 1
	}
	return "null"
}

func (f *forger) text(s string) string {
	if s == "" {
		return "x"
	}
	i := f.rng.IntN(len(s))
	switch f.rng.IntN(6) {
	case 5: // what lenient decoders skip
		return s[:i] + []string{"\n", "\r", "=", " "}[f.rng.IntN(4)] + s[i:]
	case 0:
		return s[:i] + s[i+1:]
	case 1:
		return s + s[i:]
	case 2:
		return ""
	default:
		return strings.ToValidUTF8(s[:i]+string(s[i]^1)+s[i+1:], "?")
	}
}

func (f *forger) entries(s specimen) []byte {
	r := f.clone(s.receipt)
	i, j := f.rng.IntN(len(r.Entries)), f.rng.IntN(len(r.Entries))
	switch f.rng.IntN(6) {
	case 0:
		r.Entries[i], r.Entries[j] = r.Entries[j], r.Entries[i]
	case 1:
		r.Entries = slices.Delete(r.Entries, i, i+1)
	case 2:
		r.Entries = slices.Insert(r.Entries, i, r.Entries[j])
	case 3:
		r.Entries[i].Proof, r.Entries[j].Proof = r.Entries[j].Proof, r.Entries[i].Proof
	case 4:
		r.Entries[i].Leaf, r.Entries[j].Leaf = r.Entries[j].Leaf, r.Entries[i].Leaf
	default:
		roles := []string{countersign.RoleSubmission, countersign.RoleDecision, countersign.RoleEnrolment, countersign.RolePolicy, countersign.RoleReweighing, countersign.RoleRelease}
		r.Entries[i].Role = roles[f.rng.IntN(len(roles))]
	}
	if f.rng.IntN(2) == 0 {
		resummarise(&r)
	}
	return r.Bytes()
}

// resummarise makes the summary fit what was changed, as a careful forger would.
func resummarise(r *countersign.Receipt) {
	var cases []verify.CaseEntry
	for _, e := range r.Entries {
		leaf, err := countersign.ParseLeaf([]byte(e.Leaf))
		if err != nil {
			return
		}
		cases = append(cases, verify.CaseEntry{Role: e.Role, Leaf: leaf, Openings: e.Openings})
	}
	r.Summary = verify.Summary(cases)
}

func (f *forger) openings(s specimen) []byte {
	r := f.clone(s.receipt)
	from := f.all[f.rng.IntN(len(f.all))].receipt
	i := f.rng.IntN(len(r.Entries))
	j := f.rng.IntN(len(from.Entries))
	names := slices.Sorted(keysOf(from.Entries[j].Openings))
	if len(names) == 0 {
		names = []string{countersign.OpeningPolicy}
	}
	name := names[f.rng.IntN(len(names))]
	have := slices.Sorted(keysOf(r.Entries[i].Openings))
	if len(have) > 0 && f.rng.IntN(3) > 0 {
		r.Entries[i].Openings[have[f.rng.IntN(len(have))]] = from.Entries[j].Openings[name]
	} else if len(have) > 0 && f.rng.IntN(3) == 0 {
		delete(r.Entries[i].Openings, have[f.rng.IntN(len(have))])
	} else {
		r.Entries[i].Openings[name] = from.Entries[j].Openings[name]
	}
	if f.rng.IntN(2) == 0 {
		resummarise(&r)
	}
	return r.Bytes()
}

// checkpoint takes proofs of another checkpoint for some of the entries, or those
// of another key for all.
func (f *forger) checkpoint(s specimen) []byte {
	r := f.clone(s.receipt)
	switch f.rng.IntN(3) {
	case 0:
		return s.forged.Bytes()
	case 1:
		i := f.rng.IntN(len(r.Entries))
		r.Entries[i].Proof = s.later.Entries[i].Proof
	default: // the later checkpoint under the earlier paths
		at := strings.Index(s.later.Entries[0].Proof, "\n\n")
		for i := range r.Entries {
			own := strings.Index(r.Entries[i].Proof, "\n\n")
			r.Entries[i].Proof = r.Entries[i].Proof[:own] + s.later.Entries[0].Proof[at:]
		}
	}
	return r.Bytes()
}

// crossed puts an entry, or the head, of another case into this one.
func (f *forger) crossed(s specimen) []byte {
	r := f.clone(s.receipt)
	from := f.clone(f.all[f.rng.IntN(len(f.all))].receipt)
	i, j := f.rng.IntN(len(r.Entries)), f.rng.IntN(len(from.Entries))
	switch f.rng.IntN(4) {
	case 0:
		r.Entries[i] = from.Entries[j]
	case 1:
		r.Entries = slices.Insert(r.Entries, i, from.Entries[j])
	case 2:
		r.Entries = from.Entries
	default:
		r.Org, r.Request = from.Org, from.Request
	}
	return r.Bytes()
}

// TestNoMutationIsAccepted makes random changes to every kind of receipt. Whatever
// differs from the original by a byte must not verify, with and without leave for
// erased openings, except that with leave a receipt may show less and say so.
func TestNoMutationIsAccepted(t *testing.T) {
	n, seed := 100_000, uint64(31)
	if testing.Short() || audit.UnderRace {
		n = 5_000
	}
	f := &forger{rng: rand.New(rand.NewPCG(seed, seed)), all: specimens(t)}
	failed := map[string]int{}
	same := 0
	for i := range n {
		s := f.all[i%len(f.all)]
		c := changes[f.rng.IntN(len(changes))]
		data := c.make(f, s)
		if bytes.Equal(data, s.bytes) {
			same++
			continue
		}
		v, err := verify.Receipt(data, s.opts)
		if err == nil {
			t.Fatalf("seed %d, change %d (%s) of the %s receipt is accepted:\n%s", seed, i, c.name, s.name, data)
		}
		failed[v.Failed]++
		if v.Failed == verify.StepOpenings {
			opts := s.opts
			opts.AllowErased = true
			if v, err := verify.Receipt(data, opts); err == nil && len(v.Erased) == 0 {
				t.Fatalf("seed %d, change %d (%s): accepted as erased, and nothing is listed", seed, i, c.name)
			}
		}
	}
	if same > n/5 {
		t.Errorf("%d of %d changes changed nothing: the test says less than it seems", same, n)
	}
	t.Logf("%d changes, %d without effect, refused at: %v", n, same, failed)
	for _, step := range []string{verify.StepEncoding, verify.StepProof, verify.StepCheckpoint, verify.StepEntries, verify.StepCommitment, verify.StepSummary} {
		if failed[step] == 0 {
			t.Errorf("no change got as far as %q", step)
		}
	}
}

func FuzzVerifyReceipt(f *testing.F) {
	all := specimens(f)
	for i, s := range all {
		f.Add(i, s.bytes)
	}
	f.Add(0, []byte(`{"entries":[],"founding":false,"org":"","origin":"","request":"","status":"","summary":"","type":"countersign.receipt/v1"}`))
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		s := all[(i%len(all)+len(all))%len(all)]
		v, err := verify.Receipt(data, s.opts)
		if err == nil && !bytes.Equal(data, s.bytes) {
			t.Fatalf("accepted: %s", data)
		}
		if v == nil || v.OK != (err == nil) {
			t.Fatalf("%+v and %v", v, err)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	w := newWorld(f)
	w.filler(5)
	path, err := audit.InclusionProof(7, 2, w.tile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(audit.FormatProof(2, path, w.checkpoint()))
	f.Add("c2sp.org/tlog-proof@v1\nindex 0\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := audit.ParseProof(text)
		if err == nil && audit.FormatProof(p.Index, p.Path, p.Checkpoint) != text {
			t.Fatalf("%q is read, and written another way", text)
		}
	})
}

func BenchmarkVerifyReceipt(b *testing.B) {
	for _, s := range specimens(b) {
		b.Run(fmt.Sprintf("%s,bytes=%d", s.name, len(s.bytes)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verify.Receipt(s.bytes, s.opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuildReceipt(b *testing.B) {
	w := newWorld(b)
	w.filler(500)
	q := w.submit(allowed)
	checkpoint := w.checkpoint()
	entries := append(q.entries, audit.Logged{Role: countersign.RolePolicy, Index: 1, Leaf: w.leaves[1]})
	prover := audit.NewProver(w.tile)
	b.ReportAllocs()
	for b.Loop() {
		r, err := audit.BuildReceipt(audit.ReceiptInput{Entries: entries, Checkpoint: checkpoint, Prove: prover.Inclusion})
		if err != nil {
			b.Fatal(err)
		}
		_ = r.Bytes()
	}
}
