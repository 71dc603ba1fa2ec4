package connect

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// BadLine is a line that was not kept.
type BadLine struct {
	Line   int64  `json:"line"`             // its number, from 1
	Lines  int    `json:"lines"`            // how many lines the row takes
	Column string `json:"column,omitempty"` // the header of the column; "" when the whole line is meant
	Value  string `json:"value"`            // what stands there, clipped
	Reason string `json:"reason"`           // one of the Reason constants
	Detail string `json:"detail"`           // what is wrong, in a sentence
}

func (b BadLine) String() string {
	at := fmt.Sprintf("line %d", b.Line)
	if b.Column != "" {
		at += fmt.Sprintf(", column %q", b.Column)
	}
	return fmt.Sprintf("%s: %s (%q)", at, b.Detail, b.Value)
}

// maxBadDetailed is how many bad lines a report shows; all are counted.
const maxBadDetailed = 1000

// Duplicates counts purchases that look like one another: the same vendor name,
// amount, currency and day. Credits and rows without a vendor name do not count.
// They are kept: a real file has deliveries that repeat within one day.
type Duplicates struct {
	Groups int64 `json:"groups"` // of two rows or more
	Extra  int64 `json:"extra"`  // rows beyond the first of each group
}

// Report accounts for a file. Lines = HeaderLines + BlankLines + KeptLines +
// BadLines always holds once the file has been read to its end.
type Report struct {
	Bytes       int64 `json:"bytes"`
	Lines       int64 `json:"lines"`
	HeaderLines int64 `json:"header_lines"`
	BlankLines  int64 `json:"blank_lines"`
	KeptLines   int64 `json:"kept_lines"`
	BadLines    int64 `json:"bad_lines"`

	Delimiter string            `json:"delimiter"`
	Columns   map[string]string `json:"columns"` // field → the header it was read from
	Ignored   []string          `json:"ignored"` // headers that nothing was read from

	Kept        int64            `json:"kept"`          // rows
	Bad         []BadLine        `json:"bad"`           // the first 1,000
	BadByReason map[string]int64 `json:"bad_by_reason"` // all of them, by rows

	Kinds            map[string]int64  `json:"kinds,omitempty"` // purchases: rows by kind
	Vendors          int64             `json:"vendors"`         // distinct vendor ids
	Duplicates       Duplicates        `json:"duplicates"`
	RepeatedIDs      int64             `json:"repeated_ids"`       // rows whose identifier (and line) had come before
	MissingIDs       int64             `json:"missing_ids"`        // rows without a document number: derived from their content
	MissingVendorIDs int64             `json:"missing_vendor_ids"` // rows without a vendor id
	DerivedVendorIDs int64             `json:"derived_vendor_ids"` // of these, rows whose vendor id was derived from the name
	AmbiguousNames   int64             `json:"ambiguous_names"`    // names that came with an id as well as without
	WithoutVendor    int64             `json:"without_vendor"`     // rows with neither vendor id nor name
	Redacted         int64             `json:"redacted"`           // rows whose vendor name says that it is redacted
	Negatives        int64             `json:"negatives"`          // credits
	Zeros            int64             `json:"zeros"`
	Sums             map[string]string `json:"sums,omitempty"` // currency → sum of all kept rows
	First            string            `json:"first,omitempty"`
	Last             string            `json:"last,omitempty"` // days, YYYY-MM-DD
}

// tally gathers what a report needs while the rows pass.
type tally struct {
	report      Report
	keys        map[uint64]uint32   // rows by key
	alike       map[uint64]uint32   // purchases by vendor name, amount and day
	vendors     map[string]struct{} // distinct ids
	ids         map[string]string   // vendor name as written → the id derived from it
	named       map[string]uint8    // derived id of a name → 1 came with an id, 2 came without
	sums        map[string]*big.Int // minor units by currency
	first, last time.Time
}

func newTally() *tally {
	return &tally{
		report: Report{Columns: map[string]string{}, Ignored: []string{}, Bad: []BadLine{}, BadByReason: map[string]int64{}},
		keys:   map[uint64]uint32{}, alike: map[uint64]uint32{}, vendors: map[string]struct{}{},
		ids: map[string]string{}, named: map[string]uint8{}, sums: map[string]*big.Int{},
	}
}

func (t *tally) bad(b BadLine) {
	t.report.BadLines += int64(b.Lines)
	t.report.BadByReason[b.Reason]++
	if len(t.report.Bad) < maxBadDetailed {
		t.report.Bad = append(t.report.Bad, b)
	}
}

func (t *tally) purchase(p *Purchase) error {
	r := &t.report
	if r.Kinds == nil {
		r.Kinds = map[string]int64{}
	}
	minor, err := p.Amount.Minor()
	if err != nil {
		return err
	}
	r.Kinds[p.Kind]++
	if p.IDDerived {
		r.MissingIDs++
	}
	t.vendor(p)
	switch {
	case minor < 0:
		r.Negatives++
	case minor == 0:
		r.Zeros++
	case p.VendorName != "":
		h := sum64(p.VendorName, p.Amount.Value, p.Amount.Currency, p.Date.Format(time.DateOnly))
		t.alike[h]++
		switch t.alike[h] {
		case 1:
		case 2:
			r.Duplicates.Groups++
			fallthrough
		default:
			r.Duplicates.Extra++
		}
	}
	sum := t.sums[p.Amount.Currency]
	if sum == nil {
		sum = new(big.Int)
		t.sums[p.Amount.Currency] = sum
	}
	sum.Add(sum, big.NewInt(minor))
	if t.first.IsZero() || p.Date.Before(t.first) {
		t.first = p.Date
	}
	if p.Date.After(t.last) {
		t.last = p.Date
	}
	return nil
}

func (t *tally) vendor(p *Purchase) {
	r := &t.report
	if p.VendorID != "" {
		t.vendors[p.VendorID] = struct{}{}
	}
	if redacted(p.VendorName) {
		r.Redacted++
	}
	given := p.VendorID != "" && !p.VendorIDDerived
	if !given {
		r.MissingVendorIDs++
	}
	if p.VendorIDDerived {
		r.DerivedVendorIDs++
	}
	if p.VendorName == "" {
		if p.VendorID == "" {
			r.WithoutVendor++
		}
		return
	}
	bit := uint8(2)
	if given {
		bit = 1
	}
	if name := t.derive(p.VendorName); name != "" {
		t.named[name] |= bit
	}
}

// derive is [VendorIDFromName], worked out once for each name.
func (t *tally) derive(name string) string {
	id, ok := t.ids[name]
	if !ok {
		id = VendorIDFromName(name)
		t.ids[name] = id
	}
	return id
}

// finish completes the report with what the scanner has counted.
func (t *tally) finish(s *scanner) Report {
	r := &t.report
	// Lines that wait to be read again have not been accounted for yet.
	r.Bytes, r.Lines = s.bytes, s.lines-int64(len(s.pending))
	r.Vendors = int64(len(t.vendors))
	for _, bits := range t.named {
		if bits == 3 {
			r.AmbiguousNames++
		}
	}
	if len(t.sums) > 0 {
		r.Sums = make(map[string]string, len(t.sums))
	}
	for currency, sum := range t.sums {
		r.Sums[currency] = formatBig(sum, currency)
	}
	if !t.first.IsZero() {
		r.First, r.Last = t.first.Format(time.DateOnly), t.last.Format(time.DateOnly)
	}
	return *r
}

// formatBig writes minor units that may be beyond 64 bits.
func formatBig(minor *big.Int, currency string) string {
	if minor.IsInt64() {
		return countersign.FormatMinor(minor.Int64(), currency)
	}
	exp, _ := countersign.Exponent(currency)
	digits, sign := new(big.Int).Abs(minor).String(), ""
	if minor.Sign() < 0 {
		sign = "-"
	}
	if exp == 0 {
		return sign + digits
	}
	return sign + digits[:len(digits)-exp] + "." + digits[len(digits)-exp:]
}

// sum64 is the beginning of SHA-256 over the parts, each with its length before
// it, so that no two lists of parts share bytes.
func sum64(parts ...string) uint64 {
	sum := digest(parts...)
	return binary.BigEndian.Uint64(sum[:8])
}

func digest(parts ...string) [sha256.Size]byte {
	var stack [512]byte
	b := stack[:0]
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

// redacted reports whether a name is a place holder for a name that was removed.
func redacted(name string) bool {
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) {
		if strings.EqualFold(word, "redacted") {
			return true
		}
	}
	return false
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// clip keeps a value that comes from outside short and valid enough to be shown.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	cut := most
	for cut > most-4 && s[cut]&0xC0 == 0x80 { // not in the middle of a character
		cut--
	}
	return strings.ToValidUTF8(s[:cut], "\uFFFD") + "…"
}
