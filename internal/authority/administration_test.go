package authority_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func names(people []countersign.Principal) (out []string) {
	for _, p := range people {
		out = append(out, p.Name)
	}
	return out
}

// TestPeopleAreFoundByNameAddressAndLogin pages through everybody by name, and finds
// people by what one knows of them.
func TestPeopleAreFoundByNameAddressAndLogin(t *testing.T) {
	each(t, func(h *house) {
		find := func(q authority.PeopleQuery) (out []string) {
			t.Helper()
			page, err := h.a.SearchPeople(h.ctx, h.who["rosa"].session, q)
			h.must(err)
			for _, p := range page.Items {
				out = append(out, p.Name)
			}
			if page.Next != "" {
				q.After = page.Next
				next, err := h.a.SearchPeople(h.ctx, h.who["rosa"].session, q)
				h.must(err)
				for _, p := range next.Items {
					out = append(out, p.Name)
				}
			}
			return out
		}
		all := find(authority.PeopleQuery{Limit: 5})
		if len(all) != 10 || !slices.IsSorted(all) {
			t.Errorf("two pages of five: %v", all)
		}
		for text, want := range map[string]string{"SILVA": "Marta Silva", "tomas@EXAMPLE": "Tomas Horak", "Priya": "Priya Nair", h.who["elif"].id: "Elif Kaya"} {
			if got := find(authority.PeopleQuery{Text: text}); len(got) != 1 || got[0] != want {
				t.Errorf("%q finds %v, want %s", text, got, want)
			}
		}
		if got := find(authority.PeopleQuery{Text: "nobody at all"}); len(got) != 0 {
			t.Errorf("found %v", got)
		}
		if got := find(authority.PeopleQuery{Group: "treasury"}); !slices.Equal(got, []string{"Amara Obi", "Ingrid Berg", "Tomas Horak"}) {
			t.Errorf("the treasury: %v", got)
		}
		_, err := h.a.SearchPeople(h.ctx, h.who["marta"].session, authority.PeopleQuery{})
		h.refused(err, countersign.CodeForbidden)
	})
}

// TestTheRecordOfAPerson shows what somebody has, and nothing by which one could be them.
func TestTheRecordOfAPerson(t *testing.T) {
	each(t, func(h *house) {
		marta := h.who["marta"]
		r, err := h.a.PersonRecord(h.ctx, h.who["rosa"].session, marta.id)
		h.must(err)
		if len(r.Authenticators) != 3 || r.Sessions == 0 || !r.BreakGlassFrom.IsZero() || r.Person.Name != "Marta Silva" {
			t.Errorf("%+v", r)
		}
		_, err = h.a.PersonRecord(h.ctx, marta.session, h.who["samuel"].id)
		h.refused(err, countersign.CodeForbidden)
		_, err = h.a.PersonRecord(h.ctx, h.who["samuel"].session, "per_00000000000000000000000000")
		h.refused(err, countersign.CodeNotFound)

		h.refused(h.a.EndSessions(h.ctx, h.who["rosa"].session, marta.id), countersign.CodeForbidden)
		h.must(h.a.EndSessions(h.ctx, h.who["samuel"].session, marta.id))
		if r, err = h.a.PersonRecord(h.ctx, h.who["rosa"].session, marta.id); err != nil || r.Sessions != 0 {
			t.Errorf("%d sessions are left (%v)", r.Sessions, err)
		}
		leaves := h.leaves(marta.id)
		if last := leaves[len(leaves)-1]; last.Type != countersign.EntryPersonChanged || last.Facts["sessions"] != "ended" || last.Actor != h.who["samuel"].id {
			t.Errorf("the log says %+v", last)
		}
		names, err := h.a.Names(h.ctx, h.who["rosa"].session, marta.id, "vendor:nobody", "operator")
		if err != nil || len(names) != 1 || names[marta.id] != "Marta Silva" {
			t.Errorf("names: %v (%v)", names, err)
		}
	})
}

// TestRuling7WhoeverIsAddedMayDoNothing: one administrator puts somebody on record, and
// into no group; nobody who is known is taken over by it.
func TestRuling7WhoeverIsAddedMayDoNothing(t *testing.T) {
	each(t, func(h *house) {
		samuel := h.who["samuel"]
		add := func(d *dweller, p authority.NewPerson, subject string) (string, error) {
			return h.a.AddPerson(h.ctx, d.session, p, d.stepUp(subject))
		}
		jonas := authority.NewPerson{Login: "Jonas", Name: "Jonas Weber", Email: "jonas@example.com"}
		_, err := add(h.who["rosa"], jonas, authority.AddPersonSubject("jonas"))
		h.refused(err, countersign.CodeForbidden)
		_, err = add(samuel, jonas, authority.AddPersonSubject("somebody"))
		h.refused(err, countersign.CodeConflict)
		grouped := jonas
		grouped.Groups = []string{"approvers"}
		_, err = add(samuel, grouped, authority.AddPersonSubject("jonas"))
		h.refused(err, countersign.CodeInvalid)
		id, err := add(samuel, jonas, authority.AddPersonSubject("jonas"))
		h.must(err)
		r, err := h.a.PersonRecord(h.ctx, samuel.session, id)
		h.must(err)
		if len(r.Person.Groups)+len(r.Person.Limits)+len(r.Authenticators) != 0 || r.Person.Privileged || !r.Person.Active || r.Person.Name != "Jonas Weber" {
			t.Errorf("%+v", r)
		}
		_, err = add(samuel, authority.NewPerson{Login: "MARTA", Name: "Not Marta"}, authority.AddPersonSubject("marta"))
		h.refused(err, countersign.CodeConflict)
		if r, err := h.a.PersonRecord(h.ctx, samuel.session, h.who["marta"].id); err != nil || r.Person.Name != "Marta Silva" {
			t.Errorf("Marta is %q (%v)", r.Person.Name, err)
		}
	})
}

// TestColleaguesAndWhoIsBelow: an approver names colleagues, a manager those below as
// well, an administrator everybody.
func TestColleaguesAndWhoIsBelow(t *testing.T) {
	each(t, func(h *house) {
		h.write(func(tx *store.Tx) error {
			for _, of := range [][2]string{{"daniel", "ingrid"}, {"tomas", "daniel"}, {"ingrid", "tomas"}} { // a ring, as a directory may have it
				p, err := tx.Person(h.who[of[0]].id)
				if err != nil {
					return err
				}
				p.Manager = h.who[of[1]].id
				if err := tx.UpdatePerson(p); err != nil {
					return err
				}
			}
			p, err := tx.Person(h.who["amara"].id)
			if err != nil {
				return err
			}
			p.Active = false
			if err := tx.UpdatePerson(p); err != nil {
				return err
			}
			return tx.FactsChanged()
		})
		for login, below := range map[string][]string{"marta": nil, "ingrid": {"Daniel Novak", "Tomas Horak"}} {
			c, err := h.a.Colleagues(h.ctx, h.who[login].session)
			h.must(err)
			all := names(c.All)
			if slices.Contains(all, h.who[login].name) || slices.Contains(all, "Amara Obi") || slices.Contains(all, "Priya Nair") || len(all) != 6 {
				t.Errorf("%s names %v", login, all)
			}
			if !slices.Equal(names(c.Below), below) {
				t.Errorf("below %s: %v, want %v", login, names(c.Below), below)
			}
		}
		c, err := h.a.Colleagues(h.ctx, h.who["samuel"].session)
		h.must(err)
		if len(c.Below) != len(c.All) {
			t.Errorf("an administrator proposes for %v of %v", names(c.Below), names(c.All))
		}
	})
}

// TestBreakGlassStateSaysWhatIsArranged: the names with their time, and the setting.
func TestBreakGlassStateSaysWhatIsArranged(t *testing.T) {
	each(t, func(h *house) {
		state, err := h.a.BreakGlassState(h.ctx, h.who["rosa"].session)
		h.must(err)
		if state.Amount != nil || state.PerMonth != 2 || len(state.Names) != 0 || !state.BlockedFrom.IsZero() {
			t.Errorf("nothing is arranged: %+v", state)
		}
		h.settings(func(s *authority.Settings) {
			s.BreakGlassAmount = &countersign.Amount{Value: "40000.00", Currency: "EUR"}
		})
		at := h.clock.Now().Add(72 * time.Hour)
		h.write(func(tx *store.Tx) error {
			if err := tx.InsertBreakGlassUse(store.BreakGlassUse{Approval: "req_1", Used: h.clock.Now()}); err != nil {
				return err
			}
			return tx.PutBreakGlassName(h.who["ingrid"].id, at)
		})
		state, err = h.a.BreakGlassState(h.ctx, h.who["rosa"].session)
		h.must(err)
		if state.Amount == nil || len(state.Names) != 1 || state.Names[0].Person.Name != "Ingrid Berg" || state.Names[0].Effective.Before(at.Add(-time.Second)) {
			t.Errorf("%+v", state)
		}
		if wait := state.BlockedFrom.Sub(h.clock.Now()); wait < 167*time.Hour || wait > 168*time.Hour {
			t.Errorf("the next use is blocked in %v", wait)
		}
		groups, err := h.a.Groups(h.ctx, h.who["rosa"].session)
		h.must(err)
		if i := slices.IndexFunc(groups, func(g authority.Group) bool { return g.Name == "treasury" }); i < 0 || groups[i].Members != 3 || groups[0].Name != "administrators" {
			t.Errorf("groups: %v", groups)
		}
	})
}

// TestADelegationIsReadByWhomItConcerns: its people, who is above and who sees all.
func TestADelegationIsReadByWhomItConcerns(t *testing.T) {
	each(t, func(h *house) {
		made, err := h.who["marta"].delegate(authority.DelegationBody{To: h.who["tomas"].id, Ends: h.in(time.Hour)})
		h.must(err)
		for login, mayEnd := range map[string]bool{"marta": true, "tomas": true, "samuel": true, "rosa": false} {
			d, err := h.a.ReadDelegation(h.ctx, h.who[login].session, made.ID)
			h.must(err)
			if d.MayEnd != mayEnd || d.From.Name != "Marta Silva" {
				t.Errorf("%s: %+v", login, d)
			}
		}
		_, err = h.a.ReadDelegation(h.ctx, h.who["daniel"].session, made.ID)
		h.refused(err, countersign.CodeNotFound)
		h.must(h.a.EndDelegation(h.ctx, h.who["tomas"].session, made.ID))
		if d, err := h.a.ReadDelegation(h.ctx, h.who["marta"].session, made.ID); err != nil || d.MayEnd || d.State != "over" {
			t.Errorf("after its end: %+v (%v)", d, err)
		}
	})
}

// TestWhoeverDecidesReadsNames: a change that is about an id says in the document that is
// signed what the id stands for, whatever was typed into it.
func TestWhoeverDecidesReadsNames(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		samuel, claire := h.who["samuel"], h.who["claire"]
		alert := h.alert("a1", "high", countersign.AlertSubject{Vendor: "V-1"})
		frozen, err := samuel.freeze(authority.FreezeBody{Person: h.who["tomas"].id, Reason: "a line\nand e\u0301\x07 \u202eanother", StepUp: samuel.stepUp("freeze:" + h.who["tomas"].id)})
		h.must(err)
		for _, c := range []struct {
			kind, id string
			changes  []countersign.Change
			want     map[string]string
		}{
			{countersign.KindPeopleChange, h.who["marta"].id, []countersign.Change{{Field: "group.add", To: "treasury"}}, map[string]string{"person": "Marta Silva"}},
			{countersign.KindFactorReset, h.who["elif"].id, nil, map[string]string{"person": "Elif Kaya"}},
			{countersign.KindBreakGlassNames, h.who["ingrid"].id, []countersign.Change{{Field: "break_glass", To: "true"}}, map[string]string{"person": "Ingrid Berg", "proposed_by": claire.id, "proposed_by_name": claire.name}},
			{countersign.KindAlertClose, alert.ID, nil, map[string]string{"alert": alert.Title, "alert_about": "Nordwind Technik GmbH (V-1)", "alert_severity": "high"}},
			{countersign.KindFreezeLift, frozen.ID, nil, map[string]string{"frozen": "Tomas Horak", "frozen_because": "a line and \u00e9 another", "proposed_by": claire.id, "proposed_by_name": claire.name}},
		} {
			a, err := claire.propose(c.kind, c.id, c.changes...)
			h.must(err)
			var d countersign.Document
			h.must(countersign.DecodeStrict(a.Document, &d))
			if !maps.Equal(d.Custom, c.want) {
				t.Errorf("%s: %v, want %v", c.kind, d.Custom, c.want)
			}
		}
	})
}
