package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
)

// samplePolicy is a short policy with a list of each sort, a rule that refuses, and a
// character that cannot be seen.
const samplePolicy = `# What buyers may do alone.
policy: procurement
currency: EUR

constants:
  large: {value: 30000, secret: true}
  worth_asking: 1000

lists:
  framework_vendors: {file: lists/framework.csv}
  known_accounts:
    entries:
      - {value: DE02120300000000202051, owner: treasury, because: the tax office, until: 2026-12-12}

rules:
  - name: large-purchase
    for: [purchase_order, invoice]
    when: amount >= large
    require: {assurance: mfa}
    because: "{kind} of {amount} is {large} or more"

  - name: vendor-bank-change
    for: [vendor_bank_change]
    require: {assurance: phishing_resistant, approvers: {count: 2, from: [treasury]}, attest: [callback], hold: 24h}

  - name: own-request
    when: signal.self_approval
    deny: true
    because: "{approver.name} asked for this"  # HIDDEN turned round

approvers: {default: [approvers], decide_within: 7d, release_within: 30d}
`

const sampleList = "value,owner,because,until\nV-1001,cfo,\"framework contract 2026/17, signed in March\",2027-12-31\nV-1002,cfo,framework contract 2024/3,2026-10-31\nمورد-7,cfo,عقد إطاري,2027-06-30\n"

// samplePolicyReader reads policies for the gallery, where two people have published.
func samplePolicyReader(s *Site) *policyReader {
	names := map[string]string{"per_ruth": "Ruth Adler", "per_long": "Maximiliane Charlotte Freifrau von Hohenstein-Waldburg zu Oettingen", "operator": s.texts.T("policy.operator")}
	return &policyReader{f: Format{}, tx: s.texts, now: galleryNow, name: func(id string) string { return names[id] }}
}

// sampleText is the sample policy with a character in it that turns a line round.
var sampleText = strings.Replace(samplePolicy, "HIDDEN", "\u202e", 1)

func sampleVersions(n int) []authority.PolicyView {
	var all []authority.PolicyView
	for i := n; i > 0; i-- {
		by := []string{"operator", "per_ruth", "per_long"}[i%3]
		all = append(all, authority.PolicyView{Version: int64(i), Digest: "sha-256:" + strings.Repeat("3f9c", 16), Text: sampleText, Lists: map[string]string{"framework_vendors": sampleList},
			PublishedAt: galleryNow.AddDate(0, 0, -11*(n-i+1)).Format(time.RFC3339), PublishedBy: by})
	}
	return all
}

func policySpecimens(s *Site) []specimen {
	q, all := samplePolicyReader(s), sampleVersions(14)
	figures := &authority.RuleFigures{Open: 12, Month: authority.Figures{Requests: 812, Counted: map[string]int{"large-purchase": 31}},
		Quarter: authority.Figures{Requests: 2409, Counted: map[string]int{"large-purchase": 94, "vendor-bank-change": 7}}}
	page := func(state string, w policyView) specimen {
		return specimen{page: "policy", state: state, visitor: "controller", view: view{name: "policy", title: s.texts.T("policy.window", "name", w.Name, "version", w.Version), area: "policy", data: w}}
	}
	live := q.view(&all[0], all, figures)
	live.MayDraft = true
	waiting := live
	waiting.Waiting = []policyWaiting{{By: "Ruth Adler", Path: "#", Text: "Orders of 25,000 as well: the auditors asked for it after the third quarter"}}
	older := q.view(&all[5], all, figures)
	first := all[13]
	first.Text, first.Lists = "policy: p\ncurrency: EUR\nrules: []\n", nil
	empty := q.view(&first, []authority.PolicyView{first}, &authority.RuleFigures{})
	was := all[1]
	was.Text = strings.Replace(was.Text, "30000", "50000", 1)
	difference := q.difference(&was, &all[0])
	for _, one := range all {
		difference.Versions = append(difference.Versions, option{Value: versionText(one.Version), Text: versionText(one.Version)})
	}
	return append([]specimen{page("in-force", live), page("waiting", waiting), page("older", older), page("empty", empty),
		{page: "policy-difference", state: "two-texts", visitor: "controller", view: view{name: "policy-difference", title: s.texts.T("policy.difference.window", "from", "13", "to", "14"), area: "policy", data: difference}},
	}, draftSpecimens(s, q, all[0])...)
}

func draftSpecimens(s *Site, q *policyReader, live authority.PolicyView) []specimen {
	page := func(state string, d authority.PolicyDraft, trial *authority.PolicyTrial, change func(*draftView)) specimen {
		trial.Live = live
		w := q.draft(d, versionText(trial.Live.Version))
		w.Check = q.check(used(d), trial, 12)
		status := 0
		if change != nil {
			change(&w)
		}
		if w.Problem != nil {
			status = w.Problem.Status
		}
		return specimen{page: "policy-draft", state: state, visitor: "controller", view: view{name: "policy-draft", title: s.texts.T("policy.draft.window"), area: "policy", status: status, data: w}}
	}
	same := authority.PolicyDraft{Text: live.Text, Lists: live.Lists, Tests: "facts: {now: 2026-11-24T09:00:00Z}\ncases:\n  - name: a small order passes\n    want: {outcome: allow}\n"}
	next := same
	next.Text = strings.Replace(same.Text, "30000", "25000", 1)
	broken := same
	broken.Text = strings.Replace(strings.Replace(same.Text, "amount >= large", "ammount >= large", 1), "deny: true", "denny: true", 1)
	wrong := policy.Errors{{File: "policy", Line: 18, Column: 11, Text: "    when: ammount >= large", Message: "undeclared reference to 'ammount'", Hint: `did you mean "amount"?`},
		{File: "policy", Line: 28, Column: 5, Message: `unknown key "denny" in a rule`, Hint: `did you mean "deny"?`}, {File: "lists/framework.csv", Line: 3, Column: 1, Message: `until: "soon" is not a day`, Hint: "a day, as 2027-03-31"}}
	passed := &policy.SuiteResult{Cases: []policy.CaseResult{{Name: "a small order passes", Line: 3}}}
	failed := &policy.SuiteResult{Failed: 1, Cases: []policy.CaseResult{{Name: "a small order passes", Line: 3}, {Name: "an order of 26,000 passes", Line: 5, Failures: []string{"outcome: want allow, have step_up", "rules: want [], have [large-purchase]"}}}}
	refused := errorOf(countersign.NewProblem(countersign.CodeConflict, "%s", s.texts.T("policy.draft.look_again")), s.texts.T)
	refused.Status = http.StatusConflict
	fast := countersign.NewProblem(countersign.CodeRateLimited, "%s", s.texts.T("policy.draft.too_fast")).WithHint("%s", s.texts.N("limit.wait", 2))
	return []specimen{
		page("unchanged", same, &authority.PolicyTrial{Same: true, Suite: passed}, nil),
		page("loads", next, &authority.PolicyTrial{Suite: passed, Uncovered: []string{"vendor-bank-change", "own-request"}, Empty: []string{"treasury"}}, nil),
		page("tests-fail", next, &authority.PolicyTrial{Suite: failed}, nil),
		page("problems", broken, &authority.PolicyTrial{Errors: wrong}, nil),
		page("stale", next, &authority.PolicyTrial{Suite: passed}, func(w *draftView) {
			w.Check.Stale, w.Problem = s.texts.T("policy.draft.stale", "now", "14", "base", "13"), &refused
		}),
		page("too-fast", next, &authority.PolicyTrial{}, func(w *draftView) { w.Check = q.untried(next, fast) }),
	}
}
