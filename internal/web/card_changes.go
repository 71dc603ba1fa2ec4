package web

import (
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
)

// accountAndChanges makes the rows of the payee's account and of what is changed from
// what. Where a change is to the very account that the payee has, one row says both.
func (b *cardBuilder) accountAndChanges(c *CardView) {
	d, was := b.now, valueOf(b.was)
	field := func(c countersign.Change) string { return c.Field }
	match, gone := pairs(mapped(d.Changes, field), mapped(was.Changes, field))
	earlier := func(i int) countersign.Change {
		if match[i] >= 0 {
			return was.Changes[match[i]]
		}
		return countersign.Change{}
	}
	same := -1
	now, old := valueOf(d.Payee).Account, valueOf(was.Payee).Account
	if now != nil {
		same = slices.IndexFunc(d.Changes, func(c countersign.Change) bool { return isAccountField(c.Field) && c.To == now.Value })
	}
	if same >= 0 {
		r := b.change(same, d.Changes[same], earlier(same))
		main := &r.Entries[0].Main
		main.At, main.Also = "/payee/account/value", main.At
		b.on["/payee/account/value"] = now.Value
		b.accountDifference(main, now, old, earlier(same))
		r.Entries[0].Sub = b.accountItems("/payee/account", now, old)
		c.Rows = append(c.Rows, r)
	} else if now != nil || old != nil {
		v := b.requiredIn(now != nil, "/payee/account/value", [2]string{valueOf(now).Value, valueOf(old).Value}, kindAccount)
		b.row(c, "card.account", v, b.accountItems("/payee/account", now, old)...)
	}
	for i, ch := range d.Changes {
		if i != same {
			c.Rows = append(c.Rows, b.change(i, ch, earlier(i)))
		}
	}
	for _, i := range gone {
		c.Rows = append(c.Rows, b.goneChange(was.Changes[i]))
	}
}

// accountDifference says how the account itself differs from the earlier version,
// where the change that stands in the same row does not say it already.
func (b *cardBuilder) accountDifference(v *Value, now, old *countersign.Account, ch countersign.Change) {
	if !b.comparing || old == nil || old.Value == now.Value || old.Value == ch.To {
		return
	}
	b.differ++
	v.Was = append(v.Was, Was{Word: b.tx.T("card.was_earlier"), Class: kindAccount.class(), Parts: plainParts(old.Value, kindAccount)})
}

// accountItems makes what stands beneath an account's number.
func (b *cardBuilder) accountItems(at string, now, was *countersign.Account) []Item {
	a, old := valueOf(now), valueOf(was)
	scheme := [2]string{a.Scheme, old.Scheme}
	items := b.items(nil, "card.account.scheme", b.requiredIn(now != nil, at+"/scheme", scheme, kindID))
	items = b.items(items, "card.account.bic", b.optional(at+"/bic", a.BIC, old.BIC, kindID))
	return b.items(items, "card.account.holder", b.optional(at+"/holder", a.Holder, old.Holder, kindLine))
}

// change makes the row of one change: what the field shall be, and beneath it what it
// is.
func (b *cardBuilder) change(i int, ch, earlier countersign.Change) Row {
	at := "/changes/" + strconv.Itoa(i)
	field := b.required(at+"/field", ch.Field, earlier.Field, kindID)
	r := Row{Label: b.fieldWords(ch.Field), Field: &field}
	if manyLines(ch.From) || manyLines(ch.To) {
		r.Entries = b.textChange(at, ch, earlier)
		return r
	}
	kind := fieldKind(ch.Field)
	v := b.optional(at+"/to", ch.To, earlier.To, kind)
	if b.comparing && earlier.To != "" && len(v.Was) > 0 {
		v.Was[0].Word = b.tx.T("card.was_earlier")
	}
	if ch.From != "" {
		b.on[at+"/from"] = ch.From
		if ch.To != "" {
			v.Parts, v.Rest, v.More = b.parts(ch.To, ch.From, kind), nil, ""
			v.Now = b.tx.T("card.now")
		}
		was := Was{Word: b.tx.T("card.was"), At: at + "/from", Class: asWritten(ch.From, kind).class(), Parts: b.parts(ch.From, ch.From, kind)}
		v.Was = append([]Was{was}, v.Was...)
	}
	if b.comparing && earlier.From != ch.From && earlier.Field != "" {
		b.differ++
		old := Was{Word: b.tx.T("card.from_earlier"), Class: asWritten(earlier.From, kind).class(), Parts: b.parts(earlier.From, earlier.From, kind)}
		if earlier.From == "" {
			old.Parts = []Part{{Text: b.tx.T("card.nothing")}}
		}
		v.Was = append(v.Was, old)
	}
	if ch.To == "" {
		v.Empty = b.tx.T("card.nothing")
	}
	r.Entries = []Entry{{Main: v}}
	return r
}

// textChange makes the entries of a change of a text of several lines: the text against
// what it is, line by line; and against the earlier version, where that had another.
func (b *cardBuilder) textChange(at string, ch, earlier countersign.Change) []Entry {
	d := Diff{}
	if ch.To != "" {
		d.To = at + "/to"
		b.on[d.To] = ch.To
	}
	if ch.From != "" {
		d.From = at + "/from"
		b.on[d.From] = ch.From
	}
	matched := b.comparing && earlier.Field != ""
	toDiffers := matched && earlier.To != ch.To
	switch {
	case ch.To == "":
		d.Note, d.Runs = b.tx.T("card.nothing"), b.runs(diffReplaced(strings.Split(ch.From, "\n"), nil))
	case ch.From != "":
		d.Runs = b.diff(ch.From, ch.To)
	case toDiffers:
		b.differ++
		d.Note, d.Runs = b.tx.T("card.diff.earlier"), b.diff(earlier.To, ch.To)
	default:
		d.Runs = b.whole(ch.To)
	}
	out := []Entry{{Main: Value{Diff: &d}}}
	if toDiffers && d.From != "" {
		out = append(out, b.againstEarlier("card.diff.earlier", earlier.To, ch.To))
	}
	if matched && earlier.From != ch.From {
		out = append(out, b.againstEarlier("card.diff.earlier_from", earlier.From, ch.From))
	}
	return out
}

func (b *cardBuilder) againstEarlier(key, was, now string) Entry {
	b.differ++
	return Entry{Main: Value{Diff: &Diff{Note: b.tx.T(key), Runs: b.diff(was, now)}}}
}

// goneChange is a change that the earlier version asked for and this one does not.
func (b *cardBuilder) goneChange(ch countersign.Change) Row {
	field := b.gone(ch.Field, kindID)
	r := Row{Label: b.fieldWords(ch.Field), Field: &field}
	kind := fieldKind(ch.Field)
	for _, text := range []string{ch.To, ch.From} {
		if v := b.gone(text, kind); v.shown() {
			r.Entries = append(r.Entries, Entry{Main: v})
		}
	}
	return r
}

// fieldWords is what a change's field is called; "" where only its own name is known.
func (b *cardBuilder) fieldWords(field string) string {
	name, _, _ := strings.Cut(field, ":")
	return b.words("card.field.", name)
}

// fieldKind says how a change's values are shown.
func fieldKind(field string) valueKind {
	name, _, _ := strings.Cut(field, ":")
	switch {
	case isAccountField(field):
		return kindAccount
	case name == "limit" || strings.HasSuffix(name, "_amount"):
		return kindMoney
	case strings.HasSuffix(name, "_seconds") || strings.HasSuffix(name, "_days") || strings.HasSuffix(name, "_hour") || strings.HasSuffix(name, "_month"):
		return kindNumber
	}
	return kindLine
}
