package web

import (
	"net/url"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// requestLine is a request as a row of a table.
type requestLine struct {
	Path                string
	Kind, Number, About string
	Payee, PayeeHref    string
	Amount              string
	By, ByHref, Source  string
	Created             Moment
	Status              chip
	Progress            string // "1/2" while it waits for people
	Rules               []rowLink
	MoreRules           string
	Deciders            []rowLink
	Without             string // why nobody decided
	Founding, Tampered  bool
}

// rowLink is a word in a row that narrows the table to itself.
type rowLink struct{ Text, Href string }

// fewRules is how many rules one row names.
const fewRules = 2

func (q *tableReader) request(r authority.RequestRow) requestLine {
	l := requestLine{Path: "/r/" + r.ID, Kind: kindWords(q.tx, r.Kind), Number: q.number(r), About: named(r.Subject), Payee: named(r.Payee), By: named(r.Requester), Source: named(r.Source),
		Created: q.f.Moment(q.tx, r.Created, q.now), Status: statusChip(q.tx, r.Status), Founding: r.Founding, Tampered: r.Tampered}
	if countersign.InternalKind(r.Kind) {
		l.Source = ""
	}
	switch {
	case r.Outcome == countersign.OutcomeAllow:
		l.Without = q.tx.T("tables.silent")
	case r.Outcome == countersign.OutcomeDeny:
		l.Without = q.tx.T("tables.refused")
	}
	if r.Amount != nil {
		l.Amount = q.f.Money(*r.Amount)
	}
	if r.Vendor != "" {
		l.PayeeHref = "/requests?vendor=" + url.QueryEscape(r.Vendor)
	}
	if r.RequesterKey != "" {
		l.ByHref = "/requests?requester=" + url.QueryEscape(r.RequesterKey)
	}
	if r.Status == countersign.StatusPending && r.Progress.Need > 0 {
		l.Progress = progressText(r.Progress)
	}
	for i, rule := range r.Rules {
		if i == fewRules {
			l.MoreRules = q.tx.N("tables.more_rules", len(r.Rules)-fewRules, "n", q.f.Count(int64(len(r.Rules)-fewRules)))
			break
		}
		l.Rules = append(l.Rules, rowLink{ruleWords(rule), "/requests?rule=" + url.QueryEscape(rule)})
	}
	for _, p := range r.Deciders {
		l.Deciders = append(l.Deciders, rowLink{named(p.Name), "/decisions?decider=" + url.QueryEscape(p.ID)})
	}
	return l
}

// holdLine is a hold that runs.
type holdLine struct {
	requestLine
	Until    Moment
	Watchers string
}

// decisionLine is a decision as a row of a table.
type decisionLine struct {
	At               Moment
	Person           rowLink
	For              string // in whose place
	Act              chip
	Factor           string
	Tags             []chip
	Reason, Void     string
	Request          requestLine
	Entry, EntryHref string
}

func (q *tableReader) decision(d authority.DecisionRow) decisionLine {
	l := decisionLine{At: q.f.Moment(q.tx, d.At, q.now), Person: rowLink{named(d.Person.Name), "/decisions?decider=" + url.QueryEscape(d.Person.ID)},
		Act: chip{Tone: "ok", Text: q.tx.T("tables.act." + string(d.Act))}, Reason: sentence(d.Reason), Void: sentence(d.Void), Request: q.request(d.Request)}
	if d.Act != countersign.ActApprove {
		l.Act.Tone = "no"
	}
	if d.ActingFor != nil {
		l.For = named(d.ActingFor.Name)
	}
	factor := d.Factor
	if d.Assurance == countersign.AssuranceHardware {
		factor = "hardware"
	}
	l.Factor = q.tx.T("request.factor." + factor)
	for _, t := range []struct {
		on        bool
		tone, key string
	}{{d.BreakGlass, "no", "request.tag.break_glass"}, {d.Unexpected, "no", "request.tag.unexpected"}, {d.Simulated, "warn", "request.tag.simulated"}} {
		if t.on {
			l.Tags = append(l.Tags, chip{Tone: t.tone, Text: q.tx.T(t.key)})
		}
	}
	if d.Index >= 0 {
		l.Entry, l.EntryHref = q.f.Count(d.Index), "/audit/"+versionText(d.Index)
	}
	return l
}
