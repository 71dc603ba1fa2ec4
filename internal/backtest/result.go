package backtest

import (
	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/signal"
)

// Result is what a policy would have done to a history. Requests are documents:
// rows of the file that are positions of one document are one request.
type Result struct {
	Policy       string             `json:"policy"`
	PolicyDigest countersign.Digest `json:"policy_digest"`
	Currency     string             `json:"currency"` // of the policy
	History      History            `json:"history"`
	Requests     int                `json:"requests"` // counted: those after the warm-up

	// Answers is what the policy answers with this file: a condition that cannot be
	// told counts as the policy says. Known is what it would answer by what the file
	// does say alone, every unknown condition turning out to be harmless.
	Answers Outcomes `json:"answers"`
	Known   Outcomes `json:"known"`

	OnlyMissing OnlyMissing `json:"only_missing"`
	// Stricter counts requests that are asked or denied by what is known, and get a
	// stricter requirement because facts are missing.
	Stricter int `json:"stricter_because_missing"`

	Rules   []Rule                   `json:"rules"` // in the order of the policy
	Signals []signal.SignalReadiness `json:"signals"`

	Departments []Asked `json:"departments"`
	Requesters  []Asked `json:"requesters"`
	Approvers   []Asked `json:"approvers"`
	Groups      []Group `json:"groups"`
	Months      []Month `json:"months"`

	// Required lists what the API would refuse a document without, or as it is.
	Required    []Field  `json:"required"`
	Assumptions []string `json:"assumptions"`
}

// History says what the history is made of.
type History struct {
	File      *connect.Report `json:"file,omitempty"` // every line accounted for
	Rows      int             `json:"rows"`
	Documents int             `json:"documents"`
	First     string          `json:"first,omitempty"` // days, YYYY-MM-DD
	Last      string          `json:"last,omitempty"`

	WarmUpDays      int    `json:"warm_up_days"`
	WarmUpDocuments int    `json:"warm_up_documents"`      // made history, and were not counted
	CountedFrom     string `json:"counted_from,omitempty"` // first day that counts

	Vendors        int `json:"vendors"`
	DerivedVendors int `json:"derived_vendors"` // of these, vendors whose id was made from the name
	WithoutVendor  int `json:"without_vendor"`  // documents
	Credits        int `json:"credits"`         // documents with a negative amount; they are weighed by their size
	WithoutRate    int `json:"without_rate"`    // counted documents whose amount cannot be said in the policy's currency
}

// Outcomes counts the answers.
type Outcomes struct {
	Allow       int         `json:"allow"`
	StepUp      int         `json:"step_up"`
	ByAssurance []Assurance `json:"by_assurance"` // of the requests that step up, weakest first
	Deny        int         `json:"deny"`
	Refused     int         `json:"refused"` // of the denied: nobody is named whom one could ask
}

// Assurance counts the requests that step up to one assurance.
type Assurance struct {
	Assurance countersign.Assurance `json:"assurance"`
	Requests  int                   `json:"requests"`
}

// OnlyMissing counts the requests that would pass if the missing facts were known
// and harmless.
type OnlyMissing struct {
	Requests int     `json:"requests"`
	Fields   []Field `json:"fields"` // how often each was missing there
	Sets     []Set   `json:"sets"`   // what was missing together, most frequent first
	Others   int     `json:"others"` // requests with sets that are not listed
}

// Field counts the requests that concern a field.
type Field struct {
	Field    string `json:"field"`
	Requests int    `json:"requests"`
}

// Set counts the requests in which exactly these facts were missing.
type Set struct {
	Fields   []string `json:"fields"`
	Requests int      `json:"requests"`
}

// Rule is what one rule did.
type Rule struct {
	Rule  string  `json:"rule"`
	Line  int     `json:"line"` // in the policy's text
	Deny  bool    `json:"deny,omitempty"`
	Fired int     `json:"fired"` // its condition was true, and it counted
	Share float64 `json:"share"` // Fired of the counted requests, 0 to 1
	// Alone counts the requests of Fired that would pass, by what is known, without
	// this rule.
	Alone    int       `json:"alone"`
	Unknown  int       `json:"unknown"`  // its condition could not be told, and it counted
	Recorded int       `json:"recorded"` // its condition could not be told, which it only records
	Silenced int       `json:"silenced"` // an exception kept it from counting
	Waiting  int       `json:"waiting"`  // it turns on who approves, and nobody is named yet
	Missing  []Field   `json:"missing"`  // where unknown: the facts that were missing
	Examples []Example `json:"examples"` // at most three: the largest that fired, or else that could not be told
}

// Example is one request in which a rule counted.
type Example struct {
	State      countersign.State `json:"state"`
	Row        int64             `json:"row"` // line of the file where it starts
	Date       string            `json:"date"`
	Kind       string            `json:"kind"`
	ID         string            `json:"id"`
	Vendor     string            `json:"vendor,omitempty"`
	Department string            `json:"department,omitempty"`
	Amount     string            `json:"amount"`
	Sentence   string            `json:"sentence"` // as an approver reads it

	size int64 // amount in the policy's currency
}

// Asked counts what a department or a person is asked.
type Asked struct {
	Name        string `json:"name"`
	Requests    int    `json:"requests"`
	Known       int    `json:"known"`        // asked by what is known
	OnlyMissing int    `json:"only_missing"` // asked only because facts are missing
	Denied      int    `json:"denied"`       // by what is known
}

// Group counts the decisions that a group would be asked for, by what is known.
type Group struct {
	Groups    []string `json:"groups"` // any of these
	Decisions int      `json:"decisions"`
}

// Month is the friction of one month.
type Month struct {
	Month       string `json:"month"` // YYYY-MM
	Requests    int    `json:"requests"`
	Allow       int    `json:"allow"` // by what is known
	Asked       int    `json:"asked"` // by what is known
	Denied      int    `json:"denied"`
	OnlyMissing int    `json:"only_missing"` // of Allow: asked all the same, because facts are missing
}
