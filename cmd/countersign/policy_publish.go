package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/terminal"
)

// policyPublishCmd proposes a new version of the policy. The text is the document of
// a request, so that what a second person signs is what is published.
type policyPublishCmd struct {
	personFlags
	policyOptions
	File   string `arg:"" help:"The policy. Lists that it keeps in files beside it are published with it."`
	Reason string `required:"" placeholder:"TEXT" help:"What changes, and why: the second person reads it."`
	DryRun bool   `help:"Only show what would change."`
	jsonFlag

	source policy.Source
	digest countersign.Digest
}

// connect loads the policy first.
func (c *policyPublishCmd) connect(p *process) (*connection, error) {
	src, err := c.policyOptions.source(p, c.File)
	if err != nil {
		return nil, err
	}
	v, err := policy.Load(src)
	var errs policy.Errors
	if errors.As(err, &errs) {
		return nil, withHint(fmt.Errorf("the policy does not load\n%w", errs), "countersign policy check %s", c.File)
	} else if err != nil {
		return nil, err
	}
	c.source, c.digest = src, v.Digest()

	return c.asPerson(p)
}

func (c *policyPublishCmd) do(s *server) (answer, error) {
	now, err := get[authority.PolicyView](s, "/v1/policies/current")
	if err != nil {
		return answer{}, err
	}
	if now.Digest == string(c.digest) {
		return answer{}, fmt.Errorf("this is version %d, which is in force already", now.Version)
	}

	shown := s.aside(s.asJSON)
	for _, ch := range policyChanges(now, c.source) {
		shown.printf("--- %s, version %d\n+++ %s, %s\n", ch.Field, now.Version, ch.Field, c.File)
		for _, l := range diff(ch.From, ch.To) {
			shown.printf("%s\n", terminal.Printable(l))
		}
	}
	if c.DryRun {
		return answer{}, nil
	}
	shown.printf("\n")

	return s.propose(countersign.KindPolicyPublish, "policy", c.Reason,
		authority.PolicyChanges(*now, authority.PolicyDraft{Text: string(c.source.Text), Lists: c.source.Lists}))
}

// policyChanges lists the parts that differ: the text, and each list.
func policyChanges(now *authority.PolicyView, src policy.Source) []countersign.Change {
	var out []countersign.Change
	if string(src.Text) != now.Text {
		out = append(out, countersign.Change{Field: "policy", From: now.Text, To: string(src.Text)})
	}
	names := map[string]bool{}
	for name := range src.Lists {
		names[name] = true
	}
	for name := range now.Lists {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if src.Lists[name] != now.Lists[name] {
			out = append(out, countersign.Change{Field: "list:" + name, From: now.Lists[name], To: src.Lists[name]})
		}
	}
	return out
}

const (
	diffContext = 2
	mostDiff    = 4000 // lines of either side that are compared line by line
)

// diff shows the lines that differ, with a little of what stands around them: "-" was,
// "+" is new, "@" says the line in the new text.
func diff(from, to string) []string {
	a, b := strings.Split(strings.TrimSuffix(from, "\n"), "\n"), strings.Split(strings.TrimSuffix(to, "\n"), "\n")
	if from == "" {
		a = nil
	}
	if to == "" {
		b = nil
	}
	if len(a) > mostDiff || len(b) > mostDiff {
		return []string{fmt.Sprintf("@ too long to be compared here: %d lines, now %d", len(a), len(b))}
	}
	edits := script(a, b)
	var out []string
	shown := -1 // the last edit that is in out
	for i, e := range edits {
		if e.mark == ' ' {
			continue
		}
		start := max(shown+1, i-diffContext)
		if start > shown+1 || shown < 0 {
			out = append(out, fmt.Sprintf("@ line %d", edits[start].line))
		}
		for ; start < i; start++ {
			out = append(out, "  "+edits[start].text)
		}
		out = append(out, string(e.mark)+" "+e.text)
		shown = i
		for j := i + 1; j < len(edits) && j <= i+diffContext && edits[j].mark == ' '; j++ {
			out = append(out, "  "+edits[j].text)
			shown = j
		}
	}
	return out
}

type edit struct {
	mark byte // '-', '+' or ' '
	line int  // in the new text, from 1
	text string
}

// script is a shortest way from a to b: their longest common subsequence stays.
func script(a, b []string) []edit {
	longest := make([][]int32, len(a)+1)
	for i := range longest {
		longest[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var out []edit
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, edit{' ', j + 1, b[j]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || longest[i+1][j] >= longest[i][j+1]):
			out = append(out, edit{'-', j + 1, a[i]})
			i++
		default:
			out = append(out, edit{'+', j + 1, b[j]})
			j++
		}
	}
	return out
}
