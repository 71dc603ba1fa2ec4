package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
)

var nasty = []string{"Marta\r\nBcc: everybody@example.com", "a\x00b\x1b[31m", "\u202eGmbH\u202c", "\u2066x\u2069", "שלום חברה", "👩\u200d💼 Ltd", strings.Repeat("long ", 500),
	"<script>alert(1)</script>", `"quoted" <x@example.com>`, "=?utf-8?q?Bcc:_x?=", "", " ", "\u2028next", "\xff\xfe", "-- ", "From me", ">quoted", "a\u200bb\u00adc", `GmbH \ Gebäude`}

// No name of anybody ends a header, begins another, hides or turns around anything.
func FuzzHeaders(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		l := line(name, maxNameShown)
		if utf8.RuneCountInString(l) > maxNameShown+3 || strings.ContainsFunc(l, unicode.IsControl) || strings.ContainsAny(l, "\u202a\u202b\u202d\u202e\u2066\u2067\u200b") {
			t.Fatalf("%q became %q", name, l)
		}
		c := content{Subject: "Waiting: " + name, Lead: l + " asks", Rows: []row{{"To", l}}, Link: "https://approve.example.com/r/req_1", Action: "Open", Foot: []string{l}}
		m := &Mail{ID: "evt_1", Thread: "req_1", Host: "approve.example.com", Date: time.Unix(1_800_000_000, 0), Subject: c.Subject, Text: c.text(), HTML: c.html("en"),
			From: mail.Address{Name: line(name, maxNameShown), Address: "a@example.com"}, To: mail.Address{Name: line(name, maxNameShown), Address: "b@example.com"}}
		var raw bytes.Buffer
		if _, err := m.message().WriteTo(&raw); err != nil {
			t.Fatal(err)
		}
		p := parse(t, raw.Bytes())
		var names []string
		for n := range p.header {
			names = append(names, n)
		}
		slices.Sort(names)
		want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "In-Reply-To", "List-Id", "Message-Id", "Mime-Version", "References", "Subject", "To", "X-Auto-Response-Suppress"}
		if !slices.Equal(names, want) {
			t.Fatalf("%q: headers %v", name, names)
		}
		to, err := p.header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != "b@example.com" {
			t.Fatalf("%q: to %v: %v", name, to, err)
		}
		if strings.Count(p.html, "<script") != 0 || strings.Count(p.html, "<a ") != 1 {
			t.Fatalf("%q is not escaped:\n%s", name, p.html)
		}
		for l := range strings.SplitSeq(raw.String(), "\r\n") {
			if len(l) > 998 { // RFC 5322 §2.1.1
				t.Fatalf("a line of %d bytes", len(l))
			}
		}
	})
}

// Lines that were flowed are the same when they are joined again (RFC 3676 §4.2).
func FuzzFlowed(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Add(strings.Repeat("word ", 40) + "https://approve.example.com/r/req_1")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(line(text, 1000), "--", "")
		var joined strings.Builder
		for l := range strings.SplitSeq(strings.TrimSuffix(flowed(text), "\r\n"), "\r\n") {
			if strings.HasPrefix(l, ">") || strings.HasPrefix(l, "From ") {
				t.Fatalf("%q would be taken for something else", l)
			}
			joined.WriteString(strings.TrimPrefix(l, " "))
		}
		if got := joined.String(); got != strings.TrimRight(text, " ") {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}

// Each kind of mail has all its texts, no placeholder is left open in any, and every
// kind that is built in has its word.
func TestCatalogueIsWhole(t *testing.T) {
	texts, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("told.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^\tkind[A-Z]\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(kinds) < 20 {
		t.Fatalf("%d kinds", len(kinds))
	}
	known := map[string]bool{"{what}": true, "{by}": true, "{time}": true, "{held}": true, "{since}": true, "{name}": true, "{factor}": true,
		"{severity}": true, "{kind}": true, "{id}": true, "{amount}": true, "{organisation}": true}
	for _, k := range kinds {
		for _, part := range []string{"subject", "lead", "action"} {
			if texts.maybe("mail."+k[1]+"."+part) == "" {
				t.Errorf("mail.%s.%s is not there", k[1], part)
			}
		}
	}
	for key, text := range texts.all {
		for _, p := range regexp.MustCompile(`\{\w*\}`).FindAllString(text, -1) {
			if !known[p] {
				t.Errorf("%s: nobody fills %s", key, p)
			}
		}
	}
	for _, kind := range append(countersign.ChangeKinds(), countersign.KindInvoice, countersign.KindVendorBankChange) {
		if texts.maybe("kind."+kind) == "" {
			t.Errorf("kind.%s is not there", kind)
		}
	}
}

// What is read out of a request's state is what the state machine writes into it.
func TestRequirementIsReadFromTheState(t *testing.T) {
	text, err := json.Marshal(approval.State{Requirement: countersign.Requirement{Reminders: []int{60}, Escalate: &countersign.Escalate{After: 5, To: []string{"g"}}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := requirementOf(string(text))
	if err != nil || !slices.Equal(r.Reminders, []int{60}) || r.Escalate == nil || r.Escalate.After != 5 {
		t.Errorf("%+v: %v", r, err)
	}
}

// Each person reads numbers and times in their own way; settings that nobody
// understands are the default.
func TestFormats(t *testing.T) {
	texts, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 22, 30, 0, 0, time.UTC)
	amount := countersign.Amount{Value: "-1234567.80", Currency: "EUR"}
	for settings, want := range map[string]string{
		"": "EUR −1 234 567.80 24 Nov 2026, 22:30 UTC",
		`{"time_zone":"Europe/Berlin","number_format":"point-comma","date_format":"iso"}`:               "EUR −1.234.567,80 2026-11-24, 23:30 CET",
		`{"time_zone":"Asia/Tokyo","number_format":"apostrophe-point","date_format":"month-day"}`:       "EUR −1’234’567.80 Nov 25, 2026, 07:30 JST",
		`{"time_zone":"Local","number_format":"x","date_format":7}`:                                     "EUR −1 234 567.80 24 Nov 2026, 22:30 UTC",
		`{"time_zone":"../../etc/passwd","number_format":"comma-point","language":"xx","more":{"a":1}}`: "EUR −1,234,567.80 24 Nov 2026, 22:30 UTC",
	} {
		f := formatOf(settings)
		if got := strings.ReplaceAll(fmt.Sprint(f.money(amount), " ", f.moment(texts, at)), hardSpace, " "); got != want {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
}
