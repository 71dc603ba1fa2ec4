package authority

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// pendingAct is what is stored with a decision's challenge beside its statement.
type pendingAct struct {
	Version    int64    `json:"version"` // of the approval that the person looked at
	BreakGlass bool     `json:"break_glass,omitempty"`
	Allow      [][]byte `json:"allow,omitempty"` // credential ids that were offered
}

// Challenge makes the single-use challenge for one act of one person (life of a
// request, step 5). The person says which digest they saw; when the stored document
// is another one, the answer is the difference and no challenge.
func (a *Authority) Challenge(ctx context.Context, s Session, request string, body countersign.ChallengeBody) (*countersign.ChallengeAnswer, error) {
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	if err := s.live.MaySee(request); err != nil {
		return nil, err
	}
	var out *countersign.ChallengeAnswer
	_, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = a.challenge(tx, s, request, body)
		return err
	})
	return out, fault(a.discovered(ctx, request, err))
}

func (a *Authority) challenge(tx *store.Tx, s Session, request string, body countersign.ChallengeBody) (*countersign.ChallengeAnswer, error) {
	c, err := a.visible(tx, s, request)
	if err != nil {
		return nil, err
	}
	if body.Act != countersign.ActApprove && body.Act != countersign.ActDeny && body.Act != countersign.ActRevoke {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/act", Detail: `want "approve", "deny" or "revoke"`})
	}
	if !body.Digest.Valid() || !body.Digest.Equal(c.state.Digest) {
		return nil, a.changed(tx, s, c, body.Digest)
	}
	of := a.dossier(tx, c)
	who, err := of.actor(s.Person.ID, body.ActingFor, body.BreakGlass)
	if err != nil {
		return nil, err
	}
	if err := mayAct(c.state, who, body.Act, tx.Now()); err != nil {
		return nil, err
	}
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	expires := tx.Now().Add(at.settings.challengeExpires())
	statement := countersign.Statement{Version: countersign.StatementVersion, Org: tx.Org(), Approval: request, Digest: c.state.Digest,
		RequirementDigest: c.state.RequirementDigest, PolicyDigest: c.state.PolicyDigest, Act: body.Act, Attestations: body.Attestations,
		Reason: body.Reason, Person: s.Person.ID, ActingFor: body.ActingFor, Expires: stamp(expires), Nonce: authn.NewNonce()}
	ch, err := authn.DecisionChallenge(statement, tx.Now())
	if err != nil {
		return nil, err
	}
	return a.offer(tx, s, c, ch, offered{who, of.has(s.Person.ID), body, expires.Format(countersign.TimeFormat)})
}

// mayAct refuses whoever may not do the act now, with every reason.
func mayAct(s approval.State, who approval.Candidate, act countersign.Act, now time.Time) error {
	if act == countersign.ActRevoke {
		if s.Status != countersign.StatusApproved {
			return countersign.NewProblem(countersign.CodeState, "the request is %s: only an approval that was not released can be taken back", s.Status)
		}
		if err := approval.MayRevoke(s, who, now); err != nil {
			return countersign.NewProblem(countersign.CodeForbidden, "%v", err)
		}
		return nil
	}
	e := approval.Eligible(s, who, now)
	if (act == countersign.ActApprove && !e.MayApprove) || (act == countersign.ActDeny && !e.MayDeny) {
		return mayNot(who.Person, e, act)
	}
	return nil
}

// offered is what an answer to a challenge request is made from.
type offered struct {
	who     approval.Candidate
	has     []store.Authenticator
	body    countersign.ChallengeBody
	expires string
}

// offer stores the challenge and says how it can be answered.
func (a *Authority) offer(tx *store.Tx, s Session, c *caseFile, ch authn.Challenge, o offered) (*countersign.ChallengeAnswer, error) {
	need := required(c.state, o.who)
	if o.body.Act != countersign.ActApprove { // to stop must stay easy
		need.Assurance = countersign.AssuranceSession
	}
	passkeys, codes, err := usable(o.has, tx.Now())
	if err != nil {
		return nil, err
	}
	out := &countersign.ChallengeAnswer{ID: ch.ID, Statement: ch.Statement, Assurance: need.Assurance, ExpiresAt: o.expires, Factors: []string{}}
	if need.Assurance == countersign.AssuranceSession {
		out.Factors = append(out.Factors, "session")
	}
	if len(passkeys) > 0 {
		ch = ch.Offer(passkeys)
		out.Factors = append(out.Factors, "passkey")
		if out.Passkey, err = a.rp.RequestOptions(ch, passkeys); err != nil {
			return nil, err
		}
	}
	if codes > 0 && countersign.AssuranceMFA.AtLeast(need.Assurance) {
		out.Factors = append(out.Factors, "totp")
	}
	detail, err := json.Marshal(pendingAct{Version: c.state.Version, BreakGlass: o.body.BreakGlass, Allow: ch.Allow})
	if err != nil {
		return nil, err
	}
	return out, tx.InsertChallenge(store.Challenge{ID: ch.ID, Purpose: string(ch.Purpose), Person: s.Person.ID, Session: s.ID(), Approval: c.row.ID,
		Statement: ch.Statement, Detail: string(detail), Created: tx.Now(), Expires: ch.Expires})
}

// required is what binds this person: the stricter of the request's requirement and
// the one weighed for them.
func required(s approval.State, who approval.Candidate) countersign.Requirement {
	r := s.Requirement
	if w := who.Person.Weighed; w != nil && w.Outcome == countersign.OutcomeStepUp {
		r = r.Merge(*w)
	}
	return r
}

// usable lists the passkeys that may be used for an act now, and counts the code
// generators.
func usable(factors []store.Authenticator, now time.Time) (passkeys []authn.Passkey, codes int, err error) {
	for _, f := range factors {
		var standing authn.Standing
		switch f.Type {
		case store.FactorPasskey, store.FactorTOTP:
			if err := json.Unmarshal([]byte(f.Standing), &standing); err != nil {
				return nil, 0, err
			}
			if standing.Counts(now) != nil {
				continue
			}
		default:
			continue
		}
		if f.Type == store.FactorTOTP {
			codes++
			continue
		}
		var p authn.Passkey
		if err := json.Unmarshal([]byte(f.Record), &p); err != nil {
			return nil, 0, err
		}
		passkeys = append(passkeys, p)
	}
	return passkeys, codes, nil
}

// visible reads a request that the person may see. To anybody else it is not there.
func (a *Authority) visible(tx *store.Tx, s Session, request string) (*caseFile, error) {
	c, _, err := a.find(tx, Caller{Session: &s}, request)
	return c, err
}

// tampered adds the difference between the logged document and the stored one to the
// problem of a row that was changed from outside.
func (a *Authority) tampered(tx *store.Tx, row store.Approval, err error) error {
	var p *countersign.Problem
	if !errors.Is(err, errTampered) || !errors.As(err, &p) {
		return err
	}
	openings, err2 := tx.Openings(row.EntryID)
	if err2 != nil {
		return err
	}
	if o, ok := openings[countersign.OpeningDocument]; ok {
		if diff, err := countersign.Compare([]byte(o.Value), row.Document); err == nil {
			p.Differences = diff
		}
	}
	a.log.Error("a stored document was changed from outside", "request", row.ID)
	return p
}

// changed says how the document that was shown differs from the one that stands now;
// from the one of a request that took this one's place, if the person may see that.
func (a *Authority) changed(tx *store.Tx, s Session, c *caseFile, shown countersign.Digest) error {
	p := countersign.NewProblem(countersign.CodeChanged, "the document you were shown (%s) is not the one that is stored", clipDigest(shown)).
		WithHint("look at the request again")
	if c.state.SupersededBy != "" {
		p.Detail = "the request was replaced by " + c.state.SupersededBy
		newer, err := a.visible(tx, s, c.state.SupersededBy)
		if missing := (*countersign.Problem)(nil); errors.As(err, &missing) && missing.Code == countersign.CodeNotFound {
			return p
		} else if err != nil {
			return err
		}
		if p.Differences, err = countersign.Compare(c.row.Document, newer.row.Document); err != nil {
			return err
		}
		return p
	}
	earlier, err := tx.ApprovalByDigest(c.row.Source, c.row.Kind, c.row.Object, string(shown))
	if err == nil {
		if p.Differences, err = countersign.Compare(earlier.Document, c.row.Document); err != nil {
			return err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return p
}

func clipDigest(d countersign.Digest) string {
	if !d.Valid() {
		return "no valid digest"
	}
	return string(d)
}

// mayNot is the problem of a person who may not decide, with every reason.
func mayNot(p approval.Person, e approval.Eligibility, act countersign.Act) error {
	problem := countersign.NewProblem(countersign.CodeForbidden, "%s may not %s this", p.Name, act)
	for _, o := range e.Obstacles {
		if act == countersign.ActDeny && o.ApproveOnly {
			continue
		}
		if o.Code == approval.ObstacleStatus {
			problem = countersign.NewProblem(countersign.CodeState, "the request is not waiting for a decision")
		}
		problem.Reasons = append(problem.Reasons, countersign.Reason{Rule: o.Code, State: countersign.True, Sentence: o.Sentence, Effect: countersign.OutcomeDeny})
	}
	if len(problem.Reasons) > 0 && problem.Code == countersign.CodeForbidden {
		problem.Detail += ": " + problem.Reasons[0].Sentence
	}
	return problem
}

// matter is the stored document, to be weighed again. Its submission is a copy.
func (c *caseFile) matter() (*matter, error) {
	m := &matter{doc: new(countersign.Document), sub: new(countersign.Submission), source: c.row.Source, id: c.row.ID}
	if err := countersign.DecodeStrict(c.row.Document, m.doc); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(c.row.Submission), m.sub); err != nil {
		return nil, err
	}
	if c.state.Reassigned > 0 { // who is nominated now is weighed, not who handed it over
		m.sub.Approver = c.state.Nominated
	}
	return m, nil
}
