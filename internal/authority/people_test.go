package authority_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// people moves in: two administrators, approvers, treasurers, a buyer and a clerk.
func (h *house) people() {
	for _, p := range []*dweller{
		{login: "samuel", name: "Samuel Osei", groups: []string{"administrators"}},
		{login: "claire", name: "Claire Dubois", groups: []string{"administrators", "controllers"}},
		{login: "marta", name: "Marta Silva", groups: []string{"approvers", "finance"}},
		{login: "daniel", name: "Daniel Novak", groups: []string{"approvers", "finance"}},
		{login: "ingrid", name: "Ingrid Berg", groups: []string{"approvers", "finance", "treasury"}},
		{login: "tomas", name: "Tomas Horak", groups: []string{"treasury"}},
		{login: "amara", name: "Amara Obi", groups: []string{"treasury"}},
		{login: "rosa", name: "Rosa Lindt", groups: []string{"controllers"}},
		{login: "elif", name: "Elif Kaya"}, {login: "priya", name: "Priya Nair"},
	} {
		id, err := h.a.AddPersonOffline(h.ctx, authority.NewPerson{Login: p.login, Name: p.name, Email: p.login + "@example.com", Groups: p.groups})
		h.must(err)
		p.h, p.id = h, id
		h.who[p.login] = p
	}
	for _, login := range []string{"samuel", "claire", "marta", "daniel", "ingrid", "tomas", "amara", "rosa", "elif"} {
		d := h.who[login]
		d.enrolPasskey()
		d.signIn()
		if login != "elif" {
			d.enrolCode()
		}
	}
}

func (h *house) apiKey(source string, scopes ...string) authority.Key {
	h.t.Helper()
	made, err := h.a.CreateKeyOffline(h.ctx, authority.NewKey{Name: source + " key", Source: source, Scopes: scopes})
	h.must(err)
	k, err := h.a.AuthenticateKey(h.ctx, made.Key)
	h.must(err)
	return k
}

// enrolPasskey enrols a software passkey by an operator's invitation, confirmed by
// the other administrator where that is needed.
func (d *dweller) enrolPasskey() {
	h := d.h
	inv, err := h.a.InviteOffline(h.ctx, d.id, d.login == "samuel")
	h.must(err)
	in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
	h.must(err)
	e, err := d.finishPasskey(in.Token)
	h.must(err)
	if e.NeedsConfirmation {
		by := h.who["samuel"]
		h.must(h.a.ConfirmEnrolment(h.ctx, by.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: by.stepUp("confirm:" + e.ID)}))
	}
}

// finishPasskey registers a fresh passkey in an enrolment session.
func (d *dweller) finishPasskey(token string) (*authority.Enrolled, error) {
	return d.enrol(token, authn.KindPasskey, func(c *authority.Ceremony) authority.EnrolBody {
		key := softkey.New()
		response, err := key.Register(c.Options, publicURL)
		d.h.must(err)
		d.key = key
		return authority.EnrolBody{Passkey: response}
	})
}

func (d *dweller) enrol(token string, kind authn.Kind, answer func(*authority.Ceremony) authority.EnrolBody) (*authority.Enrolled, error) {
	h := d.h
	s, err := h.a.AuthenticateSession(h.ctx, token)
	if err != nil {
		return nil, err
	}
	c, err := h.a.BeginEnrolment(h.ctx, s, kind)
	if err != nil {
		return nil, err
	}
	body := answer(c)
	body.Challenge, body.Name = c.Challenge, "my "+string(kind)
	return h.a.FinishEnrolment(h.ctx, s, body)
}

// signIn opens a session with the passkey.
func (d *dweller) signIn() {
	d.h.t.Helper()
	d.h.must(d.trySignIn())
}

func (d *dweller) trySignIn() error {
	h := d.h
	c, err := h.a.BeginSignIn(h.ctx)
	h.must(err)
	response, err := d.key.Assert(c.Options, publicURL)
	h.must(err)
	in, err := h.a.SignIn(h.ctx, authority.SignInBody{Challenge: c.Challenge, Binding: c.Binding, Passkey: response})
	if err != nil {
		return err
	}
	d.session, err = h.a.AuthenticateSession(h.ctx, in.Token)
	d.since = h.clock.Now()
	return err
}

// stepUp proves the person again for a subject, with the passkey.
func (d *dweller) stepUp(subject string) authority.StepUpBody {
	h := d.h
	c, err := h.a.BeginStepUp(h.ctx, d.session, subject)
	h.must(err)
	response, err := d.key.Assert(c.Options, publicURL)
	h.must(err)
	return authority.StepUpBody{Challenge: c.Challenge, Passkey: response}
}

// enrolCode adds a code generator and a password, on the strength of the passkey.
func (d *dweller) enrolCode() {
	h := d.h
	in, err := h.a.GrantEnrolment(h.ctx, d.session, d.stepUp("enrol"))
	h.must(err)
	_, err = d.enrol(in.Token, authn.KindTOTP, func(c *authority.Ceremony) authority.EnrolBody {
		d.secret = compact(c.Secret)
		return authority.EnrolBody{Code: d.code(0), Password: password}
	})
	h.must(err)
}

func compact(s string) string {
	out := []byte{}
	for i := range len(s) {
		if s[i] != ' ' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// code is what the person's app shows, steps of 30 seconds away from now.
func (d *dweller) code(steps int64) string {
	step := d.h.clock.Now().Unix()/30 + steps
	c, err := hotp.GenerateCodeCustom(d.secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	d.h.must(err)
	return c
}

// wrongCode is a code that is not right in any of the steps that are accepted.
func (d *dweller) wrongCode() string {
	for n := range 20 {
		wrong := fmt.Sprintf("%06d", n)
		if wrong != d.code(-1) && wrong != d.code(0) && wrong != d.code(1) {
			return wrong
		}
	}
	panic("twenty right codes")
}

// order is a purchase order of the elder sort; change edits it.
func order(id, amount string, change ...func(*countersign.Document)) *countersign.Document {
	d := &countersign.Document{Kind: countersign.KindPurchaseOrder, ID: id, Revision: "1", Entity: "DE01", CostCentre: "4100", Category: "it",
		Amount: &countersign.Amount{Value: amount, Currency: "EUR"}, Payee: &countersign.Payee{ID: "V-1", Name: "Nordwind Technik GmbH"},
		Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"}}
	for _, c := range change {
		c(d)
	}
	return d
}

func body(d *countersign.Document, sub *countersign.Submission) countersign.RequestBody {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return countersign.RequestBody{Document: raw, Submission: sub}
}

func (h *house) submit(d *countersign.Document) *countersign.Approval {
	h.t.Helper()
	out, err := h.a.Submit(h.ctx, h.key, body(d, nil))
	h.must(err)
	return out.Approval
}

// release asks for the release of a document under an execution id.
func (h *house) release(request string, d *countersign.Document, execution string) (*countersign.ReleaseAnswer, error) {
	return h.a.Release(h.ctx, h.key, countersign.ReleaseBody{Request: request, Document: body(d, nil).Document, Execution: execution})
}

func (h *house) get(id string) *countersign.Approval {
	h.t.Helper()
	out, err := h.a.Get(h.ctx, authority.Caller{Key: &h.key}, id)
	h.must(err)
	return out
}

// vendor puts a vendor with a history of purchases on record, one a month.
func (h *house) vendor(id, name string, purchases int, account *countersign.Account) {
	h.t.Helper()
	f := countersign.FactsBody{Vendors: []countersign.VendorFact{{ID: id, Name: name, Country: "DE", CreatedAt: "2020-01-01", CreatedBy: "priya"}}}
	if account != nil {
		f.Vendors[0].Accounts = []countersign.AccountFact{{Account: *account, ChangedAt: "2020-01-01"}}
	}
	for i := range purchases {
		f.Purchases = append(f.Purchases, countersign.PurchaseFact{Kind: countersign.KindInvoice, ID: fmt.Sprintf("%s-H%d", id, i), Vendor: id,
			Amount: countersign.Amount{Value: "21000.00", Currency: "EUR"}, Date: h.clock.Now().AddDate(0, -i-1, 0).Format(time.DateOnly), Account: account})
	}
	_, err := h.a.RecordFacts(h.ctx, h.key, f)
	h.must(err)
}

// challenge asks for a person's challenge on a request as they see it.
func (d *dweller) challenge(request string, act countersign.Act, change ...func(*countersign.ChallengeBody)) (*countersign.ChallengeAnswer, error) {
	seen, err := d.h.a.Get(d.h.ctx, authority.Caller{Session: &d.session}, request)
	if err != nil {
		return nil, err
	}
	b := countersign.ChallengeBody{Digest: seen.Digest, Act: act}
	if act == countersign.ActApprove {
		for _, q := range seen.Requirement.Attestations {
			q.Answer = "yes, on the number we had before"
			b.Attestations = append(b.Attestations, q)
		}
		if seen.Requirement.Reason {
			b.Reason = "checked against the contract"
		}
	}
	for _, c := range change {
		c(&b)
	}
	return d.h.a.Challenge(d.h.ctx, d.session, request, b)
}

func (d *dweller) byPasskey(request string, act countersign.Act, change ...func(*countersign.ChallengeBody)) (*countersign.Approval, error) {
	c, err := d.challenge(request, act, change...)
	if err != nil {
		return nil, err
	}
	return d.answer(request, c)
}

// answer answers a challenge with the passkey.
func (d *dweller) answer(request string, c *countersign.ChallengeAnswer) (*countersign.Approval, error) {
	response, err := d.key.Assert(c.Passkey, publicURL)
	d.h.must(err)
	return d.h.a.Decide(d.h.ctx, d.session, request, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
}

func (d *dweller) byCode(request, code string, change ...func(*countersign.ChallengeBody)) (*countersign.Approval, error) {
	c, err := d.challenge(request, countersign.ActApprove, change...)
	if err != nil {
		return nil, err
	}
	d.last = code
	return d.h.a.Decide(d.h.ctx, d.session, request, countersign.DecisionBody{Challenge: c.ID, Password: password, TOTP: code})
}

// bySession decides without any further proof.
func (d *dweller) bySession(request string, act countersign.Act, change ...func(*countersign.ChallengeBody)) (*countersign.Approval, error) {
	c, err := d.challenge(request, act, change...)
	if err != nil {
		return nil, err
	}
	return d.h.a.Decide(d.h.ctx, d.session, request, countersign.DecisionBody{Challenge: c.ID})
}

// approve approves with the passkey and must succeed.
func (d *dweller) approve(request string) *countersign.Approval {
	d.h.t.Helper()
	out, err := d.byPasskey(request, countersign.ActApprove)
	d.h.must(err)
	return out
}

// propose proposes a change to Countersign itself.
func (d *dweller) propose(kind, id string, changes ...countersign.Change) (*countersign.Approval, error) {
	return d.h.a.Propose(d.h.ctx, d.session, authority.Proposal{Kind: kind, ID: id, Subject: "it is needed", Changes: changes})
}

// freeze places a freeze with a step-up.
func (d *dweller) freeze(b authority.FreezeBody) (store.Freeze, error) {
	about := b.Person
	if b.Vendor != "" {
		about = store.AboutVendor(b.Vendor)
	}
	b.StepUp = d.stepUp("freeze:" + about)
	return d.h.a.Freeze(d.h.ctx, d.session, b)
}

// alert raises an alert about a vendor or a person.
func (h *house) alert(external, severity string, about countersign.AlertSubject) *countersign.Alert {
	h.t.Helper()
	al, _, err := h.a.RaiseAlert(h.ctx, authority.Caller{Key: &h.key}, countersign.AlertBody{ID: external, Severity: severity, About: about, Title: "mail account taken over"})
	h.must(err)
	return al
}

// state says of a person what a directory would.
func (d *dweller) state(change func(*countersign.PersonFact)) {
	d.h.t.Helper()
	p := countersign.PersonFact{Subject: d.login, Name: d.name, Groups: d.groups}
	change(&p)
	_, err := d.h.a.RecordFacts(d.h.ctx, d.h.key, countersign.FactsBody{People: []countersign.PersonFact{p}})
	d.h.must(err)
	d.groups = p.Groups
}

// write changes rows behind the authority's back, with its own kind of transaction.
func (h *house) write(fn func(tx *store.Tx) error) {
	h.t.Helper()
	_, err := h.db.Write(h.ctx, fn)
	h.must(err)
}

func (h *house) read(fn func(tx *store.Tx) error) {
	h.t.Helper()
	h.must(h.db.Read(h.ctx, fn))
}

// settings replaces the organisation's settings.
func (h *house) settings(change func(*authority.Settings)) {
	h.t.Helper()
	h.write(func(tx *store.Tx) error {
		o, err := tx.Organisation()
		if err != nil {
			return err
		}
		var s authority.Settings
		if err := json.Unmarshal([]byte(o.Settings), &s); err != nil {
			return err
		}
		change(&s)
		text, err := countersign.Canonical(s)
		if err != nil {
			return err
		}
		return tx.SetSettings(string(text))
	})
}

// verified verifies a receipt offline and returns what it proves.
func (h *house) verified(receipt []byte) *verify.Result {
	h.t.Helper()
	v, err := verify.Receipt(receipt, verify.Options{Keys: h.a.Verifiers()})
	if err != nil {
		if v != nil {
			h.t.Fatalf("receipt: %v: %+v", err, v.Steps)
		}
		h.t.Fatalf("receipt: %v", err)
	}
	return v
}
