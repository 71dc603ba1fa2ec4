package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// Approval is one request with everything around it. State holds the state machine's
// own record; the columns beside it are copies that are searched and summed.
type Approval struct {
	ID            string
	Source        string // the system that submitted it
	Kind          string
	Object        string // the document's id
	Revision      string
	Attempt       int64
	Digest        countersign.Digest
	Document      []byte // canonical bytes
	Submission    string
	Status        countersign.Status
	Version       int64
	State         string
	WeighedEntry  string // the entry of the last weighing, whose opening holds reasons and findings
	PolicyDigest  string
	PolicyVersion int64
	KeyID         string
	Vendor        string
	Requester     string // natural person's id, or source and subject
	Nominated     string // person id
	Category      string
	Currency      string // "" without an amount
	Minor         int64
	BaseCurrency  string // "" where the amount could not be said in the policy's currency
	BaseMinor     int64
	Counted       bool
	bank          bool
	Created       time.Time
	Due           time.Time // when the clock alone changes it
	Ended         time.Time
	SupersededBy  string
	EntryID       string

	Outcome  countersign.Outcome
	Rules    string    // names of the rules that counted, a space around each
	Founding bool      // its receipt is stamped so
	Held     time.Time // not released before; zero where nothing holds it
	Words    string    // folded, for searching; written once, never read

	// Audience is whom the request concerns; it is written anew with every change and
	// never read with the request. Pressing orders it: the smaller, the more weighs.
	Audience []Audience
	Pressing int64
}

const approvalColumns = `id, source, kind, object_id, revision, attempt, digest, document, submission, status, version, state, weighed_entry,
	policy_digest, policy_version, key_id, vendor_id, requester_key, nominated, category, currency, minor, base_currency, base_minor,
	counted, bank, created_us, due_us, ended_us, superseded_by, entry_id, outcome, rules, founding, held_us`

func scanApproval(s Scanner) (a Approval, err error) {
	err = s.Scan(&a.ID, &a.Source, &a.Kind, &a.Object, &a.Revision, &a.Attempt, &a.Digest, &a.Document, &a.Submission, &a.Status, &a.Version, &a.State, &a.WeighedEntry,
		&a.PolicyDigest, &a.PolicyVersion, &a.KeyID, &a.Vendor, &a.Requester, &a.Nominated, &a.Category, &a.Currency, &a.Minor, &a.BaseCurrency, &a.BaseMinor,
		&a.Counted, &a.bank, &a.Created, &a.Due, &a.Ended, &a.SupersededBy, &a.EntryID,
		&a.Outcome, &a.Rules, &a.Founding, &a.Held)
	return a, err
}

// counts reports whether a status counts in sums.
func counts(s countersign.Status) bool {
	switch s {
	case countersign.StatusPending, countersign.StatusApproved, countersign.StatusReleased, countersign.StatusUnsatisfiable:
		return true
	}
	return false
}

// count sets the columns that say in which indexes the request is.
func (a *Approval) count() {
	a.Counted = counts(a.Status)
	a.bank = a.Kind == countersign.KindVendorBankChange && a.Counted && a.Status != countersign.StatusReleased
}

// InsertApproval writes a new request. [ErrConflict] when the same object, revision
// and attempt is there already.
func (tx *Tx) InsertApproval(a *Approval) error {
	a.count()
	err := tx.put(true, `INSERT INTO approval (org_id, `+approvalColumns+`, words)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35,$36,$37) ON CONFLICT DO NOTHING`,
		a.ID, a.Source, a.Kind, a.Object, a.Revision, a.Attempt, a.Digest, a.Document, a.Submission, a.Status, a.Version, a.State, a.WeighedEntry,
		a.PolicyDigest, a.PolicyVersion, a.KeyID, a.Vendor, a.Requester, a.Nominated, a.Category, a.Currency, a.Minor, a.BaseCurrency, a.BaseMinor,
		a.Counted, a.bank, a.Created, a.Due, a.Ended, a.SupersededBy, a.EntryID, a.Outcome, a.Rules, a.Founding, a.Held, a.Words)
	if err != nil {
		return err
	}
	return tx.insertAudience(a)
}

// UpdateApproval replaces what can change of a request, if its version is still
// expected. The new version is a.Version. [ErrConflict] when somebody was first.
func (tx *Tx) UpdateApproval(a *Approval, expected int64) error {
	a.count()
	err := tx.ExecOne(`UPDATE approval SET status = $3, version = $4, state = $5, weighed_entry = $6, policy_digest = $7, policy_version = $8,
		counted = $9, bank = $10, due_us = $11, ended_us = $12, superseded_by = $13, outcome = $15, rules = $16, held_us = $17
		WHERE org_id = $1 AND id = $2 AND version = $14`,
		a.ID, a.Status, a.Version, a.State, a.WeighedEntry, a.PolicyDigest, a.PolicyVersion, a.Counted, a.bank, a.Due, a.Ended, a.SupersededBy, expected,
		a.Outcome, a.Rules, a.Held)
	if err != nil {
		return err
	}
	return tx.replaceAudience(a)
}

// Approval reads a request.
func (tx *Tx) Approval(id string) (Approval, error) {
	return One(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval WHERE org_id = $1 AND id = $2`, id)
}

// ApprovalOf reads the latest request for one revision of an object.
func (tx *Tx) ApprovalOf(source, kind, object, revision string) (Approval, error) {
	return One(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval
		WHERE org_id = $1 AND source = $2 AND kind = $3 AND object_id = $4 AND revision = $5 ORDER BY attempt DESC LIMIT 1`, source, kind, object, revision)
}

// ObjectRequest is a short view of a request for an object.
type ObjectRequest struct {
	ID       string
	Revision string
	Status   countersign.Status
	Created  time.Time
	Ended    time.Time
}

// ApprovalsOfObject lists the latest requests for an object, of every revision,
// newest first.
func (tx *Tx) ApprovalsOfObject(source, kind, object string, limit int) ([]ObjectRequest, error) {
	return List(tx, func(s Scanner) (o ObjectRequest, err error) {
		err = s.Scan(&o.ID, &o.Revision, &o.Status, &o.Created, &o.Ended)
		return o, err
	}, `SELECT id, revision, status, created_us, ended_us FROM approval WHERE org_id = $1 AND source = $2 AND kind = $3 AND object_id = $4
		ORDER BY created_us DESC, id DESC LIMIT $5`, source, kind, object, limit)
}

// VerdictsOnObject lists the requests for an object that were denied or released,
// newest first: however many revisions came after a denial, it is not forgotten.
func (tx *Tx) VerdictsOnObject(source, kind, object string, limit int) ([]ObjectRequest, error) {
	return List(tx, func(s Scanner) (o ObjectRequest, err error) {
		err = s.Scan(&o.ID, &o.Revision, &o.Status, &o.Created, &o.Ended)
		return o, err
	}, `SELECT id, revision, status, created_us, ended_us FROM approval WHERE org_id = $1 AND source = $2 AND kind = $3 AND object_id = $4
		AND status IN ('denied', 'released') ORDER BY created_us DESC, id DESC LIMIT $5`, source, kind, object, limit)
}

// Due lists requests that the clock alone changes now, the longest overdue first.
func (tx *Tx) Due(limit int) ([]string, error) {
	return List(tx, scanText, `SELECT id FROM approval WHERE org_id = $1 AND due_us > 0 AND due_us <= $2 ORDER BY due_us LIMIT $3`, tx.Now(), limit)
}

func scanText(s Scanner) (v string, err error) {
	err = s.Scan(&v)
	return v, err
}

// ApprovalFilter narrows a list of requests; empty members do not narrow.
type ApprovalFilter struct {
	Source, Kind, Object, Vendor, Requester, Nominated string
	Statuses                                           []countersign.Status
	From, Until                                        time.Time // of submission
	Internal                                           *bool     // changes to Countersign itself only, or without them
}

// Approvals lists requests, newest first, a page at a time: those before the
// given id. Identifiers sort by the time they were made.
func (tx *Tx) Approvals(f ApprovalFilter, before string, limit int) ([]Approval, error) {
	var where strings.Builder
	args := []any{}
	add := func(text string, arg any) {
		args = append(args, arg)
		fmt.Fprintf(&where, " AND "+text, len(args)+1)
	}
	for _, c := range []struct{ column, value string }{{"source", f.Source}, {"kind", f.Kind}, {"object_id", f.Object},
		{"vendor_id", f.Vendor}, {"requester_key", f.Requester}, {"nominated", f.Nominated}} {
		if c.value != "" {
			add(c.column+" = $%d", c.value)
		}
	}
	if len(f.Statuses) > 0 {
		where.WriteString(" AND status IN (")
		for i, s := range f.Statuses {
			args = append(args, s)
			if i > 0 {
				where.WriteByte(',')
			}
			fmt.Fprintf(&where, "$%d", len(args)+1)
		}
		where.WriteByte(')')
	}
	if f.Internal != nil {
		if *f.Internal {
			add("source = $%d", InternalSource)
			// All of them are of these kinds: with both, the few are found among the many.
			add("kind >= $%d", InternalSource+".")
			add("kind < $%d", InternalSource+"/")
		} else {
			add("source <> $%d", InternalSource)
		}
	}
	if !f.From.IsZero() {
		add("created_us >= $%d", f.From)
	}
	if !f.Until.IsZero() {
		add("created_us < $%d", f.Until)
	}
	if before != "" {
		add("id < $%d", before)
	}
	args = append(args, limit)
	return List(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval WHERE org_id = $1`+where.String()+
		fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)+1), args...)
}

// InternalSource is the source of changes to Countersign itself.
const InternalSource = "countersign"

// CountByStatus counts requests by status.
func (tx *Tx) CountByStatus() (map[countersign.Status]int64, error) {
	out := map[countersign.Status]int64{}
	rows := tx.Query(`SELECT status, COUNT(*) FROM approval WHERE org_id = $1 GROUP BY status`)
	defer rows.Close()
	for rows.Next() {
		var s countersign.Status
		var n int64
		if err := rows.Scan(&s, &n); err != nil {
			return nil, err
		}
		out[s] = n
	}
	return out, rows.Err()
}

// SumQuery says which requests a sum is over. Requests of the object itself are
// never in it.
type SumQuery struct {
	Kind, Object, Source string
	Vendor               string // "" for all vendors
	Requester, Category  string // "" for all
	Since                time.Time
	Base                 string // currency in which amounts must have been said
	Below                int64  // only amounts below it
}

// Sum is the answer to a [SumQuery]: how many requests and their total, and how many
// more whose amount was never said in that currency.
type Sum struct{ Count, Total, Unknown int64 }

// SumOf adds up the requests that count. Called inside the transaction that writes a
// request, it sees every request that was written before. Credits count for nothing:
// a sum never becomes smaller by what is added.
func (tx *Tx) SumOf(q SumQuery) (s Sum, err error) {
	text := `SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN base_currency = $2 THEN base_minor ELSE 0 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(CASE WHEN base_currency = $2 THEN 0 ELSE 1 END), 0) AS BIGINT)
		FROM approval WHERE org_id = $1 AND counted = 1 AND kind = $3 AND created_us > $4 AND object_id <> $5
		AND (base_currency <> $2 OR (base_minor > 0 AND base_minor < $6))`
	args := []any{q.Base, q.Kind, q.Since, q.Object, q.Below}
	for _, c := range []struct{ column, value string }{{"vendor_id", q.Vendor}, {"requester_key", q.Requester}, {"category", q.Category}} {
		if c.value != "" {
			args = append(args, c.value)
			text += fmt.Sprintf(" AND %s = $%d", c.column, len(args)+1)
		}
	}
	err = tx.Row(text, args...).Scan(&s.Count, &s.Total, &s.Unknown)
	s.Count -= s.Unknown
	return s, err
}

// PendingBankChanges lists the requests to change a vendor's bank details that are
// not ended, newest first. Approved ones count until they are released.
func (tx *Tx) PendingBankChanges(vendor string) ([]Approval, error) {
	return List(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval WHERE org_id = $1 AND vendor_id = $2 AND bank = 1 ORDER BY id DESC LIMIT 20`, vendor)
}

// Decision is one person's decision; Body is the canonical countersign.Decision.
type Decision struct {
	Approval, ID, Person string
	Act                  countersign.Act
	Body                 string
	EntryID              string
	At                   time.Time
}

const decisionColumns = `approval_id, id, person_id, act, body, entry_id, at_us`

func scanDecision(s Scanner) (d Decision, err error) {
	err = s.Scan(&d.Approval, &d.ID, &d.Person, &d.Act, &d.Body, &d.EntryID, &d.At)
	return d, err
}

// InsertDecision writes a decision.
func (tx *Tx) InsertDecision(d Decision) error {
	return tx.put(false, `INSERT INTO decision (org_id, `+decisionColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)`, d.Approval, d.ID, d.Person, d.Act, d.Body, d.EntryID, d.At)
}

// Decisions lists the decisions on a request in the order they were made.
func (tx *Tx) Decisions(approval string) ([]Decision, error) {
	// The expression keeps the index of all decisions by their time out of it.
	return List(tx, scanDecision, `SELECT `+decisionColumns+` FROM decision WHERE org_id = $1 AND approval_id = $2 ORDER BY at_us + 0, id`, approval)
}

// ApprovalByDigest reads the newest request for an object whose document has a
// digest. The expression keeps the index of all requests by id out of it.
func (tx *Tx) ApprovalByDigest(source, kind, object, digest string) (Approval, error) {
	return One(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval
		WHERE org_id = $1 AND source = $2 AND kind = $3 AND object_id = $4 AND digest = $5 ORDER BY id || '' DESC LIMIT 1`, source, kind, object, digest)
}

// TakeOffClock stops the clock from looking at a request.
func (tx *Tx) TakeOffClock(id string) error {
	return tx.ExecOne(`UPDATE approval SET due_us = 0 WHERE org_id = $1 AND id = $2`, id)
}

// EraseApproval clears what a request was about: its document, who asked, the
// amounts, the decisions and the history that came of it. What is left says that
// there was a request, and how it ended.
func (tx *Tx) EraseApproval(a Approval) error {
	if _, err := tx.Exec(`DELETE FROM decision WHERE org_id = $1 AND approval_id = $2`, a.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM audience WHERE org_id = $1 AND approval_id = $2`, a.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM purchase WHERE org_id = $1 AND kind = $2 AND id = $3 AND source = $4`, a.Kind, a.Object, a.Source); err != nil {
		return err
	}
	return tx.ExecOne(`UPDATE approval SET object_id = $2, revision = '', digest = '', document = $3, submission = '{}', state = $4, requester_key = '', nominated = '',
		vendor_id = '', category = '', currency = '', minor = 0, base_currency = '', base_minor = 0, counted = 0, bank = 0, words = '', rules = '' WHERE org_id = $1 AND id = $2`,
		a.ID, []byte{}, a.State)
}
