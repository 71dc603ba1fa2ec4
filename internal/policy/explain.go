package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// Explanation is a weighing with every step shown.
type Explanation struct {
	Outcome     countersign.Outcome     `json:"outcome"`
	Requirement countersign.Requirement `json:"requirement"`
	Refusal     string                  `json:"refusal,omitempty"`
	Rules       []RuleExplanation       `json:"rules"` // all of them, in the order of the file
	Findings    []countersign.Finding   `json:"findings"`
}

// RuleExplanation says why one rule did or did not count.
type RuleExplanation struct {
	Rule      string            `json:"rule"`
	Line      int               `json:"line"`
	Condition string            `json:"condition,omitempty"`
	Applies   bool              `json:"applies"` // the rule is meant for such a document
	State     countersign.State `json:"state,omitempty"`
	Missing   []string          `json:"missing,omitempty"`
	Counts    bool              `json:"counts"` // it added to the requirement
	Why       string            `json:"why"`
	Steps     []Step            `json:"steps,omitempty"` // the condition's parts, outermost first
}

// Step is the value of one part of a condition.
type Step struct {
	Depth      int    `json:"depth"`
	Expression string `json:"expression"`
	Value      string `json:"value"`
}

// Explain weighs the facts like [Version.Evaluate] and shows every rule, its
// condition and the value of every part of it. It evaluates parts that Evaluate
// skips, and is slower.
func (v *Version) Explain(f *signal.Facts, stage Stage) Explanation {
	r := v.evaluate(f, stage)
	x := Explanation{Outcome: r.Outcome, Requirement: r.Requirement, Refusal: r.Refusal, Findings: r.Findings}
	a := v.newActivation()
	a.fill(f, r.Findings)
	kind := ""
	if f.Document != nil {
		kind = f.Document.Kind
	}
	for _, rule := range v.rules {
		x.Rules = append(x.Rules, rule.explain(a, kind, r))
	}
	return x
}

func (r *rule) explain(a *activation, kind string, result Result) RuleExplanation {
	x := RuleExplanation{Rule: r.name, Line: r.line, Condition: strings.TrimSpace(r.source), Applies: r.applies(kind)}
	if !x.Applies {
		x.Why = "it is not for " + countersign.KindInWords(kind)
		if r.kinds != nil {
			x.Why += ": it is for " + strings.Join(r.kinds, ", ")
		}
		return x
	}
	x.State, x.Missing = r.condition.state(a)
	x.Steps = r.condition.steps(a)
	i := slices.IndexFunc(result.Reasons, func(reason countersign.Reason) bool { return reason.Rule == r.name })
	switch {
	case x.State == countersign.False:
		x.Why = "its condition is false"
	case slices.Contains(result.Waiting, r.name):
		x.Why = "it waits until somebody is about to approve: not known yet: " + strings.Join(x.Missing, ", ")
	case i < 0:
		x.Why = "it was not weighed"
	case result.Reasons[i].Silenced != "":
		x.Why = "an exception keeps it from counting: " + result.Reasons[i].Silenced
	case result.Reasons[i].Recorded:
		x.Why = "its condition cannot be told, and it asks only to record that: not known: " + strings.Join(x.Missing, ", ")
	case x.State == countersign.Unknown:
		x.Counts, x.Why = true, "its condition cannot be told, which counts as true: not known: "+strings.Join(x.Missing, ", ")
	default:
		x.Counts, x.Why = true, result.Reasons[i].Sentence
		if r.condition == nil {
			x.Why = "it has no condition: " + x.Why
		}
	}
	return x
}

// steps evaluates the condition without short cuts and shows what it saw.
func (c *condition) steps(a *activation) []Step {
	if c == nil {
		return nil
	}
	c.traceOnce.Do(func() {
		c.traced, _ = c.env.Program(c.checked, cel.EvalOptions(cel.OptExhaustiveEval, cel.OptTrackState),
			cel.CustomDecoratorV2(planner{c.checked.NativeRep(), c.base}.decorate))
	})
	if c.traced == nil {
		return nil
	}
	_, details, _ := c.traced.Eval(a)
	var out []Step
	var walk func(e ast.NavigableExpr, depth int)
	walk = func(e ast.NavigableExpr, depth int) {
		if e.Kind() == ast.LiteralKind || e.Kind() == ast.UnspecifiedExprKind {
			return
		}
		text, err := cel.ExprToString(e, c.checked.NativeRep().SourceInfo())
		if err != nil {
			return
		}
		if v, ok := details.State().Value(e.ID()); ok {
			out = append(out, Step{depth, text, a.showStep(v)})
		}
		children := e.Children()
		switch e.Kind() {
		case ast.ComprehensionKind:
			children = children[:1] // the range: what runs once for each element has many values
		case ast.SelectKind:
			children = nil // a record shows nothing by itself
		}
		for _, child := range children {
			walk(child, depth+1)
		}
	}
	walk(ast.NavigateAST(c.checked.NativeRep()), 0)
	return out
}

// showStep writes a value as a policy's author would.
func (a *activation) showStep(v ref.Val) string {
	switch v := v.(type) {
	case types.Bool:
		if v {
			return "true"
		}
		return "false"
	case *types.Unknown:
		return "unknown: " + strings.Join(missingOf(v), ", ")
	case *types.Err:
		return "error: " + v.Error()
	case types.String:
		return `"` + string(v) + `"`
	case *listValue:
		return "the list " + v.name
	case *record:
		return v.of.name
	}
	if l, ok := v.(interface{ Size() ref.Val }); ok {
		if n, ok := l.Size().(types.Int); ok && n == 0 {
			return "none"
		}
		return "a list"
	}
	return a.show(part{}, v)
}
