package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// content is what one mail says, in the words and formats of the person.
type content struct {
	Subject string
	Lead    string // the first sentence
	Rows    []row
	Note    string // what can be done, "" for nothing
	Link    string
	Action  string // the words of the link
	Foot    []string
}

type row struct{ Name, Value string }

// writing is one mail while it is being written.
type writing struct {
	tx     *store.Tx
	texts  *texts
	letter letter
	org    store.Organisation
	person store.Person
	format format
	full   bool // details may be told
	out    content
}

// compose writes a letter to its person. It is nil when there is nothing to say any
// more, or nobody to say it to.
func (b *Bell) compose(tx *store.Tx, l letter) (*Mail, error) {
	w := writing{tx: tx, texts: b.texts, letter: l, full: b.Details == DetailsSummary}
	var err error
	if w.person, err = tx.Person(l.Person); err != nil {
		return nil, unlessGone(err)
	}
	if !w.person.Active || strings.TrimSpace(w.person.Email) == "" {
		return nil, nil
	}
	if w.org, err = tx.Organisation(); err != nil {
		return nil, err
	}
	w.format = formatOf(w.person.Settings)
	wanted, err := w.write()
	if err != nil || !wanted {
		return nil, err
	}
	to, err := mail.ParseAddress(w.person.Email)
	if err != nil || to.Name != "" {
		return nil, &DeliveryError{Permanent: true, text: "the person's mail address cannot be read"}
	}
	host, err := hostOf(w.org.PublicURL)
	if err != nil {
		return nil, err
	}
	return &Mail{Thread: l.Subject, Host: host, From: b.From, To: mail.Address{Name: line(w.person.Name, maxNameShown), Address: to.Address},
		Date: l.At, Subject: w.out.Subject, Text: w.out.text(), HTML: w.out.html(w.texts.lang)}, nil
}

// unlessGone makes nothing of an error that says that something is gone: it was erased.
func unlessGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("the public address %q has no host", address)
	}
	return u.Hostname(), nil
}

// write fills in the content; false when it need not be sent.
func (w *writing) write() (wanted bool, err error) {
	l := &w.letter
	w.out.Foot = []string{w.t("foot.doorbell"), w.t("foot.from", "organisation", said(w.org.Name, maxNameShown))}
	switch {
	case isID(l.Subject, countersign.PrefixRequest):
		wanted, err = w.request()
	case isID(l.Subject, countersign.PrefixPerson):
		wanted, err = w.security()
	case isID(l.Subject, countersign.PrefixAlert):
		wanted, err = w.alert()
	case isID(l.Subject, countersign.PrefixFreeze):
		wanted, err = w.freeze()
	}
	return wanted, err
}

func (w *writing) t(key string, args ...string) string { return w.texts.t(key, args...) }

// words takes the texts of the letter's kind.
func (w *writing) words(args ...string) {
	key := "mail." + w.letter.Kind + "."
	w.out.Lead = w.t(key+"lead", args...)
	w.out.Note = w.texts.maybe(key+"note", args...)
	w.out.Action = w.t(key + "action")
	w.out.Subject = w.t(key+"subject", args...)
}

// link points at a page. Opening it only shows: whoever decides signs there.
func (w *writing) link(path string) { w.out.Link = strings.TrimSuffix(w.org.PublicURL, "/") + path }

// add adds a row; a value that is empty adds none.
func (w *writing) add(name, value string) {
	if value != "" {
		w.out.Rows = append(w.out.Rows, row{w.t("row." + name), value})
	}
}

// request writes a mail about a request.
func (w *writing) request() (bool, error) {
	r, err := w.tx.Approval(w.letter.Subject)
	if err != nil {
		return false, unlessGone(err)
	}
	if ok, err := w.current(r); err != nil || !ok {
		return false, err
	}
	what, by := w.what(r)
	w.words("what", what, "by", by, "time", w.format.moment(w.texts, r.Due), "held", w.format.moment(w.texts, r.Held),
		"since", w.format.moment(w.texts, r.Created))
	w.link("/r/" + r.ID)
	switch w.letter.Kind {
	case kindWaiting, kindReminder, kindEscalation, kindUnsatisfiable:
		w.add("due", w.format.moment(w.texts, r.Due))
	case kindHeld, kindApproved:
		if r.Held.After(w.tx.Now()) {
			w.add("held", w.format.moment(w.texts, r.Held))
		}
	case kindReleaseRefused:
		key := "mail.release_refused." + refusedHow(w.letter.Facts["reason"], r.Status) + "."
		w.out.Lead, w.out.Note = w.t(key+"lead"), w.texts.maybe(key+"note")
	case kindNotNeeded:
		w.out.Lead = w.t("mail.not_needed." + string(r.Status) + ".lead")
	}
	return true, nil
}

// current reports whether the mail still says what is so.
func (w *writing) current(r store.Approval) (bool, error) {
	switch w.letter.Kind {
	case kindWaiting, kindReminder:
		return stillAsked(w.tx, r, w.person.ID)
	case kindEscalation:
		return r.Status == countersign.StatusPending, nil
	case kindUnsatisfiable:
		return r.Status == countersign.StatusUnsatisfiable, nil
	case kindHeld:
		return r.Status == countersign.StatusApproved && r.Held.After(w.tx.Now()), nil
	case kindQuestion, kindAnswer:
		return !r.Status.Final(), nil
	case kindReleaseRefused:
		return refusedHow(w.letter.Facts["reason"], r.Status) != "", nil
	}
	return true, nil
}

// what says what is asked, in a few words for a sentence and in rows; and by whom. Of
// accounts nothing is said. What was erased, or may not be told, is "a request".
func (w *writing) what(r store.Approval) (what, by string) {
	what, by = w.t("a_request"), w.t("somebody")
	var d countersign.Document
	if !w.full || len(r.Document) == 0 || json.Unmarshal(r.Document, &d) != nil {
		return what, by
	}
	kind := w.texts.kind(d.Kind)
	id := said(d.ID, maxNameShown)
	what = w.t("what.plain", "kind", kind, "id", id)
	w.add("kind", kind)
	w.add("id", id)
	if d.Amount != nil {
		amount := w.format.money(*d.Amount)
		what = w.t("what.amount", "kind", kind, "id", id, "amount", amount)
		w.add("amount", amount)
	}
	if d.Payee != nil {
		w.add("payee", said(d.Payee.Name, maxNameShown))
	}
	if d.Requester != nil {
		by = said(d.Requester.Name, maxNameShown)
		if by == "" {
			by = said(d.Requester.ID, maxNameShown)
		}
		w.add("by", by)
	}
	return what, by
}

// security writes a mail to a person about their own authenticators and delegations, or
// to an administrator about somebody's reset.
func (w *writing) security() (bool, error) {
	l := &w.letter
	who := w.person
	if l.Kind == kindResetOf {
		var err error
		if who, err = w.tx.Person(l.Subject); err != nil {
			return false, unlessGone(err)
		}
	}
	kind := w.texts.maybe("factor." + l.Facts["type"])
	if kind == "" {
		kind = w.t("factor.other")
	}
	w.words("name", said(who.Name, maxNameShown), "factor", kind)
	switch l.Kind {
	case kindResetOf:
		w.link("/r/" + url.PathEscape(l.Facts["request"]))
	case kindDelegation:
		w.out.Lead = w.t("mail.delegation.lead." + delegationState(l.Facts["state"]))
		w.link("/delegations")
	default:
		w.link("/factors")
		w.add("factor", kind)
	}
	if l.Kind == kindFactorLocked && l.Facts["ended"] == "true" {
		w.out.Note = w.t("mail.factor_locked.ended")
	}
	w.add("at", w.format.moment(w.texts, l.At))
	return true, nil
}

func delegationState(s string) string {
	if s == "made" {
		return "made"
	}
	return "ended"
}

func (w *writing) alert() (bool, error) {
	a, err := w.tx.Alert(w.letter.Subject)
	if err != nil {
		return false, unlessGone(err)
	}
	if !a.Closed.IsZero() {
		return false, nil
	}
	w.words("severity", w.t("severity."+a.Severity))
	w.add("severity", w.t("severity."+a.Severity))
	if w.full {
		w.add("title", said(a.Title, maxTitleShown))
	}
	w.add("at", w.format.moment(w.texts, a.Raised))
	w.add("expires", w.format.moment(w.texts, a.Expires))
	w.link("/admin/alerts")
	return true, nil
}

func (w *writing) freeze() (bool, error) {
	f, err := w.tx.Freeze(w.letter.Subject)
	if err != nil {
		return false, unlessGone(err)
	}
	if !f.Lifted.IsZero() || !f.Expires.After(w.tx.Now()) {
		return false, nil
	}
	what := w.t("frozen.vendor")
	if isID(f.About, countersign.PrefixPerson) {
		what = w.t("frozen.person")
	}
	w.words("what", what)
	if w.full {
		p, err := w.tx.Person(f.PlacedBy)
		if err = unlessGone(err); err != nil {
			return false, err
		}
		w.add("by", said(p.Name, maxNameShown))
	}
	w.add("at", w.format.moment(w.texts, f.Placed))
	w.add("expires", w.format.moment(w.texts, f.Expires))
	w.link("/admin/freezes")
	return true, nil
}

// Test is a mail that says that mail works, and nothing else.
func Test(from, to mail.Address, publicURL string, now time.Time) (*Mail, error) {
	t, err := loadTexts("en")
	if err != nil {
		return nil, err
	}
	host, err := hostOf(publicURL)
	if err != nil {
		return nil, err
	}
	c := content{Subject: t.t("mail.test.subject"), Lead: t.t("mail.test.lead"), Link: publicURL, Action: t.t("mail.test.action"), Foot: []string{t.t("foot.doorbell")}}
	id := countersign.NewID(countersign.PrefixEvent, now)
	return &Mail{ID: id, Thread: id, Host: host, From: from, To: to, Date: now, Subject: c.Subject, Text: c.text(), HTML: c.html(t.lang)}, nil
}
