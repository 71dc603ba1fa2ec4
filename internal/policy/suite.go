package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
	"github.com/countersign/countersign/internal/signal"
)

// Suite is a file of tests for a policy: cases of facts, and what must come out.
//
//	facts: {now: 2026-11-24T09:00:00Z, …}    # of every case
//	cases:
//	  - name: a large order
//	    facts: {document: {amount: {value: 30000.00}}}   # laid over the facts above; null takes one away
//	    stage: submit                                    # submit (default), person or release
//	    want:
//	      outcome: step_up
//	      rules: [large-purchase]                        # exactly those that counted
//	      require: {assurance: mfa}                      # those parts of the requirement
//	      sentences: ["purchase order of EUR 30,000.00 is EUR 30,000.00 or more"]
type Suite struct {
	File  string
	Cases []Case
}

// Case is one test.
type Case struct {
	Name  string
	Line  int
	Facts *signal.Facts
	Stage Stage
	Want  Want
}

// Want is what must come out. What is left out is not looked at, but the outcome
// always is.
type Want struct {
	Outcome   countersign.Outcome `yaml:"outcome"`
	Rules     *[]string           `yaml:"rules"`     // exactly the rules that counted
	Waiting   *[]string           `yaml:"waiting"`   // exactly the rules that wait for the approver
	Silenced  *[]string           `yaml:"silenced"`  // exactly the rules that an exception silenced
	Recorded  *[]string           `yaml:"recorded"`  // exactly the rules whose unknown condition was recorded
	Missing   []string            `yaml:"missing"`   // fields that must be named as missing
	Sentences []string            `yaml:"sentences"` // that approvers must read
	Hidden    []string            `yaml:"hidden"`    // words that must not stand in what requesters read
	Refused   bool                `yaml:"refused"`
	Require   *WantRequirement    `yaml:"require"`
}

// WantRequirement names parts of a requirement in the words of the policy file.
type WantRequirement struct {
	Assurance  *string       `yaml:"assurance"`
	MaxAge     *string       `yaml:"max_age"`
	Approvers  *[]WantClause `yaml:"approvers"`
	Attest     *[]string     `yaml:"attest"`
	Hold       *string       `yaml:"hold"`
	Reason     *bool         `yaml:"reason"`
	NoVouching *bool         `yaml:"no_vouching"`
	Witness    *bool         `yaml:"wait_for_witness"`
	Watchers   *[]string     `yaml:"watchers"`
}

// WantClause is one clause of people.
type WantClause struct {
	Count        int      `yaml:"count"`
	From         []string `yaml:"from"`
	OutsideChain bool     `yaml:"outside_chain"`
}

// ParseSuite reads a file of tests. The error names the line.
func ParseSuite(file string, content []byte) (*Suite, error) {
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", file, len(content), MaxBytes)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d := &document{file: file, lines: strings.Split(string(content), "\n")}
	if len(root.Content) != 1 || !d.plain(root.Content[0]) || !d.check(root.Content[0], suiteShape(), "the tests") {
		if len(d.errors) > 0 {
			return nil, d.errors
		}
		return nil, fmt.Errorf("%s: no tests in it", file)
	}
	base := member(root.Content[0], "facts")
	s := &Suite{File: file}
	for _, n := range member(root.Content[0], "cases").Content {
		c, err := parseCase(base, n)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n.Line, err)
		}
		s.Cases = append(s.Cases, c)
	}
	return s, nil
}

func suiteShape() *shape.Shape {
	facts := &shape.Shape{Form: shape.Free, Doc: "facts, as they are stored with a decision"}
	return shape.ObjectOf("tests of a policy",
		shape.Optional("facts", facts),
		shape.Required("cases", shape.ListOf("the cases", shape.ObjectOf("one case",
			shape.Required("name", shape.TextOf("what it shows")),
			shape.Optional("stage", shape.OneOf("which weighing", string(StageSubmit), string(StagePerson), string(StageRelease))),
			shape.Optional("facts", facts),
			shape.Required("want", facts),
		))),
	)
}

func parseCase(base, n *yaml.Node) (Case, error) {
	c := Case{Name: value(member(n, "name")), Line: n.Line, Stage: StageSubmit}
	if s := value(member(n, "stage")); s != "" {
		c.Stage = Stage(s)
	}
	raw, err := json.Marshal(overlay(plainValue(base), plainValue(member(n, "facts"))))
	if err != nil {
		return c, err
	}
	if c.Facts, err = signal.ParseFacts(raw); err != nil {
		return c, err
	}
	if c.Facts.Document != nil {
		if err := c.Facts.Document.Validate("/document"); err != nil {
			return c, err
		}
	}
	want, err := yaml.Marshal(member(n, "want"))
	if err != nil {
		return c, err
	}
	dec := yaml.NewDecoder(strings.NewReader(string(want)))
	dec.KnownFields(true)
	return c, dec.Decode(&c.Want)
}

// plainValue turns nodes into what JSON can write. Numbers with a point, and days
// and times, stay the text that they are: 900.00 is an amount, not a float.
func plainValue(n *yaml.Node) any {
	if n == nil {
		return map[string]any{}
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		pairs(n, func(key, val *yaml.Node) { m[key.Value] = plainValue(val) })
		return m
	case yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, c := range n.Content {
			s[i] = plainValue(c)
		}
		return s
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
	}
	return n.Value
}

// overlay lays one set of facts over another, object by object; null takes a fact
// away.
func overlay(below, above any) any {
	b, ok := below.(map[string]any)
	a, both := above.(map[string]any)
	if !ok || !both {
		return above
	}
	out := map[string]any{}
	for k, v := range b {
		out[k] = v
	}
	for k, v := range a {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = overlay(out[k], v)
	}
	return out
}

// SuiteResult is what came of running a suite.
type SuiteResult struct {
	File     string         `json:"file"`
	Policy   string         `json:"policy"`
	Cases    []CaseResult   `json:"cases"`
	Failed   int            `json:"failed"`
	Coverage []RuleCoverage `json:"coverage"` // one for each rule, in the order of the policy
}

// CaseResult is what came of one case.
type CaseResult struct {
	Name     string              `json:"name"`
	Line     int                 `json:"line"`
	Outcome  countersign.Outcome `json:"outcome"`
	Failures []string            `json:"failures,omitempty"` // empty: passed
	Result   Result              `json:"-"`
}

// RuleCoverage counts in how many cases a rule did what.
type RuleCoverage struct {
	Rule     string `json:"rule"`
	Line     int    `json:"line"`
	Counted  int    `json:"counted"`  // its condition was true
	Unknown  int    `json:"unknown"`  // its condition could not be told
	Silent   int    `json:"silent"`   // it applied, and its condition was false
	Waited   int    `json:"waited"`   // it waited for the approver
	Silenced int    `json:"silenced"` // an exception applied
}

// Covered reports whether some case makes the rule's condition true and another
// makes it false, or it has no false.
func (c RuleCoverage) Covered(always bool) bool { return c.Counted > 0 && (always || c.Silent > 0) }

// Run runs the suite against a version.
func (s *Suite) Run(v *Version) SuiteResult {
	out := SuiteResult{File: s.File, Policy: v.name, Coverage: make([]RuleCoverage, len(v.rules))}
	for i, r := range v.rules {
		out.Coverage[i] = RuleCoverage{Rule: r.name, Line: r.line}
	}
	for _, c := range s.Cases {
		r := v.Evaluate(c.Facts, c.Stage)
		res := CaseResult{Name: c.Name, Line: c.Line, Outcome: r.Outcome, Failures: c.Want.compare(r), Result: r}
		if len(res.Failures) > 0 {
			out.Failed++
		}
		out.Cases = append(out.Cases, res)
		v.cover(out.Coverage, c, r)
	}
	return out
}

func (v *Version) cover(coverage []RuleCoverage, c Case, r Result) {
	kind := ""
	if c.Facts.Document != nil {
		kind = c.Facts.Document.Kind
	}
	for i, rule := range v.rules {
		if !rule.applies(kind) {
			continue
		}
		at := &coverage[i]
		k := slices.IndexFunc(r.Reasons, func(reason countersign.Reason) bool { return reason.Rule == rule.name })
		switch {
		case slices.Contains(r.Waiting, rule.name):
			at.Waited++
		case k < 0:
			at.Silent++
		case r.Reasons[k].Silenced != "":
			at.Silenced++
		case r.Reasons[k].State == countersign.Unknown:
			at.Unknown++
		default:
			at.Counted++
		}
	}
}

// Uncovered names the rules that no case makes count, and, unless they have no
// condition, those that no case leaves silent.
func (v *Version) Uncovered(r SuiteResult) []string {
	var out []string
	for i, c := range r.Coverage {
		if !c.Covered(v.rules[i].condition == nil) {
			out = append(out, c.Rule)
		}
	}
	return out
}

// compare says in words where a result is not what is wanted.
func (w Want) compare(r Result) (failures []string) {
	fail := func(format string, args ...any) { failures = append(failures, fmt.Sprintf(format, args...)) }
	if r.Outcome != w.Outcome {
		fail("outcome: want %s, have %s", w.Outcome, r.Outcome)
	}
	if (r.Refusal != "") != w.Refused {
		fail("refused: want %v, have %q", w.Refused, r.Refusal)
	}
	counted, silenced, recorded, missing, sentences := sorted(r)
	set := func(what string, want *[]string, have []string) {
		if want != nil && !slices.Equal(sortedSet(slices.Clone(*want)), sortedSet(have)) {
			fail("%s: want %v, have %v", what, *want, have)
		}
	}
	set("rules", w.Rules, counted)
	set("waiting", w.Waiting, slices.Clone(r.Waiting))
	set("silenced", w.Silenced, silenced)
	set("recorded", w.Recorded, recorded)
	for _, m := range w.Missing {
		if !slices.Contains(missing, m) {
			fail("missing: want %q among %q", m, missing)
		}
	}
	for _, s := range w.Sentences {
		if !slices.Contains(sentences, s) {
			fail("sentence: want %q among %q", s, sentences)
		}
	}
	for _, h := range w.Hidden {
		for _, reason := range r.ForRequester {
			if strings.Contains(reason.Sentence, h) {
				fail("hidden: requesters read %q in %q", h, reason.Sentence)
			}
		}
	}
	if w.Require != nil {
		w.Require.compare(r.Requirement, fail)
	}
	return failures
}

func sorted(r Result) (counted, silenced, recorded, missing, sentences []string) {
	for _, reason := range r.Reasons {
		switch {
		case reason.Silenced != "":
			silenced = append(silenced, reason.Rule)
		case reason.Recorded:
			recorded = append(recorded, reason.Rule)
		default:
			counted = append(counted, reason.Rule)
		}
		missing = append(missing, reason.Missing...)
		sentences = append(sentences, reason.Sentence)
	}
	return counted, silenced, recorded, missing, sentences
}

func (w *WantRequirement) compare(r countersign.Requirement, fail func(string, ...any)) {
	same := func(what string, want, have any) {
		if v := reflect.ValueOf(want); !v.IsNil() && !reflect.DeepEqual(v.Elem().Interface(), have) {
			fail("%s: want %v, have %v", what, v.Elem().Interface(), have)
		}
	}
	clauses, attest := []WantClause{}, []string{}
	for _, c := range r.Clauses {
		clauses = append(clauses, WantClause{c.Count, c.From, c.OutsideChain})
	}
	for _, a := range r.Attestations {
		attest = append(attest, a.ID)
	}
	same("assurance", w.Assurance, string(r.Assurance))
	same("approvers", w.Approvers, clauses)
	same("attest", w.Attest, attest)
	same("reason", w.Reason, r.Reason)
	same("no_vouching", w.NoVouching, r.NoVouching)
	same("wait_for_witness", w.Witness, r.Witness)
	same("watchers", w.Watchers, append([]string{}, r.Watchers...))
	for _, d := range [...]struct {
		what string
		want *string
		have int
	}{{"max_age", w.MaxAge, r.MaxAge}, {"hold", w.Hold, r.Hold}} {
		if d.want == nil {
			continue
		}
		if want, _ := parseDuration(*d.want); int(want/time.Second) != d.have {
			fail("%s: want %s, have %d seconds", d.what, *d.want, d.have)
		}
	}
}
