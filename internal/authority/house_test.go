package authority_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/policies"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	publicURL = "http://localhost:8080"
	password  = "correct horse battery staple"
)

// house is one organisation with people in it, on a real database, with a clock that
// the test moves.
type house struct {
	t     *testing.T
	ctx   context.Context
	a     *authority.Authority
	cfg   authority.Config
	clock *clock
	key   authority.Key
	who   map[string]*dweller
}

// dweller is one person of the house with what they prove themselves with.
type dweller struct {
	h       *house
	id      string
	login   string
	key     *softkey.Key
	secret  string // of the code generator, base32
	session authority.Session
}

// clock is a clock that the test moves, wall and steady hand together.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond) // no two moments are the same
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// each runs a story on every engine.
func each(t *testing.T, story func(h *house)) {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		own := &clock{now: c.now}
		cfg.Clock = own.Now
		story(build(t, cfg, own))
	})
}

func source(t testing.TB) policy.Source {
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Source{File: policies.Procurement, Text: text}
}

func build(t *testing.T, cfg store.Config, c *clock) *house {
	t.Helper()
	h := &house{t: t, ctx: t.Context(), clock: c, who: map[string]*dweller{}}
	db, err := store.Open(h.ctx, cfg)
	h.must(err)
	t.Cleanup(func() { db.Close() })
	zero := 0
	org, err := authority.Create(h.ctx, db, authority.NewOrganisation{Name: "Example", Host: "localhost:8080", PublicURL: publicURL, RPID: "localhost",
		Settings: authority.Settings{CoolOff: &zero, HistorySettling: &zero}, Policy: source(t)})
	h.must(err)
	dir := t.TempDir()
	keys, err := authority.OpenKeys(filepath.Join(dir, "keys"), authority.LogOrigin("localhost:8080", org))
	h.must(err)
	guard, err := store.OpenFileGuard(filepath.Join(dir, "guard"))
	h.must(err)
	t.Cleanup(func() { guard.Close() })
	h.cfg = authority.Config{DB: db.For(org), Keys: keys, Guard: guard, Log: slog.New(slog.DiscardHandler), Simulated: true, Steady: c.Now}
	h.a, err = authority.Open(h.ctx, h.cfg)
	h.must(err)
	if cfg.Driver == store.Postgres {
		h.loop()
	}
	h.people()
	h.key = h.apiKey("erp", "submit", "evaluate", "facts", "alert", "release", "audit", "provisioning", "vouch")
	t.Cleanup(h.checkLog)
	return h
}

// loop runs the authority's loop, which sequences and signs on PostgreSQL.
func (h *house) loop() {
	ctx, stop := context.WithCancel(h.ctx)
	done := make(chan struct{})
	go func() { defer close(done); h.a.Run(ctx) }()
	h.t.Cleanup(func() { stop(); <-done })
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		var p *countersign.Problem
		if errors.As(err, &p) && errors.Unwrap(p) != nil {
			h.t.Fatalf("%v (cause: %v) %+v", err, errors.Unwrap(p), p.Reasons)
		}
		if p != nil {
			h.t.Fatalf("%v %+v", err, p.Reasons)
		}
		h.t.Fatal(err)
	}
}

// refused wants the problem of a code, and returns it.
func (h *house) refused(err error, code countersign.Code) *countersign.Problem {
	h.t.Helper()
	var p *countersign.Problem
	if !errors.As(err, &p) || p.Code != code {
		h.t.Fatalf("want the problem %q, have %v (cause: %v)", code, err, errors.Unwrap(p))
	}
	return p
}

// people moves in: two administrators, approvers, treasurers, a buyer and a clerk.
func (h *house) people() {
	for _, p := range []struct {
		login, name string
		groups      []string
	}{
		{"samuel", "Samuel Osei", []string{"administrators"}}, {"claire", "Claire Dubois", []string{"administrators", "controllers"}},
		{"marta", "Marta Silva", []string{"approvers", "finance"}}, {"daniel", "Daniel Novak", []string{"approvers", "finance"}},
		{"ingrid", "Ingrid Berg", []string{"approvers", "finance", "treasury"}}, {"tomas", "Tomas Horak", []string{"treasury"}}, {"amara", "Amara Obi", []string{"treasury"}},
		{"elif", "Elif Kaya", nil}, {"priya", "Priya Nair", nil},
	} {
		id, err := h.a.AddPersonOffline(h.ctx, authority.NewPerson{Login: p.login, Name: p.name, Email: p.login + "@example.com", Groups: p.groups})
		h.must(err)
		h.who[p.login] = &dweller{h: h, id: id, login: p.login}
	}
	for _, login := range []string{"samuel", "claire", "marta", "daniel", "ingrid", "tomas", "amara"} {
		d := h.who[login]
		d.enrolPasskey()
		d.signIn()
		d.enrolCode()
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
	d.key = softkey.New()
	e := d.enrol(in.Token, authn.KindPasskey, func(c *authority.Ceremony) authority.EnrolBody {
		response, err := d.key.Register(c.Options, publicURL)
		h.must(err)
		return authority.EnrolBody{Passkey: response}
	})
	if e.NeedsConfirmation {
		by := h.who["samuel"]
		h.must(h.a.ConfirmEnrolment(h.ctx, by.session, e.ID, by.stepUp("confirm:"+e.ID)))
	}
}

func (d *dweller) enrol(token string, kind authn.Kind, answer func(*authority.Ceremony) authority.EnrolBody) *authority.Enrolled {
	h := d.h
	s, err := h.a.AuthenticateSession(h.ctx, token)
	h.must(err)
	c, err := h.a.BeginEnrolment(h.ctx, s, kind)
	h.must(err)
	body := answer(c)
	body.Challenge, body.Name = c.Challenge, "my "+string(kind)
	e, err := h.a.FinishEnrolment(h.ctx, s, body)
	h.must(err)
	return e
}

// signIn opens a session with the passkey.
func (d *dweller) signIn() {
	h := d.h
	c, err := h.a.BeginSignIn(h.ctx)
	h.must(err)
	response, err := d.key.Assert(c.Options, publicURL)
	h.must(err)
	in, err := h.a.SignIn(h.ctx, authority.SignInBody{Challenge: c.Challenge, Binding: c.Binding, Passkey: response})
	h.must(err)
	d.session, err = h.a.AuthenticateSession(h.ctx, in.Token)
	h.must(err)
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
	d.enrol(in.Token, authn.KindTOTP, func(c *authority.Ceremony) authority.EnrolBody {
		d.secret = compact(c.Secret)
		return authority.EnrolBody{Code: d.code(0), Password: password}
	})
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

// vendor puts a vendor with a year of purchases on record.
func (h *house) vendor(id, name string, purchases int, account *countersign.Account) {
	h.t.Helper()
	f := countersign.FactsBody{Vendors: []countersign.VendorFact{{ID: id, Name: name, Country: "DE", CreatedAt: "2020-01-01"}}}
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
	for _, q := range seen.Requirement.Attestations {
		q.Answer = "yes, on the number we had before"
		b.Attestations = append(b.Attestations, q)
	}
	if seen.Requirement.Reason {
		b.Reason = "checked against the contract"
	}
	for _, c := range change {
		c(&b)
	}
	return d.h.a.Challenge(d.h.ctx, d.session, request, b)
}

func (d *dweller) byPasskey(request string, act countersign.Act) (*countersign.Approval, error) {
	c, err := d.challenge(request, act)
	if err != nil {
		return nil, err
	}
	response, err := d.key.Assert(c.Passkey, publicURL)
	d.h.must(err)
	return d.h.a.Decide(d.h.ctx, d.session, request, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
}

func (d *dweller) byCode(request, code string) (*countersign.Approval, error) {
	c, err := d.challenge(request, countersign.ActApprove)
	if err != nil {
		return nil, err
	}
	return d.h.a.Decide(d.h.ctx, d.session, request, countersign.DecisionBody{Challenge: c.ID, Password: password, TOTP: code})
}

// verified verifies a receipt offline and returns what it proves.
func (h *house) verified(receipt []byte) *countersign.Verification {
	h.t.Helper()
	v, err := countersign.VerifyReceipt(receipt, countersign.VerifyOptions{Keys: h.a.Verifiers()})
	if err != nil {
		if v != nil {
			h.t.Fatalf("receipt: %v: %+v", err, v.Steps)
		}
		h.t.Fatalf("receipt: %v", err)
	}
	return v
}

// checkLog verifies the whole log after the story, from the outside.
func (h *house) checkLog() {
	if h.t.Failed() {
		return
	}
	h.must(h.a.Publish(context.Background()))
	h.must(h.a.CheckLog(context.Background()))
}
