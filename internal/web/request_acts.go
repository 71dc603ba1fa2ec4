package web

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authority"
)

// actionsView is what the visitor can do with a request, or why they cannot.
type actionsView struct {
	Approve *button
	Reject  *button
	Revoke  *button
	Lead    string   // what an approval would bring about
	Why     []string // why approving is not open, most telling first
	Enrol   bool     // enrolling something would help
	Bar     bool     // there is more to say than what became of the request
}

// actions never offers what would be refused: where the visitor may not decide, it says
// why instead.
func (q *requestReader) actions() actionsView {
	var w actionsView
	path := "/r/" + q.r.Approval.ID
	if may(q.r, authority.CanApprove) {
		w.Approve = &button{Href: path + "/approve", Text: q.tx.T("request.approve")}
	} else if who := q.insteadOf(authority.CanApprove); who != nil {
		w.Approve = &button{Href: path + "/approve", Text: q.tx.T("request.approve_for", "name", named(who.Person.Name))}
	} else if q.r.You.BreakGlass && q.r.Approval.Status == countersign.StatusPending {
		w.Approve = &button{Href: path + "/approve", Text: q.tx.T("request.approve_glass")}
	}
	if q.mayReject() {
		w.Reject = &button{Href: path + "/reject", Text: q.tx.T("request.reject")}
	}
	if q.whole && may(q.r, authority.CanRevoke) {
		w.Revoke = &button{Href: path + "/revoke", Text: q.tx.T("request.revoke")}
		if h := q.r.Hold; h != nil && h.Until.After(q.now) {
			w.Revoke.Text = q.tx.T("request.stop")
		}
	}
	if w.Approve == nil {
		w.Why, w.Enrol = q.whyNot()
	} else {
		w.Lead = q.lead()
	}
	w.Bar = w.Approve != nil || w.Reject != nil || w.Revoke != nil || q.waits()
	return w
}

// lead says what the visitor's approval would bring about: how many are lacking beside
// it, of each clause, or that it is the last.
func (q *requestReader) lead() string {
	rest := q.rest()
	switch hold := q.r.Approval.Requirement.Hold; {
	case len(rest) > 0:
		return q.tx.T("request.more", "whom", strings.Join(rest, " "+q.tx.T("request.and")+" "))
	case hold > 0:
		return q.tx.T("request.last_held", "time", q.f.Duration(q.tx, time.Duration(hold)*time.Second))
	}
	return q.tx.T("request.last")
}

// rest is whom each clause lacks beside the visitor. One person counts in every clause
// that they belong to.
func (q *requestReader) rest() []string {
	mine, glass := q.r.You.Clauses, false
	if !may(q.r, authority.CanApprove) {
		if a := q.insteadOf(authority.CanApprove); a != nil {
			mine = a.Clauses
		} else {
			glass = true // it replaces which group signs (ruling 21)
		}
	}
	var out []string
	for _, m := range q.r.Missing {
		n := m.Lacks
		if n > 0 && (glass || m.IsOneOf(mine)) {
			n--
		}
		if n > 0 {
			out = append(out, q.whom(m.Clause, n, true))
		}
	}
	if glass && len(out) == 0 && !slices.ContainsFunc(q.r.Decisions, func(d authority.DecisionLine) bool {
		return d.Void == "" && d.Act == countersign.ActApprove && d.Assurance.AtLeast(countersign.AssurancePhishingResistant)
	}) {
		out = append(out, q.tx.T("request.missing.strong"))
	}
	return out
}

// whom is how many people of a clause, at the beginning of a sentence or beside others.
func (q *requestReader) whom(c countersign.Clause, n int, more bool) string {
	switch {
	case len(c.From) == 0 && q.r.Nominated != nil && more:
		return q.them(*q.r.Nominated)
	case len(c.From) == 0 && q.r.Nominated != nil:
		return q.you(*q.r.Nominated)
	case len(c.From) == 0 && more:
		return q.tx.T("request.missing.nominated_object")
	case len(c.From) == 0:
		return q.tx.T("request.missing.nominated")
	case more:
		return q.tx.N("request.missing.group", n, "n", q.f.Count(int64(n)), "groups", groupNames(c.From, q.tx.T("request.or")))
	}
	return q.tx.N("request.missing.first", n, "n", q.f.Count(int64(n)), "groups", groupNames(c.From, q.tx.T("request.or")))
}

// insteadOf is the first person in whose place the visitor could do the act now.
func (q *requestReader) insteadOf(act string) *authority.ActingFor {
	for i, a := range q.r.You.ActingFor {
		if slices.Contains(a.Acts, act) {
			return &q.r.You.ActingFor[i]
		}
	}
	return nil
}

func (q *requestReader) mayReject() bool {
	return may(q.r, authority.CanDeny) || q.insteadOf(authority.CanDeny) != nil
}

// whyNot says why the visitor may not approve: what stands in the way most, or all that
// passes. Of a request that is over, its state has said it already.
func (q *requestReader) whyNot() (why []string, enrol bool) {
	if !q.waits() {
		return []string{q.tx.T("request.over." + string(q.r.Approval.Status))}, false
	}
	for _, w := range q.r.You.WhyNot {
		if len(why) > 0 && !w.Passing {
			continue
		}
		if w.Code == approval.ObstacleStatus && len(q.r.You.WhyNot) > 1 {
			continue // what else stands in the way says more
		}
		if w.Code == approval.ObstacleFactor && q.cooling(w.Args["assurance"]) {
			continue // they have enrolled it: its cool-off is said beside this
		}
		why = append(why, q.inWords(w))
		if enrol = enrol || (w.Code == approval.ObstacleFactor && q.whole); !w.Passing {
			return why, false
		}
	}
	if len(why) == 0 {
		why = []string{q.tx.T("request.not_open")}
	}
	return why, enrol
}

// cooling reports whether a factor of the visitor's that counts only later would do for
// an assurance, so that nobody is sent to enrol what they have.
func (q *requestReader) cooling(need string) bool {
	return slices.ContainsFunc(q.r.You.Factors, func(f authority.OwnFactor) bool {
		if f.CountsFrom.IsZero() {
			return false
		}
		return need == string(countersign.AssuranceMFA) || need == string(countersign.AssurancePhishingResistant) && f.Type == "passkey"
	})
}

// whyNotReject says why the visitor may not even reject: what bars approving alone is
// not it, since to stop a request must stay easy (ruling 35).
func (q *requestReader) whyNotReject() []string {
	if !q.waits() {
		why, _ := q.whyNot()
		return why
	}
	for _, w := range q.r.You.WhyNot {
		switch w.Code {
		case approval.ObstacleLimit, approval.ObstacleDecided, approval.ObstacleFilled, approval.ObstacleCoolOff, approval.ObstacleFactor, authority.WhyFrozen:
			continue
		}
		return []string{q.inWords(w)}
	}
	return []string{q.tx.T("request.not_open")}
}

// inWords writes a reason to the visitor themself. One that has no text of its own
// keeps the authority's sentence.
func (q *requestReader) inWords(w authority.WhyNot) string {
	key := "request.whynot." + w.Code
	if !q.tx.has(key) {
		return sentence(upperFirst(w.Sentence))
	}
	until := w.Args["until"]
	if t, err := time.Parse(time.RFC3339, until); err == nil {
		until = q.at(t).Text
	}
	by := named(w.Args["by"])
	return q.tx.T(key, "by", by, "groups", named(w.Args["groups"]), "assurance", q.assurance(w.Args["assurance"]), "until", until, "limit", named(w.Args["limit"]))
}

func (q *requestReader) assurance(a string) string {
	if key := "request.assurance." + a; q.tx.has(key) {
		return q.tx.T(key)
	}
	return a
}

// around is what else the visitor can do.
func (q *requestReader) around() []button {
	if !q.whole {
		return nil
	}
	var out []button
	for _, a := range []string{authority.CanReassign, authority.CanWithdraw, authority.CanFreeze} {
		if may(q.r, a) {
			out = append(out, button{Href: "/r/" + q.r.Approval.ID + "/" + a, Text: q.tx.T("request.around." + a), Lead: q.tx.T("request.around_lead." + a)})
		}
	}
	if q.warns && !q.r.Approval.Status.Final() {
		out = append(out, button{Href: "/admin/alerts/new?" + encode("request", q.r.Approval.ID), Text: q.tx.T("request.around.alert"), Lead: q.tx.T("request.around_lead.alert")})
	}
	return out
}

// eventLine is one entry of the log about the request.
type eventLine struct {
	Text        string
	At          Moment
	Entry, Href string
	Waiting     bool // not yet under a published checkpoint
}

// timeline is what happened, newest first.
func (q *requestReader) timeline() []eventLine {
	known := q.known()
	out := make([]eventLine, 0, len(q.r.Timeline))
	for _, e := range q.r.Timeline {
		l := eventLine{Text: q.event(e, known), At: q.at(e.At), Waiting: !e.Published}
		if e.Index >= 0 {
			l.Entry, l.Href = q.tx.T("request.entry", "n", q.f.Count(e.Index)), q.entry(e.Index)
		}
		out = append(out, l)
	}
	if n := len(out); n > 1 && q.r.Timeline[0].At.Before(q.r.Timeline[n-1].At) {
		slices.Reverse(out)
	}
	return out
}

// event is an entry in words: by its type, and by the act or outcome that it records.
func (q *requestReader) event(e authority.TimelineEvent, known map[string]string) string {
	key := "request.event." + string(e.Type)
	for _, more := range []string{e.Facts["act"], e.Facts["outcome"]} {
		if more != "" && q.tx.has(key+"."+more) {
			key += "." + more
			break
		}
	}
	if e.Facts["answers"] != "" && q.tx.has(key+".answer") {
		key += ".answer"
	}
	if !q.tx.has(key) {
		key = "request.event.other"
	}
	to := known[e.Facts["to"]]
	if to == "" {
		to = q.tx.T("request.another")
	}
	return upperFirst(q.tx.T(key, "name", q.you(e.Actor), "to", to, "type", string(e.Type)))
}

// known are the names of the people whom this page knows, by id.
func (q *requestReader) known() map[string]string {
	all := map[string]string{}
	add := func(p countersign.Principal) {
		if p.ID != "" && p.Name != "" {
			all[p.ID] = q.you(p)
		}
	}
	for _, e := range q.r.Timeline {
		add(e.Actor)
	}
	for _, d := range q.r.Decisions {
		add(d.Person)
	}
	for _, m := range q.r.Missing {
		for _, p := range m.Who {
			add(p)
		}
	}
	if q.r.Nominated != nil {
		add(*q.r.Nominated)
	}
	if q.me != "" {
		all[q.me] = q.tx.T("request.you_object")
	}
	return all
}
