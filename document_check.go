package countersign

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/countersign/countersign/internal/jcs"
)

// Validate checks the document's form: required fields of its kind, decimals,
// dates, accounts, sizes. It does not know which custom kinds are configured. The
// error is a [Problem] whose pointers start at prefix.
func (d *Document) Validate(prefix string) error {
	v := &validator{prefix: prefix}
	v.need("/kind", d.Kind, maxID)
	if d.Kind != "" && !InternalKind(d.Kind) && !ValidKind(d.Kind) {
		v.fail("/kind", "want lower-case letters, digits and underscores, as %q", KindPurchaseOrder)
	}
	v.need("/id", d.ID, maxID)
	v.need("/revision", d.Revision, maxID)
	v.text("/entity", d.Entity, maxID)
	v.text("/cost_centre", d.CostCentre, maxID)
	v.text("/category", d.Category, maxID)
	v.text("/subject", d.Subject, maxText)
	n := needs[d.Kind]
	if d.Amount != nil {
		v.amount("/amount", *d.Amount)
	} else if n.amount {
		v.fail("/amount", "required for a %s", d.Kind)
	}
	if d.Payee != nil {
		v.payee("/payee", d.Payee)
	} else if n.payee || n.account {
		v.fail("/payee", "required for a %s", d.Kind)
	}
	if n.account && d.Payee != nil && d.Payee.Account == nil {
		v.fail("/payee/account", "required for a %s", d.Kind)
	}
	if n.changes && len(d.Changes) == 0 {
		v.fail("/changes", "required for a %s: what is changed from what", d.Kind)
	}
	d.validateRequester(v)
	d.validateLists(v)
	d.validatePayment(v)
	if d.Dates != nil {
		for _, f := range [...]struct{ name, day string }{{"issued", d.Dates.Issued}, {"due", d.Dates.Due}, {"delivery", d.Dates.Delivery}, {"execution", d.Dates.Execution}} {
			v.day("/dates/"+f.name, f.day)
		}
	}
	if d.Terms != nil {
		v.text("/terms/text", d.Terms.Text, maxText)
		if d.Terms.PaymentDays < 0 || d.Terms.PaymentDays > 3650 {
			v.fail("/terms/payment_days", "want 0 to 3650 days")
		}
	}
	return v.err()
}

func (d *Document) validateRequester(v *validator) {
	if d.Requester == nil {
		v.fail("/requester", "required: who asks for this")
		return
	}
	if d.Requester.Type != "person" && d.Requester.Type != "service" {
		v.fail("/requester/type", `want "person" or "service"`)
	}
	v.need("/requester/id", d.Requester.ID, maxID)
	v.text("/requester/name", d.Requester.Name, maxName)
	v.text("/requester/owner", d.Requester.Owner, maxID)
}

func (d *Document) validateLists(v *validator) {
	v.count("/lines", len(d.Lines), maxLines)
	for i, l := range d.Lines {
		at := "/lines/" + strconv.Itoa(i)
		v.need(at+"/number", l.Number, maxID)
		v.text(at+"/item", l.Item, maxID)
		v.text(at+"/description", l.Description, maxText)
		v.text(at+"/category", l.Category, maxID)
		v.text(at+"/cost_centre", l.CostCentre, maxID)
		v.text(at+"/unit", l.Unit, maxID)
		v.decimal(at+"/quantity", l.Quantity)
		v.decimal(at+"/unit_price", l.UnitPrice)
		if l.Amount != nil {
			v.amount(at+"/amount", *l.Amount)
		}
		if l.Payee != nil {
			v.payee(at+"/payee", l.Payee)
		}
	}
	v.count("/attachments", len(d.Attachments), maxAttachments)
	for i, a := range d.Attachments {
		at := "/attachments/" + strconv.Itoa(i)
		v.need(at+"/name", a.Name, maxName)
		v.text(at+"/media_type", a.MediaType, maxID)
		if a.Size < 0 {
			v.fail(at+"/size", "want a number of bytes")
		}
		if !a.Digest.Valid() {
			v.fail(at+"/digest", `want "sha-256:" and 64 lower-case hexadecimal digits`)
		}
	}
	v.count("/references", len(d.References), maxAttachments)
	for i, r := range d.References {
		at := "/references/" + strconv.Itoa(i)
		v.need(at+"/kind", r.Kind, maxID)
		v.need(at+"/id", r.ID, maxID)
	}
	v.count("/changes", len(d.Changes), maxAttachments)
	for i, c := range d.Changes {
		at := "/changes/" + strconv.Itoa(i)
		v.need(at+"/field", c.Field, maxID)
		v.longText(at+"/from", c.From, maxChange)
		v.longText(at+"/to", c.To, maxChange)
	}
	v.count("/flags", len(d.Flags), 20)
	seen := map[string]bool{}
	for i, f := range d.Flags {
		at := "/flags/" + strconv.Itoa(i)
		v.need(at, f, maxID)
		if seen[f] {
			v.fail(at, "%q stands twice", jcs.Clip(f))
		}
		seen[f] = true
	}
	v.count("/custom", len(d.Custom), 100)
	for name, value := range d.Custom {
		if !kindRE.MatchString(name) {
			v.fail("/custom/"+jcs.EscapePointer(jcs.Clip(name)), "want a name of lower-case letters, digits and underscores")
		}
		v.text("/custom/"+jcs.EscapePointer(name), value, maxText)
	}
}

// validatePayment checks what moves money. Nobody is paid less than nothing. A
// payment batch pays by its lines: each names who gets how much on which account,
// each by a number of its own, and together they are the amount to the cent, so
// that the amount that is weighed is the amount that leaves.
func (d *Document) validatePayment(v *validator) {
	if d.Kind != KindPayment && d.Kind != KindPaymentBatch || d.Amount == nil {
		return
	}
	total, err := d.Amount.Minor()
	if err == nil && total < 0 {
		v.fail("/amount/value", "a %s cannot be negative", d.Kind)
	}
	if d.Kind != KindPaymentBatch {
		return
	}
	if d.Payee != nil {
		v.fail("/payee", "a %s names who is paid on its lines", d.Kind)
	}
	if len(d.Lines) == 0 {
		v.fail("/lines", "required for a %s: who is paid, to which account, how much", d.Kind)
		return
	}
	seen := make(map[string]bool, len(d.Lines))
	rest, whole := total, err == nil
	for i := range d.Lines {
		minor, ok := d.validatePaid(v, "/lines/"+strconv.Itoa(i), &d.Lines[i])
		if n := d.Lines[i].Number; n != "" && seen[n] {
			v.fail("/lines/"+strconv.Itoa(i)+"/number", "%q stands twice", jcs.Clip(n))
		}
		seen[d.Lines[i].Number] = true
		// Taking what is not negative off what is left: below zero the lines are more than
		// the amount, and nothing can overflow.
		if whole = whole && ok && rest >= minor; whole {
			rest -= minor
		} else if ok && err == nil && rest < minor {
			v.fail("/lines", "add up to more than the amount, %s", d.Amount.Value)
			return
		}
	}
	if whole && rest != 0 {
		v.fail("/lines", "add up to %s less than the amount, %s", FormatMinor(rest, d.Amount.Currency), d.Amount.Value)
	}
}

// validatePaid checks one line of a payment batch and returns what it pays; false
// where that cannot be told.
func (d *Document) validatePaid(v *validator, at string, l *Line) (int64, bool) {
	switch {
	case l.Payee == nil:
		v.fail(at+"/payee", "required in a %s: who is paid", d.Kind)
	case l.Payee.Account == nil:
		v.fail(at+"/payee/account", "required in a %s", d.Kind)
	}
	if l.Amount == nil {
		v.fail(at+"/amount", "required in a %s", d.Kind)
		return 0, false
	}
	minor, err := l.Amount.Minor()
	switch {
	case err != nil: // said already
	case l.Amount.Currency != d.Amount.Currency:
		v.fail(at+"/amount/currency", "want %s, the currency of the whole", jcs.Clip(d.Amount.Currency))
	case minor < 0:
		v.fail(at+"/amount/value", "a payment cannot be negative")
	default:
		return minor, true
	}
	return 0, false
}

type validator struct {
	prefix string
	errors []FieldError
}

func (v *validator) err() error {
	if len(v.errors) == 0 {
		return nil
	}
	return Invalid(v.errors...)
}

func (v *validator) fail(at, format string, args ...any) {
	if len(v.errors) < jcs.MaxFieldErrors {
		v.errors = append(v.errors, FieldError{Pointer: v.prefix + at, Detail: fmt.Sprintf(format, args...)})
	}
}

func (v *validator) count(at string, n, most int) {
	if n > most {
		v.fail(at, "%d items, at most %d", n, most)
	}
}

func (v *validator) need(at, s string, most int) {
	if s == "" {
		v.fail(at, "required")
		return
	}
	v.text(at, s, most)
}

// text accepts one line without control or invisible formatting characters: what
// is shown must be what is signed, and a right-to-left override shows another
// order than is stored (CVE-2021-42574).
func (v *validator) text(at, s string, most int) { v.check(at, s, most, false) }

func (v *validator) longText(at, s string, most int) { v.check(at, s, most, true) }

func (v *validator) check(at, s string, most int, multiline bool) {
	if len(s) > most {
		v.fail(at, "%d bytes, at most %d", len(s), most)
		return
	}
	if s != "" && !multiline && (s[0] == ' ' || s[len(s)-1] == ' ') {
		v.fail(at, "starts or ends with a space")
	}
	for _, r := range s {
		if multiline && (r == '\n' || r == '\t') {
			continue
		}
		if unicode.IsControl(r) || Invisible(r) {
			v.fail(at, "has the character U+%04X, which cannot be seen", r)
			return
		}
	}
}

// Invisible reports whether a character changes how text reads without being seen
// itself: bidirectional overrides and isolates, zero-width spaces, byte order
// marks, line separators. Zero-width joiners stay allowed: some scripts need them.
func Invisible(r rune) bool {
	switch {
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	case r == 0x200B, r == 0x200E, r == 0x200F, r == 0x061C, r == 0x2028, r == 0x2029, r == 0x2060, r == 0xFEFF, r == 0x00AD:
		return true
	case r >= 0xE0000 && r <= 0xE007F: // tags
		return true
	case r >= 0xFFF9 && r <= 0xFFFD: // interlinear annotation, replacement
		return true
	}
	return false
}

func (v *validator) decimal(at, s string) {
	if s != "" && (len(s) > 40 || !IsDecimal(s)) {
		v.fail(at, "want a decimal number in digits, as \"12.5\"")
	}
}

func (v *validator) amount(at string, a Amount) {
	if _, err := a.Minor(); err != nil {
		v.fail(at, "%v", err)
	}
}

func (v *validator) day(at, s string) {
	if s == "" {
		return
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		v.fail(at, "want a day as 2026-11-24")
	}
}

func (v *validator) payee(at string, p *Payee) {
	if p.ID == "" && p.Name == "" {
		v.fail(at, "want an id or a name")
	}
	v.text(at+"/id", p.ID, maxID)
	v.text(at+"/name", p.Name, maxName)
	v.text(at+"/tax_id", p.TaxID, maxID)
	if p.Country != "" && !upperLetters(p.Country, 2) {
		v.fail(at+"/country", "want two upper-case letters (ISO 3166-1), as \"DE\"")
	}
	if p.Account != nil {
		v.account(at+"/account", p.Account)
	}
}

func (v *validator) account(at string, a *Account) {
	v.need(at+"/scheme", a.Scheme, 40)
	v.need(at+"/value", a.Value, 100)
	v.text(at+"/bic", a.BIC, 11)
	v.text(at+"/holder", a.Holder, maxName)
	if strings.ContainsRune(a.Value, ' ') {
		v.fail(at+"/value", "write it without spaces")
	} else if a.Scheme == "iban" {
		if err := CheckIBAN(a.Value); err != nil {
			v.fail(at+"/value", "%v", err)
		}
	}
}

func upperLetters(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range n {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// CheckIBAN checks an IBAN's form and check digits (ISO 13616, ISO 7064 mod 97-10).
func CheckIBAN(s string) error {
	if len(s) < 15 || len(s) > 34 || !upperLetters(s[:2], 2) {
		return fmt.Errorf("not an IBAN: want a country, two check digits and the account, upper case without spaces")
	}
	rest := 0
	for i := range len(s) {
		c := s[(i+4)%len(s)]
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return fmt.Errorf("not an IBAN: want upper-case letters and digits only")
		}
	}
	if rest != 1 {
		return fmt.Errorf("not an IBAN: the check digits do not fit the account")
	}
	return nil
}
