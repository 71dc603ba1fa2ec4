package store

import "time"

// AboutOrganisation is what an alert or freeze is about when it is about nobody in
// particular. Otherwise it is a person's id, "vendor:" and the vendor's number, or, of an
// alert, a request's id.
const AboutOrganisation = "org"

// AboutOperation is what an alert is about that somebody should look at, but that says
// nothing about any request: it is weighed nowhere.
const AboutOperation = "operation"

// AboutVendor is what an alert or freeze of a vendor is about.
func AboutVendor(id string) string { return "vendor:" + id }

// Alert is something that somebody should look at, and that is weighed until then.
type Alert struct {
	ID, Severity, About, Title, Owner, Source, External string
	Raised, Expires, Closed                             time.Time
	ClosedBy                                            string
}

const alertColumns = `id, severity, about, title, owner, source, external, raised_us, expires_us, closed_us, closed_by`

func scanAlert(s Scanner) (a Alert, err error) {
	err = s.Scan(&a.ID, &a.Severity, &a.About, &a.Title, &a.Owner, &a.Source, &a.External, &a.Raised, &a.Expires, &a.Closed, &a.ClosedBy)
	return a, err
}

// InsertAlert writes an alert. It reports false when its source has raised it before.
func (tx *Tx) InsertAlert(a Alert) (bool, error) {
	n, err := tx.Exec(`INSERT INTO alert (org_id, `+alertColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,0,'') ON CONFLICT DO NOTHING`,
		a.ID, a.Severity, a.About, a.Title, a.Owner, a.Source, a.External, a.Raised, a.Expires)
	return n == 1, err
}

// Alert reads an alert.
func (tx *Tx) Alert(id string) (Alert, error) {
	return One(tx, scanAlert, `SELECT `+alertColumns+` FROM alert WHERE org_id = $1 AND id = $2`, id)
}

// AlertByExternal reads the alert that a source raised under its own id.
func (tx *Tx) AlertByExternal(source, external string) (Alert, error) {
	return One(tx, scanAlert, `SELECT `+alertColumns+` FROM alert WHERE org_id = $1 AND source = $2 AND external = $3`, source, external)
}

// OpenAlerts lists the alerts about one of the subjects that are open now, newest
// first.
func (tx *Tx) OpenAlerts(about []string) ([]Alert, error) {
	if len(about) == 0 {
		return nil, nil
	}
	in, args := inList(about, 3)
	return List(tx, scanAlert, `SELECT `+alertColumns+` FROM alert WHERE org_id = $1 AND closed_us = 0 AND expires_us > $2 AND about IN (`+in+`) ORDER BY raised_us DESC, id LIMIT 100`,
		append([]any{tx.Now()}, args...)...)
}

// AlertsOn lists the alerts about a request: those that people raised about it, and
// those of Countersign's own that have one of these ids.
func (tx *Tx) AlertsOn(request string, own []string) ([]Alert, error) {
	in, args := inList(own, 4)
	if len(own) == 0 {
		in = `NULL`
	}
	return List(tx, scanAlert, `SELECT `+alertColumns+` FROM alert WHERE org_id = $1 AND (about = $2 OR (source = $3 AND external IN (`+in+`))) ORDER BY id`,
		append([]any{request, InternalSource}, args...)...)
}

// EraseAlert replaces what an alert says by a sentence that says nothing.
func (tx *Tx) EraseAlert(id, title string) error {
	return tx.ExecOne(`UPDATE alert SET title = $3 WHERE org_id = $1 AND id = $2`, id, title)
}

// Alerts lists alerts, newest first, a page at a time.
func (tx *Tx) Alerts(openOnly bool, before string, limit int) ([]Alert, error) {
	return List(tx, scanAlert, `SELECT `+alertColumns+` FROM alert WHERE org_id = $1 AND (CAST($2 AS BIGINT) = 0 OR (closed_us = 0 AND expires_us > $3))
		AND id < $4 ORDER BY id DESC LIMIT $5`, openOnly, tx.Now(), below(before), limit)
}

// CloseAlert closes an alert. [ErrConflict] when it is closed already.
func (tx *Tx) CloseAlert(id, by string) error {
	return tx.ExecOne(`UPDATE alert SET closed_us = $3, closed_by = $4 WHERE org_id = $1 AND id = $2 AND closed_us = 0`, id, tx.Now(), by)
}

// inList writes placeholders for a list, starting at $from.
func inList(values []string, from int) (string, []any) {
	b := make([]byte, 0, 5*len(values))
	args := make([]any, len(values))
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '$')
		b = appendInt(b, from+i)
		args[i] = v
	}
	return string(b), args
}

func appendInt(b []byte, n int) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

// Freeze stops everything about a vendor or a person for a time.
type Freeze struct {
	ID, About, Reason, PlacedBy string
	Placed, Expires, Lifted     time.Time
}

const freezeColumns = `id, about, reason, placed_by, placed_us, expires_us, lifted_us`

func scanFreeze(s Scanner) (f Freeze, err error) {
	err = s.Scan(&f.ID, &f.About, &f.Reason, &f.PlacedBy, &f.Placed, &f.Expires, &f.Lifted)
	return f, err
}

// InsertFreeze writes a freeze.
func (tx *Tx) InsertFreeze(f Freeze) error {
	_, err := tx.Exec(`INSERT INTO frozen (org_id, `+freezeColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,0)`, f.ID, f.About, f.Reason, f.PlacedBy, f.Placed, f.Expires)
	return err
}

// Freeze reads a freeze.
func (tx *Tx) Freeze(id string) (Freeze, error) {
	return One(tx, scanFreeze, `SELECT `+freezeColumns+` FROM frozen WHERE org_id = $1 AND id = $2`, id)
}

// Freezes lists the freezes in force of one of the subjects.
func (tx *Tx) Freezes(about []string) ([]Freeze, error) {
	if len(about) == 0 {
		return nil, nil
	}
	in, args := inList(about, 3)
	return List(tx, scanFreeze, `SELECT `+freezeColumns+` FROM frozen WHERE org_id = $1 AND lifted_us = 0 AND expires_us > $2 AND about IN (`+in+`) ORDER BY placed_us, id LIMIT 20`,
		append([]any{tx.Now()}, args...)...)
}

// OpenFreezes lists all freezes in force.
func (tx *Tx) OpenFreezes() ([]Freeze, error) {
	return List(tx, scanFreeze, `SELECT `+freezeColumns+` FROM frozen WHERE org_id = $1 AND lifted_us = 0 AND expires_us > $2 ORDER BY placed_us, id LIMIT 500`, tx.Now())
}

// FrozenBy reports whether a person placed a freeze of a subject at or after a time,
// whether it is still in force or not.
func (tx *Tx) FrozenBy(about, person string, since time.Time) (bool, error) {
	var n int64
	err := tx.Row(`SELECT COUNT(*) FROM frozen WHERE org_id = $1 AND about = $2 AND placed_by = $3 AND placed_us >= $4`, about, person, since).Scan(&n)
	return n > 0, err
}

// ExtendFreeze sets a later end.
func (tx *Tx) ExtendFreeze(id string, until time.Time) error {
	return tx.ExecOne(`UPDATE frozen SET expires_us = $3 WHERE org_id = $1 AND id = $2 AND lifted_us = 0 AND expires_us < $3`, id, until)
}

// LiftFreeze ends a freeze now. [ErrConflict] when it has ended already.
func (tx *Tx) LiftFreeze(id string) error {
	return tx.ExecOne(`UPDATE frozen SET lifted_us = $3 WHERE org_id = $1 AND id = $2 AND lifted_us = 0 AND expires_us > $3`, id, tx.Now())
}

// BreakGlassName names a person who may stand in for a group in an emergency.
type BreakGlassName struct {
	Person    string
	Effective time.Time
}

// BreakGlassNames lists the people who may break the glass now or later.
func (tx *Tx) BreakGlassNames() ([]BreakGlassName, error) {
	return List(tx, func(s Scanner) (n BreakGlassName, err error) {
		err = s.Scan(&n.Person, &n.Effective)
		return n, err
	}, `SELECT person_id, effective_us FROM break_glass_name WHERE org_id = $1 AND removed_us = 0 ORDER BY person_id`)
}

// PutBreakGlassName names a person from a time on, or again after they were removed.
func (tx *Tx) PutBreakGlassName(person string, effective time.Time) error {
	_, err := tx.Exec(`INSERT INTO break_glass_name (org_id, person_id, effective_us, removed_us) VALUES ($1,$2,$3,0)
		ON CONFLICT (org_id, person_id) DO UPDATE SET effective_us = excluded.effective_us, removed_us = 0 WHERE break_glass_name.removed_us > 0`, person, effective)
	return err
}

// RemoveBreakGlassName takes a name away, at once.
func (tx *Tx) RemoveBreakGlassName(person string) error {
	return tx.ExecOne(`UPDATE break_glass_name SET removed_us = $3 WHERE org_id = $1 AND person_id = $2 AND removed_us = 0`, person, tx.Now())
}

// BreakGlassUse is one use, waiting for its review until Reviewed.
type BreakGlassUse struct {
	Approval, Currency string
	Minor              int64
	Used, Reviewed     time.Time
	ReviewedBy         string
}

func scanBreakGlassUse(s Scanner) (u BreakGlassUse, err error) {
	err = s.Scan(&u.Approval, &u.Currency, &u.Minor, &u.Used, &u.Reviewed, &u.ReviewedBy)
	return u, err
}

// InsertBreakGlassUse records a use; a second decision under the same use adds none.
func (tx *Tx) InsertBreakGlassUse(u BreakGlassUse) error {
	_, err := tx.Exec(`INSERT INTO break_glass_use (org_id, approval_id, currency, minor, used_us, reviewed_us, reviewed_by) VALUES ($1,$2,$3,$4,$5,0,'') ON CONFLICT DO NOTHING`,
		u.Approval, u.Currency, u.Minor, u.Used)
	return err
}

// BreakGlassUses lists the uses since a time and all that were not reviewed.
func (tx *Tx) BreakGlassUses(since time.Time) ([]BreakGlassUse, error) {
	return List(tx, scanBreakGlassUse, `SELECT approval_id, currency, minor, used_us, reviewed_us, reviewed_by FROM break_glass_use
		WHERE org_id = $1 AND (used_us >= $2 OR reviewed_us = 0) ORDER BY used_us, approval_id LIMIT 500`, since)
}

// ReviewBreakGlass records the review of a use.
func (tx *Tx) ReviewBreakGlass(approval, by string) error {
	return tx.ExecOne(`UPDATE break_glass_use SET reviewed_us = $3, reviewed_by = $4 WHERE org_id = $1 AND approval_id = $2 AND reviewed_us = 0`, approval, tx.Now(), by)
}
