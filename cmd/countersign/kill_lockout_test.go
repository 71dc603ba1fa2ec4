package main

import (
	"errors"
	"fmt"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// TestLockOutsSurviveAKill: what was counted against a guesser is still counted after
// the server was killed, and a passkey still works (ruling 18).
func TestLockOutsSurviveAKill(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		t.Parallel()
		if cfg.Driver == store.SQLite {
			cfg = inFolder(t)
		}
		p := newPlant(t, cfg)
		p.start()
		marta := p.people["marta"]
		order, err := p.submit(purchase("PO-1", "30000.00"))
		p.must(err)
		for n := range 3 {
			if err := p.byCode(marta, order, p.wrongCode(marta)); codeOf(err) == countersign.CodeLocked {
				t.Fatalf("locked after %d wrong codes", n+1)
			}
		}
		p.kill()
		p.start()
		for n := 4; ; n++ {
			code := codeOf(p.byCode(marta, order, p.wrongCode(marta)))
			if code == countersign.CodeLocked {
				break
			}
			if n > 6 {
				t.Fatalf("%d wrong codes, three of them before a kill, and not locked: %s", n, code)
			}
		}
		p.kill()
		p.start()
		if code := codeOf(p.byCode(marta, order, p.code(marta, 0))); code != countersign.CodeLocked {
			t.Errorf("the lock did not survive the kill: %q", code)
		}
		if out, err := p.decide(marta, order); err != nil || out.Status == countersign.StatusDenied {
			t.Errorf("a passkey does not work beside a locked code generator: %v", err)
		}
		p.passwords(marta)
	})
}

// passwords guesses passwords until that is stopped, and goes on after a kill.
func (p *plant) passwords(w *worker) {
	p.t.Helper()
	guess := func() countersign.Code {
		return codeOf(p.call("POST", "/v1/session", "", authority.SignInBody{Login: w.login, Password: "not " + plantPassword, TOTP: p.wrongCode(w)}, new(authority.SignedIn)))
	}
	for n := 0; guess() != countersign.CodeLocked; n++ {
		if n > 120 {
			p.t.Fatal("120 passwords were guessed and nobody was locked out")
		}
	}
	p.kill()
	p.start()
	if code := guess(); code != countersign.CodeLocked {
		p.t.Errorf("the throttle of passwords did not survive the kill: %q", code)
	}
}

// byCode tries to approve with the password and a code.
func (p *plant) byCode(w *worker, a *countersign.Approval, code string) error {
	challenge := new(countersign.ChallengeAnswer)
	if err := p.call("POST", "/v1/requests/"+a.ID+"/challenges", w.token, countersign.ChallengeBody{Digest: a.Digest, Act: countersign.ActApprove}, challenge); err != nil {
		return err
	}
	return p.call("POST", "/v1/requests/"+a.ID+"/decisions", w.token, countersign.DecisionBody{Challenge: challenge.ID, Password: plantPassword, TOTP: code}, new(countersign.Approval))
}

// wrongCode is a code that is not right in any of the steps that are accepted.
func (p *plant) wrongCode(w *worker) string {
	for n := range 10 {
		wrong := fmt.Sprintf("%06d", n)
		right := false
		for step := int64(-2); step <= 2; step++ {
			right = right || p.code(w, step) == wrong
		}
		if !right {
			return wrong
		}
	}
	panic("ten right codes")
}

func codeOf(err error) countersign.Code {
	var p *countersign.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		return countersign.Code(err.Error())
	}
	return ""
}
