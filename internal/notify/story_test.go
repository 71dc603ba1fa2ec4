package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/notify"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// desk is a server whose mails are written into a folder, or handed to a mail server.
type desk struct {
	*testkit.Server
	t      *testing.T
	folder string
	read   map[string]bool
	server *counted // nil where the mails are in the folder
	stop   func()
}

// got is a mail that lay in the folder.
type got struct {
	to, subject, text, html, id, thread string
}

func openDesk(t *testing.T, s *testkit.Server, details string) *desk {
	t.Helper()
	d := &desk{Server: s, t: t, folder: t.TempDir(), read: map[string]bool{}}
	d.ring(notify.Folder(d.folder), details)
	return d
}

// ring starts the bell.
func (d *desk) ring(post notify.Post, details string) {
	s := d.Server
	bell, err := notify.New(notify.Config{DB: s.DB, Log: slog.New(slog.DiscardHandler), Post: post,
		From: mail.Address{Name: "Countersign", Address: "countersign@example.com"}, Details: details})
	s.Must(err)
	ctx, stop := context.WithCancel(d.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); bell.Run(ctx) }()
	d.stop = func() { stop(); <-ended }
	d.t.Cleanup(d.stop)
}

// mails waits until nothing is due any more, and returns what came since the last time.
func (d *desk) mails() []got {
	d.t.Helper()
	quiet := 0 // looks in a row: a transaction may see what is due a moment after its own now
	for end := time.Now().Add(steady.Limit); quiet < 3; time.Sleep(20 * time.Millisecond) {
		var counts store.OutboxCounts
		d.Must(d.DB.Read(d.t.Context(), func(tx *store.Tx) (err error) {
			counts, err = tx.OutboxCounts()
			return err
		}))
		if quiet++; !counts.Oldest.IsZero() {
			quiet = 0
		}
		if counts.Dead > 0 || time.Now().After(end) {
			d.t.Fatalf("the outbox is not drained: %+v", counts)
		}
	}
	if d.server != nil {
		return d.server.mails(d.t)
	}
	files, err := filepath.Glob(filepath.Join(d.folder, "*.eml"))
	d.Must(err)
	var all []got
	for _, f := range files {
		if d.read[f] {
			continue
		}
		d.read[f] = true
		raw, err := os.ReadFile(f)
		d.Must(err)
		all = append(all, opened(d.t, raw))
	}
	return all
}

// mailsWith waits for so many mails with these words in their subject, and returns them
// with all others that came.
func (d *desk) mailsWith(words string, n int) []got {
	d.t.Helper()
	var all []got
	steady.Until(d.t, fmt.Sprintf("%d mails %q", n, words), func() bool {
		all = append(all, d.mails()...)
		return len(told(all, words)) >= n
	})
	return all
}

// opened is a mail as who got it reads it.
func opened(t *testing.T, raw []byte) got {
	t.Helper()
	p := notify.Parse(t, raw)
	to, err := p.Header.AddressList("To")
	if err != nil {
		t.Fatal(err)
	}
	return got{to: strings.TrimSuffix(to[0].Address, "@example.com"), subject: p.Subject, text: p.Text, html: p.HTML, id: p.Header.Get("Message-Id"), thread: p.Header.Get("References")}
}

// told is who got a mail with these words in its subject.
func told(all []got, words string) []string {
	var who []string
	for _, m := range all {
		if strings.Contains(m.subject, words) {
			who = append(who, m.to)
		}
	}
	slices.Sort(who)
	return who
}

func (d *desk) want(all []got, words string, who ...string) {
	d.t.Helper()
	slices.Sort(who)
	if have := told(all, words); !slices.Equal(have, who) {
		d.t.Errorf("%q: told %v, want %v", words, have, who)
	}
}

func account() *countersign.Account {
	return &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
}

func bankChange() *countersign.Document {
	return testkit.Order("BC-1", "0.00", func(doc *countersign.Document) {
		doc.Kind, doc.Amount, doc.Category = countersign.KindVendorBankChange, nil, ""
		doc.Payee.Account = account()
		doc.Changes = []countersign.Change{{Field: "account", From: "DE02120300000000202051", To: "DE89370400440532013000"}}
	})
}

// A large order: those who may decide are told, the requester how it ended, and no mail
// holds an account or acts (a link has no token).
func TestMailsOfARequest(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 8, account())
		marta := s.Person("marta")
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		a := s.Submit(testkit.Order("PO-1", "30000.00", func(doc *countersign.Document) { doc.Payee.Account = account() }))
		all := d.mails()
		d.want(all, "Waiting for you: Purchase order PO-1 of EUR 30 000.00", "marta", "daniel", "ingrid")
		for _, m := range all {
			for _, part := range []string{"Nordwind Technik GmbH", "Elif Kaya", s.URL + "/r/" + a.ID + "\n"} {
				if !strings.Contains(m.text, part) {
					t.Errorf("%q is not in\n%s", part, m.text)
				}
			}
			if strings.Contains(m.text, "37040044") || strings.Contains(m.text, string(a.Digest)) {
				t.Errorf("an account or a digest is in\n%s", m.text)
			}
			if !strings.HasPrefix(m.thread, "<"+a.ID+"@") {
				t.Errorf("thread %s", m.thread)
			}
		}
		if _, problem := marta.ByPasskey(a.ID, countersign.ActApprove); problem != nil {
			t.Fatal(problem)
		}
		all = d.mails()
		d.want(all, "Approved: Purchase order PO-1", "elif")
		if len(all) != 1 {
			t.Errorf("%d mails", len(all))
		}
		s.Submit(testkit.Order("PO-2", "900.00"))
		if all = d.mails(); len(all) != 0 {
			t.Errorf("what passed undisturbed disturbs: %v", all)
		}
	})
}

// TestTrapPayeeLikeALink: what callers name is no link in any part of a mail; the page is
// the only one.
func TestTrapPayeeLikeALink(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "https://evil.example.com/pay", 8, account())
	d := openDesk(t, s, notify.DetailsSummary)
	d.mails()
	s.Submit(testkit.Order("PO-1.evil.example", "30000.00", func(doc *countersign.Document) { doc.Payee.Name = "https://evil.example.com/pay" }))
	all := d.mails()
	if len(all) == 0 {
		t.Fatal("nobody was told")
	}
	for _, m := range all {
		for _, part := range []string{m.text, m.html, m.subject} {
			if strings.Contains(part, "evil.example") || strings.Count(part, "://") != strings.Count(part, s.URL+"/r/") {
				t.Errorf("a link of somebody else's is in\n%s", part)
			}
		}
		if !strings.Contains(m.text, "https[:]//evil[.]example[.]com/pay") || !strings.Contains(m.subject, "PO-1[.]evil[.]example") {
			t.Errorf("%s\n%s", m.subject, m.text)
		}
	}
}

// A change of bank details: the watchers are told of the hold at once, and how to stop
// it (ruling 23); the second treasurer is not asked twice.
func TestRuling23WatchersAreTold(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 8, account())
		tomas, amara := s.Person("tomas"), s.Person("amara")
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		a := s.Submit(bankChange())
		d.want(d.mails(), "Waiting for you: Change of a vendor", "tomas", "amara", "ingrid")
		for i, p := range []*testkit.Person{tomas, amara} {
			if _, problem := p.ByPasskey(a.ID, countersign.ActApprove); problem != nil {
				t.Fatal(problem)
			}
			all := d.mails()
			if i == 0 && len(all) != 0 {
				t.Errorf("after the first of two: %v", all)
			}
			if i == 1 {
				d.want(all, "On hold until", "tomas", "amara", "ingrid")
				d.want(all, "Approved", "elif")
				if !strings.Contains(all[0].text+all[1].text, "Revoke") {
					t.Errorf("the mail does not say how to stop it:\n%s", all[0].text)
				}
			}
		}
	})
}

// Reminders come when their time has come, to whoever has still to decide, and not
// when the request has been decided.
func TestReminders(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta := s.Person("marta")
	d := openDesk(t, s, notify.DetailsNone)
	d.mails()
	s.Submit(testkit.Order("PO-1", "30000.00"))
	two := s.Submit(testkit.Order("PO-2", "30000.00", func(doc *countersign.Document) { doc.Payee.ID = "V-2" }))
	all := d.mails()
	if n := len(told(all, "Waiting for you: a request")); n == 0 || n != len(all) {
		t.Fatalf("%v", all)
	}
	for _, m := range all { // details: none
		if strings.Contains(m.text, "PO-1") || strings.Contains(m.text, "Nordwind") || strings.Contains(m.text, "30") && strings.Contains(m.text, "EUR") || strings.Contains(m.text, "Elif") {
			t.Errorf("details are told:\n%s", m.text)
		}
	}
	if _, problem := marta.ByPasskey(two.ID, countersign.ActDeny); problem != nil {
		t.Fatal(problem)
	}
	d.want(d.mails(), "Denied: a request", "elif")
	s.Clock.Forward(5 * 24 * time.Hour)
	if all := d.mails(); len(told(all, "Still")) != 0 {
		t.Errorf("two days before the end: %v", all)
	}
	s.Clock.Forward(24*time.Hour + time.Minute)
	all = d.mails()
	d.want(all, "Still waiting for you", "marta", "daniel", "ingrid")
	if len(all) != 3 {
		t.Errorf("what was denied is reminded of: %v", all)
	}
}

// What happens to a person's factors is told to them, by their own clock (NIST SP
// 800-63B-4 §4.1.2.1); an alert is told to its owner.
func TestSecurityMails(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta := s.Person("marta")
		s.Must(func() error {
			_, err := s.DB.Write(t.Context(), func(tx *store.Tx) error {
				p, err := tx.Person(marta.ID)
				if err != nil {
					return err
				}
				text, err := json.Marshal(countersign.Preferences{TimeZone: "Asia/Tokyo", DateFormat: "iso"})
				p.Settings = string(text)
				if err != nil {
					return err
				}
				return tx.UpdatePerson(p)
			})
			return err
		}())
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		marta.EnrolCode()
		all := d.mails()
		i := slices.IndexFunc(all, func(m got) bool { return m.to == "marta" && strings.Contains(m.subject, "A factor was added") })
		if i < 0 || !strings.Contains(all[i].text, "authenticator app") || !strings.Contains(all[i].text, "JST") || !strings.Contains(all[i].text, "/factors") {
			t.Fatalf("%+v", all)
		}
		s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "siem-1", Severity: "high", About: countersign.AlertSubject{Person: "elif"}, Title: "impossible travel"}, nil)
		all = d.mails()
		d.want(all, "An alert of yours, severity high", "claire")
		if !strings.Contains(all[0].text, "impossible travel") {
			t.Errorf("%s", all[0].text)
		}
	})
}

// The bell reads what the authority writes.
func TestEventTopicIsTheAuthoritys(t *testing.T) {
	if authority.TopicDoorbell != notify.TopicEvent {
		t.Errorf("the authority writes %q, the bell reads %q", authority.TopicDoorbell, notify.TopicEvent)
	}
}

// A mail that is put off comes again, under the same Message-ID; one that is refused for
// good is a dead letter at once. Neither holds up the others of the same event.
func TestMailComesAgainOrIsGivenUp(t *testing.T) {
	post, took := notify.StartMailServer(t)
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	for login, address := range map[string]string{"marta": "busy@example.com", "daniel": "no@example.com"} {
		id := s.Person(login).ID
		_, err := s.DB.Write(t.Context(), func(tx *store.Tx) error {
			p, err := tx.Person(id)
			if err != nil {
				return err
			}
			p.Email = address
			return tx.UpdatePerson(p)
		})
		s.Must(err)
	}
	d := openDesk(t, s, notify.DetailsSummary)
	d.mails()
	d.stop()
	s.Submit(testkit.Order("PO-1", "30000.00"))
	bell, err := notify.New(notify.Config{DB: s.DB, Log: slog.New(slog.DiscardHandler), Post: post,
		From: mail.Address{Address: "countersign@example.com"}, Details: notify.DetailsSummary})
	s.Must(err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); bell.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	if to, _ := took(); to != "ingrid@example.com" {
		t.Errorf("first %s", to)
	}
	to, id := took() // after about five seconds
	if to != "busy@example.com" || !strings.Contains(id, ".waiting@localhost>") {
		t.Errorf("then %s %s", to, id)
	}
	var dead []store.DeadLetter
	s.Must(s.DB.Read(t.Context(), func(tx *store.Tx) error {
		dead, err = tx.DeadLetters("", 10)
		return err
	}))
	if len(dead) != 1 || dead[0].Attempts != 1 || !strings.Contains(dead[0].LastError, "550") || strings.Contains(dead[0].LastError, "@") {
		t.Errorf("dead letters: %+v", dead)
	}
}
