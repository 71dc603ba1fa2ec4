package web

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

func reformat(layout, text string) string {
	day, err := time.Parse(layout, text)
	if err != nil {
		return ""
	}
	return day.Format(time.DateOnly)
}

// pieces are what texts of random documents are made of: plain words, what pages must
// escape, and what hides or turns text around.
var pieces = []string{"a", "Z", "7", "00", " ", "  ", "é", "ő", "ß", "שלום", "عربى", "漢字", "नि", "👩‍👩‍👧", "❤️", "<script>alert(1)</script>", "\"'&<>`", "{{.}}", "javascript:",
	"\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00a0", "\u2028", "\u0007", "\u0000", "\u0301", "\u3164", "\u2800", "-", ".", ",", "/", "1 234,56", "U+202E"}

func randomText(r *rand.Rand, longest int) string {
	var b strings.Builder
	for range 1 + r.IntN(longest) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// fill puts something into every field of a value, whatever fields it has: a field that
// the card does not know would be found missing.
func fill(r *rand.Rand, v reflect.Value, sparse bool) {
	if sparse && r.IntN(3) == 0 && v.Kind() != reflect.Struct {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), sparse)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), sparse)
		}
	case reflect.Slice:
		n := 1 + r.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i), sparse)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + r.IntN(3) {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(r, e, false)
			v.SetMapIndex(reflect.ValueOf([]string{"project", "a/b", "c~d", "e f", "ÿ"}[r.IntN(5)]), e)
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + r.Int64N(1e9))
	case reflect.String:
		v.SetString(randomText(r, 8))
	default:
		panic("a document has no " + v.Kind().String())
	}
}

// randomDocument fills a document; half of the time with numbers, days and accounts
// that are what they should be.
func randomDocument(r *rand.Rand) *countersign.Document {
	d := &countersign.Document{}
	fill(r, reflect.ValueOf(d).Elem(), r.IntN(2) == 0)
	d.Requester = &countersign.Party{Type: "person", ID: randomText(r, 3), Name: d.ID}
	if r.IntN(2) == 0 {
		return d
	}
	d.Amount = &countersign.Amount{Value: fmt.Sprintf("-%d.%02d", r.Int64N(1e12)+1, r.IntN(100)), Currency: "EUR"}
	d.Dates = &countersign.Dates{Issued: "2026-11-24", Due: "2027-01-01", Execution: "0001-02-03"}
	d.Payee = &countersign.Payee{ID: "V-1", Name: randomText(r, 5), Account: &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}}
	d.Changes = append(d.Changes, countersign.Change{Field: "account", From: "DE12500105170648489890", To: "DE89370400440532013000"},
		countersign.Change{Field: "limit:invoice", From: "1000000.00 EUR", To: "1 EUR"},
		countersign.Change{Field: "policy", From: randomLines(r), To: randomLines(r)}, countersign.Change{Field: "list:x", To: randomLines(r)}, countersign.Change{Field: "list:y", From: randomLines(r)})
	d.Subject = randomText(r, 400)
	for i := range r.IntN(60) {
		d.Lines = append(d.Lines, countersign.Line{Number: fmt.Sprint(i), Quantity: "1234567.5", UnitPrice: "0.33333", Amount: d.Amount})
	}
	return d
}

func randomLines(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(60) {
		b.WriteString([]string{"rule: one", "  when: amount > 5", "", "\t", "  then: step_up", "# " + pieces[r.IntN(len(pieces))]}[r.IntN(6)] + "\n")
	}
	return b.String()
}

var formats = []Format{{}, {Numbers: NumbersCommaPoint, Dates: DatesMonthDay}, {Numbers: NumbersPointComma, Dates: DatesISO}, {Numbers: NumbersApostrophePoint}, {Numbers: NumbersSpaceComma}}

// documents is how many random documents a proof takes; a tenth of them in the shortened
// tests.
func documents(n uint64) uint64 {
	if testing.Short() {
		return n / 10
	}
	return n
}

// TestEveryMemberIsOnTheCard reads cards of random documents back: from what can be
// seen on it alone, the whole document comes back, member by member. A field that a
// document gains and the card does not know fails here.
func TestEveryMemberIsOnTheCard(t *testing.T) {
	for seed := range documents(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := randomDocument(r)
		var was *countersign.Document
		if seed%2 == 1 {
			was = randomDocument(r)
			if seed%4 == 1 {
				was.Payee, was.Lines, was.Changes = d.Payee, d.Lines, d.Changes
			}
		}
		f := formats[seed%uint64(len(formats))]
		bytes := canonical(t, d)
		_, page := cardOf(t, d, was, f)
		got := readCard(t, page, f)
		want := leaves(t, bytes)
		for at, text := range want {
			if shown, ok := got.members[at]; !ok || shown != text {
				t.Fatalf("seed %d: %s is %q on the card (%v), in the document %q", seed, at, shown, ok, text)
			}
		}
		for at, text := range got.members {
			if _, ok := want[at]; !ok {
				t.Fatalf("seed %d: %s is on the card, %q, and not in the document", seed, at, text)
			}
		}
		for name := range d.Custom {
			if at := "/custom/" + pointerToken(name); got.names[at] != name {
				t.Fatalf("seed %d: %s has the name %q", seed, at, got.names[at])
			}
		}
		if got.digest != string(countersign.SumBytes(bytes)) {
			t.Fatalf("seed %d: the digest %q", seed, got.digest)
		}
	}
}

// TestNothingElseIsOnTheCard: what is on a card beyond the document's members and its
// digest is a text of the catalogue, or comes from the earlier version.
func TestNothingElseIsOnTheCard(t *testing.T) {
	tx := english(t)
	for seed := range documents(80) {
		r := rand.New(rand.NewPCG(seed, 2))
		d, was := randomDocument(r), randomDocument(r)
		if seed%2 == 0 {
			was = nil
		}
		_, page := cardOf(t, d, was, Format{})
		got := readCard(t, page, Format{})
		words := map[string]bool{} // names of further facts as words
		for _, doc := range []*countersign.Document{d, was} {
			for name := range valueOf(doc).Custom {
				words[upperFirst(strings.ReplaceAll(name, "_", " "))] = true
			}
		}
		for _, s := range got.rest {
			if !catalogued(tx, s) && !words[s] {
				t.Fatalf("seed %d: %q is neither of the document nor of the catalogue", seed, s)
			}
		}
		if was == nil {
			if len(got.earlier) > 0 || strings.Contains(page, "changed") && len(d.Changes) == 0 {
				t.Fatalf("seed %d: a comparison with nothing: %q", seed, got.earlier)
			}
			continue
		}
		old := leaves(t, canonical(t, was))
		texts := make([]string, 0, len(old))
		for _, text := range old {
			texts = append(texts, text, Format{}.Decimal(text), Format{}.Day(tx, text))
		}
		for name := range was.Custom {
			texts = append(texts, name)
		}
		if was.Amount != nil {
			texts = append(texts, Format{}.Money(*was.Amount))
		}
		for _, l := range was.Lines {
			if l.Amount != nil {
				texts = append(texts, Format{}.Money(*l.Amount))
			}
		}
		for _, s := range got.earlier {
			if !slices.Contains(texts, s) && !catalogued(tx, s) && !moneyRE.MatchString(strings.NewReplacer(thinSpace, "", hardSpace, " ").Replace(s)) {
				t.Fatalf("seed %d: %q is not of the earlier version", seed, s)
			}
		}
	}
}

// catalogued reports whether a text is one of the catalogue, with any number in it.
func catalogued(tx *Texts, s string) bool {
	if s == "+" || s == minusSign || s == ":" {
		return true
	}
	for _, text := range tx.texts {
		before, after, has := strings.Cut(text, "{n}")
		if !has && s == text {
			return true
		}
		if has && strings.HasPrefix(s, before) && strings.HasSuffix(s, after) && len(s) >= len(before)+len(after) &&
			strings.Trim(s[len(before):len(s)-len(after)], "0123456789"+thinSpace) == "" {
			return true
		}
	}
	return false
}

// TestEveryDifferenceIsMarked: a card of two versions says of every value that differs
// what it was, and of no other.
func TestEveryDifferenceIsMarked(t *testing.T) {
	d := sample()
	same, page := cardOf(t, d, d, Format{})
	if strings.Contains(page, "data-earlier") || strings.Contains(same.Compared, "1") {
		t.Errorf("nothing differs, and yet: %s", same.Compared)
	}
	v := reflect.ValueOf(d).Elem()
	tried := 0
	everyText(v, func(field reflect.Value) {
		before := field.String()
		if before == "" {
			return
		}
		other := *clone(t, d)
		field.SetString("1" + before)
		tried++
		c, page := cardOf(t, d, &other, Format{})
		if !strings.Contains(page, "changed") || !strings.HasPrefix(c.Compared, "Marked:") || c.Compared == same.Compared {
			t.Errorf("%q for %q is not marked", field.String(), before)
		}
		c, page = cardOf(t, &other, d, Format{})
		if !strings.Contains(page, "changed") || c.Compared == same.Compared {
			t.Errorf("%q for %q is not marked", before, field.String())
		}
		field.SetString(before)
	})
	if tried < 40 {
		t.Errorf("%d fields tried", tried)
	}
}

func everyText(v reflect.Value, f func(reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		f(v)
	case reflect.Pointer:
		if !v.IsNil() {
			everyText(v.Elem(), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			everyText(v.Field(i), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			everyText(v.Index(i), f)
		}
	}
}

func clone(t testing.TB, d *countersign.Document) *countersign.Document {
	t.Helper()
	out, err := readDocument(canonical(t, d))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
