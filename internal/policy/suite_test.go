package policy

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const smallSuite = `facts:
  now: 2026-11-24T09:00:00Z
  document: {kind: invoice, id: "1", revision: "1", amount: {value: 900.00, currency: EUR}, requester: {type: person, id: r}}
cases:
  - name: silent
    want: {outcome: allow, rules: []}
  - name: wrong on purpose
    facts: {document: {amount: {value: 5000.00}}}
    want: {outcome: allow, rules: [], require: {assurance: hardware, hold: 1h, reason: true}, sentences: [x], missing: [y], hidden: [large]}
`

// TestSuiteFindsWhatIsWrong: a suite that cannot fail would be worth nothing.
func TestSuiteFindsWhatIsWrong(t *testing.T) {
	v := load(t, smallPolicy)
	s, err := ParseSuite("p_test.yaml", []byte(smallSuite))
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run(v)
	if r.Failed != 1 || len(r.Cases[0].Failures) != 0 || len(r.Cases[1].Failures) != 8 {
		t.Errorf("%+v", r.Cases)
	}
	if u := v.Uncovered(r); len(u) != 0 {
		t.Errorf("uncovered %v", u)
	}
	var text, js, junit bytes.Buffer
	if err := r.WriteText(&text, []string{"large"}); err != nil || !strings.Contains(text.String(), "p_test.yaml:7: wrong on purpose\n    outcome: want allow, have step_up\n") ||
		!strings.HasSuffix(text.String(), "1 of 2 cases passed\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if err := r.WriteJSON(&js); err != nil || !json.Valid(js.Bytes()) || !strings.Contains(js.String(), `"failed": 1`) {
		t.Errorf("%v\n%s", err, js.String())
	}
	if err := r.WriteJUnit(&junit); err != nil {
		t.Fatal(err)
	}
	var back junitSuite
	if err := xml.Unmarshal(junit.Bytes(), &back); err != nil || back.Tests != 2 || back.Failures != 1 || back.Cases[1].Failure == nil || back.Cases[0].Failure != nil {
		t.Errorf("%v\n%s", err, junit.String())
	}
}

func TestSuiteUncovered(t *testing.T) {
	s, err := ParseSuite("p_test.yaml", []byte(smallSuite[:strings.Index(smallSuite, "  - name: wrong")]))
	if err != nil {
		t.Fatal(err)
	}
	v := load(t, smallPolicy)
	if u := v.Uncovered(s.Run(v)); len(u) != 1 || u[0] != "large" {
		t.Errorf("uncovered %v", u)
	}
}

func TestSuiteErrors(t *testing.T) {
	for name, text := range map[string]string{
		"unknown fact":   strings.Replace(smallSuite, "now:", "nwo:", 1),
		"unknown want":   strings.Replace(smallSuite, "rules: []", "ruls: []", 1),
		"unknown key":    strings.Replace(smallSuite, "cases:", "cass:", 1),
		"no document":    strings.Replace(smallSuite, "900.00", "900", 1),
		"alias":          strings.Replace(smallSuite, "name: silent", "name: &a silent", 1),
		"duplicate name": strings.Replace(smallSuite, "want: {outcome: allow, rules: []}", "want: {outcome: allow}\n    want: {outcome: deny}", 1),
	} {
		if _, err := ParseSuite("p_test.yaml", []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSchema holds the JSON Schema against policies that load and some that do not.
func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	pack, err := os.ReadFile("../../policies/procurement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		inst, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(inst)
	}
	for _, text := range []string{string(pack), smallPolicy, manyRules(3)} {
		if err := valid(text); err != nil {
			t.Errorf("a policy that loads does not fit the schema: %v", err)
		}
	}
	for _, change := range [][2]string{{"currency: EUR", "currency: euro"}, {"assurance: mfa", "assurance: strong"}, {"when:", "whenn:"},
		{"name: large", "nam: large"}, {"default: [approvers]", "default: approvers"}, {"policy: p\n", ""}} {
		if valid(strings.Replace(smallPolicy, change[0], change[1], 1)) == nil {
			t.Errorf("the schema admits %q", change[1])
		}
	}
}
