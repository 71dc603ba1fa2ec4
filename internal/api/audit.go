package api

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
)

const (
	mediaText  = "text/plain; charset=utf-8"
	mediaBytes = "application/octet-stream"
)

func auditOperations() []operation {
	scope := authn.ScopeAudit
	return []operation{
		{method: get, path: "/v1/audit/checkpoint", id: "getCheckpoint", tag: "audit", who: either, scope: scope, summary: "Read the last published checkpoint (C2SP tlog-checkpoint)", media: mediaText, run: getCheckpoint},
		{method: get, path: "/v1/audit/tile/{tile...}", id: "getTile", tag: "audit", who: either, scope: scope, summary: "Read a tile of the published tree (C2SP tlog-tiles)",
			detail: "tile is L/N[.p/W] for hashes or entries/N[.p/W] for entries, N in groups of three digits as x001/x234/067.", media: mediaBytes, run: getTile},
		{method: get, path: "/v1/audit/entries", id: "listEntries", tag: "audit", who: either, scope: scope, summary: "Read published entries with their openings, in order",
			query: []parameter{{name: "after", about: "The next of the page before, or the index to begin at.", number: true, example: "0"}, {name: "limit", about: "Most entries of one page: 1 to 500, default 100.", number: true, example: "100"}},
			out:   countersign.Page[authority.LoggedEntry]{}, run: listEntries},
		{method: get, path: "/v1/audit/proof/{index}", id: "getProof", tag: "audit", who: either, scope: scope, summary: "Prove that an entry is in the published tree (c2sp.org/tlog-proof@v1)", media: mediaText, run: getProof},
		{method: get, path: "/v1/audit/consistency", id: "getConsistency", tag: "audit", who: either, scope: scope, summary: "Prove that the published tree has grown out of an earlier one (RFC 6962 section 2.1.2)",
			query: []parameter{{name: "size", about: "Entries of the earlier tree.", number: true, example: "1"}}, out: Consistency{}, run: getConsistency},
	}
}

// Consistency proves that the checkpoint's tree has grown out of the one of Size
// entries.
type Consistency struct {
	Size       int64    `json:"size"`       // of the earlier tree
	Checkpoint string   `json:"checkpoint"` // of the present one
	Path       []string `json:"path"`       // hashes, base64
}

// auditor refuses whoever may not read the log.
func getCheckpoint(c *call) (answer, error) {
	if err := c.org.MayAudit(c.ctx(), c.caller); err != nil {
		return answer{}, err
	}
	checkpoint, err := c.org.Checkpoint()
	return answer{raw: checkpoint, media: mediaText}, err
}

func getTile(c *call) (answer, error) {
	t, ok := parseTile(c.param("tile"))
	if !ok {
		return answer{}, countersign.NewProblem(countersign.CodeNotFound, "there is no such tile").WithHint("tiles are named as in C2SP tlog-tiles")
	}
	var data []byte
	var err error
	if t.entries {
		data, err = c.org.LogEntryTile(c.ctx(), c.caller, t.index, t.width)
	} else {
		data, err = c.org.LogTile(c.ctx(), c.caller, audit.TileKey{Level: t.level, Index: t.index}, t.width)
	}
	return answer{raw: data, media: mediaBytes}, err
}

// tile is the name of a tile (C2SP tlog-tiles).
type tile struct {
	entries bool
	level   int
	index   int64
	width   int
}

// parseTile reads L/N[.p/W] or entries/N[.p/W] in the one form that the
// specification gives each tile.
func parseTile(s string) (tile, bool) {
	t := tile{width: 256}
	first, rest, ok := strings.Cut(s, "/")
	if !ok {
		return t, false
	}
	if first == "entries" {
		t.entries = true
	} else {
		n, err := strconv.Atoi(first)
		if err != nil || n < 0 || n > 63 || strconv.Itoa(n) != first {
			return t, false
		}
		t.level = n
	}
	number, width, partial := strings.Cut(rest, ".p/")
	if partial {
		n, err := strconv.Atoi(width)
		if err != nil || n < 1 || n > 255 || strconv.Itoa(n) != width {
			return t, false
		}
		t.width = n
	}
	for _, group := range strings.Split(number, "/") {
		n, err := strconv.Atoi(strings.TrimPrefix(group, "x"))
		if err != nil || t.index > 1<<40 || len(strings.TrimPrefix(group, "x")) != 3 || n < 0 {
			return t, false
		}
		t.index = t.index*1000 + int64(n)
	}
	return t, tilePath(t.index) == number
}

// tilePath writes a tile's number in groups of three digits.
func tilePath(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

func listEntries(c *call) (answer, error) {
	from, err := c.number("after", 0, 0, 1<<50)
	if err != nil {
		return answer{}, err
	}
	limit, err := c.number("limit", 100, 1, 500)
	if err != nil {
		return answer{}, err
	}
	page, err := c.org.LogEntries(c.ctx(), c.caller, from, int(limit))
	return answer{body: page}, err
}

func getProof(c *call) (answer, error) {
	s := c.param("index")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return answer{}, countersign.NewProblem(countersign.CodeNotFound, "there is no such entry")
	}
	proof, err := c.org.LogProof(c.ctx(), c.caller, n)
	return answer{raw: []byte(proof), media: mediaText}, err
}

func getConsistency(c *call) (answer, error) {
	size, err := c.number("size", 0, 1, 1<<50)
	if err != nil {
		return answer{}, err
	}
	checkpoint, path, err := c.org.LogConsistency(c.ctx(), c.caller, size)
	if err != nil {
		return answer{}, err
	}
	out := Consistency{Size: size, Checkpoint: string(checkpoint), Path: make([]string, len(path))}
	for i, h := range path {
		out.Path[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return answer{body: out}, nil
}
