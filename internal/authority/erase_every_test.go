package authority_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// knows lists the columns of all tables, whatever they are called, that hold a text
// anywhere.
func (h *house) knows(text string) []string {
	h.t.Helper()
	if h.store.Driver != store.SQLite {
		h.t.Fatal("only for SQLite")
	}
	db, err := sql.Open("sqlite", "file:"+h.store.Path+"?mode=ro&_pragma=busy_timeout(5000)")
	h.must(err)
	defer db.Close()
	rows, err := db.QueryContext(h.ctx, `SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`)
	h.must(err)
	var columns [][2]string
	for rows.Next() {
		var c [2]string
		h.must(rows.Scan(&c[0], &c[1]))
		columns = append(columns, c)
	}
	h.must(rows.Err())
	h.must(rows.Close())
	var out []string
	for _, c := range columns {
		var n int
		h.must(db.QueryRowContext(h.ctx, fmt.Sprintf(`SELECT COUNT(*) FROM %q WHERE INSTR(CAST(%q AS BLOB), CAST(? AS BLOB)) > 0`, c[0], c[1]), text).Scan(&n))
		if n > 0 {
			out = append(out, fmt.Sprintf("%s.%s (%d)", c[0], c[1], n))
		}
	}
	return out
}

// TestRuling33ErasureLeavesNoColumn looks for what was erased in every column that there
// is: a table that comes later is in this test without being named.
func TestRuling33ErasureLeavesNoColumn(t *testing.T) {
	h := onSQLite(t)
	h.erased = true
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	h.settings(func(s *authority.Settings) { s.RetentionDays = 1 })
	const secret = "geheim-4711"
	d := order("PO-"+secret, "30000.00", func(d *countersign.Document) {
		d.Subject, d.Custom = secret, map[string]string{"note": secret}
		d.Attachments = []countersign.Attachment{{Name: secret, Digest: countersign.SumBytes([]byte(secret))}}
	})
	id := h.submit(d).ID
	_, _, err := h.a.UploadAttachment(h.ctx, h.key, id, digits([]byte(secret)), []byte(secret))
	h.must(err)
	marta := h.who["marta"]
	_, err = marta.byPasskey(id, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.Reason = secret })
	h.must(err)
	_, err = h.a.Ask(h.ctx, marta.session, id, countersign.QuestionBody{Text: "why " + secret + "?"})
	h.must(err)
	_, err = h.release(id, order("PO-"+secret, "30000.01"), "run-"+secret)
	h.refused(err, countersign.CodeChanged)
	_, err = h.release(id, d, "run-"+secret)
	h.must(err)
	_, err = h.a.ConfirmRelease(h.ctx, h.key, id, "run-"+secret)
	h.must(err)
	denied := h.submit(order("PO-2-"+secret, "31000.00")).ID
	daniel := h.who["daniel"]
	c, err := daniel.challenge(denied, countersign.ActDeny, func(b *countersign.ChallengeBody) { b.Reason = secret })
	h.must(err)
	_, err = h.a.Decide(h.ctx, daniel.session, denied, countersign.DecisionBody{Challenge: c.ID, Unexpected: true})
	h.must(err)
	if before := h.knows(secret); len(before) < 3 || len(h.knows("did not expect")) != 2 {
		t.Fatalf("before only %v hold it: the test would prove nothing", before)
	}
	h.clock.forward(25 * time.Hour)
	h.who["samuel"].signIn()
	_, err = h.who["samuel"].propose(countersign.KindErasure, denied)
	h.refused(err, countersign.CodeState) // the alert about it is open
	h.clock.forward(14 * 24 * time.Hour)
	h.must(h.a.Tick(h.ctx))
	h.who["samuel"].signIn()
	h.who["claire"].signIn()
	for _, request := range []string{id, denied} {
		p, err := h.who["samuel"].propose(countersign.KindErasure, request)
		h.must(err)
		h.who["samuel"].approve(p.ID)
		h.who["claire"].approve(p.ID)
	}
	for _, text := range []string{secret, "did not expect"} {
		if left := h.knows(text); len(left) > 0 {
			t.Errorf("after the erasure %q stands in %s", text, strings.Join(left, ", "))
		}
	}
	page, err := h.a.Alerts(h.ctx, h.who["claire"].session, false, "", 10)
	h.must(err)
	if len(page.Items) != 1 || page.Items[0].About.Vendor != "V-1" || page.Items[0].ClosedAt != "" {
		t.Errorf("that there was an alert is not to be seen any more: %+v", page.Items)
	}
}
