package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// Audience is one person or group that a request concerns, and how.
type Audience struct {
	Who  string // a person's id for who is nominated; otherwise one of the Audience prefixes and a name or id
	Part string // one of the Part constants
	Live bool   // something may still come of it for them
}

// Prefixes of [Audience.Who]. They are told apart so that one list of texts says all that
// concerns somebody: a delegate gets what asks the delegator's groups, and nothing of
// changes to Countersign itself, of what they watch or of what they asked for.
const (
	AudienceGroup = "group:" // a group that is asked
	AudienceInner = "inner:" // a group that is asked about a change to Countersign itself
	AudienceWatch = "watch:" // a group that watches the hold
	AudienceOwn   = "own:"   // a person who asked for it or has decided
)

// The parts that somebody may have in a request.
const (
	PartDecide = "decide" // is asked, and what is asked of them is not there yet
	PartSee    = "see"    // is asked, and it is there already, or cannot be given now
	PartWatch  = "watch"  // may stop its hold
	PartAsk    = "ask"    // asked for it, or owns what asked
	PartDone   = "done"   // has decided
)

// insertAudience writes whom a request concerns, with one statement.
func (tx *Tx) insertAudience(a *Approval) error {
	if len(a.Audience) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString(`INSERT INTO audience (org_id, approval_id, pressing, due_us, created_us, who, part, live) VALUES `)
	args := []any{a.ID, a.Pressing, a.Due, a.Created}
	for i, w := range a.Audience {
		if i > 0 {
			b.WriteString(", ")
		}
		n := len(args) + 2
		b.WriteString("($1, $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), $" + strconv.Itoa(n) + ", $" + strconv.Itoa(n+1) + ", $" + strconv.Itoa(n+2) + ")")
		args = append(args, w.Who, w.Part, w.Live)
	}
	return tx.put(false, b.String(), args...)
}

func (tx *Tx) replaceAudience(a *Approval) error {
	if err := tx.put(false, `DELETE FROM audience WHERE org_id = $1 AND approval_id = $2`, a.ID); err != nil {
		return err
	}
	return tx.insertAudience(a)
}

// Place is where a request stands in an order: by First, then Second, then ID.
type Place struct {
	First, Second int64
	ID            string // req_…
}

func scanPlace(s Scanner) (p Place, err error) {
	err = s.Scan(&p.First, &p.Second, &p.ID)
	return p, err
}

// AskedQuery asks for the requests in which one of Who is asked to decide, without
// those that Person asked for or has decided on.
type AskedQuery struct {
	Who    []string
	Person string
	Soon   time.Time // what is due until then is expiring
	After  Place     // the place that the last page ended with; its zero value is the beginning
	Limit  int
}

// notTheirs leaves out what the person asked for or has decided on. It is looked up for each
// request: as EXISTS, all that concerns anybody might be read to look them up at once.
const notTheirs = ` AND (SELECT 1 FROM audience o WHERE o.org_id = w.org_id AND o.approval_id = w.approval_id AND o.who = 'own:' || $2 LIMIT 1) IS NULL`

// AskedSoon lists what is expiring, by when it is due.
func (tx *Tx) AskedSoon(q AskedQuery) ([]Place, error) {
	return tx.merged(q.Who, []any{q.Person, q.Soon, q.After.First, q.After.ID, q.Limit}, `SELECT w.due_us AS a, CAST(0 AS BIGINT) AS b, w.approval_id AS c FROM audience w
		WHERE w.org_id = $1 AND w.live = 1 AND w.part = 'decide' AND w.who = %s AND w.due_us <= $3 AND (w.due_us, w.approval_id) > ($4, $5)`+notTheirs+`
		ORDER BY w.due_us, w.approval_id LIMIT $6`)
}

// AskedByWeight lists what is not expiring, by weight and then by age.
func (tx *Tx) AskedByWeight(q AskedQuery) ([]Place, error) {
	return tx.merged(q.Who, []any{q.Person, q.Soon, q.After.First, q.After.Second, q.After.ID, q.Limit}, `SELECT w.pressing AS a, w.created_us AS b, w.approval_id AS c FROM audience w
		WHERE w.org_id = $1 AND w.live = 1 AND w.part = 'decide' AND w.who = %s AND w.due_us > $3 AND (w.pressing, w.created_us, w.approval_id) > ($4, $5, $6)`+notTheirs+`
		ORDER BY w.pressing, w.created_us, w.approval_id LIMIT $7`)
}

// merged runs one query for each of several people and groups, each on its index, and
// merges them in order. A request that concerns several of them is there once.
func (tx *Tx) merged(who []string, args []any, one string) ([]Place, error) {
	if len(who) == 0 {
		return nil, nil
	}
	limit := args[len(args)-1].(int)
	text, args := forEach(who, args, one)
	return List(tx, scanPlace, fmt.Sprintf("SELECT DISTINCT a, b, c FROM (%s) m ORDER BY a, b, c LIMIT %d", text, limit), args...)
}

// forEach writes one query, with %s in the place of a text, for each of several texts,
// and puts them together with UNION ALL. Each of them has its own LIMIT and, where it
// matters, order, so that each goes along one index, and not through a whole table for
// the sake of an order that nobody needs.
func forEach(texts []string, args []any, one string) (string, []any) {
	var b strings.Builder
	for i, v := range texts {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		args = append(args, v)
		fmt.Fprintf(&b, "SELECT * FROM ("+one+") q%d", "$"+strconv.Itoa(len(args)+1), i)
	}
	return b.String(), args
}

// CountAsked counts what [Tx.AskedSoon] and [Tx.AskedByWeight] list, up to most.
func (tx *Tx) CountAsked(q AskedQuery, most int) (n int, err error) {
	if len(q.Who) == 0 {
		return 0, nil
	}
	// What is the person's own is found once: of what waits, it is all live.
	text, args := forEach(q.Who, []any{q.Person, most}, `SELECT w.approval_id AS id FROM audience w WHERE w.org_id = $1 AND w.live = 1 AND w.part = 'decide' AND w.who = %s
		AND w.approval_id NOT IN (SELECT o.approval_id FROM audience o WHERE o.org_id = $1 AND o.who = 'own:' || $2 AND o.live = 1 AND o.part <> 'decide') ORDER BY w.approval_id LIMIT $3`)
	err = tx.Row(`SELECT COUNT(DISTINCT id) FROM (`+text+`) m`, args...).Scan(&n)
	return min(n, most), err
}

// Concerning lists the requests that concern one of who otherwise than by asking them to
// decide, and of which something may still come, newest first: those before the given id.
func (tx *Tx) Concerning(who []string, before string, limit int) ([]string, error) {
	return tx.newest(who, before, limit, `SELECT approval_id AS c FROM audience WHERE org_id = $1 AND live = 1 AND part <> 'decide' AND who = %s AND approval_id < $2 ORDER BY approval_id DESC LIMIT $3`)
}

// Asking lists the requests that ask one of who to decide, newest first: those before the
// given id.
func (tx *Tx) Asking(who []string, before string, limit int) ([]string, error) {
	return tx.newest(who, before, limit, `SELECT approval_id AS c FROM audience WHERE org_id = $1 AND live = 1 AND part = 'decide' AND who = %s AND approval_id < $2 ORDER BY approval_id DESC LIMIT $3`)
}

// ConcernedBy reports which of some requests [Tx.Concerning] lists.
func (tx *Tx) ConcernedBy(ids, who []string) (map[string]bool, error) {
	out := make(map[string]bool, len(ids))
	if len(ids) == 0 || len(who) == 0 {
		return out, nil
	}
	list, args := inList(ids, 2)
	names, more := inList(who, len(args)+2)
	// The expression keeps the indexes by who out of it: see CountConcerning.
	rows, err := List(tx, scanText, `SELECT DISTINCT approval_id FROM audience WHERE org_id = $1 AND approval_id IN (`+list+`) AND live + 0 = 1 AND part <> 'decide' AND who || '' IN (`+names+`)`, append(args, more...)...)
	for _, id := range rows {
		out[id] = true
	}
	return out, err
}

// OpenRequests lists the requests that wait for somebody, and those whose hold runs,
// newest first: those before the given id.
func (tx *Tx) OpenRequests(before string, limit int) ([]string, error) {
	return tx.newest([]string{string(countersign.StatusPending), string(countersign.StatusUnsatisfiable)}, before, limit,
		`SELECT id AS c FROM approval WHERE org_id = $1 AND status = %s AND id < $2 ORDER BY id DESC LIMIT $3`)
}

// below is the id that a list begins below; without one, all of them are.
func below(before string) string {
	if before == "" {
		return "~"
	}
	return before
}

func (tx *Tx) newest(each []string, before string, limit int, one string) ([]string, error) {
	if len(each) == 0 {
		return nil, nil
	}
	text, args := forEach(each, []any{below(before), limit}, one)
	return List(tx, scanText, "SELECT DISTINCT c FROM ("+text+") m ORDER BY c DESC LIMIT $3", args...)
}

// CountConcerning counts what [Tx.Concerning] lists without those requests of which the
// person is merely asked, and those of which they have done their part; with all, also
// what [Tx.OpenRequests] lists. It counts up to most.
func (tx *Tx) CountConcerning(who []string, person string, all bool, most int) (n int, err error) {
	if len(who) == 0 {
		return 0, nil
	}
	from, args := forEach(who, []any{person, most}, `SELECT approval_id AS id FROM audience WHERE org_id = $1 AND live = 1 AND who = %s AND part <> 'decide' ORDER BY approval_id LIMIT $3`)
	if all {
		open, more := forEach([]string{string(countersign.StatusPending), string(countersign.StatusUnsatisfiable)}, args, `SELECT id FROM approval WHERE org_id = $1 AND status = %s ORDER BY id LIMIT $3`)
		from, args = from+" UNION ALL "+open, more
	}
	list, names := inList(who, len(args)+2)
	// The expressions keep the indexes by who out of it: a group may be asked of thousands,
	// and a request concerns few. Each is looked up by itself: see notTheirs.
	err = tx.Row(`SELECT COUNT(DISTINCT id) FROM (`+from+`) c WHERE
		(SELECT 1 FROM audience o WHERE o.org_id = $1 AND o.approval_id = c.id AND o.who = 'own:' || $2 AND o.live + 0 = 0 LIMIT 1) IS NULL
		AND ((SELECT 1 FROM audience d WHERE d.org_id = $1 AND d.approval_id = c.id AND d.live + 0 = 1 AND d.part = 'decide' AND d.who || '' IN (`+list+`) LIMIT 1) IS NULL
		OR (SELECT 1 FROM audience o WHERE o.org_id = $1 AND o.approval_id = c.id AND o.who = 'own:' || $2 LIMIT 1) IS NOT NULL)`, append(args, names...)...).Scan(&n)
	return min(n, most), err
}

// over says of the request of an id that it is not open any more. It is asked of one
// request after the other: joined, all of them might be gone through instead.
func over(id string) string {
	return `(SELECT a.status FROM approval a WHERE a.org_id = $1 AND a.id = ` + id + `) NOT IN ('pending', 'unsatisfiable')`
}

// eachOver writes one query, with %s in the place of a status, for each status of what is
// not open any more, so that each goes along the index past all that is open.
func eachOver(one string) string {
	var each []string
	for i, v := range []countersign.Status{countersign.StatusApproved, countersign.StatusDenied, countersign.StatusExpired, countersign.StatusCancelled,
		countersign.StatusSuperseded, countersign.StatusReleased, countersign.StatusRevoked} {
		each = append(each, fmt.Sprintf("SELECT * FROM ("+one+") s%d", v, i))
	}
	return strings.Join(each, " UNION ALL ")
}

// Finished is a request that a person decided or asked for.
type Finished struct {
	At  time.Time // of their last decision, or of the submission
	ID  string
	Act countersign.Act // "" where they asked
}

// FinishedOf lists what a person decided or asked for and that is not open any more,
// newest first: what stands after a time and an id.
func (tx *Tx) FinishedOf(person string, before time.Time, id string, limit int) ([]Finished, error) {
	if before.IsZero() {
		before = Time(1 << 61)
	}
	return List(tx, func(s Scanner) (f Finished, err error) {
		err = s.Scan(&f.At, &f.ID, &f.Act)
		return f, err
	}, `SELECT at, id, act FROM (
		SELECT * FROM (SELECT d.at_us AS at, d.approval_id AS id, d.act AS act FROM decision d
			WHERE d.org_id = $1 AND d.person_id = $2 AND d.at_us <= $3 AND (d.at_us < $3 OR d.approval_id < $4) AND `+over("d.approval_id")+`
			AND NOT EXISTS (SELECT 1 FROM decision l WHERE l.org_id = d.org_id AND l.approval_id = d.approval_id AND l.person_id = d.person_id AND (l.at_us, l.id) > (d.at_us, d.id))
			ORDER BY d.at_us DESC, d.approval_id DESC LIMIT $5) x
		UNION ALL
		`+eachOver(`SELECT a.created_us AS at, a.id AS id, '' AS act FROM approval a
			WHERE a.org_id = $1 AND a.requester_key = $2 AND a.status = '%s' AND a.created_us <= $3 AND (a.created_us < $3 OR a.id < $4)
			ORDER BY a.created_us DESC, a.id DESC LIMIT $5`)+`
		UNION ALL
		SELECT * FROM (SELECT w.created_us AS at, w.approval_id AS id, '' AS act FROM audience w
			WHERE w.org_id = $1 AND w.who = 'own:' || $2 AND w.part = 'ask' AND w.live = 0 AND w.created_us <= $3 AND (w.created_us < $3 OR w.approval_id < $4)
			AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.org_id = $1 AND a.id = w.approval_id AND a.requester_key = $2)
			ORDER BY w.created_us DESC, w.approval_id DESC LIMIT $5) z
		) m ORDER BY at DESC, id DESC LIMIT $5`, person, before, id, limit)
}

// CountFinishedOf counts what [Tx.FinishedOf] lists, up to most.
func (tx *Tx) CountFinishedOf(person string, most int) (n int, err error) {
	err = tx.Row(`SELECT COUNT(DISTINCT id) FROM (
		SELECT * FROM (SELECT approval_id AS id FROM decision d WHERE org_id = $1 AND person_id = $2 AND `+over("d.approval_id")+` LIMIT $3) x
		UNION ALL `+eachOver(`SELECT id FROM approval WHERE org_id = $1 AND requester_key = $2 AND status = '%s' LIMIT $3`)+`
		UNION ALL SELECT * FROM (SELECT approval_id AS id FROM audience w WHERE org_id = $1 AND who = 'own:' || $2 AND part = 'ask' AND live = 0 LIMIT $3) z
		) u`, person, most).Scan(&n)
	return min(n, most), err
}

// ApprovalsByID reads requests, in no order. Those that are not there are left out.
func (tx *Tx) ApprovalsByID(ids []string) (map[string]Approval, error) {
	out := make(map[string]Approval, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	list, args := inList(ids, 2)
	rows, err := List(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval WHERE org_id = $1 AND id IN (`+list+`)`, args...)
	for _, a := range rows {
		out[a.ID] = a
	}
	return out, err
}

// OpeningsNamed reads one opening of each of several entries, by entry; those that
// were erased, or never were, are left out.
func (tx *Tx) OpeningsNamed(entries []string, name string) (map[string][]byte, error) {
	out := make(map[string][]byte, len(entries))
	if len(entries) == 0 {
		return out, nil
	}
	list, args := inList(entries, 3)
	rows := tx.Query(`SELECT entry_id, value FROM audit_opening WHERE org_id = $1 AND name = $2 AND entry_id IN (`+list+`)`, append([]any{name}, args...)...)
	defer rows.Close()
	for rows.Next() {
		var id string
		var value []byte
		if err := rows.Scan(&id, &value); err != nil {
			return nil, err
		}
		out[id] = value
	}
	return out, rows.Err()
}
