package policy

import (
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"go.yaml.in/yaml/v3"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// sentence is a text with facts in braces.
type sentence struct{ parts []part }

// part is either plain text or a fact.
type part struct {
	text     string
	fact     *condition // nil: plain text
	constant string     // the constant's name, where the fact is one
}

// sentence reads "{kind} of {amount} is {large} or more". "{{" and "}}" stand for
// the braces themselves. What stands in braces is checked like a condition, so
// that a sentence cannot name what does not exist.
func (l *loader) sentence(n *yaml.Node) *sentence {
	s := &sentence{}
	text := n.Value
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			s.parts = append(s.parts, part{text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case (c == '{' || c == '}') && i+1 < len(text) && text[i+1] == c:
			plain.WriteByte(c)
			i++
		case c == '}':
			l.at(n, "write }} for the brace itself", "a brace is closed that was not opened")
			return nil
		case c == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				l.at(n, "write {{ for the brace itself", "a brace is opened and not closed")
				return nil
			}
			flush()
			p, ok := l.fact(n, text[i+1:i+end], i+1)
			if !ok {
				return nil
			}
			s.parts = append(s.parts, p)
			i += end
		default:
			plain.WriteByte(c)
		}
	}
	flush()
	return s
}

func (l *loader) fact(n *yaml.Node, expression string, offset int) (part, bool) {
	if strings.TrimSpace(expression) == "" {
		l.at(n, "write the name of a fact", "there is nothing between the braces")
		return part{}, false
	}
	c := l.compile(n, expression, len([]rune(n.Value[:offset])), l.v.env.sentences)
	if c == nil {
		return part{}, false
	}
	t := c.checked.OutputType()
	switch {
	case t == cel.StringType, t == cel.IntType, t == cel.BoolType, t == cel.TimestampType, t == cel.DurationType, isMoneyType(t):
	case t.IsEquivalentType(stringList):
	default:
		l.at(n, "name one of its fields", "{%s} is %s, which a sentence cannot show", expression, typeWords(t))
		return part{}, false
	}
	p := part{fact: c}
	for _, k := range l.v.constants {
		if k.name == strings.TrimSpace(expression) {
			p.constant = k.name
		}
	}
	return p, true
}

// write makes the sentence. For requesters, secret constants are left out.
func (s *sentence) write(a *activation, forRequester bool) string {
	var b strings.Builder
	for _, p := range s.parts {
		switch {
		case p.fact == nil:
			b.WriteString(p.text)
		case forRequester && p.fact.uses.secret:
			b.WriteString("a limit")
		default:
			v, _, err := p.fact.program.Eval(a)
			if err != nil {
				v = nil
			}
			b.WriteString(a.show(p, v))
		}
	}
	return b.String()
}

// show formats one fact for people.
func (a *activation) show(p part, v ref.Val) string {
	switch v := v.(type) {
	case *types.Unknown:
		return "(" + strings.Join(missingOf(v), ", ") + " not known)"
	case *moneyValue:
		return a.showMoney(v)
	case types.Int:
		if a.v.isMoneyConstant(p.constant) {
			if m, ok := units(int64(v), a.v.currency); ok {
				return m.String()
			}
		}
		return strconv.FormatInt(int64(v), 10)
	case types.String:
		if a.f.Document != nil && string(v) == a.f.Document.Kind {
			return countersign.KindInWords(string(v))
		}
		return string(v)
	case types.Bool:
		if v {
			return "yes"
		}
		return "no"
	case types.Timestamp:
		if t := v.UTC(); t.Truncate(24 * time.Hour).Equal(t) {
			return t.Format(time.DateOnly)
		}
		return v.UTC().Format("2006-01-02 15:04 UTC")
	case types.Duration:
		return span(int(v.Duration / time.Second))
	case traits.Lister:
		var items []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			if s, ok := it.Next().(types.String); ok {
				items = append(items, string(s))
			}
		}
		return strings.Join(items, ", ")
	}
	return "(not known)"
}

// showMoney adds what the amount is in the policy's currency, where it is another.
func (a *activation) showMoney(m *moneyValue) string {
	s := m.String()
	if m.Currency == a.v.currency {
		return s
	}
	base, _, missing := a.f.InBase(m.Money, a.v.currency)
	if missing != "" {
		return s
	}
	return s + " (" + base.String() + ")"
}

func (v *Version) isMoneyConstant(name string) bool {
	if name == "" {
		return false
	}
	for _, c := range v.constants {
		if c.name == name {
			return c.money
		}
	}
	return false
}

// reasons writes a rule's sentence for both readers.
func (r *rule) sentences(a *activation, state countersign.State, missing []string) (forApprover, forRequester string) {
	if state == countersign.Unknown {
		s := "cannot tell whether " + r.inWords() + " applies: " + signal.MissingInWords(missing)
		return s, s
	}
	if r.because == nil {
		s := "the rule " + r.inWords() + " applies"
		return s, s
	}
	return r.because.write(a, false), r.because.write(a, true)
}

func (r *rule) inWords() string { return strings.ReplaceAll(r.name, "-", " ") }
