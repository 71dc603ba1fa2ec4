package store

import (
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

// conditions are the ones on the request, as the table a, but for the times.
func (f TableFilter) conditions(args *[]any) string {
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
		put(`a.id IN (SELECT approval_id FROM audience WHERE org_id = $1 AND who IN (%s, %s, %s))`, AudienceGroup+f.Group, AudienceInner+f.Group, AudienceWatch+f.Group)
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

// RequestTable lists the ids of requests of a filter, newest first: those before the
// given id. The times are those of submission.
func (tx *Tx) RequestTable(f TableFilter, before string, limit int) ([]string, error) {
	args := []any{before, limit}
	where := f.conditions(&args) + within("a.created_us", f.Since, f.Until, &args)
	if f.Decider != "" {
		args = append(args, f.Decider)
		where += fmt.Sprintf(" AND a.id IN (SELECT approval_id FROM decision WHERE org_id = $1 AND person_id = $%d)", len(args)+1)
	}
	return List(tx, scanText, `SELECT a.id FROM approval a WHERE a.org_id = $1 AND ($2 = '' OR a.id < $2)`+where+` ORDER BY a.id DESC LIMIT $3`, args...)
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
	if c := f.conditions(&args); c != "" {
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
	if f.Vendor != "" || f.Object != "" {
		where += " AND e.subject IN (SELECT a.id FROM approval a WHERE a.org_id = $1"
		for _, c := range []struct{ column, value string }{{"vendor_id", f.Vendor}, {"object_id", f.Object}} {
			if c.value != "" {
				args = append(args, c.value)
				where += fmt.Sprintf(" AND a.%s = $%d", c.column, len(args)+1)
			}
		}
		where += ")"
	}
	if f.Kind != "" { // of one kind there may be very many: each entry's request is looked at
		args = append(args, f.Kind)
		where += fmt.Sprintf(" AND EXISTS (SELECT 1 FROM approval a WHERE a.org_id = $1 AND a.id = e.subject AND a.kind = $%d)", len(args)+1)
	}
	texts := f.alternatives(where, &args)
	return List(tx, scanEntry, `SELECT DISTINCT id, seq, leaf FROM (`+strings.Join(texts, " UNION ALL ")+`) m ORDER BY seq DESC LIMIT $3`, args...)
}

// alternatives writes one query for each type, and for who acted and whom it is about,
// so that each goes along its own index.
func (f EntryFilter) alternatives(where string, args *[]any) []string {
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
			texts = append(texts, fmt.Sprintf(`SELECT * FROM (SELECT e.id, e.seq, e.leaf FROM audit_entry e WHERE e.org_id = $1 AND e.seq < $2%s%s%s ORDER BY e.seq DESC LIMIT $3) q%d`,
				p, t, where, len(texts)))
		}
	}
	return texts
}
