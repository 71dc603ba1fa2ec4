package notify_test

import (
	"context"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/notify"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
)

// counted is the way to a mail server, with a count of the mails that it took on.
type counted struct {
	notify.Post
	n    atomic.Int64
	took func() (to string, raw []byte)
}

func (c *counted) Deliver(ctx context.Context, m *notify.Mail) error {
	err := c.Post.Deliver(ctx, m)
	if err == nil {
		c.n.Add(1)
	}
	return err
}

// mails reads what the server took on since the last time.
func (c *counted) mails(t *testing.T) (all []got) {
	t.Helper()
	for n := c.n.Swap(0); n > 0; n-- {
		to, raw := c.took()
		m := opened(t, raw)
		if m.to+"@example.com" != to {
			t.Errorf("a mail to %s was handed over for %s", m.to, to)
		}
		all = append(all, m)
	}
	return all
}

// openServedDesk is a desk whose mails go to a mail server.
func openServedDesk(t *testing.T, s *testkit.Server) *desk {
	t.Helper()
	if testing.Short() {
		t.Skip("through a mail server: for the full tests")
	}
	c := &counted{}
	c.Post, c.took = notify.StartMailbox(t)
	d := &desk{Server: s, t: t, server: c}
	d.ring(c, notify.DetailsSummary)
	return d
}

// active makes somebody active or not.
func (d *desk) active(is bool, logins ...string) {
	d.t.Helper()
	for _, login := range logins {
		id := d.Person(login).ID
		_, err := d.DB.Write(d.t.Context(), func(tx *store.Tx) error {
			p, err := tx.Person(id)
			if err != nil {
				return err
			}
			p.Active = is
			if err := tx.FactsChanged(); err != nil {
				return err
			}
			return tx.UpdatePerson(p)
		})
		d.Must(err)
	}
}

// approve decides on a request, and waits until nothing more is told of it.
func (d *desk) approve(request string, by ...*testkit.Person) []got {
	d.t.Helper()
	for _, p := range by {
		if _, problem := p.ByPasskey(request, countersign.ActApprove); problem != nil {
			d.t.Fatal(problem)
		}
	}
	return d.mails()
}

func (d *desk) cancel(request, token string) []got {
	d.t.Helper()
	d.Call("POST", "/v1/requests/"+request+"/cancel", token, nil, nil)
	return d.mails()
}

// release asks for a release that is refused.
func (d *desk) refusedRelease(request string, doc *countersign.Document, execution string, code countersign.Code) []got {
	d.t.Helper()
	d.Refused(d.Try("POST", "/v1/release", d.Key, countersign.ReleaseBody{Request: request, Document: testkit.Raw(doc), Execution: execution}, nil), code)
	return d.mails()
}

// onlyOne fails unless there is one mail, which says all of these.
func (d *desk) onlyOne(all []got, says ...string) {
	d.t.Helper()
	if len(all) != 1 {
		d.t.Fatalf("%d mails: %v", len(all), all)
	}
	for _, s := range says {
		if !strings.Contains(all[0].text, s) {
			d.t.Errorf("%q is not in\n%s", s, all[0].text)
		}
	}
}

// A request that nobody can decide is told to the administrators, and to whoever may
// decide once there are enough.
func TestUnsatisfiableIsTold(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 8, account())
	d := openServedDesk(t, s)
	d.active(false, "tomas", "amara")
	d.mails()
	a := s.Submit(bankChange())
	all := d.mails()
	d.want(all, "Nobody can decide: Change of a vendor", "claire", "samuel")
	if len(all) != 2 || !strings.Contains(all[0].text, "enrols a stronger factor") || !strings.Contains(all[0].text, s.URL+"/r/"+a.ID+"\n") {
		t.Errorf("%v", all)
	}
	if all = d.cancel(a.ID, s.Key); len(all) != 1 { // nobody had been asked
		t.Errorf("%v", all)
	}
	d.want(all, "Taken back: Change of a vendor", "elif")
	b := s.Submit(testkit.Order("BC-2", "0.00", func(doc *countersign.Document) { *doc = *bankChange(); doc.ID = "BC-2" }))
	d.mails()
	d.active(true, "tomas", "amara")
	s.Must(s.Authority.Tick(t.Context()))
	all = d.mails()
	d.want(all, "Waiting for you", "amara", "ingrid", "tomas")
	if len(all) != 3 || !strings.Contains(all[0].text, b.ID) {
		t.Errorf("%v", all)
	}
}

// What nobody decides in time, and an approval that nobody uses, are told to who asked.
func TestExpiryIsTold(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta := s.Person("marta")
	d := openServedDesk(t, s)
	s.Submit(testkit.Order("PO-1", "30000.00"))
	two := s.Submit(testkit.Order("PO-2", "31000.00", func(doc *countersign.Document) { doc.Payee.ID = "V-2" }))
	d.approve(two.ID, marta)
	expire := func(after time.Duration) []got {
		t.Helper()
		s.Clock.Forward(after)
		s.Must(s.Authority.Tick(t.Context()))
		return d.mails()
	}
	all := expire(7*24*time.Hour + time.Minute)
	d.want(all, "Expired: Purchase order PO-1", "elif")
	d.onlyOne(all, "submit it again")
	all = expire(24 * 24 * time.Hour)
	d.want(all, "Expired: Purchase order PO-2", "elif")
	d.onlyOne(all, "its time was over")
}

// An approval that is taken back by who gave it is told to who asked.
func TestRevocationIsTold(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta := s.Person("marta")
	d := openServedDesk(t, s)
	a := s.Submit(testkit.Order("PO-1", "30000.00"))
	d.approve(a.ID, marta)
	if _, problem := marta.ByPasskey(a.ID, countersign.ActRevoke); problem != nil {
		t.Fatal(problem)
	}
	all := d.mails()
	d.want(all, "Revoked: Purchase order PO-1", "elif")
	d.onlyOne(all, "was taken back. The page says why")
}

// Whoever was asked is told that nothing is needed of them any more when a request is
// taken back, and who asked, unless they did it. Watchers of a hold and whoever has
// decided are told too; of what passed undisturbed nobody is.
func TestWithdrawalIsTold(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 8, account())
	elif, tomas, amara := s.Person("elif"), s.Person("tomas"), s.Person("amara")
	d := openServedDesk(t, s)
	d.mails()
	a := s.Submit(testkit.Order("PO-1", "30000.00"))
	d.mails()
	all := d.cancel(a.ID, elif.Token)
	d.want(all, "No longer needed: Purchase order PO-1", "daniel", "ingrid", "marta")
	if len(all) != 3 || !strings.Contains(all[0].text, "was taken back") || !strings.Contains(all[0].text, a.ID) {
		t.Errorf("%v", all)
	}
	a = s.Submit(testkit.Order("PO-2", "30000.00"))
	d.mails()
	all = d.cancel(a.ID, s.Key)
	d.want(all, "No longer needed: Purchase order PO-2", "daniel", "ingrid", "marta")
	d.want(all, "Taken back: Purchase order PO-2", "elif")
	small := s.Submit(testkit.Order("PO-3", "900.00"))
	if all = d.cancel(small.ID, s.Key); len(all) != 0 {
		t.Errorf("what passed undisturbed disturbs: %v", all)
	}
	held := s.Submit(bankChange())
	d.mails()
	d.approve(held.ID, tomas, amara)
	all = d.cancel(held.ID, s.Key)
	d.want(all, "No longer needed: Change of a vendor", "amara", "ingrid", "tomas")
	d.want(all, "Taken back", "elif")
}

// A request that is replaced is told to who asked; those whom the new one asks are told
// of that, and not of the old one.
func TestReplacementIsTold(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 8, nil)
	d := openServedDesk(t, s)
	replace := func(old *countersign.Approval, doc *countersign.Document) (*countersign.Approval, []got) {
		t.Helper()
		var out countersign.Approval
		s.Call("POST", "/v1/requests", s.Key, testkit.Body(doc, &countersign.Submission{Supersedes: old.ID}), &out)
		return &out, d.mails()
	}
	second := func(amount string) *countersign.Document {
		return testkit.Order("PO-1", amount, func(doc *countersign.Document) { doc.Revision = "2" })
	}
	one := s.Submit(testkit.Order("PO-1", "30000.00"))
	d.mails()
	two, all := replace(one, second("31000.00"))
	d.want(all, "Waiting for you: Purchase order PO-1 of EUR 31 000.00", "daniel", "ingrid", "marta")
	d.want(all, "Replaced: Purchase order PO-1 of EUR 30 000.00", "elif")
	if len(all) != 4 {
		t.Errorf("%v", all)
	}
	_, all = replace(two, testkit.Order("PO-1", "900.00", func(doc *countersign.Document) { doc.Revision = "3" }))
	d.want(all, "No longer needed: Purchase order PO-1", "daniel", "ingrid", "marta")
	d.want(all, "Replaced", "elif")
	if len(all) != 4 || !strings.Contains(all[0].text+all[1].text, "which does not ask you") {
		t.Errorf("%v", all)
	}
}

// A refused release is told to who asked, once until something else happens; what stands
// against it stays on the page, and those who decide again are asked.
func TestRefusedReleaseIsTold(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 8, nil)
	marta := s.Person("marta")
	d := openServedDesk(t, s)
	doc := testkit.Order("PO-1", "30000.00")
	a := s.Submit(doc)
	d.mails()
	d.approve(a.ID, marta)
	other := testkit.Order("PO-1", "39000.00")
	all := d.refusedRelease(a.ID, other, "run-1", countersign.CodeChanged)
	d.want(all, "Not released: Purchase order PO-1 of EUR 30 000.00", "elif")
	d.onlyOne(all, "is not what was approved", "submitted and approved anew")
	if regexp.MustCompile(`39\D?000`).MatchString(all[0].text) {
		t.Errorf("what was presented is told:\n%s", all[0].text)
	}
	s.Clock.Forward(2 * time.Hour)
	if all = d.refusedRelease(a.ID, other, "run-1", countersign.CodeChanged); len(all) != 0 {
		t.Errorf("told again: %v", all)
	}
	s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "1", Severity: "high", About: countersign.AlertSubject{Vendor: "V-1"}, Title: "mail account taken over"}, nil)
	d.mails()
	all = d.refusedRelease(a.ID, doc, "run-1", countersign.CodeNotReleasable)
	d.want(all, "Waiting for you: Purchase order PO-1", "daniel", "ingrid", "marta")
	d.want(all, "Not released: Purchase order PO-1", "elif")
	for _, m := range all {
		if strings.Contains(m.text, "taken over") || strings.Contains(m.text, "alert") {
			t.Errorf("what stands against it is told to %s:\n%s", m.to, m.text)
		}
	}
	marta.SignIn()
	d.approve(a.ID, marta)
	s.Call("POST", "/v1/release", s.Key, countersign.ReleaseBody{Request: a.ID, Document: testkit.Raw(doc), Execution: "run-1"}, nil)
	all = d.refusedRelease(a.ID, doc, "run-2", countersign.CodeReleased)
	d.want(all, "Not released: Purchase order PO-1", "elif")
	d.onlyOne(all, "a second release was refused")
	if len(d.refusedRelease(a.ID, other, "run-1", countersign.CodeChanged)) != 0 {
		t.Error("what has been released is told to have been another document")
	}
}
