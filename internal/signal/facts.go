// Package signal says what is unusual about a request.
//
// [Facts] is everything a decision may look at; [Compute] turns it, with the
// settings of a policy, into findings. Each finding answers true, false or
// "cannot say" and names the fields that were missing. The package is pure: it
// reads no clock, no database and no network; now is one of the facts.
package signal

import (
	"time"

	countersign "github.com/countersign/countersign"
)

// Facts is everything that a decision may look at, as it was at one moment. It is
// stored with the decision, so that the decision can be replayed exactly.
//
// A missing fact is not zero. Throughout, an empty string, a zero time, a nil
// pointer and a nil slice mean "not known"; an empty slice that is not nil means
// "looked up, and there is none". A loader must therefore set every slice that it
// has looked up, and whatever it leaves alone makes signals answer "cannot say".
type Facts struct {
	Now        time.Time               `json:"now"`
	Source     string                  `json:"source,omitempty"` // name of the system that submitted the request
	Document   *countersign.Document   `json:"document"`
	Submission *countersign.Submission `json:"submission,omitempty"`
	Rates      []Rate                  `json:"rates,omitzero"` // into the policy's currency; see [Facts.InBase]

	Vendor  *Vendor  `json:"vendor,omitempty"`  // nil: not looked up
	History *History `json:"history,omitempty"` // nil: not looked up

	// Payments are what the lines pay, where lines name payees, as in a payment batch:
	// one for each payee and account. Nil: not looked up.
	Payments []Payment `json:"payments,omitzero"`

	// Requester and Approver are nil when nobody is named. A person who is named but
	// not on record has only Claimed set. Owner is the person who answers for a
	// service that requests; ActingFor is whom the approver stands in for, nil when
	// the approver acts in their own name.
	Requester *Person `json:"requester,omitempty"`
	Owner     *Person `json:"owner,omitempty"`
	Approver  *Person `json:"approver,omitempty"`
	ActingFor *Person `json:"acting_for,omitempty"`

	Alerts      []Alert      `json:"alerts,omitzero"`       // open and not expired, about anyone or anything in this request
	Freezes     []Freeze     `json:"freezes,omitzero"`      // in force, of the vendor or a person in this request
	BankChanges []BankChange `json:"bank_changes,omitzero"` // of this vendor, pending
	Sums        []Sum        `json:"sums,omitzero"`         // one for each window asked for, see [Window]
	Denials     []Denial     `json:"denials,omitzero"`      // of the same object, newest first
	Differences []Difference `json:"differences,omitzero"`  // between what the request claims and what is stored
}

// Vendor is what is stored about the payee. Stored facts beat what the request
// claims; where the two differ, a [Difference] says so.
type Vendor struct {
	OnRecord bool      `json:"on_record"` // false: looked up, and nothing is stored about this payee
	ID       string    `json:"id,omitempty"`
	Record   string    `json:"record,omitempty"` // opaque id, ven_…
	Name     string    `json:"name,omitempty"`
	Country  string    `json:"country,omitempty"` // ISO 3166-1 alpha-2
	TaxID    string    `json:"tax_id,omitempty"`
	Status   string    `json:"status,omitempty"` // "active", "blocked", …
	Created  time.Time `json:"created,omitzero"`
	// CreatedBy is the natural person who created the vendor, by the id of [Person].
	CreatedBy      string    `json:"created_by,omitempty"`
	RecordedSource string    `json:"recorded_source,omitempty"` // where the stored facts came from
	RecordedAt     time.Time `json:"recorded_at,omitzero"`      // and when

	Accounts []Account `json:"accounts,omitzero"` // accounts on record
	// Fingerprint is of the account that the document itself names.
	Fingerprint string `json:"fingerprint,omitempty"`
	// LastPaid holds the fingerprints of the accounts of the last payments that
	// were released, newest first, at most three.
	LastPaid []string `json:"last_paid,omitzero"`
}

// Account is a bank account on record, by its fingerprint: a keyed hash that is
// made inside, for comparison only.
type Account struct {
	Fingerprint string    `json:"fingerprint"`
	FirstSeen   time.Time `json:"first_seen,omitzero"`
	Changed     time.Time `json:"changed,omitzero"` // when it became the vendor's account
	LastPaid    time.Time `json:"last_paid,omitzero"`
}

// History is the vendor's purchase history that counts: own requests once they
// are released, and imported history once it has settled or a second person has
// confirmed it. Amounts are in minor units of the policy's currency.
type History struct {
	Count     int       `json:"count"`            // settled purchases
	Unsettled int       `json:"unsettled"`        // imported purchases that do not count yet
	Sum       Money     `json:"sum,omitzero"`     //
	First     time.Time `json:"first,omitzero"`   //
	Last      time.Time `json:"last,omitzero"`    //
	Usual     *Money    `json:"usual,omitempty"`  // median of the settled purchases
	Largest   *Money    `json:"largest,omitzero"` // in the twelve months before now
	Source    string    `json:"source,omitempty"` // "own", "import 2026-11-01", …
}

// Person is a natural person or a service. ID is of the natural person, over all
// ids that other systems have for them: two people are the same exactly when
// their ID is.
type Person struct {
	ID      string `json:"id,omitempty"`      // per_…; empty: named, but not on record
	Claimed string `json:"claimed,omitempty"` // the id that the source's system used
	Name    string `json:"name,omitempty"`
	Type    string `json:"type,omitempty"` // "person" or "service"

	Active     *bool    `json:"active,omitempty"`
	Privileged *bool    `json:"privileged,omitempty"` // has elevated purchasing permissions
	Limit      Limit    `json:"limit,omitzero"`       // for this kind of document
	Groups     []string `json:"groups,omitzero"`
	Roles      []string `json:"roles,omitzero"`
	Manager    *string  `json:"manager,omitempty"` // id of the manager; empty: has none

	Since         time.Time `json:"since,omitzero"`          // on record since
	RoleChanged   time.Time `json:"role_changed,omitzero"`   // roles, groups or privilege changed last
	LimitChanged  time.Time `json:"limit_changed,omitzero"`  //
	FactorChanged time.Time `json:"factor_changed,omitzero"` // an authenticator was added or reset last
}

// Known reports whether the person is on record.
func (p *Person) Known() bool { return p != nil && p.ID != "" }

// Limit is how much a person may approve of one kind of document.
type Limit struct {
	State  LimitState `json:"state"`
	Amount Money      `json:"amount,omitzero"` // where State is LimitSet
}

// LimitState says whether a limit is known.
type LimitState string

// The states of a limit. That none is recorded for a person is a fact of its own:
// a policy says what it means, see [Settings.LimitUnset].
const (
	LimitUnknown LimitState = ""     // not looked up
	LimitNone    LimitState = "none" // looked up: none is recorded
	LimitSet     LimitState = "set"
)

// Alert is an open alert. About holds the ID of the [Vendor] or the [Person] that
// it is about, or of the request that is weighed.
type Alert struct {
	ID       string    `json:"id"` // alr_…
	Severity Severity  `json:"severity"`
	About    string    `json:"about"`
	Kind     string    `json:"kind,omitempty"` // what happened, as its source names it
	Raised   time.Time `json:"raised,omitzero"`
}

// Severity orders alerts.
type Severity string

// The severities, least first.
const (
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Rank is 1 for low to 4 for critical, and 0 for anything else.
func (s Severity) Rank() int {
	switch s {
	case SeverityLow:
		return 1
	case SeverityMedium:
		return 2
	case SeverityHigh:
		return 3
	case SeverityCritical:
		return 4
	}
	return 0
}

// Freeze stops everything of a vendor or a person for a time.
type Freeze struct {
	ID    string    `json:"id"`    // frz_…
	About string    `json:"about"` // ID of the vendor or person
	Until time.Time `json:"until,omitzero"`
}

// BankChange is a change of this vendor's bank details that is not decided yet,
// or is decided and not released yet.
type BankChange struct {
	Request string `json:"request"` // req_…
	// To and From are fingerprints of the account that the change goes to and of
	// the one it replaces.
	To   string    `json:"to,omitempty"`
	From string    `json:"from,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

// Denial is an earlier request for the same object that was denied.
type Denial struct {
	Request string    `json:"request"` // req_…
	At      time.Time `json:"at,omitzero"`
	By      string    `json:"by,omitempty"` // "policy", or the person's name
	Reason  string    `json:"reason,omitempty"`
}

// Difference is one fact that the request claims otherwise than it is stored.
type Difference struct {
	Field   string `json:"field"` // "vendor.name", "vendor.tax_id", …
	Claimed string `json:"claimed"`
	Stored  string `json:"stored"`
}

// Scope says whose amounts a window sums.
type Scope string

// The scopes. All sum documents of the same kind only, so that an order and its
// invoice are not counted twice.
const (
	ByVendorRequester   Scope = "vendor_requester"
	ByVendor            Scope = "vendor"
	ByRequesterCategory Scope = "requester_category"
)

// Window is a sum that a policy needs. It is computed inside the transaction that
// writes the request, so that twenty parts submitted at the same instant see one
// another: over requests of the same kind and scope that were submitted after
// now − Within, other than this object (kind and id), whose status is pending,
// approved (silently or not) or released, and whose amount in the policy's
// currency is known and below Below, or is not known.
type Window struct {
	Name   string        `json:"name"` // unique in one policy
	By     Scope         `json:"by"`
	Within time.Duration `json:"within"` // nanoseconds
	Below  Money         `json:"below"`  // the limit that a purchase may be split under, in the policy's currency
}

// Sum is the answer to a [Window]: what is there besides the present request.
type Sum struct {
	Window  string `json:"window"`
	Count   int    `json:"count"`   // requests with a known amount
	Total   Money  `json:"total"`   // of those
	Unknown int    `json:"unknown"` // further requests whose amount in the policy's currency is not known
}
