package policy

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"go.yaml.in/yaml/v3"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// Version is one loaded policy. It is immutable and safe for concurrent use.
type Version struct {
	name      string
	currency  string
	text      string
	listTexts map[string]string
	digest    countersign.Digest

	settings     signal.Settings
	constants    []constantDef
	lists        []*wordList
	attestations map[string]string
	defaults     defaults
	refuseVouch  []string
	watchers     []string
	rules        []*rule
	exceptions   []*exception

	env  *environment
	pool sync.Pool // of *activation
}

type defaults struct {
	groups                       []string
	decideWithin, releaseWithin  int // seconds
	reminders                    []int
	escalate                     *countersign.Escalate
	decideAt, releaseAt, groupAt *yaml.Node
}

type constantDef struct {
	name   string
	value  ref.Val
	typ    *cel.Type
	secret bool
	// money says that the constant is compared with amounts, so that sentences write
	// it as one.
	money bool
}

// The defaults of a policy that names none (seconds).
const (
	defaultDecideWithin  = 7 * 24 * 3600
	defaultReleaseWithin = 30 * 24 * 3600
	defaultMaxAge        = 15 * 60
)

// Load checks and compiles a policy. The error is [Errors]: everything that is
// wrong, each with its file, line, column, the line itself and a hint. A source
// with any error has no version.
func Load(src Source) (*Version, error) {
	l := &loader{document: document{file: src.File}, src: src}
	v := l.load()
	if len(l.errors) > 0 {
		slices.SortStableFunc(l.errors, func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, l.errors
	}
	return v, nil
}

// Check returns everything that is wrong with a policy, and nil when it loads.
func Check(src Source) Errors {
	var errs Errors
	if _, err := Load(src); errors.As(err, &errs) {
		return errs
	}
	return nil
}

// Files returns the files that the policy keeps lists in: the name of each list
// and the path as the policy writes it, relative to the policy's own file. It says
// nothing about whether the policy loads.
func Files(policyText []byte) map[string]string {
	d := &document{}
	root := d.parse(policyText)
	out := map[string]string{}
	lists := member(root, "lists")
	if lists == nil || lists.Kind != yaml.MappingNode {
		return out
	}
	for i := 0; i+1 < len(lists.Content); i += 2 {
		if path := value(member(lists.Content[i+1], "file")); path != "" {
			out[lists.Content[i].Value] = path
		}
	}
	return out
}

// ReadLists reads the list files of a policy through open, which gets each path as
// the policy writes it.
func ReadLists(policyText []byte, open func(path string) (io.ReadCloser, error)) (map[string]string, error) {
	lists := map[string]string{}
	for name, path := range Files(policyText) {
		r, err := open(path)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
		lists[name] = string(b)
	}
	return lists, nil
}

// Name is the policy's name.
func (v *Version) Name() string { return v.name }

// Currency is the currency in which amounts are compared.
func (v *Version) Currency() string { return v.currency }

// Text is the policy's text as it was loaded.
func (v *Version) Text() string { return v.text }

// Lists returns the text of every list that is kept in a file, by the list's name.
func (v *Version) Lists() map[string]string {
	out := make(map[string]string, len(v.listTexts))
	for k, t := range v.listTexts {
		out[k] = t
	}
	return out
}

// Digest is the digest of text and lists together: [Version.Canonical]'s.
func (v *Version) Digest() countersign.Digest { return v.digest }

// Canonical returns the bytes that the digest is of, which is also the value of
// the log's opening "policy": {"lists":{NAME:TEXT,…},"text":TEXT}.
func (v *Version) Canonical() []byte { return canonicalBytes(v.text, v.listTexts) }

func canonicalBytes(text string, lists map[string]string) []byte {
	if lists == nil {
		lists = map[string]string{}
	}
	b, err := countersign.Canonical(struct {
		Lists map[string]string `json:"lists"`
		Text  string            `json:"text"`
	}{lists, text})
	if err != nil { // strings that are valid UTF-8, which loading has checked
		panic(err)
	}
	return b
}

// Windows returns the sums that the store must compute inside the transaction that
// writes a request, see [signal.Window].
func (v *Version) Windows() []signal.Window { return v.settings.Windows() }

// Currencies returns the currencies other than the policy's own that its
// conditions and settings name: their rates are needed beside the document's.
func (v *Version) Currencies() []string {
	seen := currenciesIn(v.text)
	add := func(m signal.Money) {
		if !m.IsZero() {
			seen = append(seen, m.Currency)
		}
	}
	for _, m := range v.settings.Amounts() {
		add(m)
	}
	for _, c := range v.constants {
		if m, ok := c.value.(*moneyValue); ok {
			add(m.Money)
		}
	}
	slices.Sort(seen)
	return slices.DeleteFunc(slices.Compact(seen), func(c string) bool { return c == v.currency })
}

// Settings returns the settings of the signals.
func (v *Version) Settings() signal.Settings { return v.settings }

// Groups returns every group that the policy names: a group without members makes
// requests unsatisfiable.
func (v *Version) Groups() []string {
	groups := slices.Concat(v.defaults.groups, v.watchers)
	if e := v.defaults.escalate; e != nil {
		groups = append(groups, e.To...)
	}
	for _, r := range v.rules {
		for _, c := range r.requirement.Clauses {
			groups = append(groups, c.From...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// RuleInfo describes one rule for a list of rules.
type RuleInfo struct {
	Name        string                  `json:"name"`
	For         []string                `json:"for,omitempty"`
	When        string                  `json:"when,omitempty"`
	Deny        bool                    `json:"deny,omitempty"`
	Requirement countersign.Requirement `json:"requirement,omitzero"`
	Line        int                     `json:"line"`
	// Person: the rule turns on who approves.
	Person bool `json:"person,omitempty"`
	// Separation: it is about separation of duties, and has no exceptions.
	Separation bool `json:"separation,omitempty"`
}

// Rules describes the rules in the order of the file.
func (v *Version) Rules() []RuleInfo {
	out := make([]RuleInfo, len(v.rules))
	for i, r := range v.rules {
		out[i] = RuleInfo{Name: r.name, For: slices.Clone(r.kinds), When: strings.TrimSpace(r.source), Deny: r.deny,
			Requirement: r.requirement, Line: r.line, Person: r.uses.person, Separation: r.uses.separation}
	}
	return out
}

// rule is one compiled rule.
type rule struct {
	name        string
	line        int
	kinds       []string // nil: all
	source      string   // the condition's text; empty: always
	condition   *condition
	deny        bool
	requirement countersign.Requirement // where it steps up
	onUnknown   countersign.Requirement // what an unknown condition asks
	recordOnly  bool
	because     *sentence
	uses        uses
}

// exception silences one rule.
type exception struct {
	rule      string
	line      int
	condition *condition
	until     time.Time // first moment at which it no longer counts
	words     string    // for a reason: who, why, until when
}
