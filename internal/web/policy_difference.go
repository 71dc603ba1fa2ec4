package web

import (
	"maps"
	"net/http"
	"slices"

	"github.com/countersign/countersign/internal/authority"
)

// differenceView is the page of what differs between two versions of the policy.
type differenceView struct {
	From, To string
	Versions []option
	Texts    []textDifference
	Swapped  string // address of the same, the other way round
}

// textDifference is what differs in one text: the policy's, or a list's.
type textDifference struct {
	Name string // "" for the policy itself
	Diff Diff
	Same bool
}

func showPolicyDifference(v *visit) error {
	from, err := v.policyVersion("from")
	if err != nil {
		return err
	}
	to, err := v.policyVersion("to")
	if err != nil {
		return err
	}
	d, err := v.org.PolicyDifference(v.ctx(), *v.session, from, to)
	if err != nil {
		return err
	}
	w := v.policyReader(nil).difference(&d.Was, &d.Now)
	for _, one := range d.Versions {
		w.Versions = append(w.Versions, option{Value: versionText(one.Version), Text: versionText(one.Version)})
	}
	return v.render(view{name: "policy-difference", title: v.t("policy.difference.window", "from", w.From, "to", w.To), area: "policy", status: http.StatusOK, data: w})
}

func (q *policyReader) difference(was, now *authority.PolicyView) differenceView {
	w := differenceView{From: versionText(was.Version), To: versionText(now.Version)}
	w.Swapped = "/policy/difference?from=" + w.To + "&to=" + w.From
	w.Texts = q.differences(was, authority.PolicyDraft{Text: now.Text, Lists: now.Lists})
	return w
}

// differences compares the policy's text and each list with what they were.
func (q *policyReader) differences(was *authority.PolicyView, now authority.PolicyDraft) []textDifference {
	b := &cardBuilder{f: q.f, tx: q.tx}
	compare := func(name, from, to string) textDifference {
		d := textDifference{Name: name, Same: from == to}
		if !d.Same {
			d.Diff = Diff{Runs: b.diff(from, to)}
		}
		return d
	}
	out := []textDifference{compare("", was.Text, now.Text)}
	names := map[string]bool{}
	for name := range was.Lists {
		names[name] = true
	}
	for name := range now.Lists {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out = append(out, compare(name, was.Lists[name], now.Lists[name]))
	}
	return out
}
