package web_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/testkit"
)

// TestTheBrowserComputesCosignatures: green only where the browser verified the witness's
// signature over this checkpoint; red where anything of it was altered; and quiet before
// the witness has cosigned.
func TestTheBrowserComputesCosignatures(t *testing.T) {
	w := testkit.NewWitness("witness.example/w1")
	l := &liar{}
	s, noor, at := logged(t, testkit.Options{Handler: l.wrap, Authority: func(c *authority.Config) {
		w.Now = c.DB.Now
		if err := w.Follow(c.Keys.Origin, c.Keys.Verifiers()...); err != nil {
			t.Fatal(err)
		}
		c.Witnesses = []checkpoint.Witness{{Key: w.Key(), Ask: w.Ask}}
	}})
	id, _, _ := strings.Cut(w.Key(), "+")
	b := testkit.OpenBrowser(t)
	b.Open(s.URL + "/sign-in")
	testkit.Eval[bool](b, `document.cookie = "countersign-local=`+noor.Token+`; path=/", true`)
	state := func(want, text string) {
		t.Helper()
		b.Open(s.URL + "/audit/" + at["passkey"])
		b.Wait(`document.querySelector('[data-done]')`)
		got := testkit.Eval[string](b, `(() => { const c = document.querySelector('[data-check="witnessed"]'); return c.dataset.state + ': ' + c.querySelector('[data-said]').textContent; })()`)
		if !strings.HasPrefix(got, want+": ") || !strings.Contains(got, text) {
			t.Errorf("witnessed is %q, want %s: %s", got, want, text)
		}
	}
	s.Must(s.Authority.AskWitness(t.Context(), s.Authority.Witnesses()[0].Witness))
	state("ok", "the witness "+id)
	b.Screenshot("live-audit-witnessed")
	l.tells(func(data map[string]any) { // one character of the cosignature, wherever the checkpoint stands
		for _, name := range []string{"checkpoint", "proof"} {
			data[name] = flip(data[name].(string), "— "+id+" ", 60)
		}
	})
	state("no", "Failed at cosignature")
	l.tells(nil)
	w.Down(true)
	s.Submit(testkit.Order("PO-W", "900.00"))
	state("none", "yet")
}
