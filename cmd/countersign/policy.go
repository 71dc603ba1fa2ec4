package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/policies"
)

// policyCmd holds the commands about policies.
type policyCmd struct {
	Check   policyCheckCmd   `cmd:"" help:"Say everything that is wrong with a policy."`
	Test    policyTestCmd    `cmd:"" help:"Run the tests that stand beside a policy."`
	Explain policyExplainCmd `cmd:"" help:"Show every rule for one set of facts: its condition, the value of every part, and why it counted or not."`
	Schema  policySchemaCmd  `cmd:"" help:"Print the JSON Schema of the policy file, for editors."`
	Try     tryCmd           `cmd:"" help:"Say what a policy would have done to your own purchases."`
	Publish policyPublishCmd `cmd:"" help:"Propose a policy on the running server; a second person decides."`
}

// policyOptions are facts about the installation that a policy depends on.
type policyOptions struct {
	Hardware bool     `help:"Attestation roots are configured: assurance hardware may be asked for."`
	Witness  bool     `help:"Witnesses are configured: a rule may wait for one."`
	Kinds    []string `name:"kinds" placeholder:"KIND" help:"Custom kinds of documents that are configured."`
}

// source reads a policy and the lists that it keeps in files beside it.
func (o *policyOptions) source(p *process, file string) (policy.Source, error) {
	text, err := p.read(file, policy.MaxBytes)
	if err != nil {
		return policy.Source{}, err
	}
	folder := filepath.Dir(file)
	lists, err := policy.ReadLists(text, func(path string) (io.ReadCloser, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		return os.Open(path)
	})
	if err != nil {
		return policy.Source{}, withHint(fmt.Errorf("%s: a list: %w", file, err), "paths of lists are relative to the policy's folder")
	}
	return policy.Source{File: file, Text: text, Lists: lists, Options: policy.Options{Hardware: o.Hardware, Witness: o.Witness, Kinds: o.Kinds}}, nil
}

// load loads a policy from a file, or the pack that ships for "".
func (o *policyOptions) load(p *process, file string) (*policy.Version, error) {
	if file == "" {
		text, err := policies.Files.ReadFile(policies.Procurement)
		if err != nil {
			return nil, err
		}
		return policy.Load(policy.Source{File: policies.Procurement, Text: text})
	}
	src, err := o.source(p, file)
	if err != nil {
		return nil, err
	}
	v, err := policy.Load(src)
	var errs policy.Errors
	if errors.As(err, &errs) {
		return nil, fmt.Errorf("the policy does not load\n%w", errs)
	}
	return v, err
}

type policyCheckCmd struct {
	policyOptions
	File string `arg:"" help:"The policy."`
	JSON bool   `name:"json" help:"Write JSON."`
}

func (c *policyCheckCmd) Run(p *process) error {
	src, err := c.source(p, c.File)
	if err != nil {
		return err
	}
	errs := policy.Check(src)
	if c.JSON {
		return c.writeJSON(p, src, errs)
	}
	if len(errs) > 0 {
		fmt.Fprintln(p.err, errs)
		problems := "1 problem"
		if len(errs) > 1 {
			problems = fmt.Sprintf("%d problems", len(errs))
		}
		return fmt.Errorf("%s: %s", c.File, problems)
	}
	v, err := policy.Load(src)
	if err != nil {
		return err
	}
	p.printf("%s: policy %s, %d rules, no problems\n%s\n", c.File, v.Name(), len(v.Rules()), v.Digest())
	return nil
}

func (c *policyCheckCmd) writeJSON(p *process, src policy.Source, errs policy.Errors) error {
	out := struct {
		OK       bool               `json:"ok"`
		Policy   string             `json:"policy,omitempty"`
		Digest   countersign.Digest `json:"digest,omitempty"`
		Rules    []policy.RuleInfo  `json:"rules,omitempty"`
		Problems policy.Errors      `json:"problems"`
	}{OK: len(errs) == 0, Problems: errs}
	if out.OK {
		out.Problems = policy.Errors{}
		v, err := policy.Load(src)
		if err != nil {
			return err
		}
		out.Policy, out.Digest, out.Rules = v.Name(), v.Digest(), v.Rules()
	}
	if err := p.json(out); err != nil || out.OK {
		return err
	}
	return errSaid
}

type policyTestCmd struct {
	policyOptions
	File  string `arg:"" optional:"" help:"The policy. Without one, the policy of the only NAME_test.yaml in this folder."`
	Tests string `placeholder:"FILE" help:"The tests, where they are not in NAME_test.yaml beside the policy NAME.yaml."`
	JSON  bool   `name:"json" xor:"form" help:"Write JSON."`
	JUnit bool   `name:"junit" xor:"form" help:"Write a JUnit report."`
}

const testsSuffix = "_test"

// files finds the policy and its tests.
func (c *policyTestCmd) files() (file, tests string, err error) {
	file, tests = c.File, c.Tests
	if file == "" {
		found, err := filepath.Glob("*" + testsSuffix + ".yaml")
		if err != nil {
			return "", "", err
		}
		if len(found) != 1 {
			return "", "", usage("%d files NAME_test.yaml in this folder: name the policy", len(found))
		}
		file = found[0]
	}
	ext := filepath.Ext(file)
	name := strings.TrimSuffix(file, ext)
	if policyName, isTests := strings.CutSuffix(name, testsSuffix); isTests {
		name, file = policyName, policyName+ext
	}
	if tests == "" {
		tests = name + testsSuffix + ext
	}
	return file, tests, nil
}

func (c *policyTestCmd) Run(p *process) error {
	file, tests, err := c.files()
	if err != nil {
		return err
	}
	v, err := c.load(p, file)
	if err != nil {
		return err
	}
	content, err := p.read(tests, policy.MaxBytes)
	if err != nil {
		return withHint(err, "the tests of a policy NAME.yaml stand beside it in NAME_test.yaml; --tests names another file")
	}
	suite, err := policy.ParseSuite(tests, content)
	if err != nil {
		return err
	}
	result := suite.Run(v)
	switch {
	case c.JSON:
		err = result.WriteJSON(p.out)
	case c.JUnit:
		err = result.WriteJUnit(p.out)
	default:
		err = result.WriteText(p.out, v.Uncovered(result))
	}
	if err == nil && result.Failed > 0 {
		err = errSaid
	}
	return err
}

type policyExplainCmd struct {
	policyOptions
	File  string `arg:"" help:"The policy."`
	Facts string `arg:"" help:"The facts, as JSON: those of a stored decision, or of a test. - reads them from the input."`
	Stage string `default:"submit" enum:"submit,person,release" help:"When the policy is asked: submit, person or release."`
	JSON  bool   `name:"json" help:"Write JSON."`
}

// maxFacts bounds facts: a document of the largest size and everything around it.
const maxFacts = 8 << 20

func (c *policyExplainCmd) Run(p *process) error {
	v, err := c.load(p, c.File)
	if err != nil {
		return err
	}
	data, err := p.read(c.Facts, maxFacts)
	if err != nil {
		return err
	}
	f, err := signal.ParseFacts(data)
	if err != nil {
		return withHint(fmt.Errorf("%s: %w", c.Facts, err), "what is not known is left out; an empty list says that there is none")
	}
	x := v.Explain(f, policy.Stage(c.Stage))
	if c.JSON {
		return p.json(x)
	}
	p.printf("%s", explained(x))
	return nil
}

// explained writes an explanation for people.
func explained(x policy.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "outcome: %s\n", x.Outcome)
	if x.Refusal != "" {
		fmt.Fprintf(&b, "refused: %s\n", x.Refusal)
	}
	writeRequirement(&b, x.Requirement)
	var others []string
	for _, r := range x.Rules {
		if !r.Applies {
			others = append(others, r.Rule)
			continue
		}
		mark := " "
		if r.Counts {
			mark = "*"
		}
		fmt.Fprintf(&b, "\n%s %s (line %d): %s\n", mark, r.Rule, r.Line, r.Why)
		for _, s := range r.Steps {
			fmt.Fprintf(&b, "    %s%s = %s\n", strings.Repeat("  ", s.Depth), s.Expression, s.Value)
		}
	}
	if len(others) > 0 {
		fmt.Fprintf(&b, "\nnot for such a document: %s\n", strings.Join(others, ", "))
	}
	b.WriteString("\nsignals\n")
	for _, f := range x.Findings {
		fmt.Fprintf(&b, "  %-30s %s", f.Signal, f.State)
		switch {
		case f.State == countersign.Unknown:
			fmt.Fprintf(&b, ": not known: %s", strings.Join(f.Missing, ", "))
		case f.Value != "":
			fmt.Fprintf(&b, ": %s (%s)", f.Value, f.Comparison)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func writeRequirement(b *strings.Builder, r countersign.Requirement) {
	if r.Outcome != countersign.OutcomeStepUp {
		return
	}
	fmt.Fprintf(b, "assurance: %s, no factor older than %d s\n", r.Assurance, r.MaxAge)
	for _, c := range r.Clauses {
		from := strings.Join(c.From, " or ")
		if from == "" {
			from = "the approver who is named"
		}
		outside := ""
		if c.OutsideChain {
			outside = ", outside the requester's line"
		}
		fmt.Fprintf(b, "approvers: %d of %s%s\n", c.Count, from, outside)
	}
	for _, a := range r.Attestations {
		fmt.Fprintf(b, "attestation: %s\n", a.Question)
	}
	if r.Hold > 0 {
		fmt.Fprintf(b, "hold: %d s after the last decision\n", r.Hold)
	}
	if r.Reason {
		b.WriteString("a written reason is required\n")
	}
}

type policySchemaCmd struct{}

func (c *policySchemaCmd) Run(p *process) error {
	_, err := p.out.Write(policy.Schema())
	return err
}
