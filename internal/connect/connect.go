// Package connect reads what other systems export: purchases, vendors and people
// in CSV files as they really come, with other column names, decimal commas,
// missing identifiers, credits, repeated rows and broken lines.
//
// The readers are pure and stream: they take a reader, call a function once for
// every good line, and return a [Report] that accounts for every line of the file.
// A line is kept or it is reported with its number, column, value and reason; a
// broken line never takes a good one with it. Nothing is rounded and nothing is
// guessed where two readings are possible.
//
// Memory grows with the number of distinct rows, by two 64-bit sums for each, which
// is what it takes to recognise rows that come twice, and with the names of
// distinct vendors; nothing else of the file is kept.
package connect

import (
	"errors"
	"time"

	"github.com/countersign/countersign"
)

// Purchase is one row of a purchase history: an order, an invoice, a payment, or
// one position of such a document. Texts are in Unicode normal form C without
// outer spaces; they hold no control or invisible characters.
type Purchase struct {
	// Kind, ID and Line together name the row within the file's system: no two rows
	// of a file share them, and the same file gives the same again.
	Kind   string // a kind of document, "invoice" when the file does not say
	ID     string // the document's number; derived from the content when the file has none
	Line   string // the position within the document; ends in "#2", "#3" … where the same comes again
	Entity string // the legal entity that buys or pays

	VendorID        string // "" when the file has none and none can be derived
	VendorName      string
	VendorIDDerived bool // VendorID was made from the name, see [VendorIDFromName]

	Department string
	Category   string
	Amount     countersign.Amount   // with exactly the currency's decimals; negative for a credit
	Date       time.Time            // the day, at 00:00 UTC
	Requester  string               // a subject of the file's system
	Approver   string               // a subject of the file's system
	ApprovedAt time.Time            // UTC; zero when the file does not say
	Account    *countersign.Account // that was or shall be paid, where the file says

	IDDerived bool
	Row       int64 // number of the file's line where the row starts, from 1
	RowLines  int   // how many lines it takes: more than 1 when a quoted value has line breaks
}

// Vendor is one row of a vendor master file. A vendor with several accounts has
// several rows that differ in the account only.
type Vendor struct {
	ID           string // derived from the name when the file has none
	Name         string
	TaxID        string
	Country      string // ISO 3166-1 alpha-2
	Category     string
	Status       string // as the file's system calls it: "active", "blocked", …
	Email        string
	Phone        string
	Account      *countersign.Account
	AccountSince time.Time // when the account came into the master record; zero when not said
	CreatedAt    time.Time // zero when not said
	CreatedBy    string    // a subject of the file's system
	IDDerived    bool
	Row          int64
	RowLines     int
}

// Person is one row of a list of people: a natural person as one system knows
// them.
type Person struct {
	Subject    string // the identifier in the file's system
	Name       string
	Email      string
	Manager    string // subject of the manager
	Department string
	Groups     []string            // sorted, each once
	Limit      *countersign.Amount // up to which they may approve; nil when the file sets none
	Privileged bool                // holds elevated purchasing permissions
	Row        int64
	RowLines   int
}

// Options say how a file is written. The zero value reads UTF-8 with or without a
// byte order mark, finds the delimiter itself, and takes decimal points without
// grouping.
type Options struct {
	Delimiter    rune     // ',', ';' or '\t'; 0 finds it in the first line
	Encoding     string   // "" or "utf-8", or "windows-1252"
	DecimalComma bool     // 1,50 is one and a half
	Thousands    string   // what groups thousands: "", ",", ".", " " (any kind of space) or "'" (also ’)
	DateLayouts  []string // tried in order where the mapping names no layout; see [ParseMapping]
	MaxLine      int      // bytes of the longest row; 0 is 65,536; at most 1,048,576

	// Bad is called for every line that is not kept, in the order of the file; the
	// report itself shows the first 1,000.
	Bad func(BadLine)

	// Progress is called every few thousand lines and once at the end with what
	// has been read so far. An error stops the reading.
	Progress func(bytes, lines int64) error
}

const (
	defaultMaxLine = 64 << 10
	highestMaxLine = 1 << 20
	maxRowLines    = 64 // lines that one row may take
	maxColumns     = 1000
	maxID          = 200 // bytes, as in documents
	maxName        = 300
	maxGroups      = 100
	progressEvery  = 4096 // lines
)

// ErrFile is wrapped by every error that concerns the whole file rather than one
// line: no header, an unknown column, another encoding.
var ErrFile = errors.New("file cannot be read")

// The reasons for which a line is not kept, as [Report] counts them.
const (
	ReasonColumns    = "columns"     // another number of columns than the header
	ReasonQuote      = "quote"       // quotation marks that do not pair
	ReasonTooLong    = "too_long"    // a row or a value longer than allowed
	ReasonEncoding   = "encoding"    // bytes that the encoding does not have
	ReasonCharacter  = "character"   // control or invisible characters
	ReasonMissing    = "missing"     // a required value is empty
	ReasonAmount     = "amount"      // not a number in the notation of the options
	ReasonPrecision  = "precision"   // more decimals than the currency has
	ReasonOverflow   = "overflow"    // an amount that does not fit
	ReasonCurrency   = "currency"    // not an ISO 4217 code, or it contradicts the amount's sign
	ReasonDate       = "date"        // no day in any of the layouts
	ReasonAccount    = "account"     // an IBAN with wrong check digits
	ReasonKind       = "kind"        // not a name that a kind can have
	ReasonCountry    = "country"     // not two letters
	ReasonEmail      = "email"       // not an address
	ReasonBoolean    = "boolean"     // neither yes nor no
	ReasonConflict   = "conflict"    // the same identifier came with other content
	ReasonSelfManage = "own_manager" // a person who is their own manager
)
