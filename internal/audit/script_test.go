package audit_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
)

// script runs the independent verifier on a receipt.
func script(t *testing.T, receipt []byte, key string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "receipt.json")
	if err := os.WriteFile(file, receipt, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("testdata/verify.sh", file, key).CombinedOutput()
	return string(out), err
}

func needScript(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"bash", "openssl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
				t.Fatal(err)
			}
			t.Skipf("the independent verifier needs %s: %v", tool, err)
		}
	}
}

// byHand are further cases that it must refuse: whose authority an act used, and what was
// signed of it.
var byHand = map[string]bool{"TestRuling16: acting for somebody": true, "TestRuling16: another requirement": true, "TestRuling16: another reason": true,
	"entry of another person": true, "entry of another act": true}

// TestIndependentVerifierAgrees: a verifier of openssl and jq, which shares no code
// with ours, accepts what ours accepts, and refuses what ours refuses for the
// reasons that it looks at.
func TestIndependentVerifierAgrees(t *testing.T) {
	if audit.UnderRace {
		t.Skip("hundreds of other programs, in which the detector sees nothing")
	}
	needScript(t)
	acceptedByBoth(t)
	judged := []string{verify.StepEncoding, verify.StepProof, verify.StepCheckpoint, verify.StepCommitment,
		verify.StepPasskeyChallenge, verify.StepUserVerification, verify.StepPasskeySignature}
	whole := []string{verify.StepDistinct, verify.StepClauses, verify.StepRelease, verify.StepStatus} // of these every case
	refused := 0
	tried := map[string]int{}
	for _, c := range wrongs {
		if !slices.Contains(whole, c.step) && !byHand[c.name] && (!slices.Contains(judged, c.step) || tried[c.step] == 1) {
			continue // one of each kind: every run starts a hundred processes
		}
		tried[c.step]++
		w := newWorld(t)
		tell := c.tell
		if tell == nil {
			tell = approveWith(needsKey, bend{})
		}
		q := tell(w)
		r, opts := q.receipt(), w.options()
		if c.edit != nil {
			c.edit(&r)
		}
		data := r.Bytes()
		if c.raw != nil {
			data = c.raw(data)
		}
		if c.more != nil {
			data = c.more(w, q)
		}
		if c.opts != nil {
			c.opts(&opts)
		}
		out, err := script(t, data, opts.Keys[0])
		if err == nil || !strings.Contains(out, "verify.sh: ") || strings.Contains(out, "jq: ") {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
		t.Logf("%s: %s", c.name, out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
		refused++
	}
	f := &forger{rng: rand.New(rand.NewPCG(7, 7)), all: specimens(t)}
	n := 10
	if testing.Short() {
		n = 5
	}
	for i := range n {
		s := f.all[i%len(f.all)]
		data := changes[f.rng.IntN(len(changes))].make(f, s)
		v, err := verify.Receipt(data, s.opts)
		if err != nil && !slices.Contains(judged, v.Failed) && !slices.Contains(whole, v.Failed) {
			continue
		}
		if out, scriptErr := script(t, data, s.opts.Keys[0]); (err == nil) != (scriptErr == nil) {
			t.Errorf("change %d: ours %v, the script %v\n%s", i, err, scriptErr, out)
		}
		refused++
	}
	t.Logf("%d refused by both", refused)
}

func acceptedByBoth(t *testing.T) {
	t.Helper()
	for _, s := range specimens(t) {
		out, err := script(t, s.bytes, s.opts.Keys[0])
		if err != nil || !strings.HasSuffix(out, "verified\n") {
			t.Errorf("%s: %v\n%s", s.name, err, out)
		}
		passkeys := strings.Contains(string(s.bytes), "authenticator_data")
		if signed := strings.Contains(out, "passkey: per_"); signed != passkeys {
			t.Errorf("%s: a passkey is there: %v, and verified: %v", s.name, passkeys, signed)
		}
	}
}
