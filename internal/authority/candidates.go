package authority

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// openState opens the state machine's record for a weighed matter.
func (a *Authority) openState(tx *store.Tx, m *matter, w *weighing, in approval.Submitted) (approval.State, error) {
	in.Requirement, in.PolicyDigest = w.result.Requirement, countersign.Digest(w.stored.Digest)
	in.Nominated = m.nominated
	in.Amount = baseAmount(m)
	in.Requesters = requesters(m)
	if in.Requirement.Outcome == countersign.OutcomeStepUp {
		if s := m.sub; s != nil && s.Approver != "" && m.nominated == "" {
			return approval.State{}, countersign.Invalid(countersign.FieldError{Pointer: "/submission/approver", Detail: "is nobody on record here"})
		}
		var err error
		if in.Candidates, err = a.candidates(tx, m.doc.Kind, in.Requirement, m.nominated); err != nil {
			return approval.State{}, err
		}
		if in.Candidates, err = bystanders(tx, m.doc, in.Candidates); err != nil {
			return approval.State{}, err
		}
	}
	return approval.Open(in)
}

// baseAmount is the document's amount in the policy's currency, or nil.
func baseAmount(m *matter) *countersign.Amount {
	money, missing := m.facts.Amount()
	if missing != "" {
		return nil
	}
	base, _, missing := m.facts.InBase(money, m.base)
	if missing != "" {
		return nil
	}
	return &countersign.Amount{Value: countersign.FormatMinor(base.Minor, base.Currency), Currency: base.Currency}
}

// requesters are the people who count as having asked.
func requesters(m *matter) []approval.Requester {
	var out []approval.Requester
	for _, p := range []struct {
		person *signal.Person
		owner  bool
	}{{m.facts.Requester, false}, {m.facts.Owner, true}} {
		if p.person.Known() {
			r := approval.Requester{ID: p.person.ID, Name: p.person.Name, Owner: p.owner}
			if p.person.Manager != nil {
				r.Manager = *p.person.Manager
			}
			out = append(out, r)
		}
	}
	return out
}

// groupsAsked are the groups whose members a requirement asks, each once.
func groupsAsked(r countersign.Requirement) []string {
	var asked []string
	for _, c := range r.Clauses {
		asked = append(asked, c.From...)
	}
	slices.Sort(asked)
	return slices.Compact(asked)
}

// candidates lists everybody who might decide: the members of the groups that are
// asked and the nominated approver.
func (a *Authority) candidates(tx *store.Tx, kind string, r countersign.Requirement, nominated string) ([]approval.Candidate, error) {
	members, err := tx.MembersOfAny(groupsAsked(r))
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, m := range members {
		ids = append(ids, m.Person)
	}
	if nominated != "" {
		ids = append(ids, nominated)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	all := a.people(tx)
	if err := all.meet(ids...); err != nil {
		return nil, err
	}
	var out []approval.Candidate
	for _, id := range ids {
		p, err := all.candidate(kind, id)
		if err != nil {
			return nil, err
		}
		out = append(out, approval.Candidate{Person: p})
	}
	return out, nil
}

// maxLine is longer than any company's reporting line.
const maxLine = 20

// managers walks the reporting line upwards. A line that closes into a ring, or is
// longer than any company's, ends there.
func managers(tx *store.Tx, id string) ([]string, error) {
	var line []string
	for id != "" && !slices.Contains(line, id) && len(line) < maxLine {
		line = append(line, id)
		p, err := tx.Person(id)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		id = p.Manager
	}
	return line, nil
}

// moneyless reports whether documents of a kind have no amount by their nature. What
// a person may approve of them is not bounded by an amount.
func moneyless(kind string) bool {
	switch kind {
	case countersign.KindVendorCreate, countersign.KindVendorBankChange, countersign.KindVendorContactChange:
		return true
	}
	return countersign.InternalKind(kind)
}

// limitInBase is a person's limit for a kind, in the currency that amounts are
// compared in. A limit that cannot be converted lets nothing pass: it is zero.
func (a *Authority) limitInBase(tx *store.Tx, limits []store.PersonLimit, kind string) (*countersign.Amount, error) {
	if moneyless(kind) {
		return nil, nil
	}
	var found *store.PersonLimit
	for i, l := range limits {
		if l.Kind == kind || (l.Kind == "" && found == nil) {
			found = &limits[i]
		}
	}
	if found == nil {
		return nil, nil
	}
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	_, v, err := a.policyNow(tx, at)
	if err != nil {
		return nil, err
	}
	base := v.Currency()
	money := signal.Money{Minor: found.Minor, Currency: found.Currency}
	f := signal.Facts{Now: tx.Now()}
	if found.Currency != base {
		r, err := rateNow(tx, base, found.Currency)
		if err != nil {
			return nil, err
		}
		if r != nil {
			f.Rates = []signal.Rate{*r}
		}
	}
	in, _, missing := f.InBase(money, base)
	if missing != "" {
		in = signal.Money{Currency: base}
	}
	return &countersign.Amount{Value: countersign.FormatMinor(in.Minor, in.Currency), Currency: in.Currency}, nil
}

// strongest says what a person's authenticators could prove at best, now; and until
// when the newest cools off, where none that counts is left.
func (a *Authority) strongest(factors []store.Authenticator, now time.Time) (countersign.Assurance, time.Time, error) {
	best := countersign.AssuranceSession
	var cooling time.Time
	for _, f := range factors {
		if f.Type != store.FactorPasskey && f.Type != store.FactorTOTP {
			continue
		}
		var s authn.Standing
		if err := json.Unmarshal([]byte(f.Standing), &s); err != nil {
			return best, cooling, err
		}
		if s.Counts(now) != nil {
			if s.CoolOffUntil.After(now) && s.SignsIn() == nil {
				cooling = s.CoolOffUntil
			}
			continue
		}
		switch {
		case f.Type == store.FactorTOTP && !best.AtLeast(countersign.AssuranceMFA):
			best = countersign.AssuranceMFA
		case f.Type == store.FactorPasskey:
			var p authn.Passkey
			if err := json.Unmarshal([]byte(f.Record), &p); err != nil {
				return best, cooling, err
			}
			if p.AttestedBy != "" && !p.BackupEligible {
				best = countersign.AssuranceHardware
			} else if !best.AtLeast(countersign.AssurancePhishingResistant) {
				best = countersign.AssurancePhishingResistant
			}
		}
	}
	if best != countersign.AssuranceSession {
		cooling = time.Time{} // something that counts is there already
	}
	return best, cooling, nil
}

// Groups with a meaning of their own. Every other group is the organisation's.
const (
	GroupAdministrators = "administrators" // change Countersign itself
	GroupControllers    = "controllers"    // stop and revoke, watch, review
	GroupAuditors       = "auditors"       // see everything, change nothing
)
