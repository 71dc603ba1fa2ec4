package notify_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/notify"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
)

// A request that nobody decides is told to those whom the policy names, once; that
// asks nobody to decide who was not asked before.
func TestEscalation(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{Create: func(n *authority.NewOrganisation) {
		n.Policy.Text = bytes.Replace(n.Policy.Text, []byte("release_within: 30d}"),
			[]byte("release_within: 30d, remind_before: [2h], escalate: {after: 48h, to: [treasury, controllers]}}"), 1)
	}})
	s.Settle()
	s.Person("marta")
	d := openDesk(t, s, notify.DetailsSummary)
	d.mails()
	a := s.Submit(testkit.Order("PO-1", "30000.00"))
	d.want(d.mails(), "Waiting for you", "marta", "daniel", "ingrid")
	s.Clock.Forward(48*time.Hour + time.Minute)
	all := d.mailsWith("Undecided since", 4)
	d.want(all, "Undecided since", "claire", "ingrid", "tomas", "amara")
	if len(all) != 4 {
		t.Errorf("%v", all)
	}
	if !strings.Contains(all[0].text, "does not make you one of those who may decide") || !strings.Contains(all[0].text, a.ID) {
		t.Errorf("%s", all[0].text)
	}
}

// A question goes to who asked for the request, and its answer to whoever had it.
func TestQuestionsAreTold(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta, elif := s.Person("marta"), s.Person("elif")
		d := openDesk(t, s, notify.DetailsSummary)
		a := s.Submit(testkit.Order("PO-1", "30000.00"))
		d.mails()
		var q countersign.Question
		s.Call("POST", "/v1/requests/"+a.ID+"/questions", marta.Token, countersign.QuestionBody{Text: "Why two of them? Secret plans."}, &q)
		all := d.mails()
		d.want(all, "A question about Purchase order PO-1", "elif")
		if len(all) != 1 || strings.Contains(all[0].text, "Secret plans") {
			t.Errorf("%v", all)
		}
		s.Call("POST", "/v1/requests/"+a.ID+"/questions", elif.Token, countersign.QuestionBody{Text: "One is spare.", Answers: q.ID}, nil)
		d.want(d.mails(), "An answer about Purchase order PO-1", "marta")
		s.Call("POST", "/v1/requests/"+a.ID+"/questions", elif.Token, countersign.QuestionBody{Text: "Anything else?"}, nil)
		d.want(d.mails(), "A question about Purchase order PO-1", "marta", "daniel", "ingrid")
	})
}

// Whoever decides in another's place is told what waits there, and both are told that
// they do.
func TestDelegatesAreTold(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta, priya := s.Person("marta"), s.Person("priya")
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		body := authority.DelegationBody{To: priya.ID, Ends: s.Clock.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339), Reason: "away"}
		raw := map[string]any{"to": body.To, "ends_at": body.Ends, "reason": body.Reason, "step_up": marta.StepUp(authority.DelegationSubject(body))}
		s.Call("POST", "/v1/delegations", marta.Token, raw, nil)
		d.want(d.mails(), "A delegation that concerns you", "marta", "priya")
		s.Submit(testkit.Order("PO-1", "30000.00"))
		d.want(d.mails(), "Waiting for you", "marta", "daniel", "ingrid", "priya")
	})
}

// A freeze is told to those who look after the control, by whom and until when; the
// reason stays on the page.
func TestFreezesAreTold(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 1, account())
		marta := s.Person("marta")
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		s.Call("POST", "/v1/freezes", marta.Token, map[string]any{"vendor": "V-1", "reason": "a call that was none", "step_up": marta.StepUp("freeze:vendor:V-1")}, nil)
		all := d.mails()
		d.want(all, "A freeze was placed on a vendor", "samuel", "claire")
		if strings.Contains(all[0].text, "a call that was none") || !strings.Contains(all[0].text, "Marta Silva") {
			t.Errorf("%s", all[0].text)
		}
	})
}

// A mail that has waited says nothing that is not so any more: what was decided in the
// meantime is not asked, whether the event or its mails had waited.
func TestStaleMailsAreNotSent(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta := s.Person("marta")
	deny := func(a *countersign.Approval) {
		if _, problem := marta.ByPasskey(a.ID, countersign.ActDeny); problem != nil {
			t.Fatal(problem)
		}
	}
	deny(s.Submit(testkit.Order("PO-1", "30000.00")))
	d := openDesk(t, s, notify.DetailsSummary) // only now it rings
	all := d.mails()
	d.want(all, "Waiting for you")
	d.want(all, "Denied: Purchase order PO-1", "elif")

	two := s.Submit(testkit.Order("PO-2", "30000.00"))
	s.Must(os.Rename(d.folder, d.folder+"-away")) // the post is closed
	s.Must(os.WriteFile(d.folder, nil, 0o600))
	three := s.Submit(testkit.Order("PO-3", "30000.00"))
	time.Sleep(500 * time.Millisecond) // so that mails wait; on a slow machine their event does, which ends the same
	deny(three)
	deny(two)
	time.Sleep(500 * time.Millisecond)
	s.Must(os.Remove(d.folder))
	s.Must(os.Rename(d.folder+"-away", d.folder))
	s.Clock.Forward(time.Minute)
	all = d.mails()
	d.want(all, "Waiting for you: Purchase order PO-3")
	d.want(all, "Denied: Purchase order PO-3", "elif")
}

// Whoever asked is not asked, and whoever has decided is not reminded: one natural
// person counts once.
func TestTrapOnesOwnRequestIsNotAskedOfOneself(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 8, account())
	tomas := s.Person("tomas")
	s.Person("amara")
	s.Person("daniel")
	d := openDesk(t, s, notify.DetailsSummary)
	d.mails()
	own := s.Submit(testkit.Order("PO-1", "30000.00", func(doc *countersign.Document) {
		doc.Requester = &countersign.Party{Type: "person", ID: "marta", Name: "Marta Silva"}
	}))
	d.want(d.mails(), "Waiting for you", "daniel", "ingrid")
	two := s.Submit(bankChange())
	d.want(d.mails(), "Waiting for you", "tomas", "amara", "ingrid")
	if _, problem := tomas.ByPasskey(two.ID, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	s.Clock.Forward(6*24*time.Hour + time.Hour)
	all := d.mailsWith("Still waiting for you", 4)
	d.want(all, "Still waiting for you: Change of a vendor", "amara", "ingrid")
	d.want(all, "Still waiting for you: Purchase order", "daniel", "ingrid")
	if own.Status != countersign.StatusPending {
		t.Error(own.Status)
	}
}

// A reset is told to the person and to the administrators, a lock to the person; the
// use of break-glass to those who review it.
func TestResetsLocksAndBreakGlassAreTold(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta := s.Person("marta")
		a := s.Submit(testkit.Order("PO-1", "30000.00"))
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		happens := func(typ countersign.EntryType, subject string, facts map[string]string) []got {
			t.Helper()
			_, err := s.DB.Write(t.Context(), func(tx *store.Tx) error {
				e := countersign.Event{ID: countersign.NewID(countersign.PrefixEvent, tx.Now()), Type: typ, Org: s.Org, Time: tx.Now().Format(countersign.TimeFormat), Subject: subject, Facts: facts}
				payload, err := json.Marshal(e)
				if err != nil {
					return err
				}
				return tx.Enqueue(store.Job{ID: e.ID, Topic: authority.TopicDoorbell, Subject: subject, Payload: payload})
			})
			s.Must(err)
			return d.mails()
		}
		all := happens(countersign.EntryAuthenticatorRemoved, marta.ID, map[string]string{"type": "passkey", "request": "req_9"})
		d.want(all, "Your factors were reset", "marta")
		d.want(all, "Factors of Marta Silva were reset", "samuel", "claire")
		for _, m := range all {
			if want := map[bool]string{true: "/factors\n", false: "/r/req_9\n"}[m.to == "marta"]; !strings.Contains(m.text, want) {
				t.Errorf("no link to %s in\n%s", want, m.text)
			}
		}
		all = happens(countersign.EntryAuthenticatorLocked, marta.ID, map[string]string{"type": "totp", "ended": "true"})
		d.want(all, "Too many wrong codes", "marta")
		if !strings.Contains(all[0].text, "will not work again") {
			t.Errorf("%s", all[0].text)
		}
		d.want(happens(countersign.EntryAuthenticatorReported, marta.ID, map[string]string{"type": "passkey"}), "was reported lost", "marta")
		d.want(happens(countersign.EntryBreakGlassUsed, a.ID, map[string]string{"decision": "dec_1"}), "Break-glass used", "samuel", "claire")
		if all := happens(countersign.EntrySignedIn, marta.ID, nil); len(all) != 0 {
			t.Errorf("signing in is told: %v", all)
		}
	})
}
