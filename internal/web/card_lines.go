package web

import (
	"strconv"

	"github.com/countersign/countersign"
)

// Lines are a document's positions as a table. Beyond the first ones, those that do not
// differ from the earlier version fold.
type Lines struct {
	Caption, Number, What, Amount string // the table's headings
	Runs                          []LinesRun
}

// LinesRun is a run of lines that stand open, or fold under a summary.
type LinesRun struct {
	Fold  string // "480 more lines"; "" for lines that stand open
	Lines []LineView
}

// LineView is one position.
type LineView struct {
	Number Value
	Main   Value  // who is paid, or what it is
	Items  []Item // everything else
	Amount *Money
	differ bool
}

const linesHead = 20 // lines that stand open

// lines makes the table of positions.
func (b *cardBuilder) lines() *Lines {
	now, was := b.now.Lines, valueOf(b.was).Lines
	if len(now) == 0 && (len(was) == 0 || !b.comparing) {
		return nil
	}
	key := func(l countersign.Line) string { return l.Number }
	match, gone := pairs(mapped(now, key), mapped(was, key))
	all := make([]LineView, 0, len(now)+len(gone))
	for i := range now {
		var old countersign.Line
		if match[i] >= 0 {
			old = was[match[i]]
		}
		all = append(all, b.line("/lines/"+strconv.Itoa(i), &now[i], old))
	}
	for _, i := range gone {
		all = append(all, b.line("", nil, was[i]))
	}
	t := &Lines{Caption: b.tx.N("card.lines", len(now), "n", b.f.Count(int64(len(now)))), Number: b.tx.T("card.line.number"), What: b.tx.T("card.line.what"), Amount: b.tx.T("card.line.amount")}
	open := make([]bool, len(all))
	for i := range all {
		open[i] = i < linesHead || all[i].differ
	}
	for _, r := range foldRuns(open) {
		lr := LinesRun{Lines: all[r.from:r.to]}
		if r.folded {
			lr.Fold = b.tx.N("card.lines.more", r.to-r.from, "n", b.f.Count(int64(r.to-r.from)))
		}
		t.Runs = append(t.Runs, lr)
	}
	return t
}

// line makes one position; now is nil for one that is no longer there.
func (b *cardBuilder) line(at string, now *countersign.Line, was countersign.Line) LineView {
	before := b.differ
	l := valueOf(now)
	v := LineView{Number: b.requiredIn(now != nil, at+"/number", [2]string{l.Number, was.Number}, kindID)}
	v.payee(b, at, &l, was)
	description := b.optional(at+"/description", l.Description, was.Description, kindLine)
	item := b.optional(at+"/item", l.Item, was.Item, kindID)
	switch {
	case v.Main.shown():
		v.Items = b.items(v.Items, "card.line.description", description)
		v.Items = b.items(v.Items, "card.line.item", item)
	case l.Description != "" || l.Item == "":
		v.Main = description
		v.Items = b.items(v.Items, "card.line.item", item)
	default:
		v.Main = item
		v.Items = b.items(v.Items, "card.line.description", description)
	}
	v.Items = b.items(v.Items, "card.line.quantity", b.optional(at+"/quantity", l.Quantity, was.Quantity, kindNumber))
	v.Items = b.items(v.Items, "card.line.unit", b.optional(at+"/unit", l.Unit, was.Unit, kindID))
	v.Items = b.items(v.Items, "card.line.unit_price", b.optional(at+"/unit_price", l.UnitPrice, was.UnitPrice, kindNumber))
	v.Items = b.items(v.Items, "card.category", b.optional(at+"/category", l.Category, was.Category, kindLine))
	v.Items = b.items(v.Items, "card.cost_centre", b.optional(at+"/cost_centre", l.CostCentre, was.CostCentre, kindLine))
	v.Amount = b.money(at+"/amount", l.Amount, was.Amount)
	v.differ = b.differ > before
	return v
}

// payee says who a line pays, which is the first thing to read in a payment batch, and
// to which account.
func (v *LineView) payee(b *cardBuilder, at string, now *countersign.Line, was countersign.Line) {
	if now.Payee == nil && was.Payee == nil {
		return
	}
	at += "/payee"
	p, old := valueOf(now.Payee), valueOf(was.Payee)
	name, id := b.optional(at+"/name", p.Name, old.Name, kindLine), b.optional(at+"/id", p.ID, old.ID, kindID)
	if now.Payee != nil && p == (countersign.Payee{}) {
		name = b.nothing(at)
	}
	v.Main = name
	account := [2]string{valueOf(p.Account).Value, valueOf(old.Account).Value}
	v.Items = b.items(v.Items, "card.account", b.requiredIn(p.Account != nil, at+"/account/value", account, kindAccount))
	if p.Account != nil || old.Account != nil {
		v.Items = append(v.Items, b.accountItems(at+"/account", p.Account, old.Account)...)
	}
	v.Items = b.items(v.Items, "card.payee.id", id)
	v.Items = b.items(v.Items, "card.payee.tax_id", b.optional(at+"/tax_id", p.TaxID, old.TaxID, kindID))
	v.Items = b.items(v.Items, "card.payee.country", b.optional(at+"/country", p.Country, old.Country, kindID))
}
