package authority_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the answers into the stories")

// A story is a txtar archive: what it is about, and a file "script". In the script a
// line with a word at its beginning is an act; the lines below that begin with two
// blanks are the answer that is expected. Blank lines and # lines are for the reader.
//
// After every act the log's edge is checked, at the end everything (see inspect).

// story plays one story on every engine.
func story(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txtar")
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) == 0 || archive.Files[0].Name != "script" {
		t.Fatalf("%s: the first file of a story is its script", path)
	}
	each(t, func(h *house) {
		s := &script{h: h, archive: archive, docs: map[string]*countersign.Document{}, ids: map[string]string{}}
		want := string(archive.Files[0].Data)
		have := s.play(want)
		if have == want {
			return
		}
		if !*update || h.db.Driver() != store.SQLite {
			h.t.Fatalf("%s: the answers differ; have:\n%s\nwant:\n%s", path, have, want)
		}
		archive.Files[0].Data = []byte(have)
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			h.t.Fatal(err)
		}
	})
}

// script plays one story in one house.
type script struct {
	h       *house
	archive *txtar.Archive
	docs    map[string]*countersign.Document // by label
	ids     map[string]string                // label → id
	out     bytes.Buffer
}

// play carries out the acts and returns the script with the answers that came.
func (s *script) play(text string) string {
	s.h.t.Helper()
	var out strings.Builder
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		s.out.Reset()
		if err := s.act(line); err != nil {
			s.problem(err)
		}
		if s.h.t.Failed() {
			s.h.t.Fatalf("script, line %d: %s", n+1, line)
		}
		s.h.step()
		for l := range strings.Lines(s.normal(s.out.String())) {
			out.WriteString("  " + l)
		}
	}
	return out.String()
}

// args are the words of an act: those without "=" in order, the others by name.
type args struct {
	words  []string
	named  map[string]string
	many   []string // change=… may stand more than once
	unused map[string]bool
}

func parseArgs(line string) (string, args, error) {
	a := args{named: map[string]string{}, unused: map[string]bool{}}
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		word := ""
		for rest != "" && rest[0] != ' ' {
			if rest[0] == '"' {
				end := strings.IndexByte(rest[1:], '"')
				if end < 0 {
					return "", a, fmt.Errorf("a quote is not closed: %s", line)
				}
				word += rest[1 : 1+end]
				rest = rest[end+2:]
				continue
			}
			word += rest[:1]
			rest = rest[1:]
		}
		words = append(words, word)
	}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			a.words = append(a.words, w)
		case name == "change":
			a.many = append(a.many, value)
		default:
			a.named[name], a.unused[name] = value, true
		}
	}
	return words[0], a, nil
}

func (a args) get(name, fallback string) string {
	delete(a.unused, name)
	if v, ok := a.named[name]; ok {
		return v
	}
	return fallback
}

func (a args) word(n int) string {
	if n < len(a.words) {
		return a.words[n]
	}
	return ""
}

// act carries out one line.
func (s *script) act(line string) error {
	verb, a, err := parseArgs(line)
	if err != nil {
		s.h.t.Fatal(err)
	}
	do, ok := map[string]func(args) error{
		"vendor": s.vendor, "submit": s.submit, "evaluate": s.evaluate, "show": s.show, "approve": s.approve, "deny": s.deny,
		"check": s.check, "release": s.release, "confirm": s.settle, "abandon": s.settle, "cancel": s.cancel, "alert": s.alert, "freeze": s.freeze,
		"propose": s.propose, "person": s.person, "report": s.report, "forward": s.forward, "tick": s.tick, "reweigh": s.reweigh, "delegate": s.delegate, "delegations": s.delegations, "end": s.end,
		"rate": s.rate, "log": s.log, "receipt": s.receipt, "settings": s.settings, "alerts": s.alerts, "review": s.review, "revoke": s.revoke, "restart": s.restart, "list": s.list,
	}[verb]
	if !ok {
		s.h.t.Fatalf("there is no act %q", verb)
	}
	a.named["verb"] = verb
	err = do(a)
	for name := range a.unused {
		if err != nil {
			break // refused before it was needed
		}
		s.h.t.Fatalf("%s: %q is not used", line, name)
	}
	return err
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

var (
	anyID     = regexp.MustCompile(`\b[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}\b`)
	anyDigest = regexp.MustCompile(`sha-256:[0-9a-f]{64}`)
	anyTime   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
)

// normal replaces what differs from run to run by what it means.
func (s *script) normal(text string) string {
	names := map[string]string{}
	for label, id := range s.ids {
		names[id] = label
	}
	for login, d := range s.h.who {
		names[d.id] = login
	}
	text = anyID.ReplaceAllStringFunc(text, func(id string) string {
		if n, ok := names[id]; ok {
			return n
		}
		return id[:4] + "…"
	})
	text = anyDigest.ReplaceAllString(text, "sha-256:…")
	return anyTime.ReplaceAllStringFunc(text, func(v string) string {
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return v
		}
		return "+" + shortly(t.Sub(start.Add(10*time.Minute)))
	})
}

// shortly writes a duration as a story does, without what is below a minute: the
// clock of a story runs on while it is played.
func shortly(d time.Duration) string {
	d = d.Truncate(time.Minute)
	text := strings.TrimSuffix(d.String(), "0s")
	if d%time.Hour == 0 && d != 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	if text == "" {
		return "0"
	}
	return text
}

func (s *script) problem(err error) {
	var p *countersign.Problem
	if !errors.As(err, &p) {
		s.h.t.Fatalf("an error that is no problem: %v", err)
	}
	if p.Code == countersign.CodeInternal {
		s.h.t.Fatal(describe(err))
	}
	s.printf("refused %s: %s", p.Code, p.Detail)
	for _, e := range p.Errors {
		if len(p.Errors) > 1 || !strings.Contains(p.Detail, e.Detail) {
			s.printf("  %s %s", e.Pointer, e.Detail)
		}
	}
	for _, d := range p.Differences {
		s.printf("  %s: %q, not %q", d.Pointer, d.Sent, d.Stored)
	}
	for _, r := range p.Reasons {
		if !strings.Contains(p.Detail, r.Sentence) {
			s.printf("  %s: %s", r.Rule, r.Sentence)
		}
	}
}

// show writes an approval as a reader of a story wants to see it.
func (s *script) approval(label string, a *countersign.Approval) {
	text := label + " " + string(a.Status)
	if a.Founding {
		text += ", founding"
	}
	if a.NotBefore != "" {
		text += ", not before " + a.NotBefore
	}
	if a.SupersededBy != "" {
		text += ", by " + a.SupersededBy
	}
	if a.Follows != "" {
		text += ", follows " + a.Follows
	}
	if n := len(a.Decisions); n > 0 {
		text += fmt.Sprintf(", %d decisions", n)
	}
	s.printf("%s", text)
	if s.out.Len() > 4000 {
		s.h.t.Fatal("too long an answer")
	}
	for _, m := range a.Missing {
		s.printf("  missing: %s", m)
	}
}

func (s *script) weighed(outcome countersign.Outcome, r countersign.Requirement, reasons []countersign.Reason) {
	text := "  " + string(outcome)
	if outcome == countersign.OutcomeStepUp {
		text += " " + string(r.Assurance)
		for _, c := range r.Clauses {
			text += fmt.Sprintf(", %d of %s", c.Count, strings.Join(c.From, " or "))
			if c.OutsideChain {
				text += " outside the chain"
			}
		}
		for _, q := range r.Attestations {
			text += ", " + q.ID
		}
		if r.Hold > 0 {
			text += fmt.Sprintf(", hold %s", shortly(time.Duration(r.Hold)*time.Second))
		}
		if r.Reason {
			text += ", reason"
		}
		if r.MaxAge > 0 && r.MaxAge != 900 {
			text += fmt.Sprintf(", within %s", shortly(time.Duration(r.MaxAge)*time.Second))
		}
		if r.NoVouching {
			text += ", no vouching"
		}
	}
	s.printf("%s", text)
	for _, why := range reasons {
		mark := ""
		if why.State == countersign.Unknown {
			mark = fmt.Sprintf(" (cannot say: %s)", strings.Join(why.Missing, ", "))
		}
		s.printf("  %s: %s%s", why.Rule, why.Sentence, mark)
	}
}

func (s *script) dweller(name string) *dweller {
	d, ok := s.h.who[name]
	if !ok {
		s.h.t.Fatalf("nobody is called %q", name)
	}
	return d
}

// id is the id behind a label, or the word itself.
func (s *script) id(label string) string {
	if id, ok := s.ids[label]; ok {
		return id
	}
	if d, ok := s.h.who[label]; ok {
		return d.id
	}
	return label
}

// document builds or edits the document of a label.
func (s *script) document(d *countersign.Document, a args) *countersign.Document {
	c := *d
	c.Kind, c.ID, c.Revision = a.get("kind", c.Kind), a.get("id", c.ID), a.get("rev", c.Revision)
	c.Category, c.Entity = a.get("category", c.Category), a.get("entity", c.Entity)
	if v := a.get("amount", ""); v == "none" {
		c.Amount = nil
	} else if v != "" {
		value, currency, ok := strings.Cut(v, " ")
		if !ok {
			currency = "EUR"
		}
		c.Amount = &countersign.Amount{Value: value, Currency: currency}
	}
	if v := a.get("flags", ""); v != "" {
		c.Flags = strings.Split(v, ",")
	}
	p := countersign.Payee{}
	if c.Payee != nil {
		p = *c.Payee
	}
	p.ID, p.Name = a.get("vendor", p.ID), a.get("name", p.Name)
	if v := a.get("account", ""); v != "" {
		p.Account = &countersign.Account{Scheme: "iban", Value: v}
	}
	c.Payee = &p
	if v := a.get("from", ""); v != "" {
		c.Changes = []countersign.Change{{Field: "account", From: v, To: p.Account.Value}}
	}
	if v := a.get("requester", ""); v != "" {
		r := countersign.Party{Type: "person", ID: v}
		if d, ok := s.h.who[v]; ok {
			r.Name = d.name
		}
		if owner, ok := strings.CutPrefix(v, "service:"); ok {
			r = countersign.Party{Type: "service", ID: "buying-bot", Name: "Buying bot", Owner: owner}
		}
		c.Requester = &r
	}
	return &c
}

func (s *script) submission(a args) *countersign.Submission {
	sub := countersign.Submission{Approver: a.get("approver", ""), ActingFor: a.get("acting", ""), Supersedes: s.id(a.get("supersedes", ""))}
	if v := a.get("vouch", ""); v != "" {
		sub.Vouch = &countersign.Vouch{Person: v, Method: "pwd", AuthenticatedAt: s.h.clock.Now().Format(time.RFC3339)}
	}
	return &sub
}

func (s *script) submit(a args) error {
	label := a.word(0)
	d := order(label, "900.00")
	if old, ok := s.docs[a.get("like", "")]; ok {
		d = old
	}
	if old, ok := s.docs[label]; ok {
		d = old
	}
	d = s.document(d, a)
	key := s.h.key
	if source := a.get("source", ""); source != "" {
		key = s.h.apiKey(source, "submit")
	}
	out, err := s.h.a.Submit(s.h.ctx, key, body(d, s.submission(a)))
	if err != nil {
		return err
	}
	s.docs[label], s.ids[label] = d, out.Approval.ID
	if !out.Created {
		s.printf("the same as before")
	}
	s.approval(label, out.Approval)
	s.weighed(out.Approval.Outcome, out.Approval.Requirement, out.Approval.Reasons)
	if out.Approval.HandOverURL != "" {
		s.printf("  a hand-over link")
	}
	s.receiptOf(out.Approval)
	return nil
}

// receiptOf holds what is approved to its receipt, as anybody could, and what is not
// to having none.
func (s *script) receiptOf(a *countersign.Approval) {
	s.h.t.Helper()
	allows := a.Status == countersign.StatusApproved || a.Status == countersign.StatusReleased
	if !allows {
		if len(a.Receipt) > 0 {
			s.h.t.Errorf("%s has a receipt while %s", a.ID, a.Status)
		}
		return
	}
	if s.h.erased {
		v, err := verify.Receipt(a.Receipt, verify.Options{Keys: s.h.a.Verifiers()})
		if err != nil {
			s.printf("  its receipt does not verify any more: %d openings are erased or not shown", len(v.Erased)+len(v.NotShown))
		}
		return
	}
	v := s.h.verified(a.Receipt)
	if v.Request != a.ID || v.Status != a.Status || v.Digest != a.Digest || v.NotBefore != a.NotBefore {
		s.h.t.Errorf("the receipt proves %+v, the answer says %+v", v, a)
	}
}

func (s *script) evaluate(a args) error {
	d := s.document(order(a.word(0), "900.00"), a)
	e, err := s.h.a.Evaluate(s.h.ctx, s.h.key, body(d, s.submission(a)))
	if err != nil {
		return err
	}
	s.weighed(e.Outcome, e.Requirement, e.Reasons)
	if !e.Satisfiable {
		s.printf("  unsatisfiable")
	}
	return nil
}

func (s *script) caller(a args) authority.Caller {
	by := a.get("by", "")
	if by == "" {
		return authority.Caller{Key: &s.h.key}
	}
	return authority.Caller{Session: &s.signedIn(by).session}
}

// signedIn is a person with a session that is still good.
func (s *script) signedIn(login string) *dweller {
	d := s.dweller(login)
	if d.key != nil && s.h.clock.Now().Sub(d.since) > 50*time.Minute {
		d.signIn()
	}
	return d
}

func (s *script) show(a args) error {
	label := a.word(0)
	out, err := s.h.a.Get(s.h.ctx, s.caller(a), s.id(label))
	if err != nil {
		return err
	}
	s.approval(label, out)
	s.weighed(out.Outcome, out.Requirement, out.Reasons)
	s.receiptOf(out)
	return nil
}
