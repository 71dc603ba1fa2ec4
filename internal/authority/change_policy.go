package authority

import (
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

var policyPublish = register(change{
	kind:      countersign.KindPolicyPublish,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  secondPerson,
	proposers: thoseWhoDecide,
	assurance: countersign.AssurancePhishingResistant,
	about:     aboutNobody,
	fields: eachOnce(func(ch countersign.Change) string {
		if name, list := strings.CutPrefix(ch.Field, "list:"); ch.Field == "policy" || list && name != "" {
			return ch.Field
		}
		return ""
	}),
	from:  fromPolicy,
	still: byItsCheck,
	names: noNames,
	check: func(a *Authority, tx *store.Tx, d *countersign.Document) error {
		_, err := a.proposedPolicy(tx, d)
		return err
	},
	apply: func(a *Authority, tx *store.Tx, g agreed) error {
		v, err := a.proposedPolicy(tx, g.doc)
		if err != nil {
			return err
		}
		return publishPolicy(tx, v, g.actor)
	},
})

// proposedPolicy loads the policy text that a proposal carries: the text is the
// document, so that what is signed is what is published. Lists stand in changes
// named "list:NAME".
func (a *Authority) proposedPolicy(tx *store.Tx, d *countersign.Document) (*policy.Version, error) {
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	if err := fromInForce(tx, d); err != nil {
		return nil, err
	}
	src := policy.Source{File: "policy", Lists: map[string]string{}, Options: a.policyOptions(at)}
	for _, ch := range d.Changes {
		if name, ok := strings.CutPrefix(ch.Field, "list:"); ok {
			src.Lists[name] = ch.To
		} else if ch.Field == "policy" {
			src.Text = []byte(ch.To)
		}
	}
	v, err := policy.Load(src)
	if err != nil {
		return nil, countersign.NewProblem(countersign.CodeInvalid, "the policy does not load: %v", err).
			WithHint("countersign policy check shows every problem")
	}
	return v, nil
}

// fromPolicy completes a proposed policy by the one in force, so that whoever decides sees
// what is different. Where both are more than a document holds, it is left out; what is
// said wrongly is refused afterwards.
func fromPolicy(tx *store.Tx, d *countersign.Document) error {
	stored, err := tx.CurrentPolicy()
	if err != nil {
		return err
	}
	live, err := parseBody(stored.Body)
	if err != nil {
		return err
	}
	draft := PolicyDraft{Lists: map[string]string{}}
	for _, ch := range d.Changes {
		if name, list := strings.CutPrefix(ch.Field, "list:"); list {
			draft.Lists[name] = ch.To
		} else {
			draft.Text = ch.To
		}
	}
	changes := slices.Clone(d.Changes)
	for _, full := range PolicyChanges(PolicyView{Text: string(live.Text), Lists: live.Lists}, draft) {
		for i := range changes {
			if changes[i].Field == full.Field && changes[i].From == "" {
				changes[i].From = full.From
			}
		}
	}
	d.Changes = changes
	return nil
}

// fromInForce refuses a proposal that says of the policy in force what it is not: what
// a person signs as the difference is what happens, or nothing does.
func fromInForce(tx *store.Tx, d *countersign.Document) error {
	stored, err := tx.CurrentPolicy()
	if err != nil {
		return err
	}
	live, err := parseBody(stored.Body)
	if err != nil {
		return err
	}
	for _, ch := range d.Changes {
		have := string(live.Text)
		if name, ok := strings.CutPrefix(ch.Field, "list:"); ok {
			have = live.Lists[name]
		} else if ch.Field != "policy" {
			continue
		}
		if ch.From != "" && ch.From != have {
			return countersign.NewProblem(countersign.CodeConflict, "version %d of the policy was published since, and this was made from another", stored.Version).
				WithHint("begin again from the version in force, and propose it anew")
		}
	}
	return nil
}

// PolicyChanges are the changes of a proposal to publish a draft: the whole of it, from
// what is in force. Where both together are more than a document holds, what was is
// left out: the log has it.
func PolicyChanges(live PolicyView, d PolicyDraft) []countersign.Change {
	out := []countersign.Change{{Field: "policy", From: live.Text, To: d.Text}}
	size := len(live.Text) + len(d.Text)
	names := make([]string, 0, len(d.Lists))
	for name := range d.Lists {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out = append(out, countersign.Change{Field: "list:" + name, From: live.Lists[name], To: d.Lists[name]})
		size += len(live.Lists[name]) + len(d.Lists[name])
	}
	if size > countersign.MaxDocumentBytes*3/4 { // JSON writes line ends and quotes in two characters
		for i := range out {
			out[i].From = ""
		}
	}
	return out
}
