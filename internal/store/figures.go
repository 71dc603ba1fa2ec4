package store

import (
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// RuleCount is how many requests there are, and in how many of them each rule counted.
type RuleCount struct {
	Requests int
	Rules    map[string]int
}

func (c *RuleCount) add(rules string, n int) {
	c.Requests += n
	if n > 0 {
		for _, name := range strings.Fields(rules) {
			c.Rules[name] += n
		}
	}
}

// RuleCounts counts the requests submitted since a time, and those of them since a later
// one. Changes to Countersign itself are not among them: no policy weighs them.
func (tx *Tx) RuleCounts(since, later time.Time) (all, recent RuleCount, err error) {
	all.Rules, recent.Rules = map[string]int{}, map[string]int{}
	// Many requests have the same rules: they are counted together.
	rows := tx.Query(`SELECT rules, COUNT(*), CAST(SUM(CASE WHEN created_us >= $3 THEN 1 ELSE 0 END) AS BIGINT)
		FROM approval WHERE org_id = $1 AND created_us >= $2 AND source <> $4 GROUP BY rules`, since, later, InternalSource)
	defer rows.Close()
	for rows.Next() {
		var names string
		var n, m int
		if err := rows.Scan(&names, &n, &m); err != nil {
			return all, recent, err
		}
		all.add(names, n)
		recent.add(names, m)
	}
	return all, recent, rows.Err()
}

// CountOpen counts the requests of which something may still come, but for changes
// to Countersign itself.
func (tx *Tx) CountOpen() (n int, err error) {
	// Each count goes along an index: ours are few, and are counted by their source.
	err = tx.Row(`SELECT (SELECT COUNT(*) FROM approval WHERE org_id = $1 AND status IN ($2, $3, $4)) -
		(SELECT COUNT(*) FROM approval WHERE org_id = $1 AND source = $5 AND status IN ($2, $3, $4))`,
		countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusApproved, InternalSource).Scan(&n)
	return n, err
}

// Deciders lists the people who have decided anything, by name.
func (tx *Tx) Deciders(limit int) ([]Person, error) {
	return List(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND EXISTS
		(SELECT 1 FROM decision d WHERE d.org_id = $1 AND d.person_id = person.id) ORDER BY name, id LIMIT $2`, limit)
}
