package signal

import (
	"slices"
	"strconv"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
)

// Signal is one question about a request, as it stands in the catalogue. A rule
// of a policy asks it as signal.NAME.
type Signal struct {
	Name  string   // as in a policy
	Doc   string   // when it is true, in one sentence
	Needs []string // the facts without which it cannot say
	// Amount: it turns on an amount or a currency. Separation: it is about separation
	// of duties. Rules on either may not opt out of firing when it cannot be told.
	Amount, Separation bool
	// Person: it turns on who approves.
	Person bool

	compute  func(*Facts, *Settings) answer
	settings *section          // its part of the policy's signals section; nil: none
	words    map[string]string // what people read where a fact that it needs is missing
}

// Settings names its part of the policy's signals section; empty: it has none.
func (s *Signal) Settings() string {
	if s.settings == nil {
		return ""
	}
	return s.Name
}

// Shape is what its settings look like; nil: it has none.
func (s *Signal) Shape() *shape.Shape {
	if s.settings == nil {
		return nil
	}
	return s.settings.shape
}

// Read reads its settings.
func (s *Signal) Read(into *Settings, w Written) {
	if s.settings != nil {
		s.settings.read(into, w)
	}
}

// NeverTrue reports whether it can never be true with these settings.
func (s *Signal) NeverTrue(set *Settings) bool {
	return s.settings != nil && s.settings.never != nil && s.settings.never(set)
}

// answer is a finding without its name.
type answer struct {
	state                     countersign.State
	value, comparison, source string
	missing                   []string
}

// Catalogue returns every signal, in the order in which findings stand.
func Catalogue() []Signal { return slices.Clone(catalogue[:]) }

// Names of facts that are missing, as findings list them.
const (
	MissingApprover = "approver" // nobody is named, or the one named is not on record
	MissingAmount   = "amount"
)

// catalogue lists the signals, one family after another. The families stand in
// files of their own.
var catalogue = [...]Signal{
	{Name: "over_threshold", settings: &thresholdSettings, Amount: true, compute: overThreshold,
		Doc:   "The amount reaches a threshold that the policy sets for this kind, category, entity or currency.",
		Needs: []string{"amount", "rates"},
		words: map[string]string{"amount": "the request names no amount"}},
	{Name: "cumulative", settings: &bandSettings, Amount: true, compute: cumulative,
		Doc:   "Two or more requests, each below a limit, together reach it within a window: a purchase may have been split.",
		Needs: []string{"amount", "rates", "sums"}},
	{Name: "unusual_amount", settings: &unusualSettings, Amount: true, compute: unusualAmount,
		Doc:   "The amount is many times what this vendor's purchases usually are, or far above the largest of twelve months.",
		Needs: []string{"amount", "rates", "history.usual", "history.largest"},
		words: map[string]string{"history": "there is no purchase history to compare with"}},

	{Name: "new_vendor", settings: &newVendorSettings, compute: perPayee(newVendor),
		Doc:   "The vendor has too few settled purchases, or the first one is too recent.",
		Needs: []string{"history"},
		words: map[string]string{
			"payee":         "the request names no payee",
			"history.count": "it is not known how often this vendor was bought from",
		}},
	{Name: "claims_differ", compute: claimsDiffer,
		Doc:   "The request states a fact about the vendor or a person otherwise than it is stored.",
		Needs: []string{"differences"},
		words: map[string]string{"differences": "the request could not be compared with the records"}},

	{Name: "bank_account_differs", settings: &lastPaidSettings, compute: perPayee(bankAccountDiffers),
		Doc:   "The account on the document is not among those last paid.",
		Needs: []string{"payee.account", "vendor.last_paid", "vendor.accounts"},
		words: map[string]string{
			"payee.account":   "the request names no bank account",
			"vendor":          "the vendor is not on record",
			"vendor.accounts": "no bank account of this vendor is on record",
		}},
	{Name: "bank_account_changed_recently", settings: &bankChangedSettings, compute: perPayee(bankAccountChanged),
		Doc:   "The vendor's account changed, or was first seen, only a short time ago.",
		Needs: []string{"vendor.accounts"}},
	{Name: "pending_bank_change", compute: perPayee(pendingBankChange),
		Doc:   "A change of this vendor's bank details is waiting for its decision or its release.",
		Needs: []string{"bank_changes"},
		words: map[string]string{"bank_changes": "open changes of bank details could not be looked up"}},
	{Name: "pays_pending_account", compute: perPayee(paysPendingAccount),
		Doc:   "The document pays to an account that a waiting bank change would bring in.",
		Needs: []string{"bank_changes", "payee.account"}},

	{Name: "self_approval", Separation: true, Person: true, compute: selfApproval,
		Doc:   "The approver, or whom they stand in for, is the requester or the owner of the service that requests.",
		Needs: []string{"approver", "requester", "owner"},
		words: map[string]string{
			"approver":  "who approves is not known yet",
			"requester": "who asks is not named, or not on record",
		}},
	{Name: "approver_created_vendor", Separation: true, Person: true, compute: perPayee(approverCreatedVendor),
		Doc:   "The approver created this vendor.",
		Needs: []string{"approver", "vendor.created_by"}},
	{Name: "approver_reports_to_requester", Separation: true, Person: true, compute: approverReports,
		Doc:   "The requester is the approver's manager.",
		Needs: []string{"approver.manager", "requester"}},
	{Name: "approver_privileged", Person: true, compute: approverPrivileged,
		Doc:   "The approver has elevated purchasing permissions.",
		Needs: []string{"approver.privileged"},
		words: map[string]string{"approver.privileged": "it is not on record whether who approves has elevated rights"}},
	{Name: "approver_over_limit", settings: &limitSettings, Amount: true, Person: true, compute: approverOverLimit,
		Doc:   "The amount is above what the approver may approve, or above the limit of whom they stand in for.",
		Needs: []string{"amount", "rates", "approver.limit"},
		words: map[string]string{"approver.limit": "no limit is on record for who approves"}},
	{Name: "approver_inactive", Person: true, compute: approverInactive,
		Doc:   "The approver, or whom they stand in for, is deactivated.",
		Needs: []string{"approver.active"}},

	{Name: "open_alert", settings: &alertSettings, compute: openAlert,
		Doc:   "An alert about the vendor or a person in this request is open.",
		Needs: []string{"alerts"},
		words: map[string]string{"alerts": "open alerts could not be looked up"}},
	{Name: "frozen", compute: frozen,
		Doc:   "The vendor or a person in this request is frozen.",
		Needs: []string{"freezes"},
		words: map[string]string{"freezes": "freezes could not be looked up"}},
	{Name: "previously_denied", compute: previouslyDenied,
		Doc:   "An earlier request for the same object was denied.",
		Needs: []string{"denials"},
		words: map[string]string{"denials": "earlier denials could not be looked up"}},
}

// Compute answers every signal of the catalogue, in its order.
func Compute(f *Facts, s *Settings) []countersign.Finding {
	out := make([]countersign.Finding, len(catalogue))
	for i := range catalogue {
		a := catalogue[i].compute(f, s)
		out[i] = countersign.Finding{Signal: catalogue[i].Name, State: a.state, Value: a.value,
			Comparison: a.comparison, Source: a.source, Missing: a.missing}
	}
	return out
}

func cannot(missing ...string) answer {
	return answer{state: countersign.Unknown, missing: missing}
}

func say(is bool, value, comparison, source string) answer {
	a := answer{state: countersign.False, value: value, comparison: comparison, source: source}
	if is {
		a.state = countersign.True
	}
	return a
}

// days writes a duration for people: "30 days", "36 hours", "5 minutes".
func days(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	case d >= time.Hour && d%time.Hour == 0:
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d/time.Minute), "minute")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// ago writes how long before now something was, in whole days.
func ago(now, t time.Time) string {
	n := int(now.Sub(t) / (24 * time.Hour))
	if n < 1 {
		return "today"
	}
	return plural(n, "day") + " ago"
}

func join(parts []string) string { return strings.Join(parts, ", ") }
