package backtest

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
)

// tally counts while the documents pass.
type tally struct {
	t      *trial
	r      Result
	warmUp int
	rules  map[string]*ruleTally
	order  []policy.RuleInfo

	readiness   signal.Readiness
	departments map[uint32]*Asked
	requesters  map[uint32]*Asked
	approvers   map[uint32]*Asked
	groups      map[string]*Group
	months      map[string]*Month
	answers     counts
	known       counts
	missing     map[string]int // field → requests asked only because facts are missing
	sets        map[string]int // fields → such requests
	required    map[string]int
}

type ruleTally struct {
	info    policy.RuleInfo
	rule    Rule
	missing map[string]int
	fired   []Example // largest first
	untold  []Example
}

// counts are [Outcomes] while they are counted.
type counts struct {
	outcome   map[countersign.Outcome]int
	assurance map[countersign.Assurance]int
	refused   int
}

func newCounts() counts {
	return counts{outcome: map[countersign.Outcome]int{}, assurance: map[countersign.Assurance]int{}}
}

func (c *counts) add(r countersign.Requirement, refused bool) {
	c.outcome[r.Outcome]++
	switch {
	case refused:
		c.refused++
	case r.Outcome == countersign.OutcomeStepUp:
		c.assurance[r.Assurance]++
	}
}

func newTally(t *trial) *tally {
	v := t.options.Policy
	y := &tally{t: t, rules: map[string]*ruleTally{}, order: v.Rules(), departments: map[uint32]*Asked{}, requesters: map[uint32]*Asked{},
		approvers: map[uint32]*Asked{}, groups: map[string]*Group{}, months: map[string]*Month{}, answers: newCounts(), known: newCounts(),
		missing: map[string]int{}, sets: map[string]int{}, required: map[string]int{}}
	y.r = Result{Policy: v.Name(), PolicyDigest: v.Digest(), Currency: v.Currency()}
	for _, info := range y.order {
		y.rules[info.Name] = &ruleTally{info: info, rule: Rule{Rule: info.Name, Line: info.Line, Deny: info.Deny}, missing: map[string]int{}}
	}
	return y
}

// span counts what does not depend on the policy.
func (y *tally) span(rows []row, counted int32) {
	h := &y.r.History
	h.File, h.Rows, h.WarmUpDays = y.t.options.Report, len(rows), y.t.options.WarmUp
	if len(rows) == 0 {
		return
	}
	h.First, h.Last = timeOf(rows[0].day).Format(time.DateOnly), timeOf(rows[len(rows)-1].day).Format(time.DateOnly)
	h.CountedFrom = timeOf(counted).Format(time.DateOnly)
	vendors := map[uint32]bool{}
	for i := 0; i < len(rows); {
		n := y.t.book.positions(i)
		r := &rows[i]
		h.Documents++
		if r.vendor == 0 {
			h.WithoutVendor++
		} else if !vendors[r.vendor] {
			vendors[r.vendor] = true
			h.Vendors++
			if r.vendorDerived {
				h.DerivedVendors++
			}
		}
		var sum int64
		for _, p := range rows[i : i+n] {
			sum += p.minor
		}
		if sum < 0 {
			h.Credits++
		}
		i += n
	}
}

// counted is one answer with the facts that it wants.
type counted struct {
	policy.Verdict
	missing []string // facts that unknown rules that counted lack, sorted
}

// add counts one answer.
func (y *tally) add(d *purchase, f *signal.Facts, r *policy.Result) {
	y.r.Requests++
	v := y.rulesOf(d, f, r)
	y.answers.add(v.Answer, v.Refused)
	y.known.add(v.Known, v.KnownRefused)
	if !d.baseKnown {
		y.r.History.WithoutRate++
	}
	if v.OnlyMissing() {
		y.r.OnlyMissing.Requests++
		for _, field := range v.missing {
			y.missing[field]++
		}
		y.sets[strings.Join(v.missing, "\x00")]++
	} else if v.Stricter() {
		y.r.Stricter++
	}
	if len(v.Fired) == 1 {
		y.rules[v.Fired[0]].rule.Alone++
	}
	y.people(d, &v)
	y.month(d, &v)
	y.ready(d, r.Findings)
	y.form(f.Document)
}

// rulesOf counts the rules of one answer.
func (y *tally) rulesOf(d *purchase, f *signal.Facts, r *policy.Result) counted {
	c := counted{Verdict: y.t.options.Policy.Verdict(f, r)}
	for _, name := range r.Waiting {
		y.rules[name].rule.Waiting++
	}
	for i := range r.Reasons {
		reason := &r.Reasons[i]
		rule := y.rules[reason.Rule]
		switch {
		case rule == nil: // a file cannot hold changes to Countersign itself
		case reason.Silenced != "":
			rule.rule.Silenced++
		case reason.State == countersign.Unknown:
			c.missing = append(c.missing, y.untold(rule, reason, d)...)
		default:
			rule.rule.Fired++
			rule.fired = keep(rule.fired, y.example(d, reason))
		}
	}
	slices.Sort(c.missing)
	c.missing = slices.Compact(c.missing)

	return c
}

// untold counts a rule whose condition cannot be told, and returns the facts that
// it lacks where it counted all the same.
func (y *tally) untold(rule *ruleTally, reason *countersign.Reason, d *purchase) []string {
	fields := y.toSend(y.fields(reason.Missing, d), d)
	for _, field := range fields {
		rule.missing[field]++
	}
	if reason.Recorded {
		rule.rule.Recorded++
		return nil
	}
	rule.rule.Unknown++
	rule.untold = keep(rule.untold, y.example(d, reason))
	return fields
}

// toSend leaves out the approver where nobody is named: a rule that lacks nothing
// else waits for the person and asks nobody.
func (y *tally) toSend(fields []string, d *purchase) []string {
	if d.head.approver != 0 {
		return fields
	}
	rest := slices.DeleteFunc(slices.Clone(fields), func(field string) bool {
		name, _, _ := strings.Cut(field, ".")
		return name == signal.MissingApprover || name == "acting_for"
	})
	if len(rest) == 0 {
		return fields
	}
	return rest
}

// fields names missing facts as a caller knows them: a sum is missing because one
// of the fields is that says whose it is.
func (y *tally) fields(missing []string, d *purchase) []string {
	out := make([]string, 0, len(missing))
	for _, m := range missing {
		m, _, _ = strings.Cut(m, " (")
		if strings.HasPrefix(m, "amounts of ") {
			m = "amounts of earlier requests"
		}
		if name, isSum := strings.CutPrefix(m, "sums."); isSum {
			for i := range y.t.past.windows {
				if w := &y.t.past.windows[i]; w.Name == name {
					if _, lacks := keyOf(w, d); lacks != "" {
						m = lacks
					}
				}
			}
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// ready counts what the signals could say, with missing facts as a caller knows
// them.
func (y *tally) ready(d *purchase, findings []countersign.Finding) {
	for i := range findings {
		if findings[i].State == countersign.Unknown {
			findings[i].Missing = y.fields(findings[i].Missing, d)
		}
	}
	y.readiness.Add(findings)
}

// form counts what the API would refuse about the document itself.
func (y *tally) form(doc *countersign.Document) {
	var p *countersign.Problem
	if !errors.As(doc.Validate(""), &p) {
		return
	}
	for _, e := range p.Errors {
		y.required[strings.ReplaceAll(strings.TrimPrefix(e.Pointer, "/"), "/", ".")]++
	}
}

func (y *tally) people(d *purchase, v *counted) {
	for _, p := range [...]struct {
		in   map[uint32]*Asked
		word uint32
	}{{y.departments, d.department}, {y.requesters, d.head.requester}, {y.approvers, d.head.approver}} {
		if p.word == 0 {
			continue
		}
		a := p.in[p.word]
		if a == nil {
			a = &Asked{Name: y.t.book.text(p.word)}
			p.in[p.word] = a
		}
		a.Requests++
		switch v.Known.Outcome {
		case countersign.OutcomeStepUp:
			a.Known++
		case countersign.OutcomeDeny:
			a.Denied++
		default:
			if v.OnlyMissing() {
				a.OnlyMissing++
			}
		}
	}
	if v.Known.Outcome != countersign.OutcomeStepUp {
		return
	}
	for _, c := range v.Known.Clauses {
		key := strings.Join(c.From, "\x00")
		if y.groups[key] == nil {
			y.groups[key] = &Group{Groups: append([]string{}, c.From...)}
		}
		y.groups[key].Decisions += c.Count
	}
}

func (y *tally) month(d *purchase, v *counted) {
	name := timeOf(d.head.day).Format("2006-01")
	m := y.months[name]
	if m == nil {
		m = &Month{Month: name}
		y.months[name] = m
	}
	m.Requests++
	switch v.Known.Outcome {
	case countersign.OutcomeStepUp:
		m.Asked++
	case countersign.OutcomeDeny:
		m.Denied++
	default:
		m.Allow++
		if v.OnlyMissing() {
			m.OnlyMissing++
		}
	}
}

func (y *tally) example(d *purchase, reason *countersign.Reason) Example {
	b, size := y.t.book, d.minor
	if d.baseKnown {
		size = d.base
	}
	return Example{State: reason.State, Row: d.head.number, Date: timeOf(d.head.day).Format(time.DateOnly), Kind: b.text(d.head.kind), ID: d.head.id,
		Vendor: cmp.Or(b.text(d.head.vendorName), b.text(d.head.vendor)), Department: b.text(d.department),
		Amount: signal.Money{Minor: d.minor, Currency: b.text(d.head.currency)}.String(), Sentence: reason.Sentence, size: size}
}

const examples = 3

// keep puts an example into a list of the largest.
func keep(list []Example, e Example) []Example {
	at, _ := slices.BinarySearchFunc(list, e, func(a, b Example) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.Date, b.Date), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Row, b.Row))
	})
	if at == examples {
		return list
	}
	list = slices.Insert(list, at, e)
	return list[:min(len(list), examples)]
}
