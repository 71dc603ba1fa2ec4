package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
)

func (l *loader) rules(n *yaml.Node) {
	if n == nil || n.Kind != yaml.SequenceNode {
		return
	}
	seen := map[string]int{}
	for _, c := range n.Content {
		if c.Kind != yaml.MappingNode {
			continue
		}
		r := l.rule(c)
		if first, twice := seen[r.name]; twice && r.name != "" {
			l.at(member(c, "name"), "", "rule %q stands twice, first in line %d", jcs.Clip(r.name), first)
		}
		seen[r.name] = r.line
		l.v.rules = append(l.v.rules, r)
	}
}

func (l *loader) rule(n *yaml.Node) *rule {
	r := &rule{name: value(member(n, "name")), line: n.Line, kinds: values(member(n, "for")), source: value(member(n, "when")),
		deny: value(member(n, "deny")) == "true"}
	l.kindsExist(member(n, "for"))
	require, deny := member(n, "require"), member(n, "deny")
	switch {
	case require == nil && deny == nil:
		l.at(n, "say require: {…} or deny: true", "rule %q demands nothing", jcs.Clip(r.name))
	case require != nil && deny != nil:
		l.at(deny, "make two rules of it", "rule %q both denies and requires", jcs.Clip(r.name))
	case deny != nil && !r.deny:
		l.at(deny, "leave the rule out, or name an exception", "deny: false allows nothing: a rule can only make things stricter")
	}
	if !r.deny {
		r.requirement = l.requirement(require)
		r.onUnknown = r.requirement
	} else {
		r.onUnknown = l.twoOutsideChain(deny)
	}
	if when := member(n, "when"); when != nil {
		r.condition = l.condition(when, l.v.env.conditions)
		if r.condition != nil {
			r.uses = r.condition.uses
			l.reachable(when, r)
		}
	}
	l.unknown(n, r)
	if because := member(n, "because"); because != nil {
		r.because = l.sentence(because)
	}
	return r
}

// twoOutsideChain is what an unknown condition of a deny rule asks: it does not
// deny, it demands two people outside the chain (ruling 5).
func (l *loader) twoOutsideChain(deny *yaml.Node) countersign.Requirement {
	groups := l.v.defaults.groups
	if len(groups) == 0 {
		l.at(deny, "add approvers: {default: [GROUP]}", "a rule that denies needs approvers.default: where its condition cannot be told, two people of those groups decide")
	}
	return countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant, MaxAge: defaultMaxAge,
		Clauses: []countersign.Clause{{Count: 2, From: groups, OutsideChain: true}}}
}

func (l *loader) requirement(n *yaml.Node) countersign.Requirement {
	req := countersign.Requirement{Outcome: countersign.OutcomeStepUp,
		Assurance: countersign.Assurance(value(member(n, "assurance"))), MaxAge: seconds(member(n, "max_age")),
		Hold: seconds(member(n, "hold")), Reason: value(member(n, "reason")) == "true", NoVouching: value(member(n, "no_vouching")) == "true",
		Witness: value(member(n, "wait_for_witness")) == "true"}
	if w := member(n, "wait_for_witness"); req.Witness && !l.src.Witness {
		l.at(w, "name one with witnesses in the server's configuration, or leave the line out", "wait_for_witness needs a witness, and none is configured")
	}
	if req.MaxAge == 0 { // from its own rule: another rule's longer time never takes its place
		req.MaxAge = defaultMaxAge
	}
	if a := member(n, "assurance"); req.Assurance == countersign.AssuranceHardware && !l.src.Hardware {
		l.at(a, "configure the attestation roots of your keys, or ask for phishing_resistant", "assurance hardware needs an attestation root, and none is configured")
	}
	if at := member(n, "hold"); at != nil {
		l.holdFits(at, req.Hold)
	}
	if a := member(n, "attest"); a != nil {
		for _, c := range a.Content {
			question, ok := l.v.attestations[c.Value]
			if !ok {
				l.at(c, didYouMean(c.Value, append(keys(l.v.attestations), "callback")), "there is no attestation %q", jcs.Clip(c.Value))
			}
			req.Attestations = append(req.Attestations, countersign.Attestation{ID: c.Value, Question: question})
		}
	}
	// A rule that names nobody asks one person of the default groups, or the
	// approver who is named: from its own rule, so that another rule that names
	// groups adds to it and never takes its place.
	req.Clauses = []countersign.Clause{{Count: 1, From: l.v.defaults.groups}}
	if a := member(n, "approvers"); a != nil {
		req.Clauses = nil
		for _, c := range clauseNodes(a) {
			req.Clauses = append(req.Clauses, countersign.Clause{Count: number(member(c, "count"), 0), From: sortedSet(values(member(c, "from"))),
				OutsideChain: value(member(c, "outside_chain")) == "true"})
		}
	}
	return countersign.Requirement{}.Merge(req) // in the one order that merging makes
}

func clauseNodes(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func keys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// holdFits refuses a hold that is longer than what comes after it: the approval
// would lapse before it could be used.
func (l *loader) holdFits(at *yaml.Node, hold int) {
	d := &l.v.defaults
	switch {
	case hold > d.releaseWithin:
		l.at(at, "shorten the hold, or lengthen approvers.release_within", "a hold of %s outlasts release_within, %s", span(hold), span(d.releaseWithin))
	case hold > d.decideWithin:
		l.at(at, "shorten the hold, or lengthen approvers.decide_within", "a hold of %s outlasts decide_within, %s", span(hold), span(d.decideWithin))
	}
}

// unknown reads the opt-out from "unknown fires" and says who may not have it.
func (l *loader) unknown(n *yaml.Node, r *rule) {
	at, reason := member(n, "unknown"), member(n, "unknown_because")
	if at == nil {
		if reason != nil {
			l.at(reason, "", "unknown_because without unknown: record")
		}
		return
	}
	r.recordOnly = true
	switch {
	case reason == nil:
		l.at(at, "add unknown_because: \"…\"", "unknown: record needs a reason")
	case r.deny:
		l.at(at, "leave it out: an unknown condition of a rule that denies asks two people, it does not deny", "rule %q denies, and may not opt out of firing when it cannot be told", jcs.Clip(r.name))
	case r.uses.separation:
		l.at(at, "leave it out", "rule %q is about separation of duties, and may not opt out of firing when it cannot be told", jcs.Clip(r.name))
	case r.uses.amount:
		l.at(at, "leave it out, or make two rules of it", "rule %q turns on an amount or a currency, and may not opt out of firing when it cannot be told", jcs.Clip(r.name))
	}
}

// reachable refuses a condition that is false even when nothing is known: it is
// false for every request.
func (l *loader) reachable(at *yaml.Node, r *rule) {
	kinds := r.kinds
	if kinds == nil {
		kinds = l.kinds()
	}
	for _, kind := range kinds {
		if l.v.blank(r.condition, kind) != countersign.False {
			return
		}
	}
	hint := "no request makes it true"
	if r.uses.emptySetting != "" {
		hint = "signal." + r.uses.emptySetting + " is never true: signals." + r.uses.emptySetting + " sets nothing"
	}
	l.at(at, hint, "rule %q can never fire", jcs.Clip(r.name))
}

func (l *loader) exceptions(n *yaml.Node) {
	if n == nil || n.Kind != yaml.SequenceNode {
		return
	}
	names := make([]string, len(l.v.rules))
	for i, r := range l.v.rules {
		names[i] = r.name
	}
	for _, c := range n.Content {
		at, when := member(c, "rule"), member(c, "when")
		if at == nil || when == nil {
			continue
		}
		i := slices.Index(names, at.Value)
		switch {
		case i < 0:
			l.at(at, didYouMean(at.Value, names), "there is no rule %q", jcs.Clip(at.Value))
		case l.v.rules[i].deny:
			l.at(at, "change the rule's condition, so that everybody sees it there", "rule %q denies, and has no exceptions", at.Value)
		case l.v.rules[i].uses.separation:
			l.at(at, "", "rule %q is about separation of duties, and has no exceptions", at.Value)
		}
		until, _ := parseDate(value(member(c, "until")))
		x := &exception{rule: at.Value, line: c.Line, condition: l.condition(when, l.v.env.conditions), until: endOf(until)}
		x.words = fmt.Sprintf("line %d: %s (%s, until %s)", c.Line, value(member(c, "because")), value(member(c, "owner")), value(member(c, "until")))
		l.v.exceptions = append(l.v.exceptions, x)
	}
}

// span writes seconds for people.
func span(seconds int) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return strings.TrimSuffix(d.String(), "0s")
}
