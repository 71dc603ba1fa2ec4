package audit_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
)

// witnesses makes a witness that follows the world's log.
func (w *world) witness(name string) (*testkit.Witness, note.Verifier) {
	w.tb.Helper()
	x := testkit.NewWitness(name)
	x.Now = func() time.Time { return w.now }
	if err := x.Follow(origin, w.key.Verifier); err != nil {
		w.tb.Fatal(err)
	}
	v, err := verify.WitnessVerifier(x.Key())
	if err != nil {
		w.tb.Fatal(err)
	}
	return x, v
}

// ask asks a witness to follow from an old size, with the path bent as told.
func (w *world) ask(x *testkit.Witness, old int64, bend func([]byte) []byte) (int, string, []byte) {
	w.tb.Helper()
	path, err := audit.ConsistencyProof(old, int64(len(w.leaves)), w.tile)
	if err != nil {
		w.tb.Fatal(err)
	}
	body, err := audit.WitnessRequest(old, path, w.checkpoint())
	if err != nil {
		w.tb.Fatal(err)
	}
	if bend != nil {
		body = bend(body)
	}
	status, kind, answer, _ := x.Ask(w.tb.Context(), body)
	return status, kind, answer
}

// A witness that shares no code with us takes our requests, and we take its answers.
func TestAWitnessCosignsAGrowingLog(t *testing.T) {
	w := newWorld(t)
	x, v := w.witness("witness.example/w1")
	w.filler(5)
	status, _, answer := w.ask(x, 0, nil)
	if status != http.StatusOK {
		t.Fatalf("the first checkpoint: %d", status)
	}
	cosigned, err := audit.Cosign(w.checkpoint(), answer, v, w.now)
	if err != nil {
		t.Fatal(err)
	}
	first := int64(len(w.leaves))
	if by, err := audit.Cosigners(cosigned, v); err != nil || len(by) != 1 || by[0] != audit.KeyID(v) {
		t.Errorf("cosigned by %v, %v", by, err)
	}
	if plain, err := audit.Uncosigned(cosigned); err != nil || !bytes.Equal(plain, w.checkpoint()) {
		t.Errorf("without cosignatures it is not what the log signed: %v", err)
	}
	w.filler(300)
	if status, kind, answer := w.ask(x, 0, nil); status != http.StatusConflict {
		t.Errorf("a request that starts anew: %d", status)
	} else if n, err := audit.WitnessSize(kind, answer); err != nil || n != first {
		t.Errorf("it knows %d, %v; want %d", n, err, first)
	}
	corrupt := func(b []byte) []byte { // the first hash of the proof
		at := bytes.IndexByte(b, '\n') + 3
		if b[at] != 'A' { // it stays base64, whatever it was
			b[at] = 'A'
		} else {
			b[at] = 'B'
		}
		return b
	}
	if status, _, _ := w.ask(x, first, corrupt); status != http.StatusUnprocessableEntity {
		t.Errorf("a corrupted proof: %d, want 422", status)
	}
	if status, _, _ := w.ask(x, first, nil); status != http.StatusOK {
		t.Errorf("the true proof: %d", status)
	}
}

// What is not this witness's cosignature over this checkpoint is not taken.
func TestWrongCosignaturesAreRefused(t *testing.T) {
	w := newWorld(t)
	x, v := w.witness("witness.example/w1")
	other, otherV := w.witness("witness.example/w2")
	_, _, answer := w.ask(x, 0, nil)
	_, _, foreign := w.ask(other, 0, nil)
	was := w.checkpoint()
	bent := bytes.Clone(answer)
	bent[len(bent)-10] = map[bool]byte{true: 'B', false: 'A'}[bent[len(bent)-10] == 'A']
	w.add(audit.EntrySpec{Type: countersign.EntryOrganisationCreated, Subject: w.org, Actor: "operator"})
	for name, c := range map[string]struct {
		checkpoint, answer []byte
		now                time.Time
	}{
		"of another witness":     {was, foreign, w.now},
		"over another tree":      {w.checkpoint(), answer, w.now},
		"altered":                {was, bent, w.now},
		"of a time to come":      {was, answer, w.now.Add(-time.Hour)},
		"nothing":                {was, nil, w.now},
		"no list":                {was, []byte("thanks\n"), w.now},
		"unended":                {was, bytes.TrimSuffix(answer, []byte("\n")), w.now},
		"longer than may be":     {was, append(bytes.Repeat(foreign, 200), answer...), w.now},
		"without a signature":    {was, []byte("— witness.example/w1\n"), w.now},
		"base64 in another form": {was, []byte(strings.Replace(string(answer), "=\n", "\n", 1)), w.now},
	} {
		if out, err := audit.Cosign(c.checkpoint, c.answer, v, c.now); err == nil {
			t.Errorf("%s: taken as\n%s", name, out)
		}
	}
	both, err := audit.Cosign(was, append(bytes.Clone(foreign), answer...), v, w.now)
	if err != nil {
		t.Fatal("a foreign line beside ours:", err)
	}
	if by, err := audit.Cosigners(both, v, otherV); err != nil || len(by) != 1 {
		t.Errorf("the foreign line was taken along: %v, %v", by, err)
	}
	second, err := audit.Cosign(was, foreign, otherV, w.now)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := audit.MergeCosignatures(both, second)
	if err != nil {
		t.Fatal(err)
	}
	if by, err := audit.Cosigners(merged, v, otherV); err != nil || len(by) != 2 {
		t.Errorf("put together: %v, %v", by, err)
	}
	if again, err := audit.MergeCosignatures(merged, second); err != nil || !bytes.Equal(again, merged) {
		t.Errorf("put together twice it is another: %v", err)
	}
	if _, err := audit.MergeCosignatures(w.checkpoint(), second); err == nil {
		t.Error("cosignatures of two trees were put together")
	}
}

func TestWitnessSizesHaveOneForm(t *testing.T) {
	for _, c := range []struct {
		kind, text string
		want       int64
	}{
		{"text/x.tlog.size", "17\n", 17}, {"text/x.tlog.size; charset=utf-8", "0\n", 0},
		{"text/plain", "17\n", -1}, {"text/x.tlog.size", "17", -1}, {"text/x.tlog.size", "017\n", -1},
		{"text/x.tlog.size", "-1\n", -1}, {"text/x.tlog.size", "\n", -1}, {"text/x.tlog.size", "99999999999999999999\n", -1},
	} {
		if n, err := audit.WitnessSize(c.kind, []byte(c.text)); (err == nil) != (c.want >= 0) || err == nil && n != c.want {
			t.Errorf("%s %q: %d, %v", c.kind, c.text, n, err)
		}
	}
}

// The vector's cosignature is that of an implementation that is not ours.
func TestTheVectorIsCosigned(t *testing.T) {
	data, err := os.ReadFile("../../../shared/vectors/c2sp/example.tlog-proof")
	if err != nil {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skip("the vectors are not there")
	}
	p, err := audit.ParseProof(string(data))
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.WitnessVerifier("witness.example/w1+6327c7cb+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := audit.Uncosigned(p.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	answer := p.Checkpoint[bytes.LastIndex(p.Checkpoint, []byte("— witness")):]
	again, err := audit.Cosign(plain, answer, v, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	if err != nil || !bytes.Equal(again, p.Checkpoint) {
		t.Errorf("the vector's own cosignature: %v", err)
	}
}
