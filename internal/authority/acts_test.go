package authority_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/verify"
)

func (s *script) approve(a args) error { return s.decide(a, countersign.ActApprove) }
func (s *script) deny(a args) error    { return s.decide(a, countersign.ActDeny) }

func (s *script) revoke(a args) error { return s.decide(a, countersign.ActRevoke) }

func (s *script) decide(a args, act countersign.Act) error {
	label := a.word(0)
	id := s.id(label)
	d := s.signedIn(a.get("by", ""))
	with, code := a.get("with", "passkey"), a.get("code", "fresh")
	c, err := d.challenge(id, act, func(b *countersign.ChallengeBody) {
		b.BreakGlass = a.get("glass", "") != ""
		if who := a.get("for", ""); who != "" {
			b.ActingFor = s.dweller(who).id
		}
		b.Reason = a.get("reason", b.Reason)
		if a.get("answers", "") == "none" {
			b.Attestations = nil
		}
		if of := a.get("shown", ""); of != "" {
			raw, err := countersign.Canonical(s.docs[of])
			s.h.must(err)
			b.Digest = countersign.SumBytes(raw)
		}
	})
	if err != nil {
		return err
	}
	in := countersign.DecisionBody{Challenge: c.ID, Unexpected: a.get("unexpected", "") != ""}
	switch with {
	case "passkey":
		in.Passkey, err = d.key.Assert(c.Passkey, publicURL)
		s.h.must(err)
	case "code":
		switch code {
		case "fresh":
			s.h.clock.forward(time.Minute) // the app shows another one
			d.last = d.code(0)
		case "wrong":
			d.last = d.wrongCode()
		case "same":
		}
		in.Password, in.TOTP = password, d.last
	case "password":
		in.Password = password
	case "session":
	default:
		s.h.t.Fatalf("with %q?", with)
	}
	out, err := s.h.a.Decide(s.h.ctx, d.session, id, in)
	if err != nil {
		return err
	}
	s.approval(label, out)
	if !s.h.erased {
		s.receiptOf(out)
	}
	return nil
}

func (s *script) releaseBody(a args) countersign.ReleaseBody {
	label := a.word(0)
	return countersign.ReleaseBody{Request: s.id(label), Document: body(s.document(s.docs[label], a), nil).Document, Execution: a.get("exec", ""), Confirm: a.get("confirm", "") != ""}
}

func (s *script) check(a args) error {
	out, err := s.h.a.Check(s.h.ctx, s.h.key, s.releaseBody(a))
	if err != nil {
		return err
	}
	s.printf("%s is %s and releasable", a.word(0), out.Status)
	return nil
}

func (s *script) release(a args) error {
	key := s.h.key
	if source := a.get("source", ""); source != "" {
		key = s.h.apiKey(source, "release")
	}
	out, err := s.h.a.Release(s.h.ctx, key, s.releaseBody(a))
	if err != nil {
		return err
	}
	s.printf("%s %s, lease %s until %s", a.word(0), out.Status, out.State, out.ExpiresAt)
	s.ids["lease of "+a.word(0)] = out.Lease
	if v := s.h.verified(out.Receipt); v.Status != countersign.StatusReleased {
		s.h.t.Errorf("the receipt says %s", v.Status)
	}
	return nil
}

func (s *script) settle(a args) error {
	verb := s.h.a.ConfirmRelease
	if a.named["verb"] == "abandon" {
		verb = s.h.a.AbandonRelease
	}
	out, err := verb(s.h.ctx, s.h.key, s.id(a.word(0)), a.get("exec", ""))
	if err != nil {
		return err
	}
	s.printf("%s %s, lease %s", a.word(0), out.Status, out.State)
	return nil
}

func (s *script) cancel(a args) error {
	out, err := s.h.a.Cancel(s.h.ctx, s.caller(a), s.id(a.word(0)))
	if err != nil {
		return err
	}
	s.approval(a.word(0), out)
	return nil
}

func (s *script) vendor(a args) error {
	n, err := strconv.Atoi(a.get("purchases", "0"))
	s.h.must(err)
	var account *countersign.Account
	if v := a.get("account", ""); v != "" {
		account = &countersign.Account{Scheme: "iban", Value: v}
	}
	s.h.vendor(a.word(0), a.get("name", "Nordwind Technik GmbH"), n, account)
	return nil
}

func (s *script) alert(a args) error {
	var about countersign.AlertSubject
	switch kind, id, _ := strings.Cut(a.get("about", "org"), ":"); kind {
	case "vendor":
		about.Vendor = id
	case "person":
		about.Person = id
	case "request":
		about.Request = s.id(id)
	default:
		about.Organisation = true
	}
	by := authority.Caller{Key: &s.h.key}
	if login := a.get("by", ""); login != "" {
		by = authority.Caller{Session: &s.signedIn(login).session}
	}
	b := countersign.AlertBody{ID: a.word(0), Severity: a.get("severity", "high"), About: about, Title: a.get("title", "mail account taken over"), Owner: s.id(a.get("owner", ""))}
	if v := a.get("ends", ""); v != "" {
		d, err := time.ParseDuration(v)
		s.h.must(err)
		b.Expires = s.h.clock.Now().Add(d).Format(time.RFC3339)
	}
	al, fresh, err := s.h.a.RaiseAlert(s.h.ctx, by, b)
	if err != nil {
		return err
	}
	s.ids[a.word(0)] = al.ID
	if !fresh {
		s.printf("raised before")
	}
	return nil
}

func (s *script) alerts(a args) error {
	page, err := s.h.a.Alerts(s.h.ctx, s.signedIn(a.get("by", "claire")).session, true, "", 50)
	if err != nil {
		return err
	}
	for _, al := range page.Items {
		about := al.About.Vendor + al.About.Person
		switch {
		case al.About.Organisation:
			about = "the organisation"
		case al.About.Request != "":
			for label, id := range s.ids {
				if id == al.About.Request {
					about = "the request " + label
				}
			}
		}
		s.printf("%s about %s, for %s: %s", al.Severity, about, al.Owner, al.Title)
	}
	return nil
}

func (s *script) freeze(a args) error {
	hours, err := strconv.Atoi(a.get("hours", "72"))
	s.h.must(err)
	b := authority.FreezeBody{Vendor: a.get("vendor", ""), Reason: "something is wrong", Hours: hours}
	if p := a.get("person", ""); p != "" {
		b.Person = s.dweller(p).id
	}
	f, err := s.signedIn(a.get("by", "")).freeze(b)
	if err != nil {
		return err
	}
	s.ids[a.word(0)] = f.ID
	s.printf("%s until %s", a.word(0), f.Expires.Format(countersign.TimeFormat))
	return nil
}

func (s *script) propose(a args) error {
	label := a.word(0)
	id := s.id(a.get("id", "policy"))
	var changes []countersign.Change
	for _, c := range a.many {
		changes = append(changes, s.change(c))
	}
	if v := a.get("until", ""); v != "" {
		d, err := time.ParseDuration(v)
		s.h.must(err)
		changes = append(changes, countersign.Change{Field: "until", To: s.h.clock.Now().Add(d).Format(time.RFC3339)})
	}
	if v := a.get("replace", ""); v != "" { // the policy that ships, with one text replaced
		from, to, _ := strings.Cut(v, " -> ")
		text := string(source(s.h.t).Text)
		if !strings.Contains(text, from) {
			s.h.t.Fatalf("the policy has no %q", from)
		}
		changes = append(changes, countersign.Change{Field: "policy", To: strings.Replace(text, from, to, 1)})
	}
	out, err := s.signedIn(a.get("by", "")).propose("countersign."+a.get("kind", ""), id, changes...)
	if err != nil {
		return err
	}
	s.h.erased = out.Document != nil && a.named["kind"] == "erasure"
	s.ids[label] = out.ID
	s.approval(label, out)
	s.weighed(out.Outcome, out.Requirement, out.Reasons)
	return nil
}

func (s *script) person(a args) error {
	d := s.dweller(a.word(0))
	d.state(func(p *countersign.PersonFact) {
		p.Inactive = a.get("inactive", "") == "yes"
		p.Privileged = a.get("privileged", "") == "yes"
		p.Manager = a.get("manager", "")
		if v := a.get("groups", ""); v != "" {
			p.Groups = strings.Split(v, ",")
		}
		if v := a.get("limit", ""); v != "" {
			value, currency, ok := strings.Cut(v, " ")
			if !ok {
				currency = "EUR"
			}
			p.Limits = []countersign.LimitFact{{Amount: countersign.Amount{Value: value, Currency: currency}}}
		}
		if v := a.get("alias", ""); v != "" {
			p.Aliases = []countersign.Alias{{Source: "erp", Subject: v}}
		}
	})
	return nil
}

// report says that a person's factor of a kind is lost, as its owner says it.
func (s *script) report(a args) error {
	d, kind := s.signedIn(a.word(0)), a.get("factor", "passkey")
	mine, err := s.h.a.Authenticators(s.h.ctx, d.session)
	s.h.must(err)
	for _, f := range mine.Items {
		if f.Type == kind {
			return s.h.a.ReportAuthenticator(s.h.ctx, d.session, f.ID)
		}
	}
	s.h.t.Fatalf("%s has no %s", d.login, kind)
	return nil
}

// review reviews a use of break-glass.
func (s *script) review(a args) error {
	d := s.signedIn(a.get("by", ""))
	id := s.id(a.word(0))
	return s.h.a.ReviewBreakGlass(s.h.ctx, d.session, id, d.stepUp("review:"+id))
}

func (s *script) forward(a args) error {
	d, err := time.ParseDuration(a.word(0))
	s.h.must(err)
	s.h.clock.forward(d)
	return nil
}

func (s *script) tick(args) error { return s.h.a.Tick(s.h.ctx) }

func (s *script) reweigh(a args) error {
	return s.h.a.Reweigh(s.h.ctx, s.id(a.word(0)), "asked for")
}

func (s *script) rate(a args) error {
	_, err := s.h.a.RecordFacts(s.h.ctx, s.h.key, countersign.FactsBody{Rates: []countersign.RateFact{{Base: "EUR", Currency: a.word(0), Rate: a.word(1), Day: s.h.clock.Now().Format(time.DateOnly)}}})
	return err
}

func (s *script) settings(a args) error {
	s.h.settings(func(o *authority.Settings) {
		if v := a.get("break_glass", ""); v != "" {
			o.BreakGlassAmount = &countersign.Amount{Value: v, Currency: "EUR"}
		}
		if v := a.get("retention_days", ""); v != "" {
			o.RetentionDays, _ = strconv.Atoi(v)
		}
		if v := a.get("kinds", ""); v != "" {
			o.Kinds = strings.Split(v, ",")
		}
	})
	return nil
}

// log writes the types of a subject's entries.
func (s *script) log(a args) error {
	types := []string{}
	for _, t := range s.h.entries(s.id(a.word(0))) {
		types = append(types, string(t))
	}
	s.printf("%s", strings.Join(types, " "))
	return nil
}

// receipt verifies a receipt and writes what it proves, claim by claim.
func (s *script) receipt(a args) error {
	raw, err := s.h.a.Receipt(s.h.ctx, s.caller(a), s.id(a.word(0)))
	if err != nil {
		return err
	}
	v, err := verify.Receipt(raw, verify.Options{Keys: s.h.a.Verifiers()})
	if err != nil {
		s.printf("does not verify: %v", err)
		for _, e := range v.Erased {
			s.printf("  erased: %s", e.Opening)
		}
		return nil
	}
	by := map[string]int{}
	for _, c := range v.Claims {
		who, _, _ := strings.Cut(c.By, " ")
		by[who]++
	}
	for _, k := range slices.Sorted(maps.Keys(by)) {
		s.printf("%d claims by %s", by[k], k)
	}
	return nil
}

func (s *script) list(a args) error {
	q := authority.ListQuery{Limit: 100}
	for _, v := range strings.Split(a.get("status", ""), ",") {
		if v != "" {
			q.Statuses = append(q.Statuses, countersign.Status(v))
		}
	}
	page, err := s.h.a.List(s.h.ctx, s.caller(a), q)
	if err != nil {
		return err
	}
	for _, it := range page.Items {
		s.printf("%s %s", it.ID, it.Status)
	}
	return nil
}

// restart closes the authority and opens it again over the same database.
func (s *script) restart(args) error {
	if s.h.stop != nil {
		s.h.stop()
	}
	s.h.reopen()
	return nil
}
