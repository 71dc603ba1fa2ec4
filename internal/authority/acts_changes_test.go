package authority_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// change reads one change of a proposal: FIELD:TO or FIELD:FROM -> TO. A person may be
// named by login, and a time is so much from now.
func (s *script) change(text string) countersign.Change {
	field, to, _ := strings.Cut(text, ":")
	from := ""
	if was, is, ok := strings.Cut(to, "->"); ok {
		from, to = strings.TrimSpace(was), strings.TrimSpace(is)
	}
	if field == "to" {
		to = s.id(to)
	}
	if strings.HasSuffix(field, "_at") {
		if d, err := time.ParseDuration(to); err == nil {
			to = s.h.clock.Now().Add(d).UTC().Format(time.RFC3339)
		}
	}
	return countersign.Change{Field: field, From: from, To: to}
}

// delegate lets somebody decide in a person's own place, as that person does it.
func (d *dweller) delegate(b authority.DelegationBody) (*authority.DelegationView, error) {
	if b.Reason == "" {
		b.Reason = "away"
	}
	b.StepUp = d.stepUp(authority.DelegationSubject(b))
	return d.h.a.Delegate(d.h.ctx, d.session, b)
}

func (s *script) delegate(a args) error {
	days, err := strconv.Atoi(a.get("days", "7"))
	s.h.must(err)
	after, err := time.ParseDuration(a.get("after", "0s"))
	s.h.must(err)
	from, now := s.signedIn(a.get("from", "")), s.h.clock.Now()
	b := authority.DelegationBody{To: s.id(a.get("to", "")), Ends: now.Add(after).AddDate(0, 0, days).Format(time.RFC3339)}
	if after != 0 {
		b.Starts = now.Add(after).Format(time.RFC3339)
	}
	if v := a.get("kinds", ""); v != "" {
		b.Kinds = strings.Split(v, ",")
	}
	if v := a.get("limit", ""); v != "" {
		value, currency, ok := strings.Cut(v, " ")
		if !ok {
			currency = "EUR"
		}
		b.Limit = &countersign.Amount{Value: value, Currency: currency}
	}
	made, err := from.delegate(b)
	if err != nil {
		return err
	}
	if label := a.word(0); label != "" {
		s.ids[label] = made.ID
	}
	return nil
}

// delegations lists what a person sees.
func (s *script) delegations(a args) error {
	page, err := s.h.a.Delegations(s.h.ctx, s.signedIn(a.get("by", "")).session, authority.DelegationQuery{Person: s.id(a.get("person", "me"))})
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		limit := ""
		if d.Limit != nil {
			limit = ", up to " + d.Limit.Value + " " + d.Limit.Currency
		}
		s.printf("%s for %s, %s%s, %s", d.To.Name, d.From.Name, strings.Join(append([]string{"kinds"}, d.Kinds...), " "), limit, d.State)
	}
	return nil
}

// end ends a delegation: the newest that the person sees, or a labelled one.
func (s *script) end(a args) error {
	d := s.signedIn(a.get("by", ""))
	id := s.id(a.word(0))
	if whose := a.get("person", ""); whose != "" {
		page, err := s.h.a.Delegations(s.h.ctx, d.session, authority.DelegationQuery{Person: s.id(whose)})
		if err != nil {
			return err
		}
		id = page.Items[0].ID
	}
	return s.h.a.EndDelegation(s.h.ctx, d.session, id)
}
