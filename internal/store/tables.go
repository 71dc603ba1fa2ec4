package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// TableFilter narrows the tables of requests and decisions; empty members do not.
type TableFilter struct {
	Status                  countersign.Status
	Outcome                 countersign.Outcome
	Kind, Vendor, Requester string // Requester is a requester key
	Source, Rule            string
	Decider                 string // person id of who decided
	Group                   string // that is asked, or watches
	Words                   string // folded, each of them somewhere in it
	Since, Until            time.Time
}

// conditions are the ones on the request, as the table a, but for the times. Where only
// requests below an id are wanted, its place keeps a query inside from looking at others.
func (f TableFilter) conditions(args *[]any, belowID string) string {
	var b strings.Builder
	put := func(text string, values ...any) {
		places := make([]any, len(values))
		for i, v := range values {
			*args = append(*args, v)
			places[i] = "$" + strconv.Itoa(len(*args)+1)
		}
		fmt.Fprintf(&b, " AND "+text, places...)
	}
	for _, c := range []struct{ column, value string }{{"status", string(f.Status)}, {"outcome", string(f.Outcome)}, {"kind", f.Kind},
		{"vendor_id", f.Vendor}, {"requester_key", f.Requester}, {"source", f.Source}} {
		if c.value != "" {
			put("a."+c.column+" = %s", c.value)
		}
	}
	// What every request must be looked at for is looked for along the index that has it.
	if f.Rule != "" {
		put(`a.id IN (SELECT w.id FROM approval w WHERE w.org_id = $1 AND w.rules LIKE %s ESCAPE '!')`, "% "+likely(f.Rule)+" %")
	}
	for _, w := range strings.Fields(f.Words) {
		put(`a.id IN (SELECT w.id FROM approval w WHERE w.org_id = $1 AND w.words LIKE %s ESCAPE '!')`, "%"+likely(w)+"%")
	}
	if f.Group != "" {
		within := ""
		if belowID != "" {
			within = " AND approval_id < " + belowID
		}
		put(`a.id IN (SELECT approval_id FROM audience WHERE org_id = $1 AND who IN (%s, %s, %s)`+within+`)`, AudienceGroup+f.Group, AudienceInner+f.Group, AudienceWatch+f.Group)
	}
	return b.String()
}

// likely writes a text so that LIKE takes it as it is.
func likely(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

func within(column string, since, until time.Time, args *[]any) string {
	text := ""
	if !since.IsZero() {
		*args = append(*args, since)
		text += fmt.Sprintf(" AND %s >= $%d", column, len(*args)+1)
	}
	if !until.IsZero() {
		*args = append(*args, until)
		text += fmt.Sprintf(" AND %s < $%d", column, len(*args)+1)
	}
	return text
}

// madeWithin says by a request's id what within says by its time: the id begins with the
// millisecond of the submission, and what is listed by id need not be gone through to find a
// time.
func madeWithin(column string, since, until time.Time, args *[]any) string {
	text := ""
	put := func(compared string, at time.Time) {
		if at.UnixMilli() < 0 || at.UnixMilli() >= 1<<48 {
			return // no id says such a time
		}
		*args = append(*args, countersign.NewID(countersign.PrefixRequest, at)[:len(countersign.PrefixRequest)+1+idTime])
		text += fmt.Sprintf(" AND %s %s $%d", column, compared, len(*args)+1)
	}
	if !since.IsZero() {
		put(">=", since)
	}
	if !until.IsZero() {
		put("<", until.Add(time.Millisecond)) // something may have been submitted within its own
	}
	return text
}

// idTime is how many characters of an id, after its prefix, are its time.
const idTime = 10

// RequestTable lists the ids of requests of a filter, newest first: those before the
// given id. The times are those of submission.
func (tx *Tx) RequestTable(f TableFilter, before string, limit int) ([]string, error) {
	args := []any{below(before), limit}
	where := f.conditions(&args, "$2") + within("a.created_us", f.Since, f.Until, &args) + madeWithin("a.id", f.Since, f.Until, &args)
	if f.Decider != "" {
		args = append(args, f.Decider)
		where += fmt.Sprintf(" AND a.id IN (SELECT approval_id FROM decision WHERE org_id = $1 AND person_id = $%d AND approval_id || '' < $2)", len(args)+1)
	}
	return List(tx, scanText, `SELECT a.id FROM approval a WHERE a.org_id = $1 AND a.id < $2`+where+` ORDER BY a.id DESC LIMIT $3`, args...)
}

// DecisionTable lists decisions of a filter, newest first: those before a time and an
// id. The times are those of the decision.
func (tx *Tx) DecisionTable(f TableFilter, before time.Time, id string, limit int) ([]Decision, error) {
	if before.IsZero() {
		before = Time(1 << 61)
	}
	args := []any{before, id, limit}
	where := within("d.at_us", f.Since, f.Until, &args)
	if f.Decider != "" {
		args = append(args, f.Decider)
		where += fmt.Sprintf(" AND d.person_id = $%d", len(args)+1)
	}
	if c := f.conditions(&args, ""); c != "" {
		where += ` AND EXISTS (SELECT 1 FROM approval a WHERE a.org_id = $1 AND a.id = d.approval_id` + c + `)`
	}
	return List(tx, scanDecision, `SELECT `+decisionColumns+` FROM decision d
		WHERE d.org_id = $1 AND d.at_us <= $2 AND (d.at_us < $2 OR d.id < $3)`+where+` ORDER BY d.at_us DESC, d.id DESC LIMIT $4`, args...)
}

// HeldNow lists the approved requests whose hold runs, the one that ends first at the
// top: those after a time and an id.
func (tx *Tx) HeldNow(after time.Time, id string, limit int) ([]string, error) {
	if after.IsZero() {
		after = tx.Now()
	}
	return List(tx, scanText, `SELECT id FROM approval WHERE org_id = $1 AND status = 'approved' AND held_us > 0 AND held_us > $5 AND (held_us > $2 OR (held_us = $2 AND id > $3))
		ORDER BY held_us, id LIMIT $4`, after, id, limit, tx.Now())
}

// CountFounding counts the requests whose receipts are stamped "founding".
func (tx *Tx) CountFounding() (n int, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM approval WHERE org_id = $1 AND founding = 1`).Scan(&n)
	return n, err
}

// EntryFilter narrows a list of log entries; empty members do not.
type EntryFilter struct {
	Types                []countersign.EntryType
	Person               string // who acted, or whom it is about
	Vendor, Kind, Object string // of the request that it is about
	Since, Until         time.Time
}

// EntryTable lists entries that have their place, newest first: those with an index
// below before.
func (tx *Tx) EntryTable(f EntryFilter, before int64, limit int) ([]Entry, error) {
	args := []any{before, limit}
	where := within("e.created_us", f.Since, f.Until, &args)
	if err := tx.placedWithin(f.Since, f.Until, &where, &args); err != nil {
		return nil, err
	}
	order := "e.seq"
	if f.Vendor != "" || f.Object != "" {
		// Mostly these are few among very many: found by themselves, and put in order then.
		order = "e.seq + 0"
		of, err := tx.requestsOf(f.Vendor, f.Object, &args)
		if err != nil {
			return nil, err
		}
		where += " AND e.subject IN (" + of + ")"
	}
	if f.Kind != "" { // of one kind there may be very many: each entry's request is looked at
		args = append(args, f.Kind)
		where += fmt.Sprintf(" AND EXISTS (SELECT 1 FROM approval a WHERE a.org_id = $1 AND a.id = e.subject AND a.kind = $%d)", len(args)+1)
	}
	texts := f.alternatives(where, order, &args)
	return List(tx, scanEntry, `SELECT DISTINCT id, seq, leaf FROM (`+strings.Join(texts, " UNION ALL ")+`) m ORDER BY seq DESC LIMIT $3`, args...)
}

// requestsOf writes the query for the requests of a vendor, or about an object of that id:
// its number stands in an index behind its source and kind, of which there are few.
func (tx *Tx) requestsOf(vendor, object string, args *[]any) (string, error) {
	place := func(v any) string {
		*args = append(*args, v)
		return "$" + strconv.Itoa(len(*args)+1)
	}
	text := "SELECT a.id FROM approval a WHERE a.org_id = $1"
	if vendor != "" {
		text += " AND a.vendor_id = " + place(vendor)
	}
	if object == "" {
		return text, nil
	}
	kinds, err := tx.sourcesAndKinds()
	if err != nil {
		return "", err
	}
	if len(kinds) == 0 {
		return text, nil // there is no request at all
	}
	text += " AND a.object_id = " + place(object)
	var each []string
	for _, k := range kinds {
		each = append(each, text+" AND a.source = "+place(k[0])+" AND a.kind = "+place(k[1]))
	}
	return strings.Join(each, " UNION ALL "), nil
}

// sourcesAndKinds lists the pairs of source and kind of requests, from one to the next.
func (tx *Tx) sourcesAndKinds() (all [][2]string, err error) {
	for last := [2]string{}; ; all = append(all, last) {
		err := tx.Row(`SELECT source, kind FROM approval WHERE org_id = $1 AND (source, kind) > ($2, $3) ORDER BY source, kind LIMIT 1`, last[0], last[1]).Scan(&last[0], &last[1])
		if errors.Is(err, ErrNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// entrySlack is more than entries may be apart from the order of their times: while the
// clock is further off, nothing is written.
const entrySlack = time.Hour

// placedWithin says by entries' places what within says by their times: the log is in the
// order of time, so that a time is found in it by halving, and what is listed by place need
// not be gone through.
func (tx *Tx) placedWithin(since, until time.Time, where *string, args *[]any) error {
	put := func(compared string, at time.Time) error {
		place, err := tx.placeAt(at)
		if err != nil {
			return err
		}
		*args = append(*args, place)
		*where += fmt.Sprintf(" AND e.seq %s $%d", compared, len(*args)+1)
		return nil
	}
	if !since.IsZero() {
		if err := put(">=", since.Add(-entrySlack)); err != nil {
			return err
		}
	}
	if !until.IsZero() {
		return put("<", until.Add(entrySlack))
	}
	return nil
}

// placeAt is the place of the first entry that was written at a time or after it, as if
// the log were exactly in the order of time; where all are older, the one after the last.
func (tx *Tx) placeAt(at time.Time) (int64, error) {
	var low, high int64
	if err := tx.Row(`SELECT COALESCE(MAX(seq), -1) + 1 FROM audit_entry WHERE org_id = $1`).Scan(&high); err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low)/2
		var written time.Time
		if err := tx.Row(`SELECT created_us FROM audit_entry WHERE org_id = $1 AND seq >= $2 ORDER BY seq LIMIT 1`, middle).Scan(&written); err != nil {
			return 0, err
		}
		if written.Before(at) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// alternatives writes one query for each type, and for who acted and whom it is about,
// so that each goes along its own index.
func (f EntryFilter) alternatives(where, order string, args *[]any) []string {
	people, types := []string{""}, []string{""}
	if f.Person != "" {
		*args = append(*args, f.Person)
		place := fmt.Sprintf("$%d", len(*args)+1)
		people = []string{" AND e.actor = " + place, " AND e.subject = " + place}
	}
	if len(f.Types) > 0 {
		types = nil
		for _, t := range f.Types {
			*args = append(*args, t)
			types = append(types, fmt.Sprintf(" AND e.type = $%d", len(*args)+1))
		}
	}
	var texts []string
	for _, p := range people {
		for _, t := range types {
			texts = append(texts, fmt.Sprintf(`SELECT * FROM (SELECT e.id, e.seq, e.leaf FROM audit_entry e WHERE e.org_id = $1 AND e.seq < $2%s%s%s ORDER BY %s DESC LIMIT $3) q%d`,
				p, t, where, order, len(texts)))
		}
	}
	return texts
}
