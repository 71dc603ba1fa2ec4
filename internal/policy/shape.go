package policy

import (
	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
	"github.com/countersign/countersign/internal/signal"
)

const (
	namePattern = `^[a-z][a-z0-9_]{0,39}$` // constants, lists, attestations: also CEL identifiers
	rulePattern = `^[a-z][a-z0-9-]{0,59}$` // policies and rules
)

// fileShape is the whole policy file.
func fileShape() *shape.Shape {
	return shape.ObjectOf("A Countersign policy.",
		shape.Required("policy", &shape.Shape{Form: shape.Text, Pattern: rulePattern, Doc: "the policy's name"}),
		shape.Required("currency", &shape.Shape{Form: shape.Text, Pattern: "^[A-Z]{3}$", Doc: "ISO 4217; amounts are compared in this currency, at the dated rate"}),
		shape.Optional("constants", &shape.Shape{Form: shape.Named, Pattern: namePattern, Doc: "named numbers, amounts, durations, dates and texts for conditions and sentences", Item: constantShape()}),
		shape.Optional("lists", &shape.Shape{Form: shape.Named, Pattern: namePattern, Doc: "named lists; every entry has an owner, a reason and an expiry", Item: listShape()}),
		shape.Optional("signals", signalsShape()),
		shape.Optional("attestations", &shape.Shape{Form: shape.Named, Pattern: namePattern, Doc: "questions that rules may ask with attest, beside callback", Item: shape.TextOf("the question, as the approver reads and signs it")}),
		shape.Required("rules", shape.ListOf("every rule that fires adds to one requirement; the strictest value of each dimension wins", ruleShape())),
		shape.Optional("approvers", shape.ObjectOf("who decides where a rule names nobody, and how long things may take",
			shape.Optional("default", shape.GroupsOf("groups of which one person decides where a rule names none")),
			shape.Optional("decide_within", shape.DurationOf("from submission; default 7d")),
			shape.Optional("release_within", shape.DurationOf("from the end of the hold; default 30d")),
			shape.Optional("remind_before", &shape.Shape{Form: shape.List, Least: 1, Most: 5, Doc: "how long before a request expires those who have still to decide are told again; default 24h", Item: shape.DurationOf("before decide_within ends")}),
			shape.Optional("escalate", shape.ObjectOf("who is told of a request that waits too long; it makes nobody eligible to decide",
				shape.Required("after", shape.DurationOf("from submission; shorter than decide_within")),
				shape.Required("to", shape.GroupsOf("groups that are told")),
			)),
		)),
		shape.Optional("exceptions", shape.ListOf("explicit, scoped and expiring: each keeps one rule from counting; never a deny rule, never one on separation of duties", exceptionShape())),
		shape.Optional("vouching", shape.ObjectOf("whether a calling system's statement that its user is signed in counts as a first factor",
			shape.Required("refuse", shape.KindsOf("kinds of documents for which it does not")),
		)),
		shape.Optional("watchers", shape.GroupsOf("groups that are told of every hold at once, and may stop it")),
	)
}

func constantShape() *shape.Shape {
	value := &shape.Shape{Form: shape.Constant, Doc: "30000, 30000.50, \"10000.00 USD\", 7d, 2027-03-31, true, or a text"}
	return &shape.Shape{Form: shape.Either, Doc: value.Doc, Variants: []*shape.Shape{value, {Form: shape.Object, Doc: "a constant with properties", Fields: []shape.Field{
		shape.Required("value", value),
		shape.Optional("secret", &shape.Shape{Form: shape.Boolean, Doc: "kept out of the sentences that requesters read"}),
	}}}}
}

func listShape() *shape.Shape {
	return shape.ObjectOf("entries here, or in a CSV file with the columns value, owner, because, until",
		shape.Optional("file", shape.TextOf("path of a CSV file, relative to the policy file")),
		shape.Optional("entries", shape.ListOf("the entries", shape.ObjectOf("one entry",
			shape.Required("value", shape.TextOf("what stands in the list, compared exactly")),
			shape.Required("owner", shape.TextOf("who answers for it")),
			shape.Required("because", shape.TextOf("why it is there")),
			shape.Required("until", &shape.Shape{Form: shape.Date, Doc: "the last day on which it counts (UTC)"}),
		))),
	)
}

// signalsShape is what the signals say of their settings.
func signalsShape() *shape.Shape {
	s := shape.ObjectOf("thresholds and windows of the signals")
	for _, sig := range signal.Catalogue() {
		if settings := sig.Shape(); settings != nil {
			s.Fields = append(s.Fields, shape.Optional(sig.Name, settings))
		}
	}

	return s
}

func ruleShape() *shape.Shape {
	return shape.ObjectOf("one rule",
		shape.Required("name", &shape.Shape{Form: shape.Text, Pattern: rulePattern, Doc: "unique in the policy"}),
		shape.Optional("for", shape.KindsOf("kinds of documents; left out: all of them")),
		shape.Optional("when", shape.TextOf("the condition, in CEL; left out: always")),
		shape.Optional("require", requireShape()),
		shape.Optional("deny", &shape.Shape{Form: shape.Boolean, Doc: "true: refused. Where the condition cannot be told, two people outside the chain decide"}),
		shape.Optional("because", shape.TextOf("the sentence that people read, with facts in braces: \"{kind} of {amount} is {large} or more\"")),
		shape.Optional("unknown", shape.OneOf("left out: a condition that cannot be told counts as true. record: it is only recorded. Not for rules on amounts, currencies or separation of duties", "record")),
		shape.Optional("unknown_because", shape.TextOf("why it is only recorded")),
	)
}

func requireShape() *shape.Shape {
	clause := shape.ObjectOf("count distinct people, each from at least one of the groups",
		shape.Required("count", shape.NumberOf("how many people", 1, 20)),
		shape.Required("from", shape.GroupsOf("groups")),
		shape.Optional("outside_chain", &shape.Shape{Form: shape.Boolean, Doc: "nobody who reports to the requester or whom the requester reports to"}),
	)
	return shape.ObjectOf("what must happen; left out: one person of approvers.default at a session",
		shape.Optional("assurance", shape.OneOf("how strongly each approver proves who they are", string(countersign.AssuranceSession), string(countersign.AssuranceMFA), string(countersign.AssurancePhishingResistant), string(countersign.AssuranceHardware))),
		shape.Optional("max_age", shape.DurationOf("the oldest factor that still counts; default 15m")),
		shape.Optional("approvers", &shape.Shape{Form: shape.Either, Doc: "one clause or several, all to be met", Variants: []*shape.Shape{clause, shape.ListOf("clauses, all to be met", clause)}}),
		shape.Optional("attest", shape.ListOf("questions that the approver answers and signs", shape.TextOf("callback, or one of attestations"))),
		shape.Optional("hold", shape.DurationOf("nothing is released before this, counted from the last needed decision")),
		shape.Optional("reason", &shape.Shape{Form: shape.Boolean, Doc: "a written justification is required"}),
		shape.Optional("no_vouching", &shape.Shape{Form: shape.Boolean, Doc: "a first factor stated by a calling system does not count"}),
		shape.Optional("wait_for_witness", &shape.Shape{Form: shape.Boolean, Doc: "nothing is allowed or released before a witness has cosigned its log entry"}),
	)
}

func exceptionShape() *shape.Shape {
	return shape.ObjectOf("one exception",
		shape.Required("rule", shape.TextOf("the name of the rule")),
		shape.Required("when", shape.TextOf("the condition, in CEL; only where it is certainly true does the exception apply")),
		shape.Required("until", &shape.Shape{Form: shape.Date, Doc: "the last day on which it counts (UTC)"}),
		shape.Required("owner", shape.TextOf("who answers for it")),
		shape.Required("because", shape.TextOf("why")),
	)
}
