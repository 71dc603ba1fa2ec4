package countersign

import (
	"regexp"
	"slices"
	"strings"
)

// Kinds of documents that are built in. An organisation's configuration may add
// its own; a custom kind is a name of the same form.
const (
	KindPurchaseRequest     = "purchase_request"
	KindPurchaseOrder       = "purchase_order"
	KindInvoice             = "invoice"
	KindPayment             = "payment"
	KindPaymentBatch        = "payment_batch"
	KindVendorCreate        = "vendor_create"
	KindVendorBankChange    = "vendor_bank_change"
	KindVendorContactChange = "vendor_contact_change"
)

// Kinds of changes to Countersign itself, which are requests like any other: they
// are shown, signed, stored and logged the same way, and need a second person.
const (
	KindPolicyPublish    = "countersign.policy_publish"
	KindPeopleChange     = "countersign.people_change"     // groups, limits, privileges, activation
	KindFactorReset      = "countersign.factor_reset"      // an administrator removes a person's authenticators
	KindEnrolmentConfirm = "countersign.enrolment_confirm" // a second person vouches for a new enrolment
	KindFreezeExtend     = "countersign.freeze_extend"     // beyond 72 hours
	KindFreezeLift       = "countersign.freeze_lift"
	KindAlertClose       = "countersign.alert_close"
	KindBreakGlassNames  = "countersign.break_glass_names"
	KindErasure          = "countersign.erasure"
	KindHistoryConfirm   = "countersign.history_confirm" // imported vendor history counts before it has settled
	KindSettingsChange   = "countersign.settings_change" // the organisation's own settings
	KindDelegation       = "countersign.delegation"      // somebody may decide in an absent person's place
	internalKindPrefix   = "countersign."
	kindPattern          = `^[a-z][a-z0-9_]{1,39}$`
	maxText              = 2000   // bytes of one free text
	maxName              = 300    // bytes of a name
	maxID                = 200    // bytes of an identifier that a caller chose
	maxChange            = 262144 // bytes of one side of a change: a policy's text is the longest
	maxLines             = 5000
	maxAttachments       = 100
	MaxDocumentBytes     = 1 << 20 // canonical bytes of a document
)

// Document says what is asked: what, how much, to whom, to which account, asked
// by whom. It is immutable. Its canonical bytes are digested, shown, signed,
// stored and compared whole at release: no member is ignored there, and a member
// that a caller does not want compared does not belong in it (see [Submission]).
type Document struct {
	Kind     string `json:"kind"`     // one of the Kind constants, or a configured kind
	ID       string `json:"id"`       // the document's number in the system it comes from
	Revision string `json:"revision"` // changes whenever the content changes, never by being approved

	Entity      string       `json:"entity,omitempty"`      // legal entity that buys or pays
	CostCentre  string       `json:"cost_centre,omitempty"` //
	Category    string       `json:"category,omitempty"`    // category or general-ledger account
	Subject     string       `json:"subject,omitempty"`     // what it is for, in a sentence
	Amount      *Amount      `json:"amount,omitempty"`      // gross total; negative for a credit
	Payee       *Payee       `json:"payee,omitempty"`
	Lines       []Line       `json:"lines,omitempty"`
	Dates       *Dates       `json:"dates,omitempty"`
	Terms       *Terms       `json:"terms,omitempty"`
	Flags       []string     `json:"flags,omitempty"` // "urgent", "off_cycle", "confidential", "manual", …
	Requester   *Party       `json:"requester"`
	Attachments []Attachment `json:"attachments,omitempty"`
	References  []Reference  `json:"references,omitempty"`
	Changes     []Change     `json:"changes,omitempty"` // what is changed from what

	Custom map[string]string `json:"custom,omitempty"` // further facts, by name
}

// Payee is who gets the money or the order, and the account it goes to, in clear:
// approvers read the account itself.
type Payee struct {
	ID      string   `json:"id,omitempty"` // the vendor's number in the system it comes from
	Name    string   `json:"name,omitempty"`
	TaxID   string   `json:"tax_id,omitempty"`
	Country string   `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Account *Account `json:"account,omitempty"`
}

// Account is a bank account: a scheme and the value normalised for it.
type Account struct {
	Scheme string `json:"scheme"` // "iban", "bban" or another name that the systems agree on
	Value  string `json:"value"`  // IBAN: upper case, no spaces (ISO 13616); others: as the bank writes it, no spaces
	BIC    string `json:"bic,omitempty"`
	Holder string `json:"holder,omitempty"` // name on the account, where it differs from the payee's
}

// Line is one position. Unit prices may have more decimals than the currency.
type Line struct {
	Number      string  `json:"number"`
	Item        string  `json:"item,omitempty"`
	Description string  `json:"description,omitempty"`
	Category    string  `json:"category,omitempty"`
	CostCentre  string  `json:"cost_centre,omitempty"`
	Quantity    string  `json:"quantity,omitempty"` // decimal
	Unit        string  `json:"unit,omitempty"`     // UN/ECE Recommendation 20 code, or the system's own
	UnitPrice   string  `json:"unit_price,omitempty"`
	Amount      *Amount `json:"amount,omitempty"`
	Payee       *Payee  `json:"payee,omitempty"` // in a payment batch, required: who this line pays
}

// Dates are calendar days, YYYY-MM-DD, without a time zone: the document's own.
type Dates struct {
	Issued    string `json:"issued,omitempty"`
	Due       string `json:"due,omitempty"`
	Delivery  string `json:"delivery,omitempty"`
	Execution string `json:"execution,omitempty"` // of a payment
}

// Terms are what was agreed on payment.
type Terms struct {
	PaymentDays int    `json:"payment_days,omitempty"`
	Text        string `json:"text,omitempty"`
}

// Party names who asked: a person or a service, by an identifier of the system the
// document comes from. Owner is the person who answers for a service or an agent,
// and counts as the requester too.
type Party struct {
	Type  string `json:"type"` // "person" or "service"
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Owner string `json:"owner,omitempty"` // identifier of a person, for a service
}

// Attachment is a file by its digest; the file itself stays where it is.
type Attachment struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type,omitempty"`
	Size      int64  `json:"size,omitempty"` // bytes
	Digest    Digest `json:"digest"`
}

// Reference names another document that this one belongs to: the order of an
// invoice, the contract of an order.
type Reference struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Change is one field of a master record, as it was and as it shall be.
type Change struct {
	Field string `json:"field"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// needs says which fields a built-in kind requires beyond kind, id, revision and
// requester. What else is missing makes signals answer "cannot say".
var needs = map[string]struct{ amount, payee, account, changes bool }{
	KindPurchaseRequest:     {},
	KindPurchaseOrder:       {},
	KindInvoice:             {},
	KindPayment:             {amount: true, payee: true, account: true},
	KindPaymentBatch:        {amount: true},
	KindVendorCreate:        {payee: true},
	KindVendorBankChange:    {payee: true, account: true},
	KindVendorContactChange: {payee: true, changes: true},
}

// BuiltinKind reports whether kind is one of the mission's kinds.
func BuiltinKind(kind string) bool { _, ok := needs[kind]; return ok }

// changeKinds are the changes to Countersign itself that people propose. What else is
// internal is not proposed: the server makes it.
var changeKinds = []string{
	KindPolicyPublish, KindPeopleChange, KindFactorReset, KindSettingsChange, KindDelegation, KindBreakGlassNames,
	KindFreezeExtend, KindFreezeLift, KindAlertClose, KindHistoryConfirm, KindErasure,
}

// ChangeKinds lists the kinds of changes to Countersign itself that people propose, in
// the order in which they are listed for people.
func ChangeKinds() []string { return slices.Clone(changeKinds) }

// InternalKind reports whether kind is a change to Countersign itself. Callers
// cannot submit one; the authority makes them.
func InternalKind(kind string) bool { return strings.HasPrefix(kind, internalKindPrefix) }

// KindInWords is the name of a kind written as words, where nobody has given it others.
func KindInWords(kind string) string {
	return strings.ReplaceAll(strings.TrimPrefix(kind, internalKindPrefix), "_", " ")
}

var kindRE = regexp.MustCompile(kindPattern)

// ValidKind reports whether a configured kind has the form that kinds have.
func ValidKind(kind string) bool { return kindRE.MatchString(kind) }

// Key names the document across its revisions: one object of the source's system.
func (d *Document) Key() string { return d.Kind + ":" + d.ID }
