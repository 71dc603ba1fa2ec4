package web

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign"
)

// valueKind says what a value is made of, and so how it is shown.
type valueKind int

const (
	kindLine    valueKind = iota // a name, a sentence
	kindText                     // several lines
	kindID                       // an identifier that somebody chose
	kindAccount                  // an account's number
	kindDigest                   // a SHA-256
	kindNumber                   // a decimal number
	kindDay                      // a calendar day
	kindMoney                    // a decimal number and a currency, in one text
)

var kindClasses = map[valueKind]string{kindLine: "v", kindText: "v", kindID: "v id", kindAccount: "v id account", kindDigest: "v id digest",
	kindNumber: "v num", kindDay: "v num", kindMoney: "v num"}

func (k valueKind) class() string { return kindClasses[k] }

// inGroups reports whether values of a kind stand in groups of four.
func (k valueKind) inGroups() bool { return k == kindAccount || k == kindDigest }

// cardBuilder makes one card. It keeps which members it has put on it.
type cardBuilder struct {
	f         Format
	tx        *Texts
	now, was  *countersign.Document // was is nil when nothing is compared
	comparing bool
	on        map[string]string // pointer → the member's text
	differ    int               // values that differ from the earlier version
}

// optional makes the value of a member that is left out when it is empty.
func (b *cardBuilder) optional(at, now, was string, kind valueKind) Value {
	if now == "" {
		return b.gone(was, kind)
	}
	return b.member(at, now, was, kind)
}

// required makes the value of a member that stands in the document even when it is
// empty.
func (b *cardBuilder) required(at, now, was string, kind valueKind) Value {
	v := b.member(at, now, was, kind)
	if now == "" {
		v.Empty = b.tx.T("card.empty")
	}
	return v
}

// requiredIn is required for a member of something that may itself be gone. Texts are
// what the member is and what it was.
func (b *cardBuilder) requiredIn(there bool, at string, texts [2]string, kind valueKind) Value {
	if !there {
		return b.gone(texts[1], kind)
	}
	return b.required(at, texts[0], texts[1], kind)
}

// gone is a member that the earlier version had and this one has not.
func (b *cardBuilder) gone(was string, kind valueKind) Value {
	if was == "" || !b.comparing {
		return Value{}
	}
	b.differ++
	if manyLines(was) {
		return Value{Diff: &Diff{Runs: b.runs(diffReplaced(strings.Split(was, "\n"), nil))}}
	}
	return Value{Was: []Was{{Word: b.tx.T("card.gone"), Class: asWritten(was, kind).class(), Parts: b.parts(was, was, kind)}}}
}

func (b *cardBuilder) member(at, now, was string, kind valueKind) Value {
	b.on[at] = now
	v := Value{At: attribute(at), Class: asWritten(now, kind).class(), Parts: b.parts(now, now, kind)}
	if asWritten(now, kind) == kindDay {
		v.Datetime = now
	}
	if b.comparing && now != was {
		b.differ++
		v.Parts = b.parts(now, was, kind)
		v.Now = b.tx.T("card.new")
		if was != "" {
			v.Now = b.tx.T("card.now")
			v.Was = []Was{{Word: b.tx.T("card.was"), Class: asWritten(was, kind).class(), Parts: b.parts(was, was, kind)}}
		}
	}
	if kind == kindLine || kind == kindID {
		v.Parts, v.Rest = foldParts(v.Parts)
		if n := countRunes(v.Rest); n > 0 {
			v.More = b.tx.N("card.more", n, "n", b.f.Count(int64(n)))
		}
	}
	return v
}

var moneyRE = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)? [A-Z]{3}$`)

// asWritten is the kind as which a text can be shown: a number that is no number is an
// identifier, and stands as it is.
func asWritten(text string, kind valueKind) valueKind {
	switch kind {
	case kindNumber:
		if !countersign.IsDecimal(text) {
			return kindID
		}
	case kindDay:
		if _, err := parseDay(text); err != nil {
			return kindID
		}
	case kindMoney:
		if value, _, _ := strings.Cut(text, " "); !moneyRE.MatchString(text) || !countersign.IsDecimal(value) {
			return kindLine
		}
	}
	return kind
}

// parts makes the text of a value, with what differs from was marked. Numbers and days
// are written in the person's format and marked whole.
func (b *cardBuilder) parts(now, was string, kind valueKind) []Part {
	text := now
	switch kind = asWritten(now, kind); kind {
	case kindNumber:
		text = b.f.Decimal(now)
	case kindDay:
		text = b.f.Day(b.tx, now)
	case kindMoney:
		value, currency, _ := strings.Cut(now, " ")
		text = b.f.Decimal(value) + hardSpace + currency
	default:
		return markedParts(now, was, kind)
	}
	return []Part{{Text: text, Changed: now != was}}
}

// money makes an amount of the document.
func (b *cardBuilder) money(at string, now, was *countersign.Amount) *Money {
	if now == nil && (was == nil || !b.comparing) {
		return nil
	}
	m := &Money{}
	if now != nil {
		m.Currency = Value{At: attribute(at + "/currency"), Class: kindLine.class(), Parts: b.parts(now.Currency, now.Currency, kindID)}
		m.Value = Value{At: attribute(at + "/value"), Class: asWritten(now.Value, kindNumber).class(), Parts: b.parts(now.Value, now.Value, kindNumber)}
		b.on[at+"/currency"], b.on[at+"/value"] = now.Currency, now.Value
		for _, v := range []*Value{&m.Currency, &m.Value} {
			if len(v.Parts) == 0 {
				v.Empty = b.tx.T("card.empty")
			}
		}
		m.Long = len(now.Value) > longAmount
	}
	if !b.comparing || (now != nil && was != nil && *now == *was) {
		return m
	}
	b.differ++
	if now != nil {
		mark(m.Currency.Parts, was == nil || now.Currency != was.Currency)
		mark(m.Value.Parts, was == nil || now.Value != was.Value)
	}
	m.Now = b.tx.T("card.new")
	if was != nil {
		m.Now = b.tx.T("card.now")
		w := Was{Word: b.tx.T("card.was"), Class: kindNumber.class(), Parts: append(b.parts(was.Currency, was.Currency, kindID), Part{Text: hardSpace})}
		w.Parts = append(w.Parts, b.parts(was.Value, was.Value, kindNumber)...)
		if now == nil {
			w.Word, m.Now = b.tx.T("card.gone"), ""
		}
		m.Was = []Was{w}
	}
	return m
}

// longAmount is the number of characters from which an amount is long: a million with
// decimals is not.
const longAmount = 12

func mark(parts []Part, changed bool) {
	for i := range parts {
		parts[i].Changed = changed
	}
}

// nothing is an object of the document that is there and has no members.
func (b *cardBuilder) nothing(at string) Value {
	b.on[at] = ""
	return Value{At: attribute(at), Empty: b.tx.T("card.empty")}
}

// manyLines reports whether a text is one to be compared line by line.
func manyLines(s string) bool { return strings.Contains(s, "\n") || len(s) > 4000 }

// attribute makes a pointer fit to stand in an attribute: a name in it that has
// characters which cannot be seen is shown by the value beside it, and only named here.
func attribute(pointer string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) || countersign.Invisible(r) {
			return '�'
		}
		return r
	}, pointer)
}

// valueOf is what a pointer points to; the zero value for nil.
func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
