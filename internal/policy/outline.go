package policy

import (
	"encoding/csv"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Outline is what a policy's text has in it, for a page that shows it: where each rule
// begins, and what stands in its lists. It says nothing about whether the policy loads.
type Outline struct {
	Name  string
	Rules []RuleLine
	Lists []ListOutline
}

// RuleLine is where a rule begins.
type RuleLine struct {
	Name string
	Line int // from 1
	Deny bool
}

// ListOutline is one list with its entries, in their order.
type ListOutline struct {
	Name    string
	File    string // path as the policy writes it; "" where the entries stand in the policy
	Line    int    // of the list's name in the policy
	Entries []ListEntry
}

// ListEntry is one entry of a list, with who answers for it and until when.
type ListEntry struct {
	Value, Owner, Because string
	Until                 time.Time // the first moment at which it no longer counts; zero where that cannot be read
}

// OutlineOf reads what a policy has in it, from its text and the texts of the lists
// that it keeps in files. What is not written as it should be is left out.
func OutlineOf(text []byte, lists map[string]string) Outline {
	d := &document{}
	root := d.parse(text)
	o := Outline{Name: value(member(root, "policy"))}
	if rules := member(root, "rules"); rules != nil && rules.Kind == yaml.SequenceNode {
		for _, n := range rules.Content {
			if name := member(n, "name"); name != nil && matches(rulePattern, name.Value) {
				o.Rules = append(o.Rules, RuleLine{Name: name.Value, Line: name.Line, Deny: value(member(n, "deny")) == "true"})
			}
		}
	}
	pairs(member(root, "lists"), func(key, val *yaml.Node) {
		l := ListOutline{Name: key.Value, File: value(member(val, "file")), Line: key.Line}
		if l.File != "" {
			l.Entries = entriesOfFile(lists[l.Name])
		} else if entries := member(val, "entries"); entries != nil {
			for _, n := range entries.Content {
				l.Entries = append(l.Entries, entryOf(value(member(n, "value")), value(member(n, "owner")), value(member(n, "because")), value(member(n, "until"))))
			}
		}
		o.Lists = append(o.Lists, l)
	})
	return o
}

func entryOf(value, owner, because, until string) ListEntry {
	e := ListEntry{Value: value, Owner: owner, Because: because}
	if day, ok := parseDate(until); ok {
		e.Until = endOf(day)
	}
	return e
}

// entriesOfFile reads the lines of a list's file that have its four columns.
func entriesOfFile(content string) []ListEntry {
	r := csv.NewReader(strings.NewReader(content))
	r.FieldsPerRecord = -1
	records, _ := r.ReadAll() // as far as it can be read
	var out []ListEntry
	for i, rec := range records {
		if len(rec) == 4 && (i > 0 || !slices.Equal(rec, []string{"value", "owner", "because", "until"})) {
			out = append(out, entryOf(rec[0], rec[1], rec[2], rec[3]))
		}
	}
	return out
}
