package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// fillPlans fills the tables that grow, and has PostgreSQL look at what is in them, as it
// does by itself on a server for real work. SQLite is never asked to.
func fillPlans(t *testing.T, db *store.DB) {
	t.Helper()
	run := func(text string) {
		t.Helper()
		if err := db.Raw(t.Context(), text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	for _, f := range planRows {
		run(inWords(db.Driver(), f))
	}
	if db.Driver() == store.Postgres {
		run("VACUUM ANALYZE")
	}
}

// planRow is how rows of a table are made of a number i, which counts from 0.
type planRow struct {
	into, what string
	n          int
	where      string
}

// inWords writes an insertion for an engine. <i> is the number with six digits, <req> the
// id of the i-th request, <t> its time, <now> that of the last; <b …> makes bytes of a text, and
// <org> is the organisation.
func inWords(driver string, r planRow) string {
	if r.where == "" {
		r.where = "1 = 1"
	}
	bytes := "convert_to($1, 'UTF8')"
	if driver == store.SQLite {
		bytes = "CAST($1 AS BLOB)"
	}
	text := fmt.Sprintf("INSERT INTO %s SELECT %s FROM (WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n) m WHERE %s", r.into, r.what, r.n-1, r.where)
	for at := strings.Index(text, "<b "); at >= 0; at = strings.Index(text, "<b ") {
		end := at + strings.Index(text[at:], " b>")
		text = text[:at] + strings.Replace(bytes, "$1", text[at+3:end], 1) + text[end+3:]
	}
	return strings.NewReplacer("<req>", planID, "<i>", "substr('000000' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1)", "<org>", "'"+storetest.Org+"'",
		"<t>", fmt.Sprintf("(%d + i * %d)", planTime.UnixMicro(), planStep.Microseconds()), "<now>", fmt.Sprint(planAt(planRequests).UnixMicro()),
		"<asker>", "substr('000000' || CAST(2 + (i / 2) % 100 AS TEXT), length(CAST(2 + (i / 2) % 100 AS TEXT)) + 1)",
		"<long>", "'"+strings.Repeat("what a request says of itself ", 30)+"'").Replace(text)
}

// planID makes the id of the i-th request: its time, in digits of five bits, and zeros.
var planID = func() string {
	digit := func(of string) string {
		return "substr('0123456789abcdefghjkmnpqrstvwxyz', CAST(" + of + " % 32 AS INTEGER) + 1, 1)"
	}
	return "('" + planRequest(0)[:7] + "' || " + digit("(i / 32768)") + " || " + digit("(i / 1024)") + " || " + digit("(i / 32)") + " || " + digit("i") + " || '0000000000000000000')"
}()

const (
	planStatus = `CASE WHEN i % 1000 = 0 THEN 'unsatisfiable' WHEN i % 2 = 0 THEN 'pending' ELSE
		CASE i % 20 WHEN 1 THEN 'approved' WHEN 3 THEN 'denied' WHEN 5 THEN 'expired' WHEN 7 THEN 'cancelled' WHEN 9 THEN 'superseded' ELSE 'released' END END`
	planAudience = "audience (org_id, approval_id, who, part, live, pressing, due_us, created_us)"
)

var planRows = []planRow{
	{into: `approval (org_id, id, source, kind, object_id, revision, attempt, digest, document, submission, status, version, state, weighed_entry, policy_digest,
		policy_version, key_id, vendor_id, requester_key, nominated, category, currency, minor, base_currency, base_minor, counted, bank, created_us, due_us, ended_us,
		superseded_by, entry_id, outcome, rules, words, founding, held_us)`, n: planRequests,
		what: `<org>, <req>, CASE WHEN i % 400 = 2 THEN 'countersign' ELSE 'erp' END,
		CASE WHEN i % 400 = 2 THEN 'countersign.settings_change' WHEN i % 500 = 7 THEN 'vendor_bank_change' ELSE 'purchase_order' END, 'PO-' || <i>, '1', 0, 'd' || <i>, <b <long> b>, '{}',
		` + planStatus + `, 1, <long>, 'ent_' || <i>, 'p', 1, 'key_1', 'V-' || CAST(i % 500 AS TEXT), 'per_' || <asker>, '', 'c' || CAST(i % 50 AS TEXT), 'EUR', 3000000, 'EUR', 3000000,
		CASE WHEN i % 2 = 0 THEN 1 ELSE 0 END, CASE WHEN i % 5000 = 7 THEN 1 ELSE 0 END, <t>, CASE WHEN i % 2 = 0 THEN <t> + 2592000000000 ELSE 0 END, 0, '', 'ent_' || <i>,
		'step_up', ' large-purchase ', 'po-' || <i> || ' nordwind elif', 0, CASE WHEN i % 1000 = 1 THEN <now> + i ELSE 0 END`},
	{into: planAudience, n: planRequests, where: "i % 2 = 0", what: `<org>, <req>, 'group:approvers', 'decide', 1, -20201 + i % 7, <t> + 2592000000000, <t>`},
	{into: planAudience, n: planRequests, where: "i % 4 = 0", what: `<org>, <req>, 'group:finance', 'decide', 1, -20201 + i % 7, <t> + 2592000000000, <t>`},
	{into: planAudience, n: planRequests, where: "i % 50 = 0", what: `<org>, <req>, 'watch:treasury', 'watch', 1, -20201 + i % 7, <t> + 2592000000000, <t>`},
	{into: planAudience, n: planRequests, where: "i % 2 = 0", what: `<org>, <req>, 'own:per_' || <asker>, 'ask', 1, -20201 + i % 7, <t> + 2592000000000, <t>`},
	{into: planAudience, n: planRequests, where: "i % 2 = 1", what: `<org>, <req>, 'group:approvers', 'see', 0, 0, 0, <t>`},
	{into: planAudience, n: planRequests, where: "i % 30 = 1", what: `<org>, <req>, 'own:per_000003', 'ask', 0, 0, 0, <t>`},
	{into: "decision (org_id, approval_id, id, person_id, act, body, entry_id, at_us)", n: planRequests, where: "i % 2 = 1",
		what: `<org>, <req>, 'dec_' || <i>, CASE WHEN i % 4 = 1 THEN 'per_000001' ELSE 'per_0005' || CAST(10 + i % 50 AS TEXT) END, 'approve', <long>, 'ent_d' || <i>, <t> + 1000`},
	{into: "audit_entry (org_id, id, seq, turn, place, subject, leaf, created_us)", n: planRequests,
		what: `<org>, 'ent_' || <i>, i * 2, i + 1, 0, <req>, <b '{"actor":"key_1","type":"request.submitted","more":"' || <long> || '"}' b>, <t>`},
	{into: "audit_entry (org_id, id, seq, turn, place, subject, leaf, created_us)", n: planRequests,
		what: `<org>, 'ent_d' || <i>, i * 2 + 1, i + 1, 1, CASE WHEN i % 2 = 1 THEN <req> ELSE 'per_' || <asker> END,
		<b '{"actor":"per_' || <asker> || '","type":"' || CASE WHEN i % 2 = 1 THEN 'decision.made' ELSE 'session.started' END || '","more":"' || <long> || '"}' b>, <t> + 1000`},
	{into: "audit_opening (org_id, entry_id, name, salt, value)", n: planRequests, what: `<org>, 'ent_' || <i>, 'weighing', <b 's' b>, <b <long> b>`},
	{into: "outbox (org_id, id, topic, subject, payload, entry_id, dead, attempts, run_us, last_error, created_us)", n: planOthers,
		what: `<org>, 'evt_' || <i>, 't', <req>, <b '{}' b>, CASE WHEN i % 3 = 0 THEN 'ent_' || <i> ELSE '' END, CASE WHEN i % 400 = 1 THEN 1 ELSE 0 END, 0,
		CASE WHEN i % 400 = 2 THEN <t> ELSE <now> + i * 1000000 END, '', <t>`},
	{into: `purchase (org_id, kind, id, line, vendor_id, currency, minor, dated_us, fingerprint, requester, approver, department, category, source, settles_us, folded)`, n: planOthers,
		what: `<org>, 'invoice', 'H' || <i>, '', 'V-' || CAST(i % 500 AS TEXT), 'EUR', 2100000, <t>, '', '', '', '', '', 'erp', CASE WHEN i % 100 = 3 THEN <now> + i ELSE <t> END, CASE WHEN i % 100 IN (3, 4) THEN 0 ELSE 1 END`},
	{into: "alert (org_id, id, severity, about, title, owner, source, external, raised_us, expires_us, closed_us, closed_by)", n: planOthers,
		what: `<org>, 'alr_' || <i>, 'high', 'vendor:V-' || CAST(i % 500 AS TEXT), 't', 'controllers', 'siem', <i>, <t>, <now> + 1000, CASE WHEN i % 1000 = 7 THEN 0 ELSE <t> + 1 END, ''`},
	{into: "throttle (org_id, subject, state, version, updated_us)", n: planOthers, what: `<org>, 'rate:' || <i>, '{}', 1, <t>`},
	{into: "idempotency (org_id, caller, method, path, key, fingerprint, status, body, subject, expires_us)", n: planOthers,
		what: `<org>, 'key_1', 'POST', '/v1/requests', <i>, <b 'f' b>, 201, <b <long> b>, <req>, <t> + 864000000000`},
	{into: "person (org_id, id, name, email, active, privileged, manager_id, handle, settings, active_us, privileged_us, created_us, version)", n: 1000,
		what: `<org>, 'per_' || <i>, 'Person ' || <i>, '', 1, 0, '', <b <i> b>, '{}', <t>, 0, <t>, 1`},
	{into: "membership (org_id, group_name, person_id, since_us)", n: 500, what: `<org>, 'approvers', 'per_' || <i>, <t>`},
}
