package backtest

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// thin is the space between groups of digits: narrow, and no place to break a line.
const thin = "\u202f"

// WriteText writes the result for people: plain text, aligned columns.
func (r *Result) WriteText(w io.Writer) error {
	p := &printer{}
	p.history(r)
	if r.Requests == 0 {
		p.line("")
		p.line("nothing is left to count: the history is shorter than the warm-up of %s", plural(r.History.WarmUpDays, "day"))
	} else {
		p.outcomes(r)
		p.onlyMissing(r)
		p.rules(r)
		p.asked(r)
		p.months(r)
		p.signals(r)
		p.required(r)
	}
	p.line("")
	p.line("Assumed")
	for _, a := range r.Assumptions {
		p.line("  %s", a)
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

type printer struct{ b strings.Builder }

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *printer) history(r *Result) {
	h := &r.History
	p.line("Policy %s (%.19s…), amounts in %s", r.Policy, r.PolicyDigest, r.Currency)
	if h.Rows == 0 {
		p.line("no purchases")
	} else {
		p.line("%s in %s of %s, %s to %s", plural(h.Rows, "row"), plural(h.Documents, "document"), plural(h.Vendors, "vendor"), h.First, h.Last)
	}
	note := func(n int, format string, args ...any) {
		if n > 0 {
			p.line("  "+format, args...)
		}
	}
	note(h.WarmUpDocuments, "%s of the first %s only make history: counted from %s on", plural(h.WarmUpDocuments, "document"), plural(h.WarmUpDays, "day"), h.CountedFrom)
	note(h.DerivedVendors, "%s without an id in the file: it is derived from the name", plural(h.DerivedVendors, "vendor"))
	note(h.WithoutVendor, "%s without any vendor", plural(h.WithoutVendor, "document"))
	note(h.Credits, "%s with a negative amount (credits): weighed by its size", plural(h.Credits, "document"))
	note(h.WithoutRate, "%s in a currency without a rate into %s on that day: give dated rates", plural(h.WithoutRate, "counted document"), r.Currency)
	if f := h.File; f != nil {
		note(int(f.Redacted), "%s with a redacted vendor name", plural(int(f.Redacted), "row"))
		note(int(f.MissingIDs), "%s without a document number: it is derived from the content", plural(int(f.MissingIDs), "row"))
		note(int(f.BlankLines), "%s blank", plural(int(f.BlankLines), "line"))
		note(int(f.BadLines), "%s not kept:", plural(int(f.BadLines), "line"))
		const most = 10
		for _, b := range f.Bad[:min(len(f.Bad), most)] {
			p.line("    %s", b)
		}
		note(len(f.Bad)-most, "  and %s more", number(int(f.BadLines)-most))
	}
}

func (p *printer) outcomes(r *Result) {
	p.line("")
	t := table{right: []bool{false, true, true, true, true}}
	t.row(plural(r.Requests, "request"), "with this file", "", "by what is known", "")
	add := func(name string, a, k int) {
		t.row(name, number(a), percent(a, r.Requests), number(k), percent(k, r.Requests))
	}
	add("  pass, and nobody is asked", r.Answers.Allow, r.Known.Allow)
	add("  step up", r.Answers.StepUp, r.Known.StepUp)
	for _, a := range assurances(r) {
		add("    "+a, countOf(r.Answers.ByAssurance, a), countOf(r.Known.ByAssurance, a))
	}
	add("  denied", r.Answers.Deny, r.Known.Deny)
	if r.Answers.Refused+r.Known.Refused > 0 {
		add("    nobody to ask", r.Answers.Refused, r.Known.Refused)
	}
	p.table(&t)
}

// assurances lists those that occur, weakest first.
func assurances(r *Result) []string {
	var out []string
	for _, a := range []string{"session", "mfa", "phishing_resistant", "hardware"} {
		if countOf(r.Answers.ByAssurance, a)+countOf(r.Known.ByAssurance, a) > 0 {
			out = append(out, a)
		}
	}
	return out
}

func countOf(list []Assurance, name string) int {
	for _, a := range list {
		if string(a.Assurance) == name {
			return a.Requests
		}
	}
	return 0
}

func (p *printer) onlyMissing(r *Result) {
	m := &r.OnlyMissing
	p.line("")
	if m.Requests == 0 {
		p.line("Nobody is asked only because facts are missing.")
	} else {
		p.line("%s (%s): asked only because facts are missing, since what is not known counts as true. Would pass", plural(m.Requests, "request"), percent(m.Requests, r.Requests))
		p.line("once these are sent, unless the facts themselves speak against it:")
		t := table{right: []bool{true, true, false}}
		for _, s := range m.Sets {
			t.row("  "+number(s.Requests), percent(s.Requests, r.Requests), strings.Join(s.Fields, ", "))
		}
		if m.Others > 0 {
			t.row("  "+number(m.Others), percent(m.Others, r.Requests), "other sets of facts")
		}
		p.table(&t)
	}
	if r.Stricter > 0 {
		p.line("%s more: asked in any case, and more strictly because facts are missing.", number(r.Stricter))
	}
}

func (p *printer) rules(r *Result) {
	p.line("")
	t := table{right: []bool{false, true, true, true, true, true, false}}
	t.row("Rules", "fired", "", "alone", "not known", "waiting", "for want of")
	quiet := 0
	for i := range r.Rules {
		q := &r.Rules[i]
		if q.Fired+q.Unknown+q.Recorded+q.Silenced+q.Waiting == 0 {
			quiet++
			continue
		}
		want := fieldNames(q.Missing)
		if q.Recorded > 0 {
			want += " (only recorded)"
		}
		t.row("  "+q.Rule, number(q.Fired), percent(q.Fired, r.Requests), number(q.Alone), number(q.Unknown+q.Recorded), number(q.Waiting), want)
	}
	p.table(&t)
	p.line("  alone: would pass by what is known without this rule; waiting: weighed when somebody is about to approve")
	if quiet > 0 {
		p.line("  %s never had anything to say about this file", plural(quiet, "more rule"))
	}
	p.line("")
	p.line("Examples, the largest of each rule")
	for i := range r.Rules {
		q := &r.Rules[i]
		for j, e := range q.Examples {
			if j == 0 {
				p.line("  %s", q.Rule)
			}
			p.line("    %s  %s  %s  (line %d)", e.Date, e.ID, e.Vendor, e.Row)
			p.line("      %s", e.Sentence)
		}
	}
}

func fieldNames(fields []Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Field
	}
	return strings.Join(names, ", ")
}

func (p *printer) asked(r *Result) {
	for _, list := range []struct {
		title string
		of    []Asked
	}{{"Departments asked most", r.Departments}, {"Requesters asked most", r.Requesters}, {"Approvers asked most", r.Approvers}} {
		if len(list.of) == 0 {
			continue
		}
		p.line("")
		t := table{right: []bool{false, true, true, true, true, true}}
		t.row(list.title, "requests", "by what is known", "", "denied", "only for want of facts")
		for _, a := range list.of {
			t.row("  "+a.Name, number(a.Requests), number(a.Known), percent(a.Known, a.Requests), number(a.Denied), number(a.OnlyMissing))
		}
		p.table(&t)
	}
	if len(r.Groups) == 0 {
		return
	}
	p.line("")
	t := table{right: []bool{false, true}}
	t.row("Decisions asked of groups, by what is known", "")
	for _, g := range r.Groups {
		name := strings.Join(g.Groups, " or ")
		if name == "" {
			name = "the approver who is named"
		}
		t.row("  "+name, number(g.Decisions))
	}
	p.table(&t)
}

func (p *printer) months(r *Result) {
	p.line("")
	t := table{right: []bool{false, true, true, true, true, true}}
	t.row("Months", "requests", "asked by what is known", "", "denied", "only for want of facts")
	for _, m := range r.Months {
		t.row("  "+m.Month, number(m.Requests), number(m.Asked), percent(m.Asked, m.Requests), number(m.Denied), number(m.OnlyMissing))
	}
	p.table(&t)
}

func (p *printer) signals(r *Result) {
	p.line("")
	t := table{right: []bool{false, true, true, true, false}}
	t.row("Signals", "true", "false", "cannot say", "for want of")
	for _, s := range r.Signals {
		names := make([]string, len(s.Missing))
		for i, m := range s.Missing {
			names[i] = m.Field
		}
		t.row("  "+s.Signal, number(s.True), number(s.False), number(s.Unknown), strings.Join(names, ", "))
	}
	p.table(&t)
}

func (p *printer) required(r *Result) {
	if len(r.Required) == 0 {
		return
	}
	p.line("")
	p.line("The API takes no document without these, or as they are")
	t := table{right: []bool{false, true}}
	for _, f := range r.Required {
		t.row("  "+f.Field, number(f.Requests))
	}
	p.table(&t)
}

// table aligns columns by the characters that are shown.
type table struct {
	right []bool
	rows  [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (p *printer) table(t *table) {
	width := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i > 0 {
				b.WriteString("  ")
			}
			if t.right[i] {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c + pad)
			}
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
}

// number writes 57692 as 57 692.
func number(n int) string {
	s := strconv.Itoa(n)
	digits, sign := s, ""
	if n < 0 {
		digits, sign = s[1:], "-"
	}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(thin)
		}
		b.WriteByte(digits[i])
	}
	return sign + b.String()
}

func percent(n, of int) string {
	if of == 0 {
		return ""
	}
	return strconv.FormatFloat(100*float64(n)/float64(of), 'f', 1, 64) + thin + "%"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}
