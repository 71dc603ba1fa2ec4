package policy

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// condition is one compiled expression.
type condition struct {
	program cel.Program
	checked *cel.Ast
	env     *cel.Env
	base    string
	uses    uses

	traceOnce sync.Once
	traced    cel.Program // made when an explanation is asked for first
}

// uses is what an expression turns on.
type uses struct {
	amount     bool // an amount or a currency
	separation bool // separation of duties
	person     bool // who approves
	secret     bool // a constant that requesters do not read
	// emptySetting names a signal whose settings hold nothing, so that it is never
	// true.
	emptySetting string
}

// maxCost bounds what one condition may cost in the worst case, in cel-go's units
// (about one step each): far above any sensible rule, far below a nested walk over
// the lines of a large document.
const maxCost = 1_000_000

// compile parses, checks and plans the expression at a node of the file. offset is
// where in the node's text the expression begins.
func (l *loader) compile(n *yaml.Node, text string, offset int, env *cel.Env) *condition {
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			l.celError(n, offset, e)
		}
		return nil
	}
	c := &condition{checked: checked, env: env, base: l.v.currency}
	before := len(l.errors)
	l.inspect(n, offset, c)
	if len(l.errors) > before {
		return nil
	}
	var err error
	if c.program, err = env.Program(checked, cel.CustomDecoratorV2(planner{checked.NativeRep(), c.base}.decorate)); err != nil {
		l.at(n, "", "the condition cannot be planned: %v", err)
		return nil
	}
	return c
}

// condition compiles a condition: an expression that is true or false.
func (l *loader) condition(n *yaml.Node, env *cel.Env) *condition {
	c := l.compile(n, n.Value, 0, env)
	if c == nil {
		return nil
	}
	if t := c.checked.OutputType(); t != cel.BoolType {
		l.at(n, "compare it with something", "the condition is %s, want true or false", typeWords(t))
		return nil
	}
	estimate, err := env.EstimateCost(c.checked, sizes{})
	if err != nil || estimate.Max > maxCost {
		l.at(n, "walk over lines once, not once for each line", "the condition could take too long on a large document")
		return nil
	}
	return c
}

func typeWords(t *cel.Type) string {
	return strings.ReplaceAll(cel.FormatCELType(t), "countersign.", "")
}

// sizes bounds what a document can hold (the limits of [countersign.Document]).
type sizes struct{}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	most := uint64(2000) // bytes of a text
	if n.Type() != nil && n.Type().Kind() == types.ListKind {
		most = 200
		if p := n.Path(); len(p) > 0 && p[0] == "lines" {
			most = 5000
		}
	}
	return &cost.SizeEstimate{Max: most}
}

func (sizes) EstimateCallCost(_, overload string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if strings.Contains(overload, "money") || strings.HasPrefix(overload, "literal_") || overload == "in_word_list" {
		return &cost.CallEstimate{CostEstimate: cost.FixedCostEstimate(1)}
	}
	return nil
}

var (
	undeclared     = regexp.MustCompile(`undeclared reference to '([^']*)'`)
	undefinedField = regexp.MustCompile(`undefined field '([^']*)'`)
	container      = regexp.MustCompile(` \((in container|did you mean) '[^']*'\??\)`)
)

// celError puts an error of cel-go at its place in the policy's file.
func (l *loader) celError(n *yaml.Node, offset int, e *cel.Error) {
	line, column := l.place(n, offset, e.Location)
	message := strings.ReplaceAll(container.ReplaceAllString(e.Message, ""), "countersign.", "")
	hint := ""
	if m := undeclared.FindStringSubmatch(e.Message); m != nil {
		hint = didYouMean(m[1], l.knownNames())
	} else if m := undefinedField.FindStringSubmatch(e.Message); m != nil {
		hint = didYouMean(m[1], fieldsNear(l.textAt(line, column)))
	} else if strings.Contains(message, "no matching overload") && strings.Contains(message, "money") {
		hint = "an amount is compared with a number (units of " + l.v.currency + "), a constant, or an amount as usd(\"10000.00\")"
	}
	l.fail(line, column, hint, "%s", message)
}

func (l *loader) textAt(line, column int) string {
	if line < 1 || line > len(l.lines) {
		return ""
	}
	return firstRunes(l.lines[line-1], column-1)
}

var lastName = regexp.MustCompile(`([a-z_]+)[^a-z_]*$`)

// fieldsNear lists the fields that may be meant: those of the record whose name
// stands before the place, or else of all records.
func fieldsNear(before string) []string {
	var all []string
	for _, v := range variables {
		if v.of == nil {
			continue
		}
		if m := lastName.FindStringSubmatch(before); m != nil && m[1] == v.name {
			return v.of.names()
		}
		all = append(all, v.of.names()...)
	}
	return all
}

func (l *loader) knownNames() []string {
	out := l.constantNames()
	for _, w := range l.v.lists {
		out = append(out, w.name)
	}
	for _, v := range variables {
		out = append(out, v.name)
	}
	for name := range severities {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// place finds a place of an expression in the file. A folded text has lost its
// lines, so there the beginning must do.
func (l *loader) place(n *yaml.Node, offset int, at common.Location) (line, column int) {
	line, column = n.Line, n.Column
	if at.Line() < 1 {
		return line, column
	}
	switch {
	case n.Style&yaml.FoldedStyle != 0:
		return line, column
	case n.Style&yaml.LiteralStyle != 0:
		line += at.Line()
		indent := 0
		if n.Line < len(l.lines) {
			indent = len(l.lines[n.Line]) - len(strings.TrimLeft(l.lines[n.Line], " "))
		}
		return line, indent + at.Column() + 1
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		column++
	}
	if at.Line() > 1 {
		return n.Line, n.Column
	}
	return line, column + offset + at.Column()
}

// inspect refuses what loads in CEL and has no place in a policy, and finds out
// what the expression turns on.
func (l *loader) inspect(n *yaml.Node, offset int, c *condition) {
	a := c.checked.NativeRep()
	at := func(e ast.Expr, hint, format string, args ...any) {
		line, column := l.place(n, offset, a.SourceInfo().GetStartLocation(e.ID()))
		l.fail(line, column, hint, format, args...)
	}
	names := map[string]bool{}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(a), ast.AllMatcher()) {
		if e.Type() != nil && e.Type().TypeName() == moneyType.TypeName() {
			c.uses.amount = true
		}
		switch e.Kind() {
		case ast.IdentKind:
			names[e.AsIdent()] = true
			l.usesName(e.AsIdent(), &c.uses)
		case ast.SelectKind:
			s := e.AsSelect()
			if s.Operand().Kind() == ast.IdentKind {
				names[s.Operand().AsIdent()+"."+s.FieldName()] = true
				if s.Operand().AsIdent() == "signal" {
					l.usesSignal(s.FieldName(), &c.uses)
				}
			}
		case ast.ListKind:
			if !constantList(e) && !mayHoldFacts(e) {
				at(e, "write the conditions out and join them with ||", "a list with facts in it can only stand to the right of in")
			}
		case ast.CallKind:
			l.inspectCall(e, at)
		case ast.StructKind:
			at(e, "", "a condition cannot make records")
		}
	}
	c.uses.separation = c.uses.separation || aboutSeparation(names)
}

func constantList(e ast.NavigableExpr) bool {
	for _, c := range e.Children() {
		if c.Kind() != ast.LiteralKind {
			return false
		}
	}
	return true
}

// mayHoldFacts reports whether a list of facts stands where one that is not known
// hides no other: to the right of in, or inside filter and map, which put one
// element to the others.
func mayHoldFacts(e ast.NavigableExpr) bool {
	parent, ok := e.Parent()
	if !ok || parent.Kind() != ast.CallKind {
		return false
	}
	call := parent.AsCall()
	if call.FunctionName() == operators.In {
		return true
	}
	args := call.Args()
	return call.FunctionName() == operators.Add && args[0].Kind() == ast.IdentKind && strings.HasPrefix(args[0].AsIdent(), "@")
}

// aboutSeparation finds a rule of one's own about separation of duties: it holds
// who approves against who asked, or who created the vendor.
func aboutSeparation(names map[string]bool) bool {
	approves := names["approver.id"] || names["approver.manager"] || names["acting_for.id"] || names["acting_for.manager"]
	asks := names["requester.id"] || names["requester.manager"] || names["owner.id"] || names["owner.manager"] || names["vendor.created_by"]
	return approves && asks
}

func (l *loader) usesName(name string, u *uses) {
	switch name {
	case "amount", "credit", "currency":
		u.amount = true
	case "approver", "acting_for":
		u.person = true
	}
	for _, c := range l.v.constants {
		if c.name == name && c.secret {
			u.secret = true
		}
	}
}

func (l *loader) usesSignal(name string, u *uses) {
	for _, s := range signal.Catalogue() {
		if s.Name == name {
			u.amount, u.separation, u.person = u.amount || s.Amount, u.separation || s.Separation, u.person || s.Person
			if s.NeverTrue(&l.v.settings) {
				u.emptySetting = name
			}
		}
	}
}

func (l *loader) inspectCall(e ast.NavigableExpr, at func(ast.Expr, string, string, ...any)) {
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); name {
	case "type":
		at(e, "", "type() has no place in a condition")
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals:
		children := e.Children()
		for i, c := range children {
			if isMoneyType(children[1-i].Type()) && !isMoneyType(c.Type()) {
				l.numberAsAmount(c, at)
			}
		}
	default:
		if !isMoneyType(e.Type()) || len(args) != 1 || call.IsMemberFunction() {
			return
		}
		if args[0].Kind() != ast.LiteralKind {
			at(e, "write the amount itself: "+name+"(\"10000.00\")", "%s() takes a text as it stands in the policy", name)
		} else if v, ok := literal(args[0].AsLiteral(), strings.ToUpper(name)).(*types.Err); ok {
			at(args[0], "", "%s", v.Error())
		}
	}
}

func isMoneyType(t *types.Type) bool { return t != nil && t.TypeName() == moneyType.TypeName() }

// numberAsAmount checks a number that is compared with an amount, and remembers
// that a constant is one.
func (l *loader) numberAsAmount(e ast.NavigableExpr, at func(ast.Expr, string, string, ...any)) {
	switch e.Kind() {
	case ast.LiteralKind:
		if i, ok := e.AsLiteral().(types.Int); ok {
			if _, fits := units(int64(i), l.v.currency); !fits {
				at(e, "", "%d is too large for an amount in %s", int64(i), l.v.currency)
			}
		}
	case ast.IdentKind:
		for i := range l.v.constants {
			c := &l.v.constants[i]
			if n, ok := c.value.(types.Int); ok && c.name == e.AsIdent() {
				c.money = true
				if _, fits := units(int64(n), l.v.currency); !fits {
					at(e, "", "%s, %d, is too large for an amount in %s", c.name, int64(n), l.v.currency)
				}
			}
		}
	}
}

// judge turns the value of a condition into three values, and says what is
// missing where it cannot be told. Whatever is neither true nor false cannot.
func judge(v any, err error) (countersign.State, []string) {
	switch v := v.(type) {
	case types.Bool:
		if err == nil && bool(v) {
			return countersign.True, nil
		}
		if err == nil {
			return countersign.False, nil
		}
	case *types.Unknown:
		return countersign.Unknown, missingOf(v)
	}
	if err != nil {
		return countersign.Unknown, []string{"(" + err.Error() + ")"}
	}
	return countersign.Unknown, []string{"(no answer)"}
}

func missingOf(u *types.Unknown) []string {
	var out []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			out = append(out, t.Variable())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *condition) state(a *activation) (countersign.State, []string) {
	if c == nil {
		return countersign.True, nil
	}
	v, _, err := c.program.Eval(a)
	return judge(v, err)
}

// blank asks the condition with nothing known but the kind.
func (v *Version) blank(c *condition, kind string) countersign.State {
	findings := make([]countersign.Finding, len(signalRecord.fields))
	for i, f := range signalRecord.fields {
		findings[i] = countersign.Finding{Signal: f.name, State: countersign.Unknown, Missing: []string{f.name}}
		if f.name == c.uses.emptySetting {
			findings[i].State = countersign.False
		}
	}
	a := v.newActivation()
	a.blank, a.blankKind = true, kind
	a.fill(&signal.Facts{}, findings)
	state, _ := c.state(a)
	return state
}

func (v *Version) newActivation() *activation {
	a := &activation{v: v, lists: make([]listValue, len(v.lists))}
	for i, w := range v.lists {
		a.lists[i].wordList = w
	}
	return a
}
