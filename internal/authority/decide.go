package authority

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Decide answers a challenge (life of a request, step 6). The challenge is taken and
// the attempt counted in transactions that commit whatever follows; then the answer
// is verified; then the decision is made, by compare-and-swap, in one transaction
// with its entry and its event.
func (a *Authority) Decide(ctx context.Context, s Session, request string, body countersign.DecisionBody) (*countersign.Approval, error) {
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	if err := s.live.MaySee(request); err != nil {
		return nil, err
	}
	ch, act, err := a.takeDecision(ctx, s, request, body.Challenge)
	if err != nil {
		return nil, fault(err)
	}
	now := a.db.Now()
	taken, err := ch.Take(authn.PurposeDecide, "", now)
	if err != nil {
		return nil, fault(err)
	}
	statement, err := countersign.ParseStatement(taken.Statement())
	if err != nil {
		return nil, fault(err)
	}
	facts := authn.Facts{Act: taken, Person: s.Person.ID, Session: &s.live}
	used, err := a.prove(ctx, &facts, body, now)
	if err != nil {
		return nil, fault(err)
	}
	d := &deciding{a: a, s: s, act: act, statement: statement, facts: facts, used: used, unexpected: body.Unexpected}
	committed, err := a.db.Write(ctx, d.write)
	if err != nil {
		return nil, fault(a.discovered(ctx, request, err))
	}
	if d.refused != nil { // the state moved on by the clock, and that was committed
		return nil, fault(d.refused)
	}
	a.metrics.decisions.WithLabelValues(string(statement.Act), string(d.assurance)).Inc()
	out, err := a.answer(ctx, &d.caseFile, committed, d.viewer)
	return out, fault(err)
}

// takeDecision deletes a decision's challenge and returns it. Nothing gives it back.
func (a *Authority) takeDecision(ctx context.Context, s Session, request, id string) (authn.Challenge, pendingAct, error) {
	var row store.Challenge
	_, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.TakeChallenge(id)
		return err
	})
	gone := countersign.NewProblem(countersign.CodeGone, "this challenge was used already, or has expired").WithHint("look at the request again and start anew")
	if errors.Is(err, store.ErrNotFound) {
		return authn.Challenge{}, pendingAct{}, gone
	} else if err != nil {
		return authn.Challenge{}, pendingAct{}, err
	}
	var act pendingAct
	if row.Purpose != string(authn.PurposeDecide) || row.Person != s.Person.ID || row.Session != s.ID() || row.Approval != request {
		return authn.Challenge{}, act, gone // another's, or for something else; it is used up all the same
	}
	if err := json.Unmarshal([]byte(row.Detail), &act); err != nil {
		return authn.Challenge{}, act, err
	}
	return authn.Challenge{ID: row.ID, Purpose: authn.PurposeDecide, Person: row.Person, Statement: row.Statement, Expires: row.Expires, Allow: act.Allow}, act, nil
}

// usedFactor is an authenticator whose proof was given, as it is stored now.
type usedFactor struct {
	row      store.Authenticator
	standing authn.Standing
}

// prove verifies everything that was given for an act, and stores each counter before
// its result is used.
func (a *Authority) prove(ctx context.Context, f *authn.Facts, body countersign.DecisionBody, now time.Time) ([]usedFactor, error) {
	var used []usedFactor
	if len(body.Passkey) > 0 {
		u, proof, err := a.provePasskey(ctx, f.Act, f.Person, body.Passkey, now)
		a.metrics.attempt("passkey", err)
		if err != nil {
			return nil, err
		}
		f.Passkey = &proof
		used = append(used, u)
	}
	if body.Password != "" {
		factor, err := a.provePassword(ctx, f.Person, body.Password)
		a.metrics.attempt("password", err)
		if err != nil {
			return nil, err
		}
		f.Factors = append(f.Factors, factor)
		if err := a.passwordUsed(ctx, factor.Authenticator, f.Act.Purpose()); err != nil {
			return nil, err
		}
	}
	if body.TOTP != "" {
		u, proof, err := a.proveCode(ctx, f.Person, body.TOTP)
		a.metrics.attempt("totp", err)
		if err != nil {
			return nil, err
		}
		f.Code = &proof
		used = append(used, u)
	}
	for _, u := range used { // what may not even sign in proves nothing, whatever the act
		if err := u.standing.SignsIn(); err != nil {
			return nil, err
		}
	}
	return used, nil
}

// provePasskey verifies an assertion over the challenge and stores the counter.
func (a *Authority) provePasskey(ctx context.Context, act authn.TakenChallenge, person string, response json.RawMessage, now time.Time) (usedFactor, authn.PasskeyProof, error) {
	id, err := authn.AssertedCredential(response)
	if err != nil {
		return usedFactor{}, authn.PasskeyProof{}, err
	}
	var u usedFactor
	var owner store.Person
	err = a.db.Read(ctx, func(tx *store.Tx) (err error) {
		if u.row, err = tx.AuthenticatorByCredential(base64.RawURLEncoding.EncodeToString(id)); err != nil {
			return err
		}
		owner, err = tx.Person(u.row.Person)
		return err
	})
	unknown := countersign.NewProblem(countersign.CodeUnauthenticated, "this passkey is not known here").WithHint("use a passkey that you enrolled here")
	if errors.Is(err, store.ErrNotFound) || (err == nil && (person != "" && u.row.Person != person || !u.row.Removed.IsZero())) {
		return u, authn.PasskeyProof{}, unknown
	} else if err != nil {
		return u, authn.PasskeyProof{}, err
	}
	var record authn.Passkey
	if err := errors.Join(json.Unmarshal([]byte(u.row.Record), &record), json.Unmarshal([]byte(u.row.Standing), &u.standing)); err != nil {
		return u, authn.PasskeyProof{}, err
	}
	proof, err := a.rp.VerifyAssertion(authn.Assertion{Challenge: act, Passkey: record, Handle: owner.Handle, Response: response, Now: now})
	if err != nil {
		return u, proof, err
	}
	facts := proof.Facts()
	if facts.CloneWarning {
		a.log.Warn("a passkey's counter went back: it may have been copied", "authenticator", u.row.ID, "person", u.row.Person)
	}
	text, err := json.Marshal(facts.Record)
	if err != nil {
		return u, proof, err
	}
	if string(text) != u.row.Record {
		u.row.Record = string(text)
		_, err = a.db.Write(ctx, func(tx *store.Tx) error { return tx.UpdateAuthenticator(u.row) })
		u.row.Version++
	}
	return u, proof, err
}

// proveCode judges a code against each of the person's code generators. The new
// counters are committed before the result is used; whoever loses the race is judged
// again on what the other one left, so that a code is accepted once.
func (a *Authority) proveCode(ctx context.Context, person, code string) (usedFactor, authn.CodeProof, error) {
	const races = 20
	for range races {
		u, proof, err := a.tryCode(ctx, person, code)
		if !errors.Is(err, store.ErrConflict) {
			return u, proof, err
		}
	}
	return usedFactor{}, authn.CodeProof{}, countersign.NewProblem(countersign.CodeConflict, "too many attempts at the same moment")
}

func (a *Authority) tryCode(ctx context.Context, person, code string) (usedFactor, authn.CodeProof, error) {
	var rows []store.Authenticator
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Authenticators(person)
		return err
	})
	if err != nil {
		return usedFactor{}, authn.CodeProof{}, err
	}
	refusal := error(countersign.NewProblem(countersign.CodeUnauthenticated, "you have no authenticator app enrolled here").WithHint("use a passkey, or enrol an app"))
	for _, row := range rows {
		if row.Type != store.FactorTOTP {
			continue
		}
		u, result, err := a.judgeCode(ctx, row, code)
		if err != nil {
			return u, authn.CodeProof{}, err
		}
		if proof, ok := result.Proof(u.row.ID, person, a.db.Now()); ok {
			return u, proof, nil
		}
		refusal = result.Err
	}
	return usedFactor{}, authn.CodeProof{}, refusal
}

// judgeCode judges a code against one code generator and stores its counters.
func (a *Authority) judgeCode(ctx context.Context, row store.Authenticator, code string) (usedFactor, authn.TOTPResult, error) {
	u := usedFactor{row: row}
	var state authn.TOTPState
	if err := errors.Join(json.Unmarshal([]byte(row.State), &state), json.Unmarshal([]byte(row.Standing), &u.standing)); err != nil {
		return u, authn.TOTPResult{}, err
	}
	secret, err := a.keys.Ring.Open(a.place(row.ID), row.Secret)
	if err != nil {
		return u, authn.TOTPResult{}, err
	}
	next, result := authn.VerifyTOTP(secret, state, code, a.db.Now())
	if next == state {
		return u, result, nil
	}
	text, err := json.Marshal(next)
	if err != nil {
		return u, result, err
	}
	u.row.State = string(text)
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.UpdateAuthenticator(u.row); err != nil {
			return err
		}
		return a.lockedEntry(tx, row, next.Throttle, state.Throttle)
	})
	return u, result, err
}

// lockedEntry writes that an authenticator was just locked or ended.
func (a *Authority) lockedEntry(tx *store.Tx, row store.Authenticator, next, before authn.Throttle) error {
	if !next.JustLocked(before) {
		return nil
	}
	ended := "false"
	if next.Ended {
		ended = "true"
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryAuthenticatorLocked, subject: row.Person, actor: actorSystem,
		facts: map[string]string{"authenticator": row.ID, "type": row.Type, "ended": ended}})
	if err != nil {
		return err
	}
	return a.tell(tx, w.entry, row.Person)
}

// place is where an authenticator's secret is sealed.
func (a *Authority) place(id string) authn.Place {
	return authn.Place{Org: a.org.ID, Table: "authenticator", Column: "secret", Row: id}
}

// deciding is one decision in its last transaction.
type deciding struct {
	a          *Authority
	s          Session
	act        pendingAct
	statement  countersign.Statement
	facts      authn.Facts
	used       []usedFactor
	unexpected bool

	// of the write, set anew whenever it runs
	caseFile
	viewer    viewer
	assurance countersign.Assurance
	refused   error
}

func (d *deciding) write(tx *store.Tx) error {
	d.caseFile, d.refused = caseFile{}, nil
	if err := tx.Ahead(func() { d.ahead(tx) }); err != nil {
		return err
	}
	if err := stillOpen(tx, d.s); err != nil {
		return err
	}
	c, err := d.a.visible(tx, d.s, d.statement.Approval)
	if err != nil {
		return err
	}
	if d.viewer, err = viewerOf(tx, d.s); err != nil {
		return err
	}
	who, err := d.a.dossier(tx, c).actor(d.s.Person.ID, d.statement.ActingFor, d.act.BreakGlass)
	if err != nil {
		return err
	}
	need := required(c.state, who)
	demand := authn.Demand{MaxAge: time.Duration(need.MaxAge) * time.Second, NoVouching: need.NoVouching}
	if d.statement.Act == countersign.ActDeny {
		demand = authn.Demand{} // to stop must stay easy: any live session, however old (ruling 35)
	}
	j := authn.Derive(d.facts, demand, tx.Now())
	d.assurance = j.Assurance
	if d.statement.Act == countersign.ActApprove {
		if err := d.standing(tx, j); err != nil {
			return err
		}
	}
	id := countersign.NewID(countersign.PrefixDecision, tx.Now())
	verb := approval.Decide
	if d.statement.Act == countersign.ActRevoke {
		verb = approval.Revoke
	}
	next, err := verb(c.state, approval.Act{Decision: id, Version: d.act.Version, Candidate: who, Statement: d.statement,
		Unexpected: d.unexpected, Proof: proofOf(j), Now: tx.Now()})
	if err != nil {
		if next.Version > c.state.Version { // past its deadline: that it expired stands
			d.refused = err
			_, err = d.a.advance(tx, &c.row, c.state, next, entry{typ: countersign.EntryRequestExpired, actor: actorSystem})
		}
		return err
	}
	return d.record(tx, c, next, who, j, id)
}

// ahead asks ahead for what the decision reads first.
func (d *deciding) ahead(tx *store.Tx) {
	tx.SessionByToken(d.s.hash)
	findAhead(tx, Caller{Session: &d.s}, d.statement.Approval)
	for _, u := range d.used {
		tx.Authenticator(u.row.ID)
	}
}

// standing refuses an authenticator that does not count now: reported, removed,
// cooling off, not confirmed. It is read again, in the deciding transaction.
func (d *deciding) standing(tx *store.Tx, j authn.Judgement) error {
	if j.Authenticator() == "" {
		return nil
	}
	row, err := tx.Authenticator(j.Authenticator())
	if err != nil {
		return err
	}
	var s authn.Standing
	if err := json.Unmarshal([]byte(row.Standing), &s); err != nil {
		return err
	}
	s.RemovedAt, s.ReportedAt = row.Removed, row.Reported
	return s.Counts(tx.Now())
}

func proofOf(j authn.Judgement) approval.Proof {
	p := approval.Proof{Assurance: j.Assurance, AuthTime: j.AuthTime}
	if j.FirstFactor != nil && j.FirstFactor.Method == string(authn.MethodVouched) {
		p.Vouched = true
	}
	if id := j.Authenticator(); id != "" {
		p.Authenticators = []string{id}
	}
	return p
}

// record writes the decision with its evidence, what follows from it, and its entry.
func (d *deciding) record(tx *store.Tx, c *caseFile, next approval.State, who approval.Candidate, j authn.Judgement, id string) error {
	made := next.Decisions[len(next.Decisions)-1]
	dec := countersign.Decision{ID: id, Person: countersign.Principal{ID: who.Person.ID, Name: who.Person.Name}, Act: d.statement.Act,
		Reason: d.statement.Reason, Unexpected: d.unexpected, Attestations: d.statement.Attestations, Groups: made.Groups, Limit: made.Limit,
		Privileged: made.Privileged, BreakGlass: made.BreakGlass, Evidence: j.Evidence(), At: stamp(tx.Now())}
	if dec.Groups == nil {
		dec.Groups = []string{}
	}
	if who.ActingFor != nil {
		dec.ActingFor = &countersign.Principal{ID: who.ActingFor.Person.ID, Name: who.ActingFor.Person.Name}
	}
	body, err := countersign.Canonical(dec)
	if err != nil {
		return err
	}
	facts := map[string]string{"decision": id, "act": string(dec.Act), "assurance": string(j.Assurance),
		"policy_digest": string(next.PolicyDigest), "requirement_digest": string(next.RequirementDigest)}
	if who.ActingFor != nil {
		facts["delegation"] = who.ActingFor.Delegation.ID
	}
	at, err := d.a.current(tx)
	if err != nil {
		return err
	}
	if at.founding {
		facts["founding"] = "true"
	}
	var row store.Decision
	err = tx.Together(func() error {
		w, err := d.a.advance(tx, &c.row, c.state, next, entry{typ: countersign.EntryDecisionMade, actor: who.Person.ID, facts: facts,
			openings: map[string][]byte{countersign.OpeningDecision: body}})
		if err != nil {
			return err
		}
		row = store.Decision{Approval: c.row.ID, ID: id, Person: who.Person.ID, Act: dec.Act, Body: string(body), EntryID: w.id, At: tx.Now()}
		return tx.InsertDecision(row)
	})
	if err != nil {
		return err
	}
	c.state, c.decisions = next, append(c.decisions, row)
	d.caseFile = *c
	return d.follow(tx, next, dec)
}

// follow carries out what a decision sets off beside the status.
func (d *deciding) follow(tx *store.Tx, next approval.State, dec countersign.Decision) error {
	if dec.BreakGlass {
		if err := d.a.brokenGlass(tx, d.row, dec); err != nil {
			return err
		}
	}
	if dec.Unexpected {
		if err := d.a.unexpected(tx, &d.caseFile, dec); err != nil {
			return err
		}
	}
	if next.Status == countersign.StatusApproved && countersign.InternalKind(next.Kind) {
		if err := d.a.apply(tx, &d.caseFile, dec.Person.ID); err != nil {
			return fmt.Errorf("carry out %s: %w", next.ID, err)
		}
	}
	return nil
}
