package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// reasonsView is why a request is here: the rules that counted, and what was measured.
type reasonsView struct {
	Title    string
	Policy   string // "policy v14"
	Items    []reasonLine
	Silent   string // where no rule counted
	Measured []findingLine
	Quiet    []findingLine // what was looked at and is not so, or could not be told
	QuietSum string
}

// reasonLine is one rule that counted, as a sentence.
type reasonLine struct {
	Sentence string
	Rule     string
	Href     string // of the rule in the policy; "" where the visitor may not read it
	Effect   string
	Missing  string // what could not be told, and so counted
	Off      string // why it did not count after all
	Unknown  bool
}

// findingLine is one signal: what was measured, and what it was held against.
type findingLine struct {
	Name, Value, Against, Source string
	Unknown                      bool
}

func (q *requestReader) reasons() reasonsView {
	a := q.r.Approval
	version := strconv.FormatInt(a.PolicyVersion, 10)
	w := reasonsView{Title: q.tx.T("request.why.title"), Policy: q.tx.T("request.why.policy", "version", version)}
	switch {
	case may(q.r, authority.CanApprove):
		w.Title = q.tx.T("request.why.title_you")
	case !q.waits():
		w.Title = q.tx.T("request.why.title_over")
	}
	for _, r := range a.Reasons {
		l := reasonLine{Sentence: sentence(upperFirst(r.Sentence)), Rule: named(r.Rule), Effect: q.tx.T("request.why.effect." + string(r.Effect)), Unknown: r.State == countersign.Unknown}
		if q.sees && r.Rule != authority.RuleSentBack { // which is no rule of the policy
			l.Href = "/policy?version=" + version + "#rule-" + url.PathEscape(r.Rule)
		}
		if l.Unknown && len(r.Missing) > 0 {
			l.Missing = q.tx.T("request.why.missing")
		}
		switch {
		case r.Silenced != "":
			l.Off = q.tx.T("request.why.silenced", "exception", named(r.Silenced))
		case r.Recorded:
			l.Off = q.tx.T("request.why.recorded")
		}
		w.Items = append(w.Items, l)
	}
	if len(w.Items) == 0 {
		w.Silent = q.tx.T("request.why.silent_by", "version", version)
	}
	q.findings(&w)
	return w
}

func (q *requestReader) findings(w *reasonsView) {
	for _, f := range q.r.Approval.Findings {
		l := findingLine{Name: named(f.Signal), Value: sentence(f.Value), Against: sentence(f.Comparison), Source: sentence(f.Source), Unknown: f.State == countersign.Unknown}
		if key := "request.signal." + f.Signal; q.tx.has(key) {
			l.Name = q.tx.T(key)
		}
		if l.Unknown && len(f.Missing) > 0 {
			l.Value = q.tx.T("request.why.cannot_say", "fields", named(strings.Join(f.Missing, ", ")))
		}
		if l.Value == "" {
			l.Value, l.Against = l.Against, ""
		}
		if f.State == countersign.True {
			w.Measured = append(w.Measured, l)
			continue
		}
		w.Quiet = append(w.Quiet, l)
	}
	w.QuietSum = q.tx.N("request.why.quiet", len(w.Quiet), "n", q.f.Count(int64(len(w.Quiet))))
}

// approvalsView is who has decided, and what is still missing.
type approvalsView struct {
	Steps  []stepLine
	Needs  []string // what each act needs, in words
	Nobody string   // where nobody is asked
}

// stepLine is one decision, or one that is still missing.
type stepLine struct {
	Tone, Icon, Number string // of the dot: "ok", "no", "you" or ""
	Name               string
	You                bool
	Tags               []chip
	What               string
	Reason             string
	Void               string
	At                 Moment
	Entry, EntryHref   string
}

func (q *requestReader) approvals() approvalsView {
	var w approvalsView
	for _, d := range q.r.Decisions {
		w.Steps = append(w.Steps, q.decided(d))
	}
	n := 0
	for _, m := range q.r.Missing {
		if n += m.Have; m.Lacks > 0 {
			w.Steps = append(w.Steps, q.missing(m, n+1))
			n += m.Lacks
		}
	}
	switch {
	case q.waits():
		w.Needs = q.needs()
	case len(w.Steps) > 0:
	case q.r.Approval.Outcome == countersign.OutcomeAllow:
		w.Nobody = q.tx.T("request.approvals.allowed", "version", strconv.FormatInt(q.r.Approval.PolicyVersion, 10))
	default:
		w.Nobody = q.tx.T("request.approvals.nobody")
	}
	return w
}

func (q *requestReader) decided(d authority.DecisionLine) stepLine {
	l := stepLine{Tone: "ok", Icon: "check", Name: q.you(d.Person), You: d.Yours, At: q.at(d.At)}
	if d.Act != countersign.ActApprove {
		l.Tone, l.Icon = "no", "x"
	}
	factor := d.Factor
	if d.Assurance == countersign.AssuranceHardware {
		factor = "hardware"
	}
	l.What = q.tx.T("request.act."+string(d.Act), "factor", q.tx.T("request.factor."+factor))
	if d.ActingFor != nil {
		l.What += " " + q.tx.T("request.acting_for", "name", q.them(*d.ActingFor))
	}
	if d.Reason != "" {
		l.Reason = sentence(d.Reason)
	}
	for _, t := range []struct {
		on        bool
		tone, key string
	}{{d.BreakGlass, "no", "request.tag.break_glass"}, {d.Unexpected, "no", "request.tag.unexpected"}, {d.Simulated, "warn", "request.tag.simulated"}} {
		if t.on {
			l.Tags = append(l.Tags, chip{Tone: t.tone, Text: q.tx.T(t.key)})
		}
	}
	if d.Void != "" {
		l.Tone, l.Icon = "", "x"
		l.Void = q.tx.T("request.void", "why", sentence(d.Void))
	}
	if d.Index >= 0 {
		l.Entry = q.tx.T("request.entry", "n", q.f.Count(d.Index))
		l.EntryHref = q.entry(d.Index)
	}
	return l
}

// missing is a clause that still needs people, as a step that nobody has taken.
func (q *requestReader) missing(m authority.MissingClause, number int) stepLine {
	l := stepLine{Number: strconv.Itoa(number), Name: q.whom(m.Clause, m.Lacks, m.Have > 0)}
	var what []string
	for _, p := range m.Who {
		if p.ID == q.me && len(m.Clause.From) > 0 {
			l.Name, what = q.tx.T("request.you"), []string{l.Name}
		}
	}
	var others []countersign.Principal
	for _, p := range m.Who {
		if p.ID == q.me {
			l.You = true
		} else {
			others = append(others, p)
		}
	}
	if m.Clause.OutsideChain {
		what = append(what, q.tx.T("request.missing.outside"))
	}
	if len(m.Clause.From) > 0 {
		switch {
		case l.You && len(others) > 0:
			what = append(what, q.tx.T("request.missing.you_or", "names", names(others)))
		case l.You:
		case len(others) > 0:
			what = append(what, q.tx.T("request.missing.who", "names", names(others)))
		case m.Eligible > 0:
			what = append(what, q.tx.N("request.missing.many", m.Eligible, "n", q.f.Count(int64(m.Eligible))))
		default:
			what = append(what, q.tx.T("request.missing.none"))
		}
	}
	if l.You {
		l.Tone = "you"
	}
	l.What = strings.Join(what, " · ")
	return l
}

// needs says what an approval must be proven with, and what follows it.
func (q *requestReader) needs() []string {
	r := q.r.Approval.Requirement
	var out []string
	if r.Assurance != "" {
		out = append(out, q.tx.T("request.needs."+string(r.Assurance)))
	}
	if r.MaxAge > 0 {
		out = append(out, q.tx.T("request.needs.max_age", "time", q.f.Duration(q.tx, time.Duration(r.MaxAge)*time.Second)))
	}
	if n := len(r.Attestations); n > 0 {
		out = append(out, q.tx.N("request.needs.questions", n, "n", q.f.Count(int64(n))))
	}
	if r.Reason {
		out = append(out, q.tx.T("request.needs.reason"))
	}
	if r.Hold > 0 {
		out = append(out, q.tx.T("request.needs.hold", "time", q.f.Duration(q.tx, time.Duration(r.Hold)*time.Second)))
	}
	return out
}
