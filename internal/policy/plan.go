package policy

import (
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// planner replaces those steps of cel-go's plan that must answer in three values
// or know the rates. It changes no meaning: cel-go's own steps would answer
// "unknown" where an answer is possible, or "error" where a fact is missing.
type planner struct {
	ast  *ast.AST
	base string // the policy's currency
}

func (p planner) isMoney(n interpreter.InterpretableV2) bool {
	t := p.ast.GetType(n.ID())
	return t != nil && t.TypeName() == moneyType.TypeName()
}

// decorate is called for every step of the plan, innermost first.
func (p planner) decorate(step interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := step.(interpreter.InterpretableCall)
	if !ok {
		return step, nil
	}
	args := call.Args()
	switch call.Function() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.NotStrictlyFalse:
		return step, nil
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals:
		if p.isMoney(args[0]) || p.isMoney(args[1]) {
			return &comparison{step: step, op: call.Function(), left: args[0], right: args[1], base: p.base}, nil
		}
		return step, nil
	case operators.In:
		if list, ok := args[1].(interpreter.InterpretableConstructor); ok {
			return &anyOf{step: step, what: args[0], of: list.InitVals(), base: p.base}, nil
		}
		return &membership{step: step, what: args[0], list: args[1]}, nil
	case operators.Add, operators.Subtract, operators.Multiply:
		if p.isMoney(args[0]) || p.isMoney(args[1]) {
			return &arithmetic{step: step, op: call.Function(), left: args[0], right: args[1], base: p.base}, nil
		}
	}
	if len(args) == 1 && p.isMoney(step) {
		if c, ok := args[0].(interpreter.InterpretableConst); ok { // usd("10000.00")
			return interpreter.NewConstValue(step.ID(), literal(c.Value(), currencyOf(call))).(interpreter.InterpretableV2), nil
		}
	}
	return &guarded{step}, nil
}

func currencyOf(call interpreter.InterpretableCall) string {
	const prefix = "literal_"
	if id := call.OverloadID(); len(id) == len(prefix)+3 {
		return id[len(prefix):]
	}
	return ""
}

type step = interpreter.InterpretableV2

// eval runs a step for a caller that has an activation only.
func eval(s step, a interpreter.Activation) ref.Val { return interpreter.EvalActivation(a, s.Exec) }

// guarded turns the error of a step (an overflow, a division by zero) into
// "unknown" with the error for a name, so that it never hides behind another
// unknown value.
type guarded struct{ step }

func (g *guarded) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := g.step.Exec(frame)
	if err, ok := v.(*types.Err); ok {
		return unknownError(g.ID(), err)
	}
	return v
}

func (g *guarded) Eval(a interpreter.Activation) ref.Val { return eval(g, a) }

func unknownError(id int64, err *types.Err) ref.Val {
	return types.NewUnknown(1_000_000+id, types.NewAttributeTrail("("+err.Error()+")"))
}

func notKnown(id int64, missing string) ref.Val {
	return types.NewUnknown(1_000_000+id, types.NewAttributeTrail(missing))
}

// strict returns the unknown value that two operands leave no way around, or nil.
func strict(id int64, l, r ref.Val) ref.Val {
	if err, ok := l.(*types.Err); ok {
		l = unknownError(id, err)
	}
	if err, ok := r.(*types.Err); ok {
		r = unknownError(id, err)
	}
	lu, _ := l.(*types.Unknown)
	ru, _ := r.(*types.Unknown)
	if u := types.MergeUnknowns(lu, ru); u != nil {
		return u
	}
	return nil
}

// comparison compares amounts with one another and with plain numbers, which are
// units of the policy's currency.
type comparison struct {
	step
	op          string
	left, right step
	base        string
}

func (c *comparison) Eval(a interpreter.Activation) ref.Val { return eval(c, a) }

func (c *comparison) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	l, r := c.left.Exec(frame), c.right.Exec(frame)
	if u := strict(c.ID(), l, r); u != nil {
		return u
	}
	order, missing := compareAmounts(frame, l, r, c.base)
	if missing != "" {
		return notKnown(c.ID(), missing)
	}
	switch c.op {
	case operators.Less:
		return types.Bool(order < 0)
	case operators.LessEquals:
		return types.Bool(order <= 0)
	case operators.Greater:
		return types.Bool(order > 0)
	case operators.GreaterEquals:
		return types.Bool(order >= 0)
	case operators.Equals:
		return types.Bool(order == 0)
	}
	return types.Bool(order != 0)
}

func compareAmounts(frame *interpreter.ExecutionFrame, l, r ref.Val, base string) (order int, missing string) {
	a, missing := asMoney(l, base)
	if missing != "" {
		return 0, missing
	}
	b, missing := asMoney(r, base)
	if missing != "" {
		return 0, missing
	}
	f, _ := frame.ResolveName(factsName)
	return f.(*activation).f.Compare(a, b, base)
}

// asMoney reads an operand: an amount, or a number in units of the currency.
func asMoney(v ref.Val, base string) (signal.Money, string) {
	switch v := v.(type) {
	case *moneyValue:
		return v.Money, ""
	case types.Int:
		m, ok := units(int64(v), base)
		if !ok {
			return m, "(a number too large for an amount)"
		}
		return m, ""
	}
	return signal.Money{}, "(not an amount)"
}

// units makes n units of a currency an amount; false when it does not fit.
func units(n int64, currency string) (signal.Money, bool) {
	exp, ok := countersign.Exponent(currency)
	if !ok {
		return signal.Money{}, false
	}
	for range exp {
		if n > math.MaxInt64/10 || n < -math.MaxInt64/10 {
			return signal.Money{}, false
		}
		n *= 10
	}
	return signal.Money{Minor: n, Currency: currency}, true
}

// arithmetic adds and subtracts amounts of the policy's currency (or of one
// currency), and multiplies an amount with a whole number.
type arithmetic struct {
	step
	op          string
	left, right step
	base        string
}

func (c *arithmetic) Eval(a interpreter.Activation) ref.Val { return eval(c, a) }

func (c *arithmetic) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	l, r := c.left.Exec(frame), c.right.Exec(frame)
	if u := strict(c.ID(), l, r); u != nil {
		return u
	}
	if c.op == operators.Multiply {
		if n, ok := l.(types.Int); ok {
			l, r = r, n
		}
		m, n := l.(*moneyValue), r.(types.Int)
		product := m.Minor * int64(n)
		if n != 0 && (product/int64(n) != m.Minor || product == math.MinInt64 || m.Minor == math.MinInt64) {
			return notKnown(c.ID(), "(an amount too large)")
		}
		return &moneyValue{signal.Money{Minor: product, Currency: m.Currency}}
	}
	a, b := l.(*moneyValue).Money, r.(*moneyValue).Money
	if a.Currency != b.Currency {
		found, _ := frame.ResolveName(factsName)
		f := found.(*activation).f
		var missing, lacks string
		a, _, missing = f.InBase(a, c.base)
		b, _, lacks = f.InBase(b, c.base)
		if missing += lacks; missing != "" {
			return notKnown(c.ID(), missing)
		}
	}
	if c.op == operators.Subtract {
		b.Minor = -b.Minor
	}
	sum := a.Minor + b.Minor
	if (sum > a.Minor) != (b.Minor > 0) && b.Minor != 0 || sum == math.MinInt64 {
		return notKnown(c.ID(), "(an amount too large)")
	}
	return &moneyValue{signal.Money{Minor: sum, Currency: a.Currency}}
}

// anyOf is "x in [a, b]": true when one element is equal, even while another is
// not known. cel-go's own step would let one unknown element hide all others.
type anyOf struct {
	step
	what step
	of   []step
	base string
}

func (m *anyOf) Eval(a interpreter.Activation) ref.Val { return eval(m, a) }

func (m *anyOf) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	what := m.what.Exec(frame)
	var unknown *types.Unknown
	for _, s := range m.of {
		v := s.Exec(frame)
		if u := strict(m.ID(), what, v); u != nil {
			unknown = types.MergeUnknowns(unknown, u.(*types.Unknown))
			continue
		}
		_, l := what.(*moneyValue)
		_, r := v.(*moneyValue)
		if !l || !r {
			if types.Equal(what, v) == types.True {
				return types.True
			}
			continue
		}
		order, missing := compareAmounts(frame, what, v, m.base)
		if missing != "" {
			unknown = types.MergeUnknowns(unknown, notKnown(m.ID(), missing).(*types.Unknown))
		} else if order == 0 {
			return types.True
		}
	}
	if unknown != nil {
		return unknown
	}
	return types.False
}

// membership is "x in list" for a list of the policy or a list of facts.
type membership struct {
	step
	what, list step
}

func (m *membership) Eval(a interpreter.Activation) ref.Val { return eval(m, a) }

func (m *membership) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	what, in := m.what.Exec(frame), m.list.Exec(frame)
	if u := strict(m.ID(), what, in); u != nil {
		return u
	}
	if l, ok := in.(*listValue); ok {
		s, _ := what.(types.String)
		is, known := l.contains(string(s))
		if !known {
			return notKnown(m.ID(), "now")
		}
		return types.Bool(is)
	}
	return m.step.Exec(frame)
}
