package authority

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// maxJudged is the most members of a clause's groups who are judged one by one.
const maxJudged = 50

// missing says of each clause what it still needs, and who could give it.
func (r *pageReader) missing() ([]MissingClause, error) {
	st := r.c.state
	if st.Status != countersign.StatusPending && st.Status != countersign.StatusUnsatisfiable {
		return nil, nil
	}
	members, err := r.tx.MembersOfAny(askedGroups(st))
	if err != nil {
		return nil, err
	}
	var out []MissingClause
	delegators, _ := r.v.delegators(r.c.row.Kind)
	expected := append(delegators, r.v.person)
	for _, c := range st.Clauses() {
		m := MissingClause{Clause: c, Lacks: lacks(st, c)}
		m.Have = c.Count - m.Lacks
		if ids := r.asked(&m, members); m.Lacks > 0 && len(ids) <= maxJudged {
			expected = append(expected, ids...)
		}
		out = append(out, m)
	}
	if err := r.of.expect(expected...); err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Lacks > 0 {
			if err := r.able(&out[i], members); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// asked are the people whom a clause asks.
func (r *pageReader) asked(m *MissingClause, members []store.Membership) []string {
	var ids []string
	for _, x := range members {
		if slices.Contains(m.Clause.From, x.Group) {
			ids = append(ids, x.Person)
		}
	}
	if len(m.Clause.From) == 0 && r.c.state.Nominated != "" {
		ids = append(ids, r.c.state.Nominated)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// able finds who could decide in a clause: whoever may approve, and whoever only has to
// wait or to enrol a stronger factor.
func (r *pageReader) able(m *MissingClause, members []store.Membership) error {
	ids := r.asked(m, members)
	if len(ids) > maxJudged {
		m.Eligible = len(ids)
		return nil
	}
	// A request that waits for too few people shows who there is.
	s := r.c.state
	s.Status = countersign.StatusPending
	for _, id := range ids {
		who, err := r.of.actor(id, "", false)
		if err != nil {
			return err
		}
		e := approval.Eligible(s, who, r.tx.Now())
		if !m.IsOneOf(e.Clauses) || waitsFor(e) == nil {
			continue
		}
		m.Eligible++
		m.Who = append(m.Who, countersign.Principal{ID: who.Person.ID, Name: who.Person.Name})
	}
	if m.Eligible > MaxNamed {
		m.Who = nil
	}
	slices.SortFunc(m.Who, func(a, b countersign.Principal) int {
		return strings.Compare(a.Name+a.ID, b.Name+b.ID)
	})
	return nil
}

// you says what the person may do here, and why not.
func (r *pageReader) you() (YourPart, error) {
	st, now := r.c.state, r.tx.Now()
	var out YourPart
	me, err := r.of.actor(r.v.person, "", false)
	if err != nil {
		return out, err
	}
	e := approval.Eligible(st, me, now)
	out.Acts, out.Clauses = decidingActs(e), e.Clauses
	if !e.MayApprove {
		if out.WhyNot, err = r.whyNot(e, me); err != nil {
			return out, err
		}
	}
	if mayAct(st, me, countersign.ActRevoke, now) == nil {
		out.Acts = append(out.Acts, CanRevoke)
	}
	out.Acts = append(out.Acts, r.around(me, e)...)
	need := required(st, me)
	out.Need, out.MaxAge = need.Assurance, time.Duration(need.MaxAge)*time.Second
	out.Asked = Asked{need.Attestations, need.Reason}
	out.Watching = slices.ContainsFunc(st.Requirement.Watchers, func(g string) bool { return slices.Contains(r.v.groups, g) })
	out.Concerned = r.s.browse() == nil && r.c.concerns(r.v) && !st.Status.Final()
	if out.Factors, err = r.factors(out.Need); err != nil {
		return out, err
	}
	if r.s.browse() == nil && st.Status == countersign.StatusPending {
		if out.ActingFor, err = r.inPlaceOf(); err != nil {
			return out, err
		}
		out.BreakGlass, err = r.glass()
	}
	return out, err
}

func decidingActs(e approval.Eligibility) []string {
	var out []string
	if e.MayApprove {
		out = append(out, CanApprove)
	}
	if e.MayDeny {
		out = append(out, CanDeny)
	}
	return out
}

// around are the acts that are no decision. Each verb judges again, more strictly where
// it knows more: to whom it is handed over, what is frozen.
func (r *pageReader) around(me approval.Candidate, e approval.Eligibility) []string {
	if r.s.browse() != nil {
		return nil
	}
	var out []string
	st := r.c.state
	if _, err := approval.Cancel(st, approval.By{Person: r.v.person}, r.tx.Now()); err == nil {
		out = append(out, CanWithdraw)
	}
	if r.mayHandOver(me, e) {
		out = append(out, CanReassign)
	}
	if len(r.v.groups) > 0 && (r.c.row.Vendor != "" || len(st.Requesters) > 0) {
		out = append(out, CanFreeze)
	}
	return out
}

// mayHandOver reports whether handing over is open: to the nominated approver, or to
// whoever may decide where nobody in particular is asked.
func (r *pageReader) mayHandOver(me approval.Candidate, e approval.Eligibility) bool {
	st := r.c.state
	barred := func(codes ...string) bool {
		return slices.ContainsFunc(e.Obstacles, func(o approval.Obstacle) bool { return slices.Contains(codes, o.Code) })
	}
	if st.Status != countersign.StatusPending || !me.Person.Active ||
		barred(approval.ObstacleStatus, approval.ObstacleDecided, approval.ObstacleRequester, approval.ObstacleOwner) {
		return false
	}
	if st.Nominated == me.Person.ID {
		return true
	}
	asksNominated := slices.ContainsFunc(st.Clauses(), func(c countersign.Clause) bool { return len(c.From) == 0 && lacks(st, c) > 0 })
	return !(asksNominated && st.Nominated != "") && waitsFor(e) != nil
}

// whyNot tells why a person may not approve, each reason with what a sentence is built
// from.
func (r *pageReader) whyNot(e approval.Eligibility, who approval.Candidate) ([]WhyNot, error) {
	var out []WhyNot
	frozen, err := r.frozen(who)
	if err != nil {
		return nil, err
	}
	if frozen != nil {
		out = append(out, *frozen)
	}
	st := r.c.state
	for _, o := range e.Obstacles {
		w := WhyNot{Code: o.Code, Sentence: o.Sentence, Args: map[string]string{}, Passing: o.Passing}
		switch o.Code {
		case approval.ObstacleStatus:
			w.Args["status"] = string(st.Status)
		case approval.ObstacleDecided:
			w.Args["by"] = decidedBy(st, who)
		case approval.ObstacleGroup, approval.ObstacleFilled:
			w.Args["groups"] = strings.Join(askedGroups(st), ",")
		case approval.ObstacleNominated:
			p, err := r.principal(st.Nominated)
			if err != nil {
				return nil, err
			}
			w.Args["by"] = p.Name
		case approval.ObstacleLimit:
			if l := who.Person.Limit; l != nil {
				w.Args["limit"] = l.Value + " " + l.Currency
			}
		case approval.ObstacleCoolOff:
			w.Args["until"] = stamp(who.Person.CoolOffUntil)
		case approval.ObstacleFactor:
			w.Args["assurance"] = string(required(st, who).Assurance)
		}
		out = append(out, w)
	}
	return out, nil
}

// frozen says that a freeze is in force on the person, or on whom they act for.
func (r *pageReader) frozen(who approval.Candidate) (*WhyNot, error) {
	ids := []string{who.Person.ID}
	if who.ActingFor != nil {
		ids = append(ids, who.ActingFor.Person.ID)
	}
	rows, err := r.tx.Freezes(ids)
	if err != nil {
		return nil, err
	}
	for _, f := range rows {
		if !f.Lifted.IsZero() || !r.tx.Now().Before(f.Expires) {
			continue
		}
		p, err := r.principal(f.About)
		return &WhyNot{Code: WhyFrozen, Sentence: p.Name + " is frozen until " + stamp(f.Expires), Args: map[string]string{"by": p.Name, "until": stamp(f.Expires)}, Passing: true}, err
	}
	return nil, nil
}

// decidedBy names who decided with the person's authority.
func decidedBy(s approval.State, who approval.Candidate) string {
	mine := []string{who.Person.ID}
	if who.ActingFor != nil {
		mine = append(mine, who.ActingFor.Person.ID)
	}
	for _, d := range s.Decisions {
		if d.Stands() && (slices.Contains(mine, d.Person) || (d.ActingFor != "" && slices.Contains(mine, d.ActingFor))) {
			return d.Name
		}
	}
	return ""
}

func askedGroups(s approval.State) []string {
	var out []string
	for _, c := range s.Clauses() {
		out = append(out, c.From...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inPlaceOf judges the person in the place of everybody they may act for.
func (r *pageReader) inPlaceOf() ([]ActingFor, error) {
	var out []ActingFor
	delegators, _ := r.v.delegators(r.c.row.Kind)
	for _, from := range delegators {
		who, err := r.of.actor(r.v.person, from, false)
		if err != nil {
			return nil, err
		}
		e := approval.Eligible(r.c.state, who, r.tx.Now())
		need := required(r.c.state, who)
		f := ActingFor{Person: countersign.Principal{ID: from, Name: who.ActingFor.Person.Name}, Acts: decidingActs(e), Clauses: e.Clauses, EndsAt: who.ActingFor.Delegation.Ends,
			Asked: Asked{need.Attestations, need.Reason}}
		if !e.MayApprove {
			if f.WhyNot, err = r.whyNot(e, who); err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// glass reports whether the person could approve by break-glass now (ruling 21).
func (r *pageReader) glass() (bool, error) {
	if !r.v.glass {
		return false, nil
	}
	who, err := r.of.actor(r.v.person, "", true)
	if err != nil {
		return false, err
	}
	return approval.Eligible(r.c.state, who, r.tx.Now()).MayApprove, nil
}

// factors lists the person's passkeys and apps, and whether each would do for approving.
func (r *pageReader) factors(need countersign.Assurance) ([]OwnFactor, error) {
	if err := r.of.meet(r.v.person); err != nil {
		return nil, err
	}
	var out []OwnFactor
	for _, row := range r.of.has(r.v.person) {
		if (row.Type != store.FactorPasskey && row.Type != store.FactorTOTP) || !row.Removed.IsZero() {
			continue
		}
		best, _, err := r.a.strongest([]store.Authenticator{row}, r.tx.Now())
		if err != nil {
			return nil, err
		}
		standing, err := standingOf(row)
		if err != nil {
			return nil, err
		}
		f := OwnFactor{ID: row.ID, Type: row.Type, Name: row.Name, Would: counts(standing, r.tx.Now()) && best.AtLeast(need)}
		if standing.CoolOffUntil.After(r.tx.Now()) {
			f.CountsFrom = standing.CoolOffUntil
		}
		out = append(out, f)
	}
	return out, nil
}

func counts(s authn.Standing, now time.Time) bool { return s.Counts(now) == nil }
