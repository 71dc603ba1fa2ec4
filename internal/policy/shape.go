package policy

import (
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// form says what kind of value stands at a place of the policy file.
type form int

const (
	object   form = iota // named fields
	named                // any names, one shape of value
	list                 // a list of one shape
	text                 // a string
	whole                // a whole number, written in digits
	boolean              // true or false
	duration             // 90s, 15m, 24h, 7d, 2w
	date                 // 2027-03-31
	amount               // 30000, 30000.50, "10000.00 USD" or the name of a constant
	constant             // any scalar
	either               // one of several shapes, told apart by YAML's kind of node
	free                 // whatever is there; read by somebody else
)

// shape describes the policy file. It is used twice: to check a text strictly,
// with the place of every mistake, and to write the JSON Schema for editors.
type shape struct {
	form     form
	doc      string
	fields   []field  // object
	item     *shape   // named, list
	choices  []string // text: the only values
	pattern  string   // text and names of named
	least    int      // whole: minimum; list: fewest items
	most     int      // whole: maximum, 0: none; list: most items
	variants []*shape // either
}

type field struct {
	name     string
	required bool
	shape    *shape
}

const (
	namePattern  = `^[a-z][a-z0-9_]{0,39}$` // constants, lists, attestations: also CEL identifiers
	rulePattern  = `^[a-z][a-z0-9-]{0,59}$` // policies and rules
	groupPattern = `^[^\s,][^,]{0,98}[^\s,]$|^[^\s,]$`
)

func textOf(doc string) *shape             { return &shape{form: text, doc: doc} }
func oneOf(doc string, v ...string) *shape { return &shape{form: text, doc: doc, choices: v} }
func listOf(doc string, item *shape) *shape {
	return &shape{form: list, doc: doc, item: item, least: 1, most: 1000}
}
func numberOf(doc string, least, most int) *shape {
	return &shape{form: whole, doc: doc, least: least, most: most}
}
func durationOf(doc string) *shape { return &shape{form: duration, doc: doc} }
func amountOf(doc string) *shape   { return &shape{form: amount, doc: doc} }

func groupsOf(doc string) *shape {
	return listOf(doc, &shape{form: text, doc: "the name of a group", pattern: groupPattern})
}

func kindsOf(doc string) *shape {
	return listOf(doc, textOf("a kind of document, built in or configured: purchase_order, invoice, payment, …"))
}

// fileShape is the whole policy file.
func fileShape() *shape {
	return &shape{form: object, doc: "A Countersign policy.", fields: []field{
		{"policy", true, &shape{form: text, pattern: rulePattern, doc: "the policy's name"}},
		{"currency", true, &shape{form: text, pattern: "^[A-Z]{3}$", doc: "ISO 4217; amounts are compared in this currency, at the dated rate"}},
		{"constants", false, &shape{form: named, pattern: namePattern, doc: "named numbers, amounts, durations, dates and texts for conditions and sentences", item: constantShape()}},
		{"lists", false, &shape{form: named, pattern: namePattern, doc: "named lists; every entry has an owner, a reason and an expiry", item: listShape()}},
		{"signals", false, signalsShape()},
		{"attestations", false, &shape{form: named, pattern: namePattern, doc: "questions that rules may ask with attest, beside callback", item: textOf("the question, as the approver reads and signs it")}},
		{"rules", true, listOf("every rule that fires adds to one requirement; the strictest value of each dimension wins", ruleShape())},
		{"approvers", false, &shape{form: object, doc: "who decides where a rule names nobody, and how long things may take", fields: []field{
			{"default", false, groupsOf("groups of which one person decides where a rule names none")},
			{"decide_within", false, durationOf("from submission; default 7d")},
			{"release_within", false, durationOf("from the end of the hold; default 30d")},
			{"remind_before", false, &shape{form: list, least: 1, most: 5, doc: "how long before a request expires those who have still to decide are told again; default 24h", item: durationOf("before decide_within ends")}},
			{"escalate", false, &shape{form: object, doc: "who is told of a request that waits too long; it makes nobody eligible to decide", fields: []field{
				{"after", true, durationOf("from submission; shorter than decide_within")},
				{"to", true, groupsOf("groups that are told")},
			}}},
		}}},
		{"exceptions", false, listOf("explicit, scoped and expiring: each keeps one rule from counting; never a deny rule, never one on separation of duties", exceptionShape())},
		{"vouching", false, &shape{form: object, doc: "whether a calling system's statement that its user is signed in counts as a first factor", fields: []field{
			{"refuse", true, kindsOf("kinds of documents for which it does not")},
		}}},
		{"watchers", false, groupsOf("groups that are told of every hold at once, and may stop it")},
	}}
}

func constantShape() *shape {
	value := &shape{form: constant, doc: "30000, 30000.50, \"10000.00 USD\", 7d, 2027-03-31, true, or a text"}
	return &shape{form: either, doc: value.doc, variants: []*shape{value, {form: object, doc: "a constant with properties", fields: []field{
		{"value", true, value},
		{"secret", false, &shape{form: boolean, doc: "kept out of the sentences that requesters read"}},
	}}}}
}

func listShape() *shape {
	return &shape{form: object, doc: "entries here, or in a CSV file with the columns value, owner, because, until", fields: []field{
		{"file", false, textOf("path of a CSV file, relative to the policy file")},
		{"entries", false, listOf("the entries", &shape{form: object, doc: "one entry", fields: []field{
			{"value", true, textOf("what stands in the list, compared exactly")},
			{"owner", true, textOf("who answers for it")},
			{"because", true, textOf("why it is there")},
			{"until", true, &shape{form: date, doc: "the last day on which it counts (UTC)"}},
		}})},
	}}
}

func signalsShape() *shape {
	severities := []string{string(signal.SeverityLow), string(signal.SeverityMedium), string(signal.SeverityHigh), string(signal.SeverityCritical)}
	return &shape{form: object, doc: "thresholds and windows of the signals", fields: []field{
		{"over_threshold", false, listOf("signal.over_threshold is true when the amount reaches one of these", &shape{form: object, doc: "a threshold; a filter that is left out admits everything", fields: []field{
			{"kinds", false, kindsOf("for these kinds of documents")},
			{"category", false, textOf("for this category")},
			{"entity", false, textOf("for this legal entity")},
			{"currency", false, &shape{form: text, pattern: "^[A-Z]{3}$", doc: "for documents in this currency"}},
			{"amount", true, amountOf("true from this amount on")},
		}})},
		{"cumulative", false, listOf("signal.cumulative is true when requests below a limit together reach it", &shape{form: object, doc: "a window", fields: []field{
			{"by", true, oneOf("whose requests are summed", string(signal.ByVendorRequester), string(signal.ByVendor), string(signal.ByRequesterCategory))},
			{"within", true, durationOf("how far back")},
			{"limit", true, amountOf("the limit that a purchase may be split under")},
		}})},
		{"unusual_amount", false, &shape{form: object, doc: "when an amount is unusual for a vendor", fields: []field{
			{"observations", false, numberOf("with fewer settled purchases it cannot be told", 5, 1000)},
			{"times_usual", false, numberOf("more than this many times the median; 0: not asked", 0, 10000)},
			{"times_largest", false, numberOf("more than this many times the largest of twelve months; 0: not asked", 0, 10000)},
		}}},
		{"new_vendor", false, &shape{form: object, doc: "how long a vendor is new", fields: []field{
			{"purchases", false, numberOf("fewer settled purchases than this", 1, 1000)},
			{"age", false, durationOf("or the first one more recent than this")},
		}}},
		{"bank_account_differs", false, &shape{form: object, doc: "which accounts are usual", fields: []field{
			{"last", false, numberOf("of how many last payments", 1, 3)},
		}}},
		{"bank_account_changed_recently", false, &shape{form: object, doc: "how long an account counts as changed", fields: []field{
			{"within", false, durationOf("since the change")},
		}}},
		{"open_alert", false, &shape{form: object, doc: "which alerts count", fields: []field{
			{"severity", false, oneOf("from this severity on", severities...)},
		}}},
		{"approver_over_limit", false, &shape{form: object, doc: "limits of people", fields: []field{
			{"unset", false, oneOf("what it means that no limit is recorded for a person: it cannot be told, or they are not bound by one", string(signal.LimitUnsetUnknown), string(signal.LimitUnsetUnbound))},
		}}},
	}}
}

func ruleShape() *shape {
	return &shape{form: object, doc: "one rule", fields: []field{
		{"name", true, &shape{form: text, pattern: rulePattern, doc: "unique in the policy"}},
		{"for", false, kindsOf("kinds of documents; left out: all of them")},
		{"when", false, textOf("the condition, in CEL; left out: always")},
		{"require", false, requireShape()},
		{"deny", false, &shape{form: boolean, doc: "true: refused. Where the condition cannot be told, two people outside the chain decide"}},
		{"because", false, textOf("the sentence that people read, with facts in braces: \"{kind} of {amount} is {large} or more\"")},
		{"unknown", false, oneOf("left out: a condition that cannot be told counts as true. record: it is only recorded. Not for rules on amounts, currencies or separation of duties", "record")},
		{"unknown_because", false, textOf("why it is only recorded")},
	}}
}

func requireShape() *shape {
	clause := &shape{form: object, doc: "count distinct people, each from at least one of the groups", fields: []field{
		{"count", true, numberOf("how many people", 1, 20)},
		{"from", true, groupsOf("groups")},
		{"outside_chain", false, &shape{form: boolean, doc: "nobody who reports to the requester or whom the requester reports to"}},
	}}
	return &shape{form: object, doc: "what must happen; left out: one person of approvers.default at a session", fields: []field{
		{"assurance", false, oneOf("how strongly each approver proves who they are", string(countersign.AssuranceSession), string(countersign.AssuranceMFA), string(countersign.AssurancePhishingResistant), string(countersign.AssuranceHardware))},
		{"max_age", false, durationOf("the oldest factor that still counts; default 15m")},
		{"approvers", false, &shape{form: either, doc: "one clause or several, all to be met", variants: []*shape{clause, listOf("clauses, all to be met", clause)}}},
		{"attest", false, listOf("questions that the approver answers and signs", textOf("callback, or one of attestations"))},
		{"hold", false, durationOf("nothing is released before this, counted from the last needed decision")},
		{"reason", false, &shape{form: boolean, doc: "a written justification is required"}},
		{"no_vouching", false, &shape{form: boolean, doc: "a first factor stated by a calling system does not count"}},
		{"wait_for_witness", false, &shape{form: boolean, doc: "nothing is allowed or released before a witness has cosigned its log entry"}},
	}}
}

func exceptionShape() *shape {
	return &shape{form: object, doc: "one exception", fields: []field{
		{"rule", true, textOf("the name of the rule")},
		{"when", true, textOf("the condition, in CEL; only where it is certainly true does the exception apply")},
		{"until", true, &shape{form: date, doc: "the last day on which it counts (UTC)"}},
		{"owner", true, textOf("who answers for it")},
		{"because", true, textOf("why")},
	}}
}

func (s *shape) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

func (s *shape) fieldNames() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

// inWords says what may stand at a place.
func (s *shape) inWords() string {
	switch s.form {
	case object:
		return "fields: " + strings.Join(s.fieldNames(), ", ")
	case named:
		return "names with values"
	case list:
		return "a list"
	case whole:
		if s.most > 0 {
			return "a whole number from " + strconv.Itoa(s.least) + " to " + strconv.Itoa(s.most)
		}
		return "a whole number from " + strconv.Itoa(s.least)
	case boolean:
		return "true or false"
	case duration:
		return "a duration, as 15m, 24h or 7d"
	case date:
		return "a day, as 2027-03-31"
	case amount:
		return "an amount, as 30000, \"10000.00 USD\" or the name of a constant"
	case constant:
		return "a number, an amount, a duration, a day, true, false or a text"
	case either:
		words := make([]string, len(s.variants))
		for i, v := range s.variants {
			words[i] = v.inWords()
		}
		return strings.Join(words, "; or ")
	}
	if len(s.choices) > 0 {
		return "one of " + strings.Join(s.choices, ", ")
	}
	return "a text"
}
