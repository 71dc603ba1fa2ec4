package main

import (
	"fmt"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/terminal"
)

// The document card: the same order everywhere, made from the canonical bytes alone,
// so that what is read is what is digested and signed.

// card reads a request's document and makes sure that it is the one its digest names.
func card(a *countersign.Approval) (*countersign.Document, error) {
	canonical, err := countersign.Canonicalize(a.Document)
	if err != nil {
		return nil, err
	}
	if sum := countersign.SumBytes(canonical); !sum.Equal(a.Digest) {
		return nil, fmt.Errorf("the server shows a document with the digest %s and says that it is %s: nothing is signed", sum, a.Digest)
	}
	d := new(countersign.Document)
	return d, countersign.DecodeStrict(canonical, d)
}

// printCard writes the document of a request.
func (p *process) printCard(a *countersign.Approval) error {
	d, err := card(a)
	if err != nil {
		return err
	}
	w := &cardWriter{p: p}
	w.line("%s %s, revision %s", strings.ToUpper(countersign.KindInWords(d.Kind)), d.ID, d.Revision)
	if d.Payee != nil {
		w.line("%s", strings.Join(nonEmpty(d.Payee.Name, d.Payee.ID, d.Payee.Country, d.Payee.TaxID), "  "))
	}
	if d.Amount != nil {
		w.line("%s", terminal.Money(*d.Amount))
	}
	w.line("")
	w.field("for", d.Subject)
	w.requester(d.Requester)
	if d.Payee != nil && d.Payee.Account != nil {
		w.field("account", accountInGroups(*d.Payee.Account))
	}
	for _, ch := range d.Changes {
		w.change(ch)
	}
	w.field("entity", strings.Join(nonEmpty(d.Entity, d.CostCentre, d.Category), ", "))
	w.dates(d)
	w.lines(d.Lines)
	w.field("marked", strings.Join(d.Flags, ", "))
	for _, r := range d.References {
		w.field("belongs to", countersign.KindInWords(r.Kind)+" "+r.ID)
	}
	for _, at := range d.Attachments {
		w.field("attached", at.Name+"  "+string(at.Digest))
	}
	names := []string{}
	for name := range d.Custom {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.field(strings.ReplaceAll(name, "_", " "), d.Custom[name])
	}
	w.field("digest", string(a.Digest))
	return nil
}

// cardWriter writes the lines of a card, with a bar on their left. Text that comes
// from outside is never allowed to move the cursor.
type cardWriter struct{ p *process }

func (w *cardWriter) line(format string, args ...any) {
	w.p.printf("%s\n", strings.TrimRight("| "+fmt.Sprintf(format, printable(args)...), " "))
}

const cardLabel = 11

func (w *cardWriter) field(name, value string) {
	if value == "" {
		return
	}
	for i, l := range terminal.Wrap(value, 78-cardLabel-2) {
		if i > 0 {
			name = ""
		}
		w.line("%s%s", terminal.Pad(name, cardLabel), l)
	}
}

func (w *cardWriter) requester(r *countersign.Party) {
	if r == nil {
		return
	}
	who := strings.Join(nonEmpty(r.Name, r.ID), ", ")
	if r.Type == "service" {
		who += ", which is not a person"
	}
	w.field("asked by", who)
	w.field("owner", r.Owner)
}

func (w *cardWriter) change(ch countersign.Change) {
	if strings.Contains(ch.From, "\n") || strings.Contains(ch.To, "\n") {
		w.field("change", fmt.Sprintf("%s: %d lines", ch.Field, strings.Count(ch.To, "\n")))
		return
	}
	from, to := ch.From, ch.To
	if ch.Field == "account" {
		from, to = inGroups(from), inGroups(to)
	}
	w.field("change", ch.Field)
	w.field("  new", or(to, "(nothing)"))
	w.field("  was", or(from, "(nothing)"))
}

func (w *cardWriter) dates(d *countersign.Document) {
	if d.Dates == nil {
		return
	}
	var all []string
	for _, x := range [...]struct{ name, day string }{{"issued", d.Dates.Issued}, {"due", d.Dates.Due}, {"delivery", d.Dates.Delivery}, {"execution", d.Dates.Execution}} {
		if x.day != "" {
			all = append(all, x.name+" "+x.day)
		}
	}
	w.field("dates", strings.Join(all, ", "))
}

const mostCardLines = 20

func (w *cardWriter) lines(all []countersign.Line) {
	for i, l := range all {
		if i == mostCardLines {
			w.field("", fmt.Sprintf("and %d more lines", len(all)-i))
			return
		}
		text := strings.Join(nonEmpty(l.Quantity+" ×", or(l.Description, l.Item)), " ")
		if l.Quantity == "" {
			text = or(l.Description, l.Item)
		}
		if l.Amount != nil {
			text += "  " + terminal.Money(*l.Amount)
		}
		if l.Payee != nil {
			text += "  to " + strings.Join(nonEmpty(l.Payee.Name, l.Payee.ID), " ")
			if l.Payee.Account != nil {
				text += "  " + accountInGroups(*l.Payee.Account)
			}
		}
		w.field("line "+l.Number, text)
	}
}

// accountInGroups writes an account as people compare it: in groups of four.
func accountInGroups(a countersign.Account) string {
	text := inGroups(a.Value)
	if a.Scheme != "iban" {
		text += " (" + a.Scheme + ")"
	}
	return strings.Join(nonEmpty(text, a.BIC, a.Holder), "  ")
}

func inGroups(s string) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// printable makes text that comes from outside harmless.
func printable(args []any) []any {
	out := slices.Clone(args)
	for i, a := range out {
		if s, ok := a.(string); ok {
			out[i] = terminal.Printable(s)
		}
	}
	return out
}
