package policy

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// factsName is the name under which a comparison of amounts finds the activation,
// and with it the rates. No condition can write it.
const factsName = "@facts"

// activation gives the facts of one weighing to the conditions. Activations are
// kept in the version's pool; nothing of one may outlive the weighing.
type activation struct {
	v        *Version
	f        *signal.Facts
	findings []countersign.Finding
	// blank: nothing at all is known. What is false even then can never be true.
	blank     bool
	blankKind string

	amount                                  moneyValue
	amountMissing                           *types.Unknown
	vendorFact                              vendorFact
	vendor, history, payee                  record
	requester, owner, approver, actingFor   record
	dates, session, custom, signal, finding record
	lists                                   []listValue
	alerts, lines, changes, references      ref.Val
}

var _ cel.Activation = (*activation)(nil)

func (a *activation) Parent() cel.Activation { return nil }

// fill points the records at the facts.
func (a *activation) fill(f *signal.Facts, findings []countersign.Finding) {
	e := a.v.env
	*a = activation{v: a.v, lists: a.lists, blank: a.blank, blankKind: a.blankKind, f: f, findings: findings}
	doc := f.Document
	m, missing := f.Amount()
	switch {
	case missing == signal.MissingAmount:
		a.amountMissing = e.single["amount"]
	case missing != "":
		a.amountMissing = types.NewUnknown(1, types.NewAttributeTrail(missing))
	default:
		a.amount.Money = m
	}
	a.vendor = a.record("vendor", vendorType)
	if f.Vendor != nil {
		a.vendorFact = vendorFact{Vendor: f.Vendor}
		if doc != nil {
			a.vendorFact.payee = doc.Payee
		}
		a.vendor.fact = &a.vendorFact
	}
	a.history = a.record("history", historyType)
	if f.History != nil {
		a.history.fact = f.History
	}
	a.payee, a.dates, a.custom = a.record("payee", payeeType), a.record("dates", datesType), a.record("custom", customType)
	a.session = a.record("session", sessionType)
	if doc != nil {
		a.custom.fact = doc
		if doc.Payee != nil {
			a.payee.fact = doc.Payee
		}
		if doc.Dates != nil {
			a.dates.fact = doc.Dates
		}
	}
	if f.Submission != nil && f.Submission.Session != nil {
		a.session.fact = f.Submission.Session
	}
	a.fillPeople(f)
	a.signal, a.finding = a.record("signal", signalRecord), a.record("finding", findingRecord)
	a.signal.fact, a.finding.fact = a, a
	for i := range a.lists {
		a.lists[i].now = f.Now
	}
}

// fillPeople tells "nobody is named" from "it is not known who": an approver who
// is named acts in their own name unless it says otherwise, and only a service
// has an owner. Who requests, and who approves, is not known until they are named.
func (a *activation) fillPeople(f *signal.Facts) {
	a.requester = a.person("requester", f.Requester, false)
	a.approver = a.person("approver", f.Approver, false)
	a.actingFor = a.person("acting_for", f.ActingFor, f.Approver != nil)
	byPerson := f.Requester != nil && f.Requester.Type == "person" && (f.Document == nil || f.Document.Requester == nil || f.Document.Requester.Type != "service")
	a.owner = a.person("owner", f.Owner, byPerson)
}

func (a *activation) record(name string, t *recordType) record {
	return record{of: t, missing: a.v.env.missing[name], a: a}
}

func (a *activation) person(name string, p *signal.Person, nobody bool) record {
	r := a.record(name, personType)
	if p != nil {
		r.fact = p
	} else {
		r.nobody, r.unnamed = nobody, !a.blank
	}
	return r
}

// signalValue answers signal.NAME.
func (a *activation) signalValue(i int) ref.Val {
	f := &a.findings[i]
	switch f.State {
	case countersign.True:
		return types.True
	case countersign.False:
		return types.False
	}
	if len(f.Missing) == 0 {
		return nil
	}
	var u *types.Unknown
	for id, field := range f.Missing {
		u = types.MergeUnknowns(u, types.NewUnknown(int64(-1000*(i+1)-id), types.NewAttributeTrail(field)))
	}
	return u
}

// ResolveName finds a variable, a constant or a list.
func (a *activation) ResolveName(name string) (any, bool) {
	if name == factsName {
		return a, true
	}
	if v := a.resolve(name); v != nil {
		return v, true
	}
	if u := a.v.env.single[name]; u != nil {
		return u, true
	}
	for i := range a.v.constants {
		if a.v.constants[i].name == name {
			return a.v.constants[i].value, true
		}
	}
	for i := range a.lists {
		if a.lists[i].name == name {
			return &a.lists[i], true
		}
	}
	return nil, false
}

// resolve returns nil for a fact that is missing, or is no fact.
func (a *activation) resolve(name string) ref.Val {
	if v := variableOf[name]; v != nil {
		return v.get(a)
	}
	if name == "finding" {
		return &a.finding
	}
	return nil
}

func (a *activation) once(at *ref.Val, make func() ref.Val) ref.Val {
	if *at == nil {
		*at = make()
	}
	return *at
}

func moment(s string) ref.Val {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil
	}
	return types.Timestamp{Time: t}
}
