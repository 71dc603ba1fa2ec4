package web

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

func parseDay(s string) (time.Time, error) { return time.Parse(time.DateOnly, s) }

// header makes what stands above: kind, who is paid, how much.
func (b *cardBuilder) header(c *CardView) {
	d, was := b.now, valueOf(b.was)
	if c.Kind.Label = b.words("card.kind.", d.Kind); c.Kind.Label == "" {
		kind := b.required("/kind", d.Kind, was.Kind, kindID)
		c.Kind.Field = &kind
	}
	now, old := valueOf(d.Payee), valueOf(was.Payee)
	name, id := b.optional("/payee/name", now.Name, old.Name, kindLine), b.optional("/payee/id", now.ID, old.ID, kindID)
	switch {
	case now.Name != "":
		c.Title = name
		c.Identity = b.items(c.Identity, "card.payee.id", id)
	case now.ID != "":
		c.Title = id
		c.Identity = b.items(c.Identity, "card.payee.name", name)
	default:
		c.Title = b.required("/id", d.ID, was.ID, kindID)
		c.Identity = b.items(b.items(c.Identity, "card.payee.name", name), "card.payee.id", id)
	}
	c.Identity = b.items(c.Identity, "card.payee.tax_id", b.optional("/payee/tax_id", now.TaxID, old.TaxID, kindID))
	c.Identity = b.items(c.Identity, "card.payee.country", b.optional("/payee/country", now.Country, old.Country, kindID))
	if d.Payee != nil && *d.Payee == (countersign.Payee{}) {
		c.Identity = b.items(c.Identity, "card.payee", b.nothing("/payee"))
	}
	c.Amount = b.money("/amount", d.Amount, was.Amount)
}

// words is a text of the catalogue for a name that may have one; "" without.
func (b *cardBuilder) words(prefix, name string) string {
	if !b.tx.has(prefix + name) {
		return ""
	}
	return b.tx.T(prefix + name)
}

func (b *cardBuilder) items(to []Item, key string, v Value) []Item {
	if !v.shown() {
		return to
	}
	return append(to, Item{Label: b.tx.T(key), Value: v})
}

// row adds a row with one value, if there is any.
func (b *cardBuilder) row(c *CardView, key string, v Value, sub ...Item) {
	if !v.shown() && len(sub) == 0 {
		return
	}
	c.Rows = append(c.Rows, Row{Label: b.tx.T(key), Entries: []Entry{{Main: v, Sub: sub}}})
}

// rows makes what stands beneath the header, always in this order.
func (b *cardBuilder) rows(c *CardView) {
	d, was := b.now, valueOf(b.was)
	b.accountAndChanges(c)
	b.row(c, "card.subject", b.optional("/subject", d.Subject, was.Subject, kindLine))
	b.number(c)
	b.row(c, "card.entity", b.optional("/entity", d.Entity, was.Entity, kindLine))
	b.row(c, "card.cost_centre", b.optional("/cost_centre", d.CostCentre, was.CostCentre, kindLine))
	b.row(c, "card.category", b.optional("/category", d.Category, was.Category, kindLine))
	b.datesAndTerms(c)
	b.flags(c)
	b.requester(c)
	b.references(c)
	b.custom(c)
	b.attachments(c)
}

// number makes the row of what names the document in the system it comes from: what
// stands in the header already is left out.
func (b *cardBuilder) number(c *CardView) {
	d, was := b.now, valueOf(b.was)
	revision := b.required("/revision", d.Revision, was.Revision, kindID)
	var sub []Item
	if c.Title.At != "/id" {
		sub = b.items(sub, "card.revision", revision)
	}
	if c.Kind.Field == nil {
		sub = b.items(sub, "card.kind", b.required("/kind", d.Kind, was.Kind, kindID))
	}
	if c.Title.At != "/id" {
		b.row(c, "card.id", b.required("/id", d.ID, was.ID, kindID), sub...)
	} else {
		b.row(c, "card.revision", revision, sub...)
	}
}

func (b *cardBuilder) datesAndTerms(c *CardView) {
	d, was := b.now, valueOf(b.was)
	now, old := valueOf(d.Dates), valueOf(was.Dates)
	b.row(c, "card.dates.issued", b.optional("/dates/issued", now.Issued, old.Issued, kindDay))
	b.row(c, "card.dates.due", b.optional("/dates/due", now.Due, old.Due, kindDay))
	b.row(c, "card.dates.delivery", b.optional("/dates/delivery", now.Delivery, old.Delivery, kindDay))
	b.row(c, "card.dates.execution", b.optional("/dates/execution", now.Execution, old.Execution, kindDay))
	if d.Dates != nil && now == (countersign.Dates{}) {
		b.row(c, "card.dates", b.nothing("/dates"))
	}
	terms, before := valueOf(d.Terms), valueOf(was.Terms)
	days := b.optional("/terms/payment_days", wholeNumber(int64(terms.PaymentDays)), wholeNumber(int64(before.PaymentDays)), kindNumber)
	days.Unit = b.tx.N("card.days", terms.PaymentDays)
	b.row(c, "card.terms.payment_days", days)
	b.row(c, "card.terms.text", b.optional("/terms/text", terms.Text, before.Text, kindLine))
	if d.Terms != nil && terms == (countersign.Terms{}) {
		b.row(c, "card.terms", b.nothing("/terms"))
	}
}

// wholeNumber is a whole number as JSON writes it; "" for nought, which is left out.
func wholeNumber(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (b *cardBuilder) requester(c *CardView) {
	p, was := valueOf(b.now.Requester), valueOf(valueOf(b.was).Requester)
	name := b.optional("/requester/name", p.Name, was.Name, kindLine)
	id := b.required("/requester/id", p.ID, was.ID, kindID)
	sub := b.items(nil, "card.party.type", b.required("/requester/type", p.Type, was.Type, kindLine))
	main := name
	if p.Name == "" {
		main = id
		sub = b.items(sub, "card.party.name", name)
	} else {
		sub = b.items(sub, "card.party.id", id)
	}
	sub = b.items(sub, "card.party.owner", b.optional("/requester/owner", p.Owner, was.Owner, kindID))
	b.row(c, "card.requester", main, sub...)
}

func (b *cardBuilder) flags(c *CardView) {
	now, was := b.now.Flags, valueOf(b.was).Flags
	r := Row{Label: b.tx.T("card.flags")}
	match, gone := pairs(now, was)
	for i, f := range now {
		old := ""
		if match[i] >= 0 {
			old = f
		}
		r.Entries = append(r.Entries, Entry{Main: b.required("/flags/"+strconv.Itoa(i), f, old, kindLine), Tag: true})
	}
	for _, i := range gone {
		r.Entries = append(r.Entries, Entry{Main: b.gone(was[i], kindLine)})
	}
	b.addRow(c, r)
}

// addRow adds a row that has anything to show.
func (b *cardBuilder) addRow(c *CardView, r Row) {
	r.Entries = slices.DeleteFunc(r.Entries, func(e Entry) bool { return !e.Main.shown() && len(e.Sub) == 0 })
	if len(r.Entries) > 0 {
		c.Rows = append(c.Rows, r)
	}
}

func (b *cardBuilder) references(c *CardView) {
	now, was := b.now.References, valueOf(b.was).References
	key := func(r countersign.Reference) string { return r.Kind + ":" + r.ID }
	match, gone := pairs(mapped(now, key), mapped(was, key))
	r := Row{Label: b.tx.T("card.references")}
	for i, ref := range now {
		old, at := countersign.Reference{}, "/references/"+strconv.Itoa(i)
		if match[i] >= 0 {
			old = was[match[i]]
		}
		kind := Item{Label: b.words("card.kind.", ref.Kind), Value: b.required(at+"/kind", ref.Kind, old.Kind, kindID)}
		r.Entries = append(r.Entries, Entry{Main: b.required(at+"/id", ref.ID, old.ID, kindID), Sub: []Item{kind}})
	}
	for _, i := range gone {
		r.Entries = append(r.Entries, Entry{Main: b.gone(was[i].ID, kindID), Sub: b.items(nil, "card.reference.kind", b.gone(was[i].Kind, kindID))})
	}
	b.addRow(c, r)
}

func (b *cardBuilder) custom(c *CardView) {
	now, was := b.now.Custom, valueOf(b.was).Custom
	names := slices.Collect(maps.Keys(now))
	for name := range was {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		at := "/custom/" + pointerToken(name)
		r := Row{Label: b.readable(name), Field: &Value{Key: attribute(at), Class: kindID.class(), Parts: plainParts(name, kindID)}}
		if name == "" {
			r.Field.Empty = b.tx.T("card.empty")
		}
		if value, ok := now[name]; ok {
			r.Entries = []Entry{{Main: b.required(at, value, was[name], kindLine)}}
		} else {
			r = b.goneCustom(name, was[name])
		}
		b.addRow(c, r)
	}
}

// readable is the name of a further fact as a person reads it: "Proposed by name" for
// proposed_by_name. The name itself stands beneath it, always. Whatever is no such name
// has none, and neither has one that would read like a term of ours: what the document
// says of itself must not pass for it.
func (b *cardBuilder) readable(name string) string {
	if len(name) > 60 || !technicalName.MatchString(name) {
		return ""
	}
	words := strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
	for key, text := range b.tx.texts {
		if strings.HasPrefix(key, "card.") && strings.EqualFold(text, words) {
			return ""
		}
	}
	return words
}

// technicalName is what programs call things by.
var technicalName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// goneCustom is a further fact that only the earlier version had.
func (b *cardBuilder) goneCustom(name, was string) Row {
	field := Value{Was: []Was{{Word: b.tx.T("card.gone"), Class: kindID.class(), Parts: plainParts(name, kindID)}}}
	v := b.gone(was, kindLine)
	if was == "" {
		b.differ++
		v.Empty = b.tx.T("card.gone_empty")
	}
	return Row{Label: b.readable(name), Field: &field, Entries: []Entry{{Main: v}}}
}

func (b *cardBuilder) attachments(c *CardView) {
	now, was := b.now.Attachments, valueOf(b.was).Attachments
	name := func(a countersign.Attachment) string { return a.Name }
	match, gone := pairs(mapped(now, name), mapped(was, name))
	r := Row{Label: b.tx.T("card.attachments")}
	for i, a := range now {
		old := countersign.Attachment{}
		if match[i] >= 0 {
			old = was[match[i]]
		}
		r.Entries = append(r.Entries, b.attachment("/attachments/"+strconv.Itoa(i), a, old))
	}
	for _, i := range gone {
		r.Entries = append(r.Entries, Entry{Main: b.gone(was[i].Name, kindLine), Sub: b.items(nil, "card.attachment.digest", b.gone(string(was[i].Digest), kindDigest))})
	}
	b.addRow(c, r)
}

func (b *cardBuilder) attachment(at string, a, was countersign.Attachment) Entry {
	e := Entry{Main: b.required(at+"/name", a.Name, was.Name, kindLine)}
	if a.Digest.Valid() {
		e.digest = a.Digest
	}
	size := b.optional(at+"/size", wholeNumber(a.Size), wholeNumber(was.Size), kindNumber)
	size.Unit = b.tx.N("card.bytes", int(a.Size))
	e.Sub = b.items(e.Sub, "card.attachment.size", size)
	e.Sub = b.items(e.Sub, "card.attachment.media_type", b.optional(at+"/media_type", a.MediaType, was.MediaType, kindID))
	e.Sub = b.items(e.Sub, "card.attachment.digest", b.required(at+"/digest", string(a.Digest), string(was.Digest), kindDigest))
	return e
}

// pairs matches the items of a list with those of its earlier version by their keys,
// the first with the first where a key stands twice. match has the earlier index for
// each item, or -1; gone lists the earlier items that have no match.
func pairs(now, was []string) (match, gone []int) {
	at := make(map[string][]int, len(was))
	for i, k := range was {
		at[k] = append(at[k], i)
	}
	match = make([]int, len(now))
	used := make([]bool, len(was))
	for i, k := range now {
		match[i] = -1
		if free := at[k]; len(free) > 0 {
			match[i], at[k] = free[0], free[1:]
			used[free[0]] = true
		}
	}
	for i := range was {
		if !used[i] {
			gone = append(gone, i)
		}
	}
	return match, gone
}

func mapped[T any](items []T, key func(T) string) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = key(it)
	}
	return out
}

// isAccountField reports whether a change's field is an account.
func isAccountField(field string) bool {
	name, _, _ := strings.Cut(field, ":")
	return name == "account" || name == "iban" || name == "bank_account"
}
