package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// Proposal is a change to Countersign itself. It becomes a request like any other:
// the change is the document, and other people decide on it (ruling 39).
type Proposal struct {
	Kind    string               `json:"kind"`
	ID      string               `json:"id"`      // what is changed: a person, a freeze, an alert, a vendor, a request, "policy", "settings"
	Subject string               `json:"subject"` // why
	Changes []countersign.Change `json:"changes,omitempty"`
}

// rule says who decides on a kind of change.
type changeRule struct {
	groups []string // any member of
	// both says that two people decide, and whoever proposes may be one of them: the
	// proposal itself asks for nothing. Otherwise one second person decides.
	both      bool
	assurance countersign.Assurance
	// anybody says that members of other groups may propose: the precondition says who.
	anybody bool
}

var changeRules = map[string]changeRule{
	countersign.KindPolicyPublish:   {groups: []string{GroupAdministrators, GroupControllers}, assurance: countersign.AssurancePhishingResistant},
	countersign.KindPeopleChange:    {groups: []string{GroupAdministrators}, assurance: countersign.AssuranceMFA},
	countersign.KindFactorReset:     {groups: []string{GroupAdministrators}, assurance: countersign.AssuranceMFA},
	countersign.KindFreezeExtend:    {groups: []string{GroupAdministrators, GroupControllers}, both: true, assurance: countersign.AssuranceMFA},
	countersign.KindFreezeLift:      {groups: []string{GroupAdministrators, GroupControllers}, both: true, assurance: countersign.AssuranceMFA},
	countersign.KindAlertClose:      {groups: []string{GroupAdministrators, GroupControllers}, assurance: countersign.AssuranceMFA},
	countersign.KindBreakGlassNames: {groups: []string{GroupAdministrators}, both: true, assurance: countersign.AssurancePhishingResistant},
	countersign.KindErasure:         {groups: []string{GroupAdministrators, GroupControllers}, both: true, assurance: countersign.AssurancePhishingResistant},
	countersign.KindHistoryConfirm:  {groups: []string{GroupAdministrators, GroupControllers}, assurance: countersign.AssuranceMFA},
	countersign.KindSettingsChange:  {groups: []string{GroupAdministrators}, assurance: countersign.AssurancePhishingResistant},
	countersign.KindDelegation:      {groups: []string{GroupAdministrators, GroupControllers}, assurance: countersign.AssuranceMFA, anybody: true},
}

// Propose opens the request for a change to Countersign itself. While the
// organisation is founding, a single administrator's proposal is carried out at once,
// stamped as founding; afterwards others must decide.
func (a *Authority) Propose(ctx context.Context, s Session, p Proposal) (*countersign.Approval, error) {
	rule, ok := changeRules[p.Kind]
	if !ok {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/kind", Detail: "is no change to Countersign that is known"})
	}
	if err := a.mayPropose(ctx, s, rule); err != nil {
		return nil, err
	}
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	var c caseFile
	var v viewer
	committed, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		c = caseFile{}
		if v, err = viewerOf(tx, s); err != nil {
			return err
		}
		return a.propose(tx, &c, s, p, rule)
	})
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.answer(ctx, &c, committed, v)
	return out, fault(err)
}

func (a *Authority) mayPropose(ctx context.Context, s Session, rule changeRule) error {
	if rule.anybody {
		return s.browse()
	}
	return a.member(ctx, s, rule.groups...)
}

func (a *Authority) propose(tx *store.Tx, c *caseFile, s Session, p Proposal, rule changeRule) error {
	at, err := a.current(tx)
	if err != nil {
		return err
	}
	if err := mayFound(tx, at, s.Person.ID); err != nil {
		return err
	}
	doc := &countersign.Document{Kind: p.Kind, ID: p.ID, Revision: tx.Now().UTC().Format("20060102T150405.000000Z"), Subject: p.Subject, Changes: p.Changes,
		Requester: &countersign.Party{Type: "person", ID: s.Person.ID, Name: s.Person.Name}}
	if rule.both {
		// Nobody counts as having asked: whoever proposes signs as one of the two.
		doc.Requester = &countersign.Party{Type: "service", ID: store.InternalSource}
		doc.Custom = map[string]string{"proposed_by": s.Person.ID}
	}
	if err := eachOnce(doc); err != nil {
		return err
	}
	if err := fromWhatIs(tx, doc); err != nil {
		return err
	}
	if err := spelledOut(tx, doc, s.Person.Name); err != nil {
		return err
	}
	if err := doc.Validate("/"); err != nil {
		return err
	}
	canonical, err := countersign.Canonical(doc)
	if err != nil {
		return err
	}
	m := &matter{doc: doc, sub: &countersign.Submission{Channel: "ui"}, source: store.InternalSource}
	if err := a.precondition(tx, m); err != nil {
		return err
	}
	stored, v, err := a.policyNow(tx, at)
	if err != nil {
		return err
	}
	w := &weighing{stored: stored, version: v, gen: at.gen, result: a.required(tx, m, s, rule, at.founding)}
	id := countersign.NewID(countersign.PrefixRequest, tx.Now())
	state, err := a.openState(tx, m, w, approval.Submitted{ID: id, Org: tx.Org(), Source: store.InternalSource, Kind: p.Kind,
		Digest: countersign.SumBytes(canonical), Now: tx.Now()})
	if err != nil {
		return err
	}
	sub, err := countersign.Canonical(m.sub)
	if err != nil {
		return err
	}
	row := &store.Approval{ID: id, Source: store.InternalSource, Kind: p.Kind, Object: p.ID, Revision: doc.Revision, Digest: state.Digest, Document: canonical,
		Submission: string(sub), KeyID: "", Requester: s.Person.ID, Created: tx.Now()}
	if err := a.writeNew(tx, c, row, state, w, newCase{matter: m, actor: s.Person.ID, founding: at.founding}); err != nil {
		return err
	}
	if state.Status == countersign.StatusApproved {
		return a.apply(tx, c, s.Person.ID)
	}
	return nil
}

// required says what a change needs. It does not come from the policy, which is
// itself among what is changed.
func (a *Authority) required(tx *store.Tx, m *matter, s Session, rule changeRule, founding bool) policy.Result {
	m.facts = signal.Facts{Now: tx.Now(), Source: m.source, Document: m.doc, Submission: m.sub}
	if !rule.both {
		m.facts.Requester = &signal.Person{ID: s.Person.ID, Name: s.Person.Name, Type: "person", Manager: &s.Person.Manager}
		m.requester = s.Person.ID
	}
	if founding {
		return policy.Result{Outcome: countersign.OutcomeAllow, Requirement: countersign.Requirement{Outcome: countersign.OutcomeAllow},
			Reasons: []countersign.Reason{{Rule: "founding", State: countersign.True, Effect: countersign.OutcomeAllow,
				Sentence: "the organisation has fewer than two administrators yet: one of them is enough"}}}
	}
	n, sentence := 1, "a change to Countersign itself needs a second person"
	if rule.both {
		n, sentence = 2, "this needs two people"
	}
	r := countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: rule.assurance, MaxAge: 900,
		Clauses: []countersign.Clause{{Count: n, From: slices.Sorted(slices.Values(rule.groups))}}}
	return policy.Result{Outcome: r.Outcome, Requirement: r,
		Reasons: []countersign.Reason{{Rule: "change-to-countersign", State: countersign.True, Effect: countersign.OutcomeStepUp, Sentence: sentence}}}
}

// precondition refuses a proposal that could not be carried out anyway.
func (a *Authority) precondition(tx *store.Tx, m *matter) error {
	d := m.doc
	bad := func(pointer, format string, args ...any) error {
		return countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	switch d.Kind {
	case countersign.KindPolicyPublish:
		_, err := a.proposedPolicy(tx, d)
		return err
	case countersign.KindPeopleChange, countersign.KindFactorReset, countersign.KindBreakGlassNames:
		if _, err := tx.Person(d.ID); err != nil {
			return bad("/id", "is no person here")
		}
		return checkPeopleChanges(d)
	case countersign.KindFreezeExtend, countersign.KindFreezeLift:
		f, err := tx.Freeze(d.ID)
		if err != nil || !f.Lifted.IsZero() || !f.Expires.After(tx.Now()) {
			return bad("/id", "is no freeze in force")
		}
		if d.Kind == countersign.KindFreezeExtend {
			_, err = extendUntil(d, tx.Now())
		}
		return err
	case countersign.KindAlertClose:
		al, err := tx.Alert(d.ID)
		if err != nil || !al.Closed.IsZero() {
			return bad("/id", "is no open alert")
		}
	case countersign.KindHistoryConfirm:
		if n, err := tx.Unsettled(d.ID); err != nil || n == 0 {
			return bad("/id", "is no vendor with history that does not count yet")
		}
	case countersign.KindErasure:
		return a.mayErase(tx, d.ID)
	case countersign.KindSettingsChange:
		if d.ID != settingsObject {
			return bad("/id", "want %q", settingsObject)
		}
		_, err := a.proposedSettings(tx, d)
		return err
	case countersign.KindDelegation:
		return a.mayDelegateFor(tx, d)
	}
	return nil
}

// apply carries an approved change out, in the transaction that approved it.
func (a *Authority) apply(tx *store.Tx, c *caseFile, actor string) error {
	m, err := c.matter()
	if err != nil {
		return err
	}
	d := m.doc
	if err := decidedByOthers(tx, c, d); err != nil {
		return err
	}
	switch d.Kind {
	case countersign.KindPolicyPublish:
		v, err := a.proposedPolicy(tx, d)
		if err != nil {
			return err
		}
		return publishPolicy(tx, v, actor)
	case countersign.KindPeopleChange:
		return a.changePerson(tx, c, d, actor)
	case countersign.KindFactorReset:
		return a.resetFactors(tx, d.ID, removal{actor: actor, request: c.row.ID})
	case countersign.KindFreezeExtend, countersign.KindFreezeLift:
		return a.changeFreeze(tx, c, d, actor)
	case countersign.KindAlertClose:
		if err := tx.CloseAlert(d.ID, actor); err != nil {
			return err
		}
		if _, err := appendEntry(tx, entry{typ: countersign.EntryAlertClosed, subject: d.ID, actor: actor, facts: map[string]string{"request": c.row.ID}}); err != nil {
			return err
		}
		return tx.FactsChanged()
	case countersign.KindHistoryConfirm:
		if _, err := tx.FoldVendor(d.ID, 100000); err != nil {
			return err
		}
		return tx.FactsChanged()
	case countersign.KindBreakGlassNames:
		return a.nameBreakGlass(tx, c, d, actor)
	case countersign.KindErasure:
		return a.erase(tx, c, d.ID, actor)
	case countersign.KindSettingsChange:
		return a.changeSettings(tx, c, d, actor)
	case countersign.KindDelegation:
		return a.delegateFor(tx, c, d, actor)
	}
	return fmt.Errorf("nothing is known to do for %s", d.Kind)
}

// proposedPolicy loads the policy text that a proposal carries: the text is the
// document, so that what is signed is what is published. Lists stand in changes
// named "list:NAME".
func (a *Authority) proposedPolicy(tx *store.Tx, d *countersign.Document) (*policy.Version, error) {
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	if err := fromInForce(tx, d); err != nil {
		return nil, err
	}
	src := policy.Source{File: "policy", Lists: map[string]string{}, Options: a.policyOptions(at)}
	for _, ch := range d.Changes {
		if name, ok := strings.CutPrefix(ch.Field, "list:"); ok {
			src.Lists[name] = ch.To
		} else if ch.Field == "policy" {
			src.Text = []byte(ch.To)
		}
	}
	v, err := policy.Load(src)
	if err != nil {
		return nil, countersign.NewProblem(countersign.CodeInvalid, "the policy does not load: %v", err).WithHint("countersign policy check shows every problem")
	}
	return v, nil
}

// Fields of a people change.
const (
	fieldGroupAdd    = "group.add"
	fieldGroupRemove = "group.remove"
	fieldPrivileged  = "privileged" // "true" or "false"
	fieldActive      = "active"     // "true" or "false"
	fieldLimit       = "limit"      // "limit" or "limit:KIND"; to "30000.00 EUR", or "" to take it away
	fieldBreakGlass  = "break_glass"
)

// fieldUntil is the field of a freeze that is extended.
const fieldUntil = "until"

func checkPeopleChanges(d *countersign.Document) error {
	if d.Kind == countersign.KindFactorReset {
		return nil
	}
	if len(d.Changes) == 0 {
		return countersign.Invalid(countersign.FieldError{Pointer: "/changes", Detail: "want at least one"})
	}
	for i, ch := range d.Changes {
		at := "/changes/" + strconv.Itoa(i)
		name, kind, _ := strings.Cut(ch.Field, ":")
		ok := false
		switch name {
		case fieldGroupAdd, fieldGroupRemove:
			ok = ch.To != "" && len(ch.To) <= 100
		case fieldPrivileged, fieldActive, fieldBreakGlass:
			ok = ch.To == "true" || ch.To == "false"
		case fieldLimit:
			_, _, err := parseLimit(ch.To)
			ok = err == nil && (kind == "" || countersign.ValidKind(kind))
		}
		if ch.Field != name && (name != fieldLimit || kind == "") { // only a limit is for a kind
			ok = false
		}
		if !ok || (name == fieldBreakGlass) != (d.Kind == countersign.KindBreakGlassNames) {
			return countersign.Invalid(countersign.FieldError{Pointer: at, Detail: "is no change of a person that is known"})
		}
	}
	return nil
}

func parseLimit(s string) (minor int64, currency string, err error) {
	if s == "" {
		return 0, "", nil
	}
	value, currency, _ := strings.Cut(s, " ")
	minor, err = countersign.ParseMinor(value, currency)
	return minor, currency, err
}

func (a *Authority) changePerson(tx *store.Tx, c *caseFile, d *countersign.Document, actor string) error {
	p, err := tx.Person(d.ID)
	if err == nil {
		err = stillFrom(tx, d)
	}
	if err != nil {
		return err
	}
	var moved groupsMoved
	for _, ch := range d.Changes {
		name, kind, _ := strings.Cut(ch.Field, ":")
		switch name {
		case fieldGroupAdd:
			err = moved.join(tx, ch.To, d.ID)
		case fieldGroupRemove:
			err = moved.leave(tx, ch.To, d.ID)
		case fieldPrivileged:
			if v := ch.To == "true"; v != p.Privileged {
				p.Privileged, p.PrivilegedSince = v, tx.Now()
			}
		case fieldActive:
			if v := ch.To == "true"; v != p.Active {
				p.Active, p.ActiveSince = v, tx.Now()
			}
		case fieldLimit:
			minor, currency, _ := parseLimit(ch.To) // checked when it was proposed
			if currency == "" {
				_, err = tx.RemoveLimit(d.ID, kind)
			} else {
				_, err = tx.PutLimit(store.PersonLimit{Person: d.ID, Kind: kind, Currency: currency, Minor: minor})
			}
		}
		if err != nil {
			return err
		}
	}
	if err := tx.UpdatePerson(p); err != nil {
		return err
	}
	if !p.Active {
		if err := tx.EndSessionsOf(d.ID); err != nil {
			return err
		}
	}
	facts := map[string]string{"request": c.row.ID}
	if _, err := appendEntry(tx, entry{typ: countersign.EntryPersonChanged, subject: d.ID, actor: actor, facts: facts}); err != nil {
		return err
	}
	if err := moved.log(tx, entry{subject: d.ID, actor: actor, facts: facts}); err != nil {
		return err
	}
	if err := tx.FactsChanged(); err != nil {
		return err
	}
	at, err := a.current(tx)
	if err != nil {
		return err
	}
	return a.endFounding(tx, at)
}

func extendUntil(d *countersign.Document, now time.Time) (time.Time, error) {
	for _, ch := range d.Changes {
		if ch.Field == fieldUntil {
			t, err := time.Parse(time.RFC3339, ch.To)
			if err == nil && t.After(now) && t.Before(now.AddDate(0, 0, 90)) {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, countersign.Invalid(countersign.FieldError{Pointer: "/changes", Detail: `want {"field": "until", "to": a time within 90 days (RFC 3339)}`})
}

// changeFreeze extends or lifts a freeze that two people, not its subject, decided on.
func (a *Authority) changeFreeze(tx *store.Tx, c *caseFile, d *countersign.Document, actor string) error {
	f, err := tx.Freeze(d.ID)
	if err != nil {
		return err
	}
	if err := stillFrom(tx, d); err != nil {
		return err
	}
	typ := countersign.EntryFreezeLifted
	if d.Kind == countersign.KindFreezeExtend {
		typ = countersign.EntryFreezePlaced
		until, err := extendUntil(d, f.Placed)
		if err != nil {
			return err
		}
		if err := tx.ExtendFreeze(d.ID, until); err != nil {
			return err
		}
	} else if err := tx.LiftFreeze(d.ID); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	if _, err := appendEntry(tx, entry{typ: typ, subject: d.ID, actor: actor, facts: map[string]string{"request": c.row.ID}}); err != nil {
		return err
	}
	return tx.FactsChanged()
}
