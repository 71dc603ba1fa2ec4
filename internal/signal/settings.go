package signal

import (
	"time"

	"github.com/countersign/countersign/internal/shape"
)

// Settings are the thresholds and windows of the signals. They stand in the
// policy's signals section and are part of its digest. A setting that a policy
// leaves out has the value of [DefaultSettings].
type Settings struct {
	Base        string // the policy's currency
	Thresholds  []Threshold
	Bands       []Band
	NewVendor   NewVendorSettings
	Unusual     UnusualSettings
	LastPaid    int           // how many of the last payments' accounts count as usual: 1 to 3
	BankChanged time.Duration // how long an account counts as changed recently
	AlertFrom   Severity      // least severity that open_alert counts
	LimitUnset  LimitUnset
}

// Threshold is one amount of over_threshold. An empty filter admits everything.
type Threshold struct {
	Kinds                      []string
	Category, Entity, Currency string
	Amount                     Money
}

// Band is one limit under which a purchase may be split, with the window that is
// summed for it.
type Band struct{ Window Window }

// NewVendorSettings say how long a vendor is new.
type NewVendorSettings struct {
	Purchases int           // fewer settled purchases than this: new
	Age       time.Duration // first settled purchase more recent than this: new; 0: not asked
}

// UnusualSettings say when an amount is unusual for a vendor.
type UnusualSettings struct {
	Observations int // with fewer settled purchases it cannot say
	TimesUsual   int // more than this many times the median; 0: not asked
	TimesLargest int // more than this many times the largest of twelve months; 0: not asked
}

// LimitUnset says what it means that no limit is recorded for an approver.
type LimitUnset string

// The meanings.
const (
	LimitUnsetUnknown LimitUnset = "unknown" // approver_over_limit cannot say
	LimitUnsetUnbound LimitUnset = "unbound" // the person is not bound by one
)

// DefaultSettings are the settings of a policy that names none. There are no
// default thresholds and bands: amounts are the organisation's own.
func DefaultSettings(base string) Settings {
	return Settings{
		Base:        base,
		NewVendor:   NewVendorSettings{Purchases: 1},
		Unusual:     UnusualSettings{Observations: 5, TimesUsual: 10, TimesLargest: 3},
		LastPaid:    3,
		BankChanged: 30 * 24 * time.Hour,
		AlertFrom:   SeverityMedium,
		LimitUnset:  LimitUnsetUnknown,
	}
}

// Windows returns the sums that cumulative needs, for the store to compute.
func (s *Settings) Windows() []Window {
	out := make([]Window, len(s.Bands))
	for i, b := range s.Bands {
		out[i] = b.Window
	}
	return out
}

// Amounts returns the amounts that the settings name.
func (s *Settings) Amounts() []Money {
	var out []Money
	for _, t := range s.Thresholds {
		out = append(out, t.Amount)
	}
	for _, b := range s.Bands {
		out = append(out, b.Window.Below)
	}
	return out
}

// section is what a signal says of its own settings.
type section struct {
	shape *shape.Shape
	read  func(*Settings, Written)
	never func(*Settings) bool // nothing is set, so that the signal is never true; nil: it can always be
}

// Written is a place of a policy file that was held against its shape. What the file
// leaves out is an empty place.
type Written interface {
	Member(name string) Written
	Items() []Written
	Text() string
	Number(otherwise int) int
	Duration(otherwise time.Duration) time.Duration
	Amount() (Money, bool) // false: there is none; a mistake in it is said already
	Kinds() []string       // of documents; one that nobody can submit is a mistake
	Fail(hint, format string, args ...any)
}
