package store

import (
	"fmt"
	"strconv"
	"strings"
)

// dialect is what differs between the engines in the text of a query. Everything
// else is written once.
type dialect struct {
	name string
	skip string // {{skip}}: leave out rows that another claim holds
	turn string // {{turn}}: a number that follows the order of cause and effect between transactions
}

var (
	sqliteDialect = dialect{name: SQLite, skip: "", turn: "0"}
	// A transaction gets its number at its first write, after its snapshot was
	// taken: whatever it can have read was written under a smaller number.
	postgresDialect = dialect{name: Postgres, skip: "FOR UPDATE SKIP LOCKED",
		turn: "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)"}
)

// statement is a query in the words of one engine.
type statement struct {
	text   string
	params int // how many placeholders there are; all of them are used
}

// render puts a query into the words of the engine: macros, and for SQLite ?N for
// $N, which other drivers than ours would count instead of reading.
func (d dialect) render(text string) (statement, error) {
	text = strings.ReplaceAll(text, "{{skip}}", d.skip)
	text = strings.ReplaceAll(text, "{{turn}}", d.turn)
	if i := strings.Index(text, "{{"); i >= 0 {
		return statement{}, fmt.Errorf("unknown macro in a query: %s", abbreviate(text[i:]))
	}
	var out strings.Builder
	out.Grow(len(text))
	var used []bool
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '$' && i+1 < len(text) && text[i+1] >= '1' && text[i+1] <= '9':
			end := i + 1
			for end < len(text) && text[end] >= '0' && text[end] <= '9' {
				end++
			}
			n, err := strconv.Atoi(text[i+1 : end])
			if err != nil {
				return statement{}, fmt.Errorf("placeholder %s: %w", text[i:end], err)
			}
			if n > 65535 {
				return statement{}, fmt.Errorf("placeholder %s: too high", text[i:end])
			}
			for len(used) < n {
				used = append(used, false)
			}
			used[n-1] = true
			if d.name == SQLite {
				c = '?'
			}
		}
		out.WriteByte(c)
	}
	for i, u := range used {
		if !u {
			return statement{}, fmt.Errorf("placeholder $%d is not used: %s", i+1, abbreviate(text))
		}
	}
	return statement{out.String(), len(used)}, nil
}

// check says why a query cannot run with that many arguments.
func (s statement) check(args int) error {
	if s.params != args {
		return fmt.Errorf("%d arguments for placeholders up to $%d ($1 is the organisation)", args, s.params)
	}
	return nil
}
