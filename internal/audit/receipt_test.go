package audit_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/verify"
)

// TestReceiptStories: every kind of receipt verifies, with the log key alone.
func TestReceiptStories(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			w.filler(3)
			q := s.tell(w)
			w.filler(5)
			v, err := verify.Receipt(q.receipt().Bytes(), w.options())
			if err != nil || !v.OK || v.Failed != "" {
				t.Fatalf("%v %+v", err, v)
			}
			if v.Request != q.id || v.Org != w.org || v.Digest != countersign.SumBytes(order) {
				t.Errorf("is about %s of %s, %s", v.Request, v.Org, v.Digest)
			}
			for _, step := range v.Steps {
				if !step.OK {
					t.Errorf("step %q failed in a receipt that verifies", step.Name)
				}
			}
		})
	}
}

// TestRuling28ClaimsSayWhoAnswers: a receipt is evidence, and each part of it says
// whose word it is.
func TestRuling28ClaimsSayWhoAnswers(t *testing.T) {
	claims := func(story string) (string, *verify.Result) {
		for _, s := range stories {
			if s.name == story {
				w := newWorld(t)
				v, err := verify.Receipt(s.tell(w).receipt().Bytes(), w.options())
				if err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				for _, c := range v.Claims {
					b.WriteString(c.By + ": " + c.Text + "\n")
				}
				return b.String(), v
			}
		}
		t.Fatalf("no story %q", story)
		return "", nil
	}
	for story, wants := range map[string][]string{
		"silent":                     {"server: allowed by policy v1; nobody was asked", "caller key_"},
		"passkey":                    {"person per_", "approve the document sha-256:", "server: the key of fac_"},
		"code":                       {"nothing can be computed here, because the server knows the secret too", "server: per_", "weaker than a passkey"},
		"code, vouched":              {"caller key_", "first factor of per_", "stated by key key_"},
		"two people, held, released": {`answers "did you call the vendor`, "gives the reason: agreed in the budget", "held: no release before", "released at"},
		"founding, simulated":        {"nobody: fac_", "proves nothing about a person", "fewer than two administrators"},
		"denied":                     {"deny the document"},
		"the nominated, outside the chain": {"server: somebody outside the requester's reporting line was asked for", "is the approver whom the request names",
			"was active and eligible, and is neither who asked for this nor who answers for them"},
	} {
		text, _ := claims(story)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no claim %q in\n%s", story, want, text)
			}
		}
	}
	if text, _ := claims("code"); strings.Contains(text, "person per_") {
		t.Errorf("a code is claimed to be the person's signature:\n%s", text)
	}
	if _, v := claims("founding, simulated"); !v.Founding || !v.Simulated {
		t.Error("neither the founding nor the simulated authenticator is stamped")
	}
}

// TestEveryStepCanFail: each wrong receipt fails at exactly the step it should, and
// every step has one.
func TestEveryStepCanFail(t *testing.T) {
	failed := map[string]bool{verify.StepConsistency: true} // in TestConsistencyWithAnEarlierCheckpoint
	for _, c := range wrongs {
		failed[c.step] = true
		t.Run(c.step+"/"+c.name, func(t *testing.T) {
			w := newWorld(t)
			w.filler(2)
			tell := c.tell
			if tell == nil {
				tell = approveWith(needsKey, bend{})
			}
			q := tell(w)
			w.filler(2)
			opts := w.options()
			if c.opts != nil {
				c.opts(&opts)
			}
			var data []byte
			if c.more != nil {
				data = c.more(w, q)
			} else {
				r := q.receipt()
				if c.edit != nil {
					c.edit(&r)
				}
				data = r.Bytes()
			}
			if c.raw != nil {
				data = c.raw(data)
			}
			v, err := verify.Receipt(data, opts)
			var fail *verify.Error
			if !errors.As(err, &fail) || fail.Step != c.step || v.OK || v.Failed != c.step || len(v.Claims) > 0 {
				t.Fatalf("failed at %q (%v), want %q", v.Failed, err, c.step)
			}
			if last := v.Steps[len(v.Steps)-1]; last.OK || last.Detail == "" {
				t.Errorf("the failing step says %+v", last)
			}
		})
	}
	for name, step := range stepConstants(t) {
		if !failed[step] {
			t.Errorf("no receipt fails at %s (%q)", name, step)
		}
	}
}

// stepConstants reads the Step constants from the source.
func stepConstants(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../verify/verify.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Step") && len(v.Values) == 1 {
			steps[v.Names[0].Name], err = strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	if err != nil || len(steps) < 20 {
		t.Fatalf("%d steps found: %v", len(steps), err)
	}
	return steps
}
