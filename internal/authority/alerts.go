package authority

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Bounds of an alert's life: one that never ended would hold everything for ever.
const (
	defaultAlertDays = 14
	maxAlertDays     = 90
)

// How the external ids of the authority's own alerts about one request begin. A
// decision's id or the request's follows.
const (
	alertUnexpected    = "unexpected:"
	alertLease         = "lease:"
	alertUnsatisfiable = "unsatisfiable:"
	alertTampered      = "tampered:"
)

var severities = []string{"low", "medium", "high", "critical"}

// newAlert is an alert that the authority raises itself.
type newAlert struct {
	about, severity, title, external, owner string
	days                                    int
	actor                                   string // default: the system
}

// raise raises an alert of the authority's own, once for each external id.
func (a *Authority) raise(tx *store.Tx, n newAlert) error {
	if n.owner == "" {
		n.owner = GroupControllers
	}
	_, err := a.writeAlert(tx, store.Alert{ID: countersign.NewID(countersign.PrefixAlert, tx.Now()), Severity: n.severity, About: n.about, Title: n.title,
		Owner: n.owner, Source: store.InternalSource, External: n.external, Raised: tx.Now(), Expires: tx.Now().AddDate(0, 0, n.days)}, orSystem(n.actor))
	return err
}

func orSystem(actor string) string {
	if actor == "" {
		return actorSystem
	}
	return actor
}

// writeAlert writes an alert with its entry; it reports false for one that was there.
func (a *Authority) writeAlert(tx *store.Tx, row store.Alert, actor string) (bool, error) {
	fresh, err := tx.InsertAlert(row)
	if err != nil || !fresh {
		return false, err
	}
	detail, err := countersign.Canonical(map[string]string{"about": row.About, "title": row.Title, "owner": row.Owner, "source": row.Source,
		"external": row.External, "expires_at": stamp(row.Expires)})
	if err != nil {
		return false, err
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryAlertRaised, subject: row.ID, actor: actor, facts: map[string]string{"severity": row.Severity},
		openings: map[string][]byte{countersign.OpeningDetail: detail}})
	if err != nil {
		return false, err
	}
	if err := a.tell(tx, w.entry, row.ID); err != nil {
		return false, err
	}
	return true, tx.FactsChanged()
}

// RaiseAlert takes an alert in: from a system, or from an administrator or controller,
// who needs no proof for it, since an alert only adds caution. Raising the same external
// id again answers with the alert that is there.
func (a *Authority) RaiseAlert(ctx context.Context, by Caller, body countersign.AlertBody) (*countersign.Alert, bool, error) {
	if err := a.mayRaise(ctx, by); err != nil {
		return nil, false, err
	}
	if err := checkAlert(body, by.Session != nil); err != nil {
		return nil, false, err
	}
	var out *countersign.Alert
	var fresh bool
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		row, actor, err := a.raisedBy(tx, by, body)
		if err != nil {
			return err
		}
		if fresh, err = a.writeAlert(tx, row, actor); err != nil {
			return err
		}
		if !fresh {
			first, err := tx.AlertByExternal(row.Source, row.External)
			if err != nil {
				return err
			}
			if by.Session != nil && !sameAlert(first, row) {
				return countersign.NewProblem(countersign.CodeConflict, "this id has raised another alert already: %s", clipText(first.Title)).
					WithHint("raise it under an id of its own")
			}
			row = first
		}
		v := alertView(row)
		out = &v
		return nil
	})
	return out, fresh, fault(err)
}

// mayRaise lets systems raise alerts that have the scope, and people who may propose to
// close them.
func (a *Authority) mayRaise(ctx context.Context, by Caller) error {
	if by.Session != nil {
		return a.member(ctx, *by.Session, GroupAdministrators, GroupControllers)
	}
	return by.Key.need(authn.ScopeAlert)
}

// raisedBy makes the row of an alert that was checked, and names who raises it. A
// person's alerts have the person as their source.
func (a *Authority) raisedBy(tx *store.Tx, by Caller, body countersign.AlertBody) (row store.Alert, actor string, err error) {
	row = store.Alert{ID: countersign.NewID(countersign.PrefixAlert, tx.Now()), Severity: body.Severity, Title: body.Title, Owner: body.Owner,
		External: body.ID, Raised: tx.Now(), Expires: tx.Now().AddDate(0, 0, defaultAlertDays)}
	if row.Owner == "" {
		row.Owner = GroupControllers
	}
	if body.Expires != "" {
		t, _ := time.Parse(time.RFC3339, body.Expires) // checked
		row.Expires = t.UTC()
		if !t.After(tx.Now()) || t.After(tx.Now().AddDate(0, 0, maxAlertDays)) {
			return row, "", countersign.Invalid(countersign.FieldError{Pointer: "/expires_at", Detail: "want a time within the next 90 days"})
		}
	}
	if by.Session == nil {
		row.Source = by.Key.Source
		row.About, err = alertSubject(tx, by.Key.Source, body.About)
		return row, by.Key.ID, err
	}
	row.Source = by.Session.Person.ID
	if body.Owner != "" {
		if err := looksAfter(tx, body.Owner); err != nil {
			return row, "", err
		}
	}
	if body.About.Request != "" {
		c, err := a.visible(tx, *by.Session, body.About.Request)
		if err != nil {
			return row, "", err
		}
		row.About = c.row.ID
		return row, row.Source, nil
	}
	row.About, err = alertSubject(tx, directory, body.About)
	return row, row.Source, err
}

// looksAfter refuses an owner who would never hear of the alert.
func looksAfter(tx *store.Tx, owner string) error {
	bad := countersign.Invalid(countersign.FieldError{Pointer: "/owner", Detail: "want a group that somebody is in, or an active person by their id, as per_…"})
	if countersign.IsID(countersign.PrefixPerson, owner) {
		p, err := tx.Person(owner)
		if errors.Is(err, store.ErrNotFound) || err == nil && !p.Active {
			return bad
		}
		return err
	}
	members, err := tx.MembersOf(owner, 1)
	if err == nil && len(members) == 0 {
		return bad
	}
	return err
}

// sameAlert reports whether somebody says again what they said.
func sameAlert(was, now store.Alert) bool {
	return was.Severity == now.Severity && was.About == now.About && was.Title == now.Title && was.Owner == now.Owner
}

// checkAlert checks what can be checked of an alert by itself. Only a person can raise
// one about a request, which they must be able to see.
func checkAlert(b countersign.AlertBody, person bool) error {
	var errs []countersign.FieldError
	add := func(at, detail string) { errs = append(errs, countersign.FieldError{Pointer: at, Detail: detail}) }
	if b.ID == "" || len(b.ID) > 200 {
		add("/id", "required, at most 200 bytes: your own id of the alert")
	}
	if !slices.Contains(severities, b.Severity) {
		add("/severity", `want "low", "medium", "high" or "critical"`)
	}
	if b.Title == "" || len(b.Title) > 300 {
		add("/title", "required, at most 300 bytes")
	}
	if len(b.Owner) > 200 {
		add("/owner", "at most 200 bytes")
	}
	if b.Expires != "" {
		if _, err := time.Parse(time.RFC3339, b.Expires); err != nil {
			add("/expires_at", "want a time as 2026-11-24T06:00:00Z (RFC 3339)")
		}
	}
	n := 0
	for _, set := range []bool{b.About.Vendor != "", b.About.Person != "", b.About.Request != "", b.About.Organisation} {
		if set {
			n++
		}
	}
	switch {
	case person && n != 1:
		add("/about", "want exactly one of vendor, person, request, organisation")
	case !person && (n != 1 || b.About.Request != ""):
		add("/about", "want exactly one of vendor, person, organisation")
	}
	if len(errs) > 0 {
		return countersign.Invalid(errs...)
	}
	return nil
}

// alertSubject finds what an alert is about. A vendor may be unknown yet; a person
// must be on record, or the alert would be about nobody.
func alertSubject(tx *store.Tx, source string, s countersign.AlertSubject) (string, error) {
	switch {
	case s.Vendor != "":
		return store.AboutVendor(s.Vendor), nil
	case s.Organisation:
		return store.AboutOrganisation, nil
	}
	p, err := identify(tx, source, s.Person)
	if errors.Is(err, store.ErrNotFound) {
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/about/person", Detail: "is nobody on record here"})
	}
	return p.ID, err
}

func alertView(row store.Alert) countersign.Alert {
	v := countersign.Alert{ID: row.ID, External: row.External, Severity: row.Severity, Title: row.Title, Owner: row.Owner, Source: row.Source,
		RaisedAt: stamp(row.Raised), ExpiresAt: stamp(row.Expires), ClosedAt: stamp(row.Closed), ClosedBy: row.ClosedBy}
	switch vendor, ok := vendorOf(row.About); {
	case ok:
		v.About.Vendor = vendor
	case row.About == store.AboutOrganisation:
		v.About.Organisation = true
	case countersign.IsID(countersign.PrefixRequest, row.About):
		v.About.Request = row.About
	case row.About == store.AboutOperation:
		// Nobody can decide on a request: the alert is about the operation, so that it
		// holds nothing back, and its external id names the request.
		v.About.Request, _ = strings.CutPrefix(row.External, alertUnsatisfiable)
	default:
		v.About.Person = row.About
	}
	return v
}

func vendorOf(about string) (string, bool) {
	prefix := store.AboutVendor("")
	if len(about) > len(prefix) && about[:len(prefix)] == prefix {
		return about[len(prefix):], true
	}
	return "", false
}

// Alerts lists alerts, newest first, for people whose groups look after them.
func (a *Authority) Alerts(ctx context.Context, s Session, openOnly bool, before string, limit int) (countersign.Page[countersign.Alert], error) {
	return look(ctx, a, s, func(r *reading) (countersign.Page[countersign.Alert], error) {
		return r.alerts(openOnly, before, limit)
	})
}

func (r *reading) alerts(openOnly bool, before string, limit int) (page countersign.Page[countersign.Alert], err error) {
	if err := r.member(GroupControllers, GroupAdministrators, GroupAuditors); err != nil {
		return page, err
	}
	page.Items = []countersign.Alert{}
	rows, err := r.tx.Alerts(openOnly, before, limit+1)
	if err != nil {
		return page, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = rows[limit-1].ID
	}
	for _, row := range rows {
		page.Items = append(page.Items, alertView(row))
	}
	return page, nil
}

// unexpected is what "I did not expect this" sets off besides the denial: an owned,
// expiring alert about the payee, or about whoever asked where there is none. One
// person can do no more (ruling 22).
func (a *Authority) unexpected(tx *store.Tx, c *caseFile, d countersign.Decision) error {
	about := store.AboutOrganisation
	switch {
	case c.row.Vendor != "":
		about = store.AboutVendor(c.row.Vendor)
	case len(c.state.Requesters) > 0:
		about = c.state.Requesters[0].ID
	}
	return a.raise(tx, newAlert{about: about, severity: "high", external: alertUnexpected + d.ID, days: defaultAlertDays, actor: d.Person.ID,
		title: d.Person.Name + " did not expect " + c.row.Kind + " " + c.row.Object})
}
