package backtest

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// Book holds purchases in little memory, about 150 bytes each: words that come
// again are kept once. The zero value is ready to use; it is not safe for
// concurrent use.
type Book struct {
	rows     []row
	words    []string
	numbers  map[string]uint32
	sorted   bool
	accounts bool // some row names an account
}

// row is one purchase; words are positions in Book.words, 0 is the empty word.
type row struct {
	id, line                        string
	minor                           int64
	number                          int64 // of the line in the file
	day                             int32 // since 1970-01-01
	kind, entity, currency          uint32
	vendor, vendorName              uint32
	department, category            uint32
	requester, approver             uint32
	scheme, account                 uint32
	idDerived, vendorDerived, again bool
}

const secondsOfDay = 24 * 60 * 60

func dayOf(t time.Time) int32 { return int32(t.Unix() / secondsOfDay) }

func timeOf(day int32) time.Time { return time.Unix(int64(day)*secondsOfDay, 0).UTC() }

// Add adds one purchase, in any order of dates. The error says that its amount is
// not one of its currency.
func (b *Book) Add(p connect.Purchase) error {
	minor, err := p.Amount.Minor()
	if err != nil {
		return fmt.Errorf("purchase %s %s: %w", p.Kind, p.ID, err)
	}
	r := row{id: strings.Clone(p.ID), line: strings.Clone(p.Line), minor: minor, number: p.Row, day: dayOf(p.Date),
		kind: b.word(p.Kind), entity: b.word(p.Entity), currency: b.word(p.Amount.Currency),
		vendor: b.word(p.VendorID), vendorName: b.word(p.VendorName),
		department: b.word(p.Department), category: b.word(p.Category),
		requester: b.word(p.Requester), approver: b.word(p.Approver),
		idDerived: p.IDDerived, vendorDerived: p.VendorIDDerived}
	if p.Account != nil {
		r.scheme, r.account = b.word(p.Account.Scheme), b.word(p.Account.Value)
		b.accounts = true
	}
	b.rows = append(b.rows, r)
	b.sorted = false
	return nil
}

// Len is the number of purchases.
func (b *Book) Len() int { return len(b.rows) }

// word returns the number of a word. It is copied, so that it does not keep the
// whole line of the file alive that it was cut out of.
func (b *Book) word(s string) uint32 {
	if s == "" {
		return 0
	}
	if b.numbers == nil {
		b.numbers, b.words = map[string]uint32{}, []string{""}
	}
	n, ok := b.numbers[s]
	if !ok {
		s = strings.Clone(s)
		n = uint32(len(b.words))
		b.numbers[s], b.words = n, append(b.words, s)
	}
	return n
}

func (b *Book) text(n uint32) string {
	if n == 0 {
		return ""
	}
	return b.words[n]
}

// prepare brings the rows into one order that depends on nothing but their content,
// so that the order of the rows within a day cannot matter, and marks the objects
// that come on more than one day.
func (b *Book) prepare() {
	if b.sorted {
		return
	}
	slices.SortFunc(b.rows, b.compare)
	// Objects are told apart by a hash, to save memory: two that share one are marked
	// without need, which costs time and changes nothing.
	seed := maphash.MakeSeed()
	object := func(r *row) uint64 { return maphash.String(seed, r.id) ^ uint64(r.kind) }
	days := make(map[uint64]int32, len(b.rows)) // object → the last day it was met
	twice := map[uint64]bool{}
	for i := range b.rows {
		o := object(&b.rows[i])
		if at, met := days[o]; met && at != b.rows[i].day {
			twice[o] = true
		}
		days[o] = b.rows[i].day
	}
	for i := range b.rows {
		b.rows[i].again = twice[object(&b.rows[i])]
	}
	b.sorted = true
}

func (b *Book) compare(x, y row) int {
	if c := cmp.Or(cmp.Compare(x.day, y.day), b.compareWords(x.kind, y.kind), cmp.Compare(x.id, y.id)); c != 0 {
		return c
	}
	for _, w := range [...][2]uint32{{x.vendor, y.vendor}, {x.vendorName, y.vendorName}, {x.entity, y.entity}, {x.currency, y.currency},
		{x.requester, y.requester}, {x.approver, y.approver}, {x.scheme, y.scheme}, {x.account, y.account}} {
		if c := b.compareWords(w[0], w[1]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(x.line, y.line), cmp.Compare(y.minor, x.minor), b.compareWords(x.department, y.department),
		b.compareWords(x.category, y.category), cmp.Compare(x.number, y.number))
}

// compareWords compares the words, not their numbers, which depend on the order in
// which they were met.
func (b *Book) compareWords(x, y uint32) int {
	if x == y {
		return 0
	}
	return strings.Compare(b.text(x), b.text(y))
}

// positions returns how many rows from i on are positions of one document: the same
// number, day, vendor, people and account. Rows without a number of their own are a
// document each.
func (b *Book) positions(i int) int {
	first := &b.rows[i]
	n := 1
	if first.idDerived {
		return n
	}
	for i+n < len(b.rows) && sameDocument(first, &b.rows[i+n]) {
		n++
	}
	return n
}

func sameDocument(x, y *row) bool {
	return !y.idDerived && x.day == y.day && x.kind == y.kind && x.id == y.id && x.vendor == y.vendor && x.vendorName == y.vendorName &&
		x.entity == y.entity && x.currency == y.currency && x.requester == y.requester && x.approver == y.approver &&
		x.scheme == y.scheme && x.account == y.account
}

// File says how a file of purchases is to be read.
type File struct {
	Mapping connect.Mapping
	Options connect.Options
	// Kind and Currency, where given, are taken for every row, whatever the file
	// says.
	Kind, Currency string
}

// Read reads a file of purchases into a book. The report accounts for every line;
// errors are those of [connect.ReadPurchases].
func Read(r io.Reader, f File) (*Book, connect.Report, error) {
	m := maps.Clone(f.Mapping)
	if m == nil {
		m = connect.Mapping{}
	}
	for field, value := range map[string]string{"kind": f.Kind, "currency": f.Currency} {
		if value == "" {
			continue
		}
		if _, named := m[field]; named {
			return nil, connect.Report{}, fmt.Errorf("%w: the %s is given twice, in the mapping and as %q", connect.ErrFile, field, value)
		}
		m[field] = connect.Source{Constant: value}
	}
	b := &Book{}
	report, err := connect.ReadPurchases(r, m, f.Options, b.Add)
	return b, report, err
}

// party returns who requested, as a document names them.
func (b *Book) party(r *row) *countersign.Party {
	if r.requester == 0 {
		return nil
	}
	return &countersign.Party{Type: "person", ID: b.text(r.requester)}
}
