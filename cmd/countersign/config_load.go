package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/policy"
	"go.yaml.in/yaml/v3"
)

// setting is one member of [Config] with what its tags say.
type setting struct {
	name, standard, doc, example string
	value                        reflect.Value
}

func settingsOf(c *Config) []setting {
	v := reflect.ValueOf(c).Elem()
	out := make([]setting, v.NumField())
	for i := range out {
		t := v.Type().Field(i).Tag
		out[i] = setting{t.Get("yaml"), t.Get("default"), t.Get("doc"), t.Get("example"), v.Field(i)}
	}
	return out
}

func (s *setting) env() string { return envPrefix + strings.ToUpper(s.name) }

// set reads the value from its words; a list has several.
func (s *setting) set(words []string) error {
	if _, list := s.value.Interface().([]netip.Prefix); list {
		return s.setList(words)
	}
	if v, list := s.value.Addr().Interface().(*[]witnessAt); list {
		*v = []witnessAt{}
		for _, word := range words {
			w, err := readWitness(word)
			if err != nil {
				return err
			}
			*v = append(*v, w)
		}
		return nil
	}
	if len(words) != 1 {
		return errors.New("want one value, not a list")
	}
	word := words[0]
	switch v := s.value.Addr().Interface().(type) {
	case *string:
		*v = word
	case *slog.Level:
		var level slog.Level
		if err := level.UnmarshalText([]byte(word)); err != nil || strings.ContainsAny(word, "+-") {
			return fmt.Errorf("%q: want debug, info, warn or error", word)
		}
		*v = level
	default: // a number
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n < 0 || s.value.OverflowInt(n) {
			return fmt.Errorf("%q: want a whole number, 0 or more", word)
		}
		s.value.SetInt(n)
	}
	return nil
}

func (s *setting) setList(words []string) error {
	list := []netip.Prefix{}
	for _, w := range words {
		p, err := netip.ParsePrefix(w)
		if err != nil {
			a, aerr := netip.ParseAddr(w)
			if aerr != nil {
				return fmt.Errorf("%q: want an address or a range, as 10.0.0.0/8", w)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p != p.Masked() {
			return fmt.Errorf("%q has bits beyond its length: write %s", w, p.Masked())
		}
		list = append(list, p)
	}
	s.value.Set(reflect.ValueOf(list))
	return nil
}

// shown is the value in words. A password is left out.
func (s *setting) shown() string {
	switch v := s.value.Interface().(type) {
	case []netip.Prefix:
		words := make([]string, len(v))
		for i, p := range v {
			words[i] = p.String()
		}
		return strings.Join(words, ", ")
	case []witnessAt:
		words := make([]string, len(v))
		for i, w := range v {
			words[i] = w.name() + " at " + w.URL
		}
		return strings.Join(words, ", ")
	case slog.Level:
		return strings.ToLower(v.String())
	case string:
		if isDSN(v) && (s.name == "database" || s.name == "guard") {
			return "(a PostgreSQL database)"
		}
		return v
	}
	return fmt.Sprint(s.value.Interface())
}

// ConfigProblem is one thing that is wrong with a configuration.
type ConfigProblem struct {
	Where   string `json:"where"` // file:line:column, or the environment variable
	Setting string `json:"setting,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (c ConfigProblem) String() string {
	text := c.Where + ": "
	if c.Setting != "" {
		text += c.Setting + ": "
	}
	text += c.Message
	if c.Hint != "" {
		text += "\n  hint: " + c.Hint
	}
	return text
}

// configError is everything that is wrong.
type configError []ConfigProblem

func (e configError) Error() string {
	lines := make([]string, len(e))
	for i, c := range e {
		lines[i] = c.String()
	}
	if len(lines) == 1 {
		return lines[0]
	}
	return fmt.Sprintf("%d problems in the configuration\n%s", len(e), strings.Join(lines, "\n"))
}

func problemsOf(err error) []ConfigProblem {
	var e configError
	errors.As(err, &e)
	return e
}

// configLoader reads a configuration and gathers what is wrong with it.
type configLoader struct {
	c        Config
	settings []setting
	where    map[string]string // setting → where its value comes from
	file     string
	problems configError
}

// Load reads the configuration from a file ("" for none) and the environment, whose
// variables win, fills in what neither says, and checks everything. The error lists
// all that is wrong, each with its place and what to do.
func Load(path string, env []string) (Config, error) {
	l := &configLoader{file: path, where: map[string]string{}}
	l.settings = settingsOf(&l.c)
	for i := range l.settings {
		if s := &l.settings[i]; s.standard != "" {
			if err := s.set([]string{s.standard}); err != nil {
				return l.c, err
			}
		}
	}
	if path != "" {
		data, err := readConfig(path)
		if err != nil {
			return l.c, err
		}
		l.yaml(data)
	}
	l.environment(env)
	if len(l.problems) == 0 {
		l.check()
	}
	if len(l.problems) > 0 {
		return Config{}, l.problems
	}
	return l.c, nil
}

const maxConfig = 1 << 20

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withHint(fmt.Errorf("configuration: %w", err), "countersign config example > %s writes one to start from", path)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxConfig)
	}
	return data, err
}

func (l *configLoader) problem(where, name, hint, format string, args ...any) {
	l.problems = append(l.problems, ConfigProblem{Where: where, Setting: name, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (l *configLoader) at(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", l.file, n.Line, n.Column)
}

// yaml reads the file: one mapping of known names, each once, to a word or a list.
func (l *configLoader) yaml(data []byte) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		l.problem(l.file, "", "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if root.Kind == 0 {
		return // nothing but comments
	}
	m := root.Content[0]
	if m.Kind == yaml.ScalarNode && m.Tag == "!!null" {
		return
	}
	if m.Kind != yaml.MappingNode {
		l.problem(l.at(m), "", "write one setting on each line, as data: ./countersign-data", "want settings by name")
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		s := l.setting(key.Value)
		if s == nil {
			l.unknown(l.at(key), key.Value, key.Value)
			continue
		}
		if line, twice := first[s.name]; twice {
			l.problem(l.at(key), s.name, "", "stands twice, first in line %d", line)
			continue
		}
		first[s.name] = key.Line
		l.where[s.name] = l.at(value)
		words, ok := wordsOf(value)
		if !ok {
			l.problem(l.at(value), s.name, "write it on one line", "want a value or a list of values")
			continue
		}
		if err := s.set(words); err != nil {
			l.problem(l.at(value), s.name, "", "%v", err)
		}
	}
}

// wordsOf returns the words of a value or of a list of values.
func wordsOf(n *yaml.Node) ([]string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return []string{""}, true
		}
		return []string{n.Value}, true
	case yaml.SequenceNode:
		words := []string{}
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return nil, false
			}
			words = append(words, c.Value)
		}
		return words, true
	}
	return nil, false
}

func (l *configLoader) setting(name string) *setting {
	for i := range l.settings {
		if l.settings[i].name == name {
			return &l.settings[i]
		}
	}
	return nil
}

func (l *configLoader) unknown(where, written, name string) {
	names := make([]string, len(l.settings))
	for i := range l.settings {
		names[i] = l.settings[i].name
	}
	hint := "countersign config example prints every setting"
	if n := policy.Nearest(name, names); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	l.problem(where, "", hint, "there is no setting %q", written)
}

// environment reads the variables. A long name that is no setting, but nearly one, is
// a mistake; others belong to other commands.
func (l *configLoader) environment(env []string) {
	names := make([]string, len(l.settings))
	for i := range l.settings {
		names[i] = l.settings[i].name
	}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		short, ours := strings.CutPrefix(name, envPrefix)
		if !ours || value == "" { // an empty variable says nothing
			continue
		}
		s := l.setting(strings.ToLower(short))
		if s == nil || name != s.env() {
			if n := policy.Nearest(short, names); n != "" && len(short) > 5 && policy.Distance(strings.ToLower(short), n) <= 2 {
				l.problem(name, "", fmt.Sprintf("did you mean %s%s?", envPrefix, strings.ToUpper(n)), "there is no such setting")
			}
			continue
		}
		l.where[s.name] = name
		words := []string{value}
		if _, list := s.value.Interface().([]netip.Prefix); list {
			words = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		}
		if _, list := s.value.Interface().([]witnessAt); list {
			words = strings.Split(value, ",")
		}
		if err := s.set(words); err != nil {
			l.problem(name, "", "", "%v", err)
		}
	}
}
