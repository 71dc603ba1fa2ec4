package policy

import (
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// environment is what the conditions of one policy are compiled in.
type environment struct {
	conditions *cel.Env
	sentences  *cel.Env // conditions, and finding
	missing    map[string][]*types.Unknown
	single     map[string]*types.Unknown
	nextID     int64
}

// provider answers cel-go's questions about records.
type provider struct {
	*types.Registry
	env *environment
}

func findRecord(name string) *recordType {
	for _, t := range recordTypes {
		if t.typ.TypeName() == name {
			return t
		}
	}
	if name == customType.typ.TypeName() {
		return customType
	}
	return nil
}

// FindStructType knows the records beside what cel-go brings.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if t := findRecord(name); t != nil {
		return types.NewTypeTypeWithParam(t.typ), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames lists a record's fields.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if t := findRecord(name); t != nil {
		return t.names(), true
	}
	return p.Registry.FindStructFieldNames(name)
}

var customName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)

// FindStructFieldType finds a field; one that does not exist is an error when the
// policy is loaded.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	t := findRecord(name)
	if t == nil {
		return p.Registry.FindStructFieldType(name, field)
	}
	if t == customType {
		if !customName.MatchString(field) {
			return nil, false
		}
		missing := p.env.unknown("custom." + field)
		return fieldType(cel.StringType, func(r *record) ref.Val {
			if d, ok := r.fact.(*countersign.Document); ok && d.Custom[field] != "" {
				return types.String(d.Custom[field])
			}
			return missing
		}), true
	}
	i := t.index(field)
	if i < 0 {
		return nil, false
	}
	return fieldType(t.fields[i].typ, func(r *record) ref.Val { return r.get(i) }), true
}

func fieldType(typ *cel.Type, get func(*record) ref.Val) *types.FieldType {
	return &types.FieldType{Type: typ,
		IsSet:   func(any) bool { return true },
		GetFrom: func(target any) (any, error) { return get(target.(*record)), nil },
	}
}

// unknown returns the one unknown value that names a missing field.
func (e *environment) unknown(field string) *types.Unknown {
	if u := e.single[field]; u != nil {
		return u
	}
	e.nextID++
	u := types.NewUnknown(e.nextID, types.NewAttributeTrail(field))
	e.single[field] = u
	return u
}

// unknowns returns the unknown values of a record's fields under a name.
func (e *environment) unknowns(name string, t *recordType) []*types.Unknown {
	if u := e.missing[name]; u != nil {
		return u
	}
	u := make([]*types.Unknown, len(t.fields))
	for i, f := range t.fields {
		u[i] = e.unknown(name + "." + f.name)
	}
	e.missing[name] = u
	return u
}

// newEnvironment declares the facts, the policy's constants and lists, and the
// functions for amounts. text is searched for currencies, so that only those that
// are used become functions.
func newEnvironment(constants []constantDef, lists []*wordList, text string) (*environment, error) {
	e := &environment{missing: map[string][]*types.Unknown{}, single: map[string]*types.Unknown{}}
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	for _, v := range variables {
		e.unknown(v.name)
		if v.of != nil {
			e.unknowns(v.name, v.of)
		}
	}
	opts := []cel.EnvOption{
		cel.CustomTypeProvider(&provider{Registry: registry, env: e}),
		cel.CustomTypeAdapter(registry),
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(env.NewFunction(operators.Equals), env.NewFunction(operators.NotEquals)))),
		cel.ClearMacros(),
		cel.Macros(cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro, cel.MapMacro, noHas, noMaybe),
		cel.EnableMacroCallTracking(),
		cel.ExtendedValidations(),
		cel.ExpressionNestingDepthLimit(64),
		cel.ParserExpressionSizeLimit(20000),
		cel.DefaultUTCTimeZone(true),
	}
	for _, v := range variables {
		opts = append(opts, cel.VariableWithDoc(v.name, v.typ, v.doc))
	}
	for name, rank := range severities {
		opts = append(opts, cel.Constant(name, cel.IntType, rank))
	}
	for _, c := range constants {
		opts = append(opts, cel.Variable(c.name, c.typ))
	}
	for _, l := range lists {
		opts = append(opts, cel.Variable(l.name, wordListType))
	}
	opts = append(opts, amountFunctions(text)...)
	if e.conditions, err = cel.NewCustomEnv(opts...); err != nil {
		return nil, err
	}
	e.unknowns("finding", findingRecord)
	e.sentences, err = e.conditions.Extend(cel.Variable("finding", findingRecord.typ))
	return e, err
}

// noHas refuses has(): it would turn a missing fact into false, which is what the
// three values are there to prevent.
var noHas = cel.GlobalMacro("has", 1, refuse("has() would turn a missing fact into \"false\"; write the condition itself: a rule that cannot be told fires, or says \"unknown: record\" with a reason"))

var noMaybe = cel.GlobalMacro("dyn", 1, refuse("dyn() would switch off the check of types"))

func refuse(why string) parser.MacroExpander {
	return func(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		return nil, eh.NewError(args[0].ID(), why)
	}
}

var currencyCall = regexp.MustCompile(`\b([a-z]{3})\(`)

func currenciesIn(text string) []string {
	var out []string
	for _, m := range currencyCall.FindAllStringSubmatch(text, -1) {
		code := strings.ToUpper(m[1])
		if _, ok := countersign.Exponent(code); ok && !slices.Contains(out, code) {
			out = append(out, code)
		}
	}
	slices.Sort(out)
	return out
}

// amountFunctions declares amounts beside the operators of CEL. They have no
// bindings of their own: [planner.decorate] puts in the comparison that knows the
// rates.
func amountFunctions(text string) []cel.EnvOption {
	pair := func(id string, a, b, result *cel.Type) cel.FunctionOpt {
		return cel.Overload(id, []*cel.Type{a, b}, result)
	}
	opts := []cel.EnvOption{cel.Function(operators.In, pair("in_word_list", cel.StringType, wordListType, cel.BoolType))}
	for name, op := range map[string]string{"less": operators.Less, "less_equals": operators.LessEquals,
		"greater": operators.Greater, "greater_equals": operators.GreaterEquals} {
		opts = append(opts, cel.Function(op,
			pair(name+"_money", moneyType, moneyType, cel.BoolType),
			pair(name+"_money_int", moneyType, cel.IntType, cel.BoolType),
			pair(name+"_int_money", cel.IntType, moneyType, cel.BoolType)))
	}
	opts = append(opts, equality("equals", operators.Equals), equality("not_equals", operators.NotEquals))
	opts = append(opts,
		cel.Function(operators.Add, pair("add_money", moneyType, moneyType, moneyType)),
		cel.Function(operators.Subtract, pair("subtract_money", moneyType, moneyType, moneyType)),
		cel.Function(operators.Multiply, pair("multiply_money_int", moneyType, cel.IntType, moneyType), pair("multiply_int_money", cel.IntType, moneyType, moneyType)))
	for _, code := range currenciesIn(text) {
		opts = append(opts, cel.Function(strings.ToLower(code), cel.Overload("literal_"+code, []*cel.Type{cel.StringType}, moneyType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return literal(v, code) }))))
	}
	return opts
}

// equality declares == or != type by type. CEL's own declaration covers any two
// values of one type, and leaves no room for an amount and a number.
func equality(name, op string) cel.EnvOption {
	overloads := []cel.FunctionOpt{
		cel.Overload(name+"_money_int", []*cel.Type{moneyType, cel.IntType}, cel.BoolType),
		cel.Overload(name+"_int_money", []*cel.Type{cel.IntType, moneyType}, cel.BoolType),
	}
	for id, t := range map[string]*cel.Type{"money": moneyType, "bool": cel.BoolType, "int": cel.IntType, "string": cel.StringType,
		"timestamp": cel.TimestampType, "duration": cel.DurationType, "words": stringList} {
		overloads = append(overloads, cel.Overload(name+"_"+id, []*cel.Type{t, t}, cel.BoolType))
	}
	return cel.Function(op, overloads...)
}

// literal reads usd("10000.00"). Literals are read when the policy is loaded.
func literal(v ref.Val, currency string) ref.Val {
	s, ok := v.(types.String)
	if !ok {
		return types.NewErr("an amount is written as a text")
	}
	m, err := signal.ParseMoney(countersign.Amount{Value: string(s), Currency: currency})
	if err != nil {
		return types.WrapErr(err)
	}
	return &moneyValue{m}
}
