package web

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/authority"
)

// begun is what a page's script gets for phase=begin: a challenge, and the options
// that the browser's own interface takes.
type begun struct {
	Challenge string          `json:"challenge"`
	Options   json.RawMessage `json:"options"`
}

// begins reports that a form was sent to begin a ceremony, not to act.
func (v *visit) begins() bool { return v.form("phase") == "begin" }

// answerBegun answers a begun ceremony.
func (v *visit) answerBegun(challenge string, options json.RawMessage) error {
	body, err := json.Marshal(begun{Challenge: challenge, Options: options})
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.status = http.StatusOK
	v.w.Write(body) // whoever hung up does not read it
	return nil
}

// stepUpFields is what the template "stepup-fields" shows.
type stepUpFields struct {
	Verb     string // "Freeze", in words: the button names the act
	Passkey  bool   // the person has one that counts
	Code     bool   // the person has an app that counts
	Password bool   // a code needs the password beside it
	OpenCode bool
	Pretend  bool // in a demo: the pretended passkey may be used
	Weaker   string
	Login    string // whose password it is: what a password manager looks for beside it
}

// stepUpFor says which of the visitor's means an act can be proven with.
func (v *visit) stepUpFor(verb string, m *authority.Means) stepUpFields {
	f := stepUpFields{Verb: verb, Password: true, Pretend: v.demoLogin() != ""}
	now := v.now()
	for _, a := range m.Authenticators {
		if a.ReportedAt != "" || a.Waits || !past(a.CountsFrom, now) {
			continue
		}
		switch a.Type {
		case "passkey":
			f.Passkey = true
		case "totp":
			f.Code = true
		}
	}
	f.withLogin(m)
	return f
}

// withLogin names whose password is asked for, where one is.
func (f *stepUpFields) withLogin(m *authority.Means) {
	if f.Code && f.Password {
		f.Login = m.Login
	}
}

// stepUpByBest is stepUpFor for acts that give power: whoever has a passkey proves them
// with it, and no code is offered.
func (v *visit) stepUpByBest(verb string, m *authority.Means) stepUpFields {
	f := v.stepUpFor(verb, m)
	f.Code = f.Code && !f.Passkey
	return f
}

// provenFor reads the proof that came with a form, for an act that is named by its
// subject. With phase=begin it answers with the ceremony itself and reports done: the
// handler returns at once. The subject is made from the form, so that what is begun
// and what is done are one thing.
func (v *visit) provenFor(subject string) (body authority.StepUpBody, done bool, err error) {
	if passkey := v.form("passkey"); passkey != "" && !v.begins() {
		return authority.StepUpBody{Challenge: v.form("challenge"), Passkey: json.RawMessage(passkey)}, false, nil
	}
	c, err := v.org.BeginStepUp(v.ctx(), *v.session, subject)
	if err != nil {
		return body, false, err
	}
	if v.begins() {
		return body, true, v.answerBegun(c.Challenge, c.Options)
	}
	if passkey, ok, err := v.pretended(c.Options); ok || err != nil {
		return authority.StepUpBody{Challenge: c.Challenge, Passkey: passkey}, false, err
	}
	return authority.StepUpBody{Challenge: c.Challenge, Password: v.form("password"), TOTP: digits(v.form("totp"))}, false, nil
}

// digits leaves out the spaces that apps show codes with.
func digits(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), " ", "") }
