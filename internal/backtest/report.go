package backtest

import (
	"cmp"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
)

// result puts the counts in order.
func (y *tally) result() *Result {
	r := &y.r
	r.History.WarmUpDocuments = y.warmUp
	r.Answers, r.Known = y.answers.outcomes(), y.known.outcomes()
	r.OnlyMissing.Fields = fieldsOf(y.missing)
	y.missingSets()
	r.Rules = []Rule{}
	for _, info := range y.order {
		r.Rules = append(r.Rules, y.rules[info.Name].result(r.Requests))
	}
	r.Signals = y.readiness.Signals()
	top := y.t.options.Top
	r.Departments, r.Requesters, r.Approvers = mostAsked(y.departments, top), mostAsked(y.requesters, top), mostAsked(y.approvers, top)
	r.Groups = []Group{}
	for _, g := range y.groups {
		r.Groups = append(r.Groups, *g)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), slices.Compare(a.Groups, b.Groups))
	})
	r.Months = []Month{}
	for _, m := range y.months {
		r.Months = append(r.Months, *m)
	}
	slices.SortFunc(r.Months, func(a, b Month) int { return cmp.Compare(a.Month, b.Month) })
	r.Required = fieldsOf(y.required)
	y.assume()
	return r
}

func (c *counts) outcomes() Outcomes {
	o := Outcomes{Allow: c.outcome[countersign.OutcomeAllow], StepUp: c.outcome[countersign.OutcomeStepUp],
		Deny: c.outcome[countersign.OutcomeDeny], Refused: c.refused, ByAssurance: []Assurance{}}
	for _, a := range []countersign.Assurance{countersign.AssuranceSession, countersign.AssuranceMFA,
		countersign.AssurancePhishingResistant, countersign.AssuranceHardware} {
		if n := c.assurance[a]; n > 0 {
			o.ByAssurance = append(o.ByAssurance, Assurance{a, n})
		}
	}
	return o
}

func (r *ruleTally) result(requests int) Rule {
	out := r.rule
	if requests > 0 {
		out.Share = float64(out.Fired) / float64(requests)
	}
	out.Missing = fieldsOf(r.missing)
	all := slices.Concat(r.fired, r.untold)
	out.Examples = append([]Example{}, all[:min(len(all), examples)]...)
	return out
}

func (y *tally) missingSets() {
	m := &y.r.OnlyMissing
	m.Sets = []Set{}
	for key, n := range y.sets {
		m.Sets = append(m.Sets, Set{strings.Split(key, "\x00"), n})
	}
	slices.SortFunc(m.Sets, func(a, b Set) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), slices.Compare(a.Fields, b.Fields))
	})
	if top := y.t.options.Top; len(m.Sets) > top {
		for _, s := range m.Sets[top:] {
			m.Others += s.Requests
		}
		m.Sets = m.Sets[:top]
	}
}

func fieldsOf(counts map[string]int) []Field {
	out := make([]Field, 0, len(counts))
	for name, n := range counts {
		out = append(out, Field{name, n})
	}
	slices.SortFunc(out, func(a, b Field) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Field, b.Field))
	})
	return out
}

// mostAsked lists those who are asked most by what is known.
func mostAsked(in map[uint32]*Asked, top int) []Asked {
	out := make([]Asked, 0, len(in))
	for _, a := range in {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Asked) int {
		return cmp.Or(cmp.Compare(b.Known+b.Denied, a.Known+a.Denied), cmp.Compare(b.OnlyMissing, a.OnlyMissing),
			cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), top)]
}

// assume says what had to be assumed, so that nobody takes it for a fact.
func (y *tally) assume() {
	h := &y.r.History
	a := []string{"every purchase of the file was made: what came before counts as the vendor's history, whatever the policy would have answered",
		"documents of one day do not know each other",
		"no alert, freeze, pending bank change or earlier denial: Countersign keeps these itself, and a file has none"}
	if h.Documents < h.Rows {
		a = append(a, "rows that share number, day, vendor, people and account are positions of one document")
	}
	if h.DerivedVendors > 0 {
		a = append(a, "a vendor without an id is the same vendor where the name is the same")
	}
	if len(y.requesters)+len(y.approvers) > 0 {
		a = append(a, "each person's identifier is one natural person; their limits, permissions, managers and groups are not in the file")
	}
	y.r.Assumptions = a
}
