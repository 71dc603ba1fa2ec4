package policy

import (
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"go.yaml.in/yaml/v3"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
	"github.com/countersign/countersign/internal/signal"
)

// loader makes a version out of a text and collects what is wrong on the way.
type loader struct {
	document
	src  Source
	v    *Version
	root *yaml.Node
}

func (l *loader) load() *Version {
	root := l.parse(l.src.Text)
	if root == nil {
		return nil
	}
	fits := l.check(root, fileShape(), "the policy")
	if !fits && (root.Kind != yaml.MappingNode || len(l.errors) >= maxErrors || l.tooLong(root)) {
		return nil
	}
	l.root = root
	l.v = &Version{name: value(member(root, "policy")), currency: value(member(root, "currency")), text: string(l.src.Text)}
	if _, ok := countersign.Exponent(l.v.currency); !ok {
		if n := member(root, "currency"); n != nil {
			l.at(n, "three upper-case letters, as EUR", "currency %q is not an ISO 4217 currency", jcs.Clip(l.v.currency))
		}
		return nil // nothing about amounts can be checked
	}
	l.constants(member(root, "constants"))
	l.lists(member(root, "lists"))
	l.names()
	l.signals(member(root, "signals"))
	l.attestations(member(root, "attestations"))
	l.approvers(member(root, "approvers"))
	l.v.refuseVouch = values(member(member(root, "vouching"), "refuse"))
	l.kindsExist(member(member(root, "vouching"), "refuse"))
	l.v.watchers = sortedSet(values(member(root, "watchers")))
	env, err := newEnvironment(l.v.constants, l.v.lists, l.v.text)
	if err != nil {
		l.fail(0, 0, "", "the policy's names do not go together: %v", err)
		return nil
	}
	l.v.env = env
	l.rules(member(root, "rules"))
	l.exceptions(member(root, "exceptions"))
	if len(l.errors) > 0 {
		return nil
	}
	l.v.digest = countersign.SumBytes(l.v.Canonical())
	return l.v
}

// tooLong reports whether some part of the file has more items than any may have:
// then the rest is not looked at.
func (l *loader) tooLong(n *yaml.Node) bool {
	return len(n.Content) > 2000 || slices.ContainsFunc(n.Content, l.tooLong)
}

func sortedSet[T cmp.Ordered](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}

// pairs walks a mapping.
func pairs(n *yaml.Node, each func(key, val *yaml.Node)) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		each(n.Content[i], n.Content[i+1])
	}
}

func (l *loader) constants(n *yaml.Node) {
	pairs(n, func(key, val *yaml.Node) {
		c := constantDef{name: key.Value}
		if val.Kind == yaml.MappingNode {
			c.secret = value(member(val, "secret")) == "true"
			if val = member(val, "value"); val == nil {
				return
			}
		}
		c.value, c.typ = l.constant(val)
		if c.value != nil {
			l.v.constants = append(l.v.constants, c)
		}
	})
}

var (
	digits       = regexp.MustCompile(`^-?\d+$`)
	decimal      = regexp.MustCompile(`^-?\d+\.\d+$`)
	namedAmount  = regexp.MustCompile(`^(-?\d+(?:\.\d+)?) ([A-Z]{3})$`)
	plainLiteral = regexp.MustCompile(`^[+-]?[0-9.]`)
)

// constant reads one value: its form says its type, and the text is read exactly,
// never through a floating-point number.
func (l *loader) constant(n *yaml.Node) (ref.Val, *cel.Type) {
	s := n.Value
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		return nil, nil // the shape has said so
	case n.Tag == "!!bool":
		return types.Bool(s == "true"), cel.BoolType
	case n.Tag == "!!int" && digits.MatchString(s):
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			l.at(n, "", "the number %s is too large", jcs.Clip(s))
			return nil, nil
		}
		return types.Int(i), cel.IntType
	case n.Tag == "!!float" && decimal.MatchString(s):
		if m, ok := l.decimalAmount(n, s, l.v.currency); ok {
			return &moneyValue{m}, moneyType
		}
		return nil, nil
	case n.Tag == "!!int" || n.Tag == "!!float":
		l.at(n, "digits, and a point with decimals for an amount: 30000 or 30000.50", "the number %q is not written plainly", jcs.Clip(s))
		return nil, nil
	}
	if m := namedAmount.FindStringSubmatch(s); m != nil {
		amount, ok := l.decimalAmount(n, m[1], m[2])
		if !ok {
			return nil, nil
		}
		return &moneyValue{amount}, moneyType
	}
	if d, ok := parseDuration(s); ok {
		return types.Duration{Duration: d}, cel.DurationType
	}
	if t, ok := parseDate(s); ok {
		return types.Timestamp{Time: t}, cel.TimestampType
	}
	if n.Tag != "!!str" {
		l.at(n, "put it in quotes if a text is meant", "%q: want a number, an amount, a duration, a day, true, false or a text", jcs.Clip(s))
		return nil, nil
	}
	return types.String(s), cel.StringType
}

// decimalAmount reads "30000" or "30000.5" as an amount: fewer decimals than the
// currency has are filled up, more are an error.
func (l *loader) decimalAmount(n *yaml.Node, s, currency string) (signal.Money, bool) {
	exp, ok := countersign.Exponent(currency)
	if !ok {
		l.at(n, "three upper-case letters, as EUR", "currency %q is not an ISO 4217 currency", jcs.Clip(currency))
		return signal.Money{}, false
	}
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) < exp {
		frac += strings.Repeat("0", exp-len(frac))
	}
	written := whole
	if frac != "" {
		written += "." + frac
	}
	m, err := signal.ParseMoney(countersign.Amount{Value: written, Currency: currency})
	if err != nil {
		l.at(n, "", "%v", err)
		return m, false
	}
	return m, true
}

// amount reads an amount of the signals section: a number, "10000.00 USD" or the
// name of a constant.
func (l *loader) amount(n *yaml.Node) (signal.Money, bool) {
	if n == nil {
		return signal.Money{}, false
	}
	var v ref.Val
	if i := slices.IndexFunc(l.v.constants, func(c constantDef) bool { return c.name == n.Value }); i >= 0 {
		v = l.v.constants[i].value
		l.v.constants[i].money = true
	} else if plainLiteral.MatchString(n.Value) {
		if v, _ = l.constant(n); v == nil {
			return signal.Money{}, false
		}
	} else {
		l.at(n, didYouMean(n.Value, l.constantNames()), "there is no constant %q", jcs.Clip(n.Value))
		return signal.Money{}, false
	}
	switch v := v.(type) {
	case *moneyValue:
		if v.Minor > 0 {
			return v.Money, true
		}
	case types.Int:
		if m, ok := units(int64(v), l.v.currency); ok && m.Minor > 0 {
			return m, true
		}
	}
	l.at(n, "write 30000, 30000.50 or \"10000.00 USD\"", "%q is not an amount above zero", jcs.Clip(n.Value))
	return signal.Money{}, false
}

func (l *loader) constantNames() []string {
	out := make([]string, len(l.v.constants))
	for i, c := range l.v.constants {
		out[i] = c.name
	}
	return out
}

func (l *loader) lists(n *yaml.Node) {
	l.v.listTexts = map[string]string{}
	pairs(n, func(key, val *yaml.Node) {
		w := &wordList{name: key.Value, entries: map[string]time.Time{}}
		l.v.lists = append(l.v.lists, w)
		file, entries := member(val, "file"), member(val, "entries")
		if (file == nil) == (entries == nil) {
			l.at(key, "", "list %q: want either file or entries", jcs.Clip(key.Value))
			return
		}
		if file != nil {
			l.listFile(file, w)
			return
		}
		for _, e := range entries.Content {
			until, _ := parseDate(value(member(e, "until")))
			if v := value(member(e, "value")); v != "" && !w.add(v, endOf(until)) {
				l.at(e, "", "%q stands twice in list %q", jcs.Clip(v), w.name)
			}
		}
	})
	for name := range l.src.Lists {
		if _, used := l.v.listTexts[name]; !used {
			l.fail(0, 0, "", "a text was given for the list %q, which the policy does not keep in a file", jcs.Clip(name))
		}
	}
}

func (w *wordList) add(v string, until time.Time) bool {
	_, twice := w.entries[v]
	w.entries[v] = until
	return !twice
}

// listFile reads a CSV file (RFC 4180) with a header line.
func (l *loader) listFile(n *yaml.Node, w *wordList) {
	content, ok := l.src.Lists[w.name]
	if !ok {
		l.at(n, "the path is relative to the policy's file", "the file %q of list %q was not found", jcs.Clip(n.Value), w.name)
		return
	}
	l.v.listTexts[w.name] = content
	in := &document{file: n.Value}
	defer func() { l.errors = append(l.errors, in.errors...) }()
	if len(content) > MaxBytes || !utf8.ValidString(content) {
		in.fail(0, 0, "", "want valid UTF-8 of at most %d bytes", MaxBytes)
		return
	}
	in.lines = strings.Split(strings.ReplaceAll(content, "\r\n", "\n"), "\n")
	r := csv.NewReader(strings.NewReader(content))
	r.FieldsPerRecord = 4
	for first := true; ; first = false {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			if first {
				in.fail(0, 0, "begin with the line value,owner,because,until", "the list is empty")
			}
			return
		}
		if err != nil {
			line := 0
			if pe := (*csv.ParseError)(nil); errors.As(err, &pe) {
				line, err = pe.Line, pe.Err
			}
			in.fail(line, 1, "four columns: value,owner,because,until", "%v", err)
			return
		}
		line, _ := r.FieldPos(0)
		if first {
			if !slices.Equal(rec, []string{"value", "owner", "because", "until"}) {
				in.fail(line, 1, "the first line is value,owner,because,until", "unknown columns %q", jcs.Clip(strings.Join(rec, ",")))
				return
			}
			continue
		}
		until, ok := parseDate(rec[3])
		switch {
		case !ok:
			in.fail(line, 1, "a day, as 2027-03-31", "until: %q is not a day", jcs.Clip(rec[3]))
		case rec[0] == "" || rec[1] == "" || rec[2] == "":
			in.fail(line, 1, "every entry has a value, an owner and a reason", "a column is empty")
		case !w.add(rec[0], endOf(until)):
			in.fail(line, 1, "", "%q stands twice", jcs.Clip(rec[0]))
		}
	}
}

// names refuses constants and lists that would hide a fact or one another.
func (l *loader) names() {
	taken := map[string]string{}
	for _, v := range variables {
		taken[v.name] = "a fact"
	}
	for name := range severities {
		taken[name] = "a severity"
	}
	for _, name := range []string{"finding", "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
		"import", "let", "loop", "package", "namespace", "return", "var", "void", "while", "bool", "int", "uint", "double", "string", "bytes",
		"list", "map", "type", "dyn", "has", "all", "exists", "exists_one", "filter", "size", "duration", "timestamp", "matches"} {
		taken[name] = "a word of the language"
	}
	for _, section := range []string{"constants", "lists"} {
		pairs(member(l.root, section), func(key, _ *yaml.Node) {
			if what, ok := taken[key.Value]; ok {
				l.at(key, "choose another name", "%q is already %s", jcs.Clip(key.Value), what)
				return
			}
			taken[key.Value] = "one of " + section
		})
	}
	l.v.constants = slices.DeleteFunc(l.v.constants, func(c constantDef) bool { return taken[c.name] != "one of constants" })
	l.v.lists = slices.DeleteFunc(l.v.lists, func(w *wordList) bool { return taken[w.name] != "one of lists" })
}

// signals lets each signal read its own settings.
func (l *loader) signals(n *yaml.Node) {
	s := signal.DefaultSettings(l.v.currency)
	for _, sig := range signal.Catalogue() {
		if at := member(n, sig.Name); at != nil {
			sig.Read(&s, written{l, at})
		}
	}
	l.v.settings = s
}

// callback is the one attestation that every policy has.
const callback = "I called the vendor back on a number that we had before this request, and they confirmed it."

func (l *loader) attestations(n *yaml.Node) {
	l.v.attestations = map[string]string{"callback": callback}
	pairs(n, func(key, val *yaml.Node) { l.v.attestations[key.Value] = val.Value })
}

func (l *loader) approvers(n *yaml.Node) {
	d := &l.v.defaults
	d.groupAt, d.decideAt, d.releaseAt = member(n, "default"), member(n, "decide_within"), member(n, "release_within")
	d.groups = sortedSet(values(d.groupAt))
	d.decideWithin, d.releaseWithin = defaultDecideWithin, defaultReleaseWithin
	if d.decideAt != nil {
		d.decideWithin = seconds(d.decideAt)
	}
	if d.releaseAt != nil {
		d.releaseWithin = seconds(d.releaseAt)
	}
	l.reminders(member(n, "remind_before"))
	l.escalation(member(n, "escalate"))
}

// reminders reads when people are told again; a time before the submission itself
// would be told never.
func (l *loader) reminders(n *yaml.Node) {
	if n == nil {
		return
	}
	d := &l.v.defaults
	for _, c := range n.Content {
		before := seconds(c)
		if before >= d.decideWithin {
			l.at(c, "remind later, or lengthen decide_within", "%s before the end is before the beginning: decide_within is %s", span(before), span(d.decideWithin))
		}
		d.reminders = append(d.reminders, before)
	}
	d.reminders = sortedSet(d.reminders)
}

func (l *loader) escalation(n *yaml.Node) {
	if n == nil {
		return
	}
	d := &l.v.defaults
	at := member(n, "after")
	d.escalate = &countersign.Escalate{After: seconds(at), To: sortedSet(values(member(n, "to")))}
	if at != nil && d.escalate.After >= d.decideWithin {
		l.at(at, "escalate sooner, or lengthen decide_within", "after %s the request has expired: decide_within is %s", span(d.escalate.After), span(d.decideWithin))
	}
}

// kindsExist refuses kinds that nobody can submit.
func (l *loader) kindsExist(n *yaml.Node) {
	if n == nil {
		return
	}
	for i, c := range n.Content {
		known := countersign.BuiltinKind(c.Value) || countersign.InternalKind(c.Value) || slices.Contains(l.src.Kinds, c.Value)
		switch {
		case c.Kind != yaml.ScalarNode:
		case !known:
			l.at(c, didYouMean(c.Value, l.kinds()), "there is no kind %q", jcs.Clip(c.Value))
		case slices.ContainsFunc(n.Content[:i], func(o *yaml.Node) bool { return o.Value == c.Value }):
			l.at(c, "", "%q stands twice", jcs.Clip(c.Value))
		}
	}
}

// kinds lists every kind that can be submitted.
func (l *loader) kinds() []string {
	return append([]string{countersign.KindPurchaseRequest, countersign.KindPurchaseOrder, countersign.KindInvoice,
		countersign.KindPayment, countersign.KindPaymentBatch, countersign.KindVendorCreate, countersign.KindVendorBankChange,
		countersign.KindVendorContactChange}, l.src.Kinds...)
}
