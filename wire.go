package countersign

import "encoding/json"

// Evaluation answers "what would happen": it changes nothing.
type Evaluation struct {
	Outcome       Outcome     `json:"outcome"`
	Requirement   Requirement `json:"requirement"`
	Reasons       []Reason    `json:"reasons"`
	Findings      []Finding   `json:"findings"`
	PolicyDigest  Digest      `json:"policy_digest"`
	PolicyVersion int64       `json:"policy_version"`
	Digest        Digest      `json:"digest"`              // of the document as it was read
	WaitsFor      []string    `json:"waits_for,omitempty"` // rules that can only be judged once the approver is known
	Eligible      []int       `json:"eligible,omitempty"`  // people who could fill each clause
	Satisfiable   bool        `json:"satisfiable"`         // enough of them exist
}

// ChallengeBody asks for a challenge: the approver says what they saw and what they
// are about to do. The answer is a challenge only when the digest they saw is still
// the stored one.
type ChallengeBody struct {
	Digest       Digest        `json:"digest"` // of the document that was displayed
	Act          Act           `json:"act"`
	Attestations []Attestation `json:"attestations,omitempty"` // with answers
	Reason       string        `json:"reason,omitempty"`
	ActingFor    string        `json:"acting_for,omitempty"` // per_… of the delegator
	BreakGlass   bool          `json:"break_glass,omitempty"`
}

// ChallengeAnswer is a single-use challenge for one act of one person.
type ChallengeAnswer struct {
	ID        string          `json:"id"`
	Statement json.RawMessage `json:"statement"`         // the canonical bytes that are signed
	Passkey   json.RawMessage `json:"passkey,omitempty"` // options for navigator.credentials.get, where the person has a passkey
	Factors   []string        `json:"factors"`           // that would satisfy the requirement: "passkey", "totp", "session"
	Assurance Assurance       `json:"assurance"`         // that this act needs
	ExpiresAt string          `json:"expires_at"`
}

// DecisionBody answers a challenge. For a denial a session suffices: no factor is
// given then.
type DecisionBody struct {
	Challenge  string          `json:"challenge"`
	Passkey    json.RawMessage `json:"passkey,omitempty"`  // the assertion, as PublicKeyCredential.toJSON gives it
	Password   string          `json:"password,omitempty"` // a fresh first factor in the same act
	TOTP       string          `json:"totp,omitempty"`
	Unexpected bool            `json:"unexpected,omitempty"` // with a denial: "I did not expect this"
}

// ReleaseBody asks whether the approved document may be executed now. Document is
// the document as it stands now, whole.
type ReleaseBody struct {
	Request   string          `json:"request"`
	Document  json.RawMessage `json:"document"`
	Execution string          `json:"execution,omitempty"` // the caller's id for the one execution; not for check
	Confirm   bool            `json:"confirm,omitempty"`   // confirm in the same call: no lease is left open
}

// ReleaseAnswer says yes, once. The lease must be confirmed when the money or the
// order has gone out, or abandoned when it has not.
type ReleaseAnswer struct {
	Request   string          `json:"request"`
	Status    Status          `json:"status"`
	Digest    Digest          `json:"digest"`
	Lease     string          `json:"lease,omitempty"`
	State     string          `json:"state,omitempty"` // "open", "confirmed", "abandoned", "lapsed"
	Execution string          `json:"execution,omitempty"`
	ExpiresAt string          `json:"expires_at,omitempty"` // of the lease
	Receipt   json.RawMessage `json:"receipt,omitempty"`
}

// CheckAnswer is the answer of check: what release would say now.
type CheckAnswer struct {
	Request    string `json:"request"`
	Releasable bool   `json:"releasable"`
	Status     Status `json:"status"`
	NotBefore  string `json:"not_before,omitempty"`
}

// Page is one page of a list in a fixed order; Next asks for the one after it and
// is empty at the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// AlertBody raises an alert. Raising the same external id again changes nothing.
type AlertBody struct {
	ID       string       `json:"id"`       // the source's own id of the alert
	Severity string       `json:"severity"` // "low", "medium", "high", "critical"
	About    AlertSubject `json:"about"`
	Title    string       `json:"title"`
	Expires  string       `json:"expires_at,omitempty"` // RFC 3339; default in 14 days, at most 90
	Owner    string       `json:"owner,omitempty"`      // who looks after it
}

// AlertSubject is what an alert is about: exactly one member is set.
type AlertSubject struct {
	Vendor       string `json:"vendor,omitempty"` // id in the vendor master
	Person       string `json:"person,omitempty"` // an identifier of the source's system, or per_…
	Organisation bool   `json:"organisation,omitempty"`
	// Request is one request. Only people raise such an alert, which is weighed with that
	// request alone, and Countersign itself where nobody can decide, which holds nothing.
	Request string `json:"request,omitempty"`
}

// Alert is an open or closed alert.
type Alert struct {
	ID        string       `json:"id"`
	External  string       `json:"external_id"`
	Severity  string       `json:"severity"`
	About     AlertSubject `json:"about"`
	Title     string       `json:"title"`
	Owner     string       `json:"owner"`
	Source    string       `json:"source"` // the system that raised it, or the person, as per_…
	RaisedAt  string       `json:"raised_at"`
	ExpiresAt string       `json:"expires_at"`
	ClosedAt  string       `json:"closed_at,omitempty"`
	ClosedBy  string       `json:"closed_by,omitempty"`
}

// VendorFact is what the vendor master says of one vendor.
type VendorFact struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Country   string        `json:"country,omitempty"`
	TaxID     string        `json:"tax_id,omitempty"`
	Status    string        `json:"status,omitempty"`     // "active" (default), "blocked", …
	CreatedAt string        `json:"created_at,omitempty"` // RFC 3339 or a day
	CreatedBy string        `json:"created_by,omitempty"` // an identifier of the source's system
	Accounts  []AccountFact `json:"accounts,omitempty"`
}

// AccountFact is one of a vendor's bank accounts.
type AccountFact struct {
	Account
	ChangedAt string `json:"changed_at,omitempty"` // when the vendor master got it
}

// PurchaseFact is one line of what was bought before.
type PurchaseFact struct {
	Kind       string   `json:"kind"`
	ID         string   `json:"id"`
	Line       string   `json:"line,omitempty"`
	Vendor     string   `json:"vendor"`
	Amount     Amount   `json:"amount"`
	Date       string   `json:"date"`              // YYYY-MM-DD
	Account    *Account `json:"account,omitempty"` // paid to
	Requester  string   `json:"requester,omitempty"`
	Approver   string   `json:"approver,omitempty"`
	Department string   `json:"department,omitempty"`
	Category   string   `json:"category,omitempty"`
}

// PersonFact is what the directory says of one natural person.
type PersonFact struct {
	Subject    string      `json:"subject"`           // identifier in the source's system
	Aliases    []Alias     `json:"aliases,omitempty"` // further identifiers of the same person
	Name       string      `json:"name"`
	Email      string      `json:"email,omitempty"`
	Manager    string      `json:"manager,omitempty"` // subject
	Groups     []string    `json:"groups,omitempty"`
	Privileged bool        `json:"privileged,omitempty"`
	Inactive   bool        `json:"inactive,omitempty"`
	Limits     []LimitFact `json:"limits,omitempty"`
}

// Alias is an identifier of another system.
type Alias struct {
	Source  string `json:"source"`
	Subject string `json:"subject"`
}

// LimitFact is the most a person may approve, for one kind or for all.
type LimitFact struct {
	Kind   string `json:"kind,omitempty"`
	Amount Amount `json:"amount"`
}

// RateFact says what one unit of a currency is worth in the base currency on a day.
type RateFact struct {
	Base     string `json:"base"`
	Currency string `json:"currency"`
	Day      string `json:"day"`
	Rate     string `json:"rate"` // decimal
}

// FactsBody carries facts of one sort; the answer counts what was new, changed and
// as it was. A bad item refuses the whole body, so that nothing is half known.
type FactsBody struct {
	Vendors   []VendorFact   `json:"vendors,omitempty"`
	People    []PersonFact   `json:"people,omitempty"`
	Purchases []PurchaseFact `json:"purchases,omitempty"`
	Rates     []RateFact     `json:"rates,omitempty"`
}

// FactsAnswer counts what a body of facts did.
type FactsAnswer struct {
	New       int    `json:"new"`
	Changed   int    `json:"changed"`
	Unchanged int    `json:"unchanged"`
	SettlesAt string `json:"settles_at,omitempty"` // when new history starts to count
}
