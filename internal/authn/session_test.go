package authn_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
)

func TestSessionLimits(t *testing.T) {
	limits := authn.DefaultSessionLimits()
	s, token, err := authn.NewSession(org, newPerson(), []authn.Factor{{Method: authn.MethodPassword, At: now}, {Method: authn.MethodTOTP, At: now}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if hash, ok := authn.ParseToken(authn.TokenSession, token); !ok || hash != s.TokenHash || strings.Contains(s.TokenHash, token) {
		t.Error("the token does not find its session")
	}
	live := func(s authn.Session, at time.Time) bool { _, err := s.Live(limits, at); return err == nil }
	if !live(s, now) || !live(s, now.Add(59*time.Minute)) || live(s, now.Add(60*time.Minute)) {
		t.Error("idle limit")
	}
	at := now
	for range 12*60 - 1 { // used every minute
		at = at.Add(time.Minute)
		var changed bool
		if s, changed = s.Touch(at); !changed || !live(s, at) {
			t.Fatalf("died at %v", at)
		}
	}
	if s, changed := s.Touch(at.Add(time.Second)); changed || !s.LastSeen.Equal(at) {
		t.Error("every use is written")
	}
	s, _ = s.Touch(now.Add(12 * time.Hour))
	if live(s, now.Add(12*time.Hour)) {
		t.Error("absolute limit")
	}
	if s = s.End(now); live(s, now) {
		t.Error("ended session lives")
	}
	if live(authn.Session{}, now) {
		t.Error("the zero session lives")
	}
}

func TestSessionNeedsAnOwnFactor(t *testing.T) {
	for name, factors := range map[string][]authn.Factor{
		"nothing":                nil,
		"a code alone":           {{Method: authn.MethodTOTP, At: now}},
		"a statement of a key":   {{Method: authn.MethodVouched, At: now, StatedBy: keyID, Methods: []string{"pwd"}}},
		"password and statement": {{Method: authn.MethodPassword, At: now}, {Method: authn.MethodVouched, At: now, StatedBy: keyID}},
		"a recovery code":        {{Method: "recovery", At: now}},
	} {
		if _, _, err := authn.NewSession(org, newPerson(), factors, now); err == nil {
			t.Errorf("%s opens a session", name)
		}
	}
}

// Ruling 13: a hand-over opens one request, once, and neither inbox nor enrolment.
func TestRuling13HandOver(t *testing.T) {
	person := newPerson()
	h, token, err := authn.NewHandOver(authn.Vouching{Org: org, Person: person, Request: "req_1", Key: keyID, Method: "pwd", At: ago(time.Minute)}, now)
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := json.Marshal(h)
	if strings.Contains(string(stored), token) {
		t.Error("the link is stored, and a replay could repeat it")
	}
	if _, _, _, err := h.Redeem(token[:len(token)-1]+"x", now); !errors.Is(err, authn.ErrWrong) {
		t.Errorf("wrong token: %v", err)
	}
	if _, _, _, err := h.Redeem(token, now.Add(authn.HandOverLinkLife)); !errors.Is(err, authn.ErrExpired) {
		t.Errorf("late: %v", err)
	}
	used, s, _, err := h.Redeem(token, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := used.Redeem(token, now); !errors.Is(err, authn.ErrUsed) {
		t.Errorf("twice: %v", err)
	}
	l, err := s.Live(authn.DefaultSessionLimits(), now)
	if err != nil {
		t.Fatal(err)
	}
	if l.MayBrowse() == nil || l.MaySee("req_1") != nil || l.MaySee("req_2") == nil || l.MaySee("") == nil {
		t.Error("the session sees more or less than its request")
	}
	if _, err := l.EnrolmentGrant(now); err == nil {
		t.Error("the session may enrol")
	}
	if _, err := s.Live(authn.DefaultSessionLimits(), now.Add(authn.HandOverLife)); err == nil {
		t.Error("the session outlives its limit")
	}
	for _, v := range []authn.Vouching{
		{Org: org, Person: person, Request: "req_1", Key: "per_x", Method: "pwd", At: now},
		{Org: org, Person: person, Request: "req_1", Key: keyID, Method: "pwd"},
		{Org: org, Person: person, Request: "req_1", Key: keyID, Method: "pwd", At: now.Add(time.Second)},
		{Org: org, Person: person, Key: keyID, Method: "pwd", At: now},
	} {
		if _, _, err := authn.NewHandOver(v, now); err == nil {
			t.Errorf("vouched: %+v", v)
		}
	}
	var zero authn.LiveSession
	if zero.MayBrowse() == nil || zero.MaySee("req_1") == nil {
		t.Error("the zero session may something")
	}
}

func invite(t *testing.T, person, by string) (authn.Invitation, string) {
	t.Helper()
	inv, token, err := authn.NewInvitation(authn.Invitation{Org: org, Person: person, InvitedBy: by}, now)
	if err != nil {
		t.Fatal(err)
	}
	return inv, token
}

func TestInvitation(t *testing.T) {
	person, admin := newPerson(), newPerson()
	inv, token := invite(t, person, admin)
	if err := inv.Check(token, now.Add(72*time.Hour-1)); err != nil {
		t.Error(err)
	}
	if err := inv.Check(token, now.Add(72*time.Hour)); !errors.Is(err, authn.ErrExpired) {
		t.Errorf("after 72 hours: %v", err)
	}
	if err := inv.Check(strings.ToUpper(token), now); !errors.Is(err, authn.ErrWrong) {
		t.Errorf("other token: %v", err)
	}
	if err := (authn.Invitation{}).Check(token, now); err == nil {
		t.Error("the zero invitation opens")
	}
	withdrawn := inv
	withdrawn.RevokedAt = now
	if _, _, err := withdrawn.Redeem(token, now); err == nil {
		t.Error("a withdrawn invitation opens")
	}
	used, g, err := inv.Redeem(token, now)
	if err != nil || g.Person() != person || g.By() != "invitation:"+inv.ID {
		t.Fatalf("%v %+v", err, g)
	}
	if _, _, err := used.Redeem(token, now); !errors.Is(err, authn.ErrUsed) {
		t.Errorf("twice: %v", err)
	}
	if _, _, err := authn.NewInvitation(authn.Invitation{Org: org, Person: person, InvitedBy: person}, now); err == nil {
		t.Error("somebody invited themselves")
	}
	// The grant survives the store, with an enrolment session.
	s, _ := authn.NewEnrolmentSession(org, g, now)
	stored, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back authn.Session
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	l, err := back.Live(authn.DefaultSessionLimits(), now)
	if err != nil {
		t.Fatal(err)
	}
	if l.MayBrowse() == nil || l.MaySee("req_1") == nil {
		t.Error("an enrolment session sees something")
	}
	if again, err := l.EnrolmentGrant(now); err != nil || again.By() != g.By() {
		t.Errorf("%v", err)
	}
	if _, err := l.EnrolmentGrant(now.Add(authn.EnrolmentLife)); err == nil {
		t.Error("the grant does not expire")
	}
	act, _ := actOf(t, person)
	if got := authn.Derive(authn.Facts{Act: act, Person: person, Session: &l}, authn.Demand{}, now).Assurance; got != countersign.AssuranceNone {
		t.Errorf("an enrolment session counts as %q", got)
	}
}

// Ruling 14: once the organisation is founded, an approver's enrolment counts when a
// second person has confirmed it, who did not invite.
func TestRuling14ConfirmationByASecondPerson(t *testing.T) {
	person, admin, second := newPerson(), newPerson(), newPerson()
	inv, token := invite(t, person, admin)
	_, g, err := inv.Redeem(token, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rules authn.EnrolmentRules
		needs bool
	}{
		"founding": {authn.EnrolmentRules{Founding: true}, false},
		"founded":  {authn.EnrolmentRules{}, true},
	} {
		s, err := g.Enrol(authn.KindPasskey, c.rules, now)
		if err != nil || s.NeedsConfirmation != c.needs || (s.Counts(now) == nil) == c.needs {
			t.Errorf("%s: %v %+v", name, err, s)
		}
		if (s.SignsIn() == nil) == c.needs || (s.Confirmed() == nil) == c.needs {
			t.Errorf("%s: signs in: %v", name, s.SignsIn())
		}
	}
	s, err := g.Enrol(authn.KindPasskey, authn.EnrolmentRules{CoolOff: 24 * time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	for who, by := range map[string]string{"the enrolee": person, "the inviter": admin, "a key": keyID, "nobody": "", "the system": "system"} {
		if _, err := s.Confirm(by, now); err == nil {
			t.Errorf("%s confirmed", who)
		}
	}
	confirmed, err := s.Confirm(second, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := confirmed.Confirm(newPerson(), now); err == nil {
		t.Error("confirmed twice")
	}
	if confirmed.Counts(now.Add(24*time.Hour-1)) == nil || confirmed.Counts(now.Add(24*time.Hour)) != nil {
		t.Error("cool-off")
	}
	later := now.Add(48 * time.Hour)
	for name, change := range map[string]func(*authn.Standing){
		"removed":  func(s *authn.Standing) { s.RemovedAt = later },
		"reported": func(s *authn.Standing) { s.ReportedAt = later },
	} {
		s := confirmed
		change(&s)
		if s.Counts(later) == nil || s.SignsIn() == nil {
			t.Errorf("%s: still counts", name)
		}
	}
}

// Cooling off spares the very first authenticator only: nobody else could help.
func TestCoolOffSparesTheFirstOnly(t *testing.T) {
	person := newPerson()
	inv, token := invite(t, person, newPerson())
	_, g, err := inv.Redeem(token, now)
	if err != nil {
		t.Fatal(err)
	}
	setup, link, err := authn.NewInvitation(authn.Invitation{Org: org, Person: person, InvitedBy: "operator", Setup: true}, now)
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := setup.Redeem(link, now)
	if err != nil || first.By() != "setup" {
		t.Fatalf("%v %q", err, first.By())
	}
	for founding, counts := range map[bool]bool{true: true, false: false} {
		s, err := first.Enrol(authn.KindPasskey, authn.EnrolmentRules{Founding: founding, CoolOff: time.Hour}, now)
		if err != nil || (s.Counts(now) == nil) != counts {
			t.Errorf("founding %v: %v", founding, err)
		}
	}
	if s, err := g.Enrol(authn.KindPasskey, authn.EnrolmentRules{Founding: true, CoolOff: time.Hour}, now); err != nil || s.Counts(now) == nil {
		t.Errorf("an invited person's authenticator does not cool off: %v", err)
	}
}

// stepUpByPasskey steps up in order to enrol, with a passkey.
func stepUpByPasskey(t *testing.T, rp *authn.RelyingParty, d *device) authn.Judgement {
	t.Helper()
	c, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeStepUp, Org: org, Person: d.person, Subject: "enrol", Binding: authn.Binding("browser")}, now), now)
	if err != nil {
		t.Fatal(err)
	}
	c = c.Offer([]authn.Passkey{d.record})
	proof, err := d.assert(t, rp, c, d.record)
	if err != nil {
		t.Fatal(err)
	}
	return authn.Derive(authn.Facts{Act: take(t, c), Person: d.person, Passkey: &proof}, authn.Demand{}, now)
}

func stepUpByCode(t *testing.T, person string, p authn.Purpose) authn.Judgement {
	t.Helper()
	act, _ := actOf(t, person)
	if p == authn.PurposeStepUp {
		c, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: p, Org: org, Person: person, Subject: "enrol", Binding: authn.Binding("browser")}, now), now)
		if err != nil {
			t.Fatal(err)
		}
		act = take(t, c)
	}
	return authn.Derive(authn.Facts{Act: act, Person: person, Code: authn.CodeProofOf(fac, person, 7, now), Factors: []authn.Factor{{Method: authn.MethodPassword, At: now}}}, authn.Demand{}, now)
}

func TestEnrolmentByAnEqualFactor(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	strong, weak := stepUpByPasskey(t, rp, d), stepUpByCode(t, d.person, authn.PurposeStepUp)
	standing := authn.Standing{Person: d.person, EnrolledAt: now}
	rules := authn.EnrolmentRules{CoolOff: time.Hour}
	for name, c := range map[string]struct {
		j    authn.Judgement
		kind authn.Kind
		ok   bool
	}{
		"passkey by passkey": {strong, authn.KindPasskey, true},
		"code by passkey":    {strong, authn.KindTOTP, true},
		"code by code":       {weak, authn.KindTOTP, true},
		"passkey by code":    {weak, authn.KindPasskey, false},
		"a password":         {strong, "pwd", false},
	} {
		g, err := authn.GrantByFactor(c.j, standing, now)
		if err != nil {
			t.Fatal(err)
		}
		s, err := g.Enrol(c.kind, rules, now)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if c.ok && (s.NeedsConfirmation || s.Counts(now) == nil || s.Counts(now.Add(time.Hour)) != nil || s.EnrolledBy != "factor:"+c.j.Authenticator()) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// What does not count yet, or belongs to somebody else, cannot vouch for another.
	for name, s := range map[string]authn.Standing{
		"cooling off":   {Person: d.person, CoolOffUntil: now.Add(time.Hour)},
		"not confirmed": {Person: d.person, NeedsConfirmation: true},
		"removed":       {Person: d.person, RemovedAt: now},
		"another's":     {Person: newPerson()},
	} {
		if _, err := authn.GrantByFactor(strong, s, now); err == nil {
			t.Errorf("%s: granted", name)
		}
	}
	// Approving something is no step-up for enrolling, and a session alone is none.
	if _, err := authn.GrantByFactor(stepUpByCode(t, d.person, authn.PurposeDecide), standing, now); err == nil {
		t.Error("an approval was turned into an enrolment")
	}
	if _, err := authn.GrantByFactor(authn.Judgement{}, standing, now); err == nil {
		t.Error("nothing was turned into an enrolment")
	}
	if _, err := (authn.Grant{}).Enrol(authn.KindPasskey, rules, now); err == nil {
		t.Error("the zero grant enrols")
	}
}

func TestChallengeIsTakenForOnePurpose(t *testing.T) {
	person := newPerson()
	c := enrolChallenge(t, person)
	if _, err := c.Take(authn.PurposeSignIn, authn.Binding("browser"), now); !errors.Is(err, authn.ErrChallenge) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := c.Take(authn.PurposeEnrol, authn.Binding("other browser"), now); !errors.Is(err, authn.ErrChallenge) {
		t.Errorf("another browser: %v", err)
	}
	if _, err := c.Take(authn.PurposeEnrol, authn.Binding("browser"), c.Expires); !errors.Is(err, authn.ErrChallenge) {
		t.Errorf("expired: %v", err)
	}
	for name, change := range map[string]func(*authn.Challenge){
		"other person":    func(c *authn.Challenge) { c.Person = newPerson() },
		"longer":          func(c *authn.Challenge) { c.Expires = c.Expires.Add(time.Hour) },
		"other purpose":   func(c *authn.Challenge) { c.Purpose = authn.PurposeSignIn },
		"a decision":      func(c *authn.Challenge) { c.Purpose = authn.PurposeDecide },
		"other statement": func(c *authn.Challenge) { c.Statement = append([]byte(" "), c.Statement...) },
	} {
		changed := c
		change(&changed)
		if _, err := changed.Take(changed.Purpose, authn.Binding("browser"), now); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, bad := range map[string]authn.Ceremony{
		"unknown purpose":          {Purpose: "pay", Org: org, Person: person, Binding: "b"},
		"nobody enrols":            {Purpose: authn.PurposeEnrol, Org: org, Binding: "b"},
		"step up for nothing":      {Purpose: authn.PurposeStepUp, Org: org, Person: person, Binding: "b"},
		"no organisation":          {Purpose: authn.PurposeSignIn, Binding: "b"},
		"no browser":               {Purpose: authn.PurposeSignIn, Org: org},
		"decisions have their own": {Purpose: authn.PurposeDecide, Org: org, Person: person, Binding: "b"},
	} {
		if _, err := authn.CeremonyChallenge(authn.NewCeremony(bad, now), now); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	bare := authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeSignIn, Org: org, Binding: "b"}, now)
	bare.Nonce = "short"
	if _, err := authn.CeremonyChallenge(bare, now); err == nil {
		t.Error("a short nonce was accepted")
	}
	s := statement(person)
	s.Expires = now.Format(time.RFC3339)
	if _, err := authn.DecisionChallenge(s, now); err == nil {
		t.Error("an expired statement was accepted")
	}
	s.Expires = now.Add(16 * time.Minute).Format(time.RFC3339)
	if _, err := authn.DecisionChallenge(s, now); err == nil {
		t.Error("a statement for a long time was accepted")
	}
}
