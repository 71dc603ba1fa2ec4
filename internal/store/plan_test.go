package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// Sizes of the organisation whose plans are looked at. Half of its requests are open, and
// all of those ask the same group.
const (
	planRequests = 20_000
	planOpen     = 10_000
	planOthers   = 20_000 // of whatever else there is very much of
)

// planTime is when its first request was submitted, and planStep after how long the next
// comes. An id begins with its time in digits of five bits: from this time on, and in these
// steps, the digits count the requests.
var planTime = time.UnixMilli(52 << 35).UTC()

const planStep = 1 << 15 * time.Millisecond

func planAt(i int) time.Time { return planTime.Add(time.Duration(i) * planStep) }

// planRequest is the id of the i-th request.
func planRequest(i int) string {
	return countersign.NewID(countersign.PrefixRequest, planAt(i))[:14] + strings.Repeat("0", 16)
}

// mostTouched is how many rows a query that lists or looks may touch; to find that out
// each is carried out where the engine can count. It is far below what there is.
const mostTouched = 2_000

// planned is one thing that is asked of the store.
type planned struct {
	name string
	// touches is how many rows may be touched; mostTouched where it is 0.
	touches int
	// whole says why it may go through all there is; "" where it may not.
	whole string
	// lite is the index along which SQLite must go, where it might take another.
	lite string
	does func(ctx context.Context, db *store.DB) error
}

// TestPlans asks for the plan of every query that a page, the clock, the outbox or a
// submission makes, on each engine, with many rows: none goes through a table that grows.
func TestPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("fills large tables")
	}
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		cfg.Clock = func() time.Time { return planAt(planRequests) }
		db := storetest.Open(t, cfg)
		fillPlans(t, db)
		findsTimes(t, db)
		for _, p := range plannedQueries() {
			n, along := 0, p.lite == "" || db.Driver() != store.SQLite
			stop := store.Watch(db, func(s store.Statement) error {
				n++
				plan, err := look(t, db.Driver(), p, s)
				along = along || strings.Contains(plan, " "+p.lite+" ")
				return err
			})
			err := p.does(t.Context(), db)
			stop()
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			if n == 0 || !along {
				t.Errorf("%s: %d statements, not along %q", p.name, n, p.lite)
			}
		}
	})
}

// findsTimes holds what is found by ids and places to what is found by the times themselves.
func findsTimes(t *testing.T, db *store.DB) {
	t.Helper()
	for _, c := range []struct{ since, until time.Time }{
		{planAt(700), planAt(720)}, {planAt(700).Add(time.Microsecond), planAt(720).Add(time.Microsecond)}, {time.Time{}, planAt(15)}, {planAt(planRequests - 7), time.Time{}},
		{planAt(planRequests), planAt(planRequests + 9)}, {time.Unix(-5, 0), planAt(3)}, {planAt(planRequests - 3), time.UnixMilli(1 << 48)},
	} {
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			until := c.until
			if until.IsZero() {
				until = planAt(planRequests + 1)
			}
			found, err := tx.RequestTable(store.TableFilter{Since: c.since, Until: c.until}, "", 100)
			if err != nil {
				return err
			}
			var requests, entries int
			err = tx.Row(`SELECT COUNT(*) FROM approval WHERE org_id = $1 AND created_us >= $2 AND created_us < $3`, c.since, until).Scan(&requests)
			if err != nil {
				return err
			}
			if err := tx.Row(`SELECT COUNT(*) FROM audit_entry WHERE org_id = $1 AND created_us >= $2 AND created_us < $3`, c.since, until).Scan(&entries); err != nil {
				return err
			}
			log, err := tx.EntryTable(store.EntryFilter{Since: c.since, Until: c.until}, 1<<60, 100)
			if len(found) != requests || len(log) != entries {
				t.Errorf("from %v until %v: %d requests, %d entries, want %d and %d", c.since, c.until, len(found), len(log), requests, entries)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// growing are the tables that grow with what an organisation does.
var growing = regexp.MustCompile(`^(approval|audience|decision|audit_entry|audit_opening|outbox|purchase|alert|throttle|idempotency)$`)

// look explains a statement before it runs.
func look(t *testing.T, driver string, p planned, s store.Statement) (plan string, err error) {
	t.Helper()
	if strings.HasPrefix(s.Text, "INSERT") {
		return "", nil
	}
	if driver == store.SQLite {
		rows, err := s.Before("EXPLAIN QUERY PLAN ")
		checkLitePlan(t, p, s, rows)
		return fmt.Sprint(rows), err
	}
	prefix := "EXPLAIN (FORMAT JSON) "
	if strings.HasPrefix(s.Text, "SELECT") {
		prefix = "EXPLAIN (ANALYZE, FORMAT JSON) "
	}
	rows, err := s.Before(prefix)
	if err != nil {
		return "", err
	}
	var plans []struct{ Plan pgNode }
	if err := json.Unmarshal([]byte(rows[0][0]), &plans); err != nil {
		return "", err
	}
	checkPgPlan(t, p, s, plans[0].Plan, rows[0][0])
	return rows[0][0], nil
}

// alongOrg are the indexes that SQLite may go along from their beginning: those that hold
// only a few rows, and those of which the last row is wanted.
var alongOrg = regexp.MustCompile(`INDEX (approval_founding|approval_bank_change|alert_open|purchase_settles|audit_entry_seq) `)

// checkLitePlan reads the lines of SQLite's plan: "SCAN a USING INDEX …" goes through all
// of a table, and so does "SEARCH a USING INDEX … (org_id=?)" but for what is listed by the
// index's own order.
func checkLitePlan(t *testing.T, p planned, s store.Statement, rows [][]string) {
	t.Helper()
	if p.whole != "" {
		return
	}
	for _, r := range rows {
		line := r[len(r)-1]
		verb, of, _ := strings.Cut(line, " ")
		name, _, _ := strings.Cut(of, " ")
		if !growing.MatchString(aliased(s.Text, name)) {
			continue
		}
		if verb == "SCAN" || strings.HasSuffix(line, "(org_id=?)") && !alongOrg.MatchString(line) {
			t.Errorf("%s: %s\n%s", p.name, line, s.Text)
		}
	}
}

// aliased is the table that a query calls by a name.
func aliased(text, name string) string {
	if m := regexp.MustCompile(`\b(\w+) (?:AS )?` + regexp.QuoteMeta(name) + `\b`).FindStringSubmatch(text); m != nil && growing.MatchString(m[1]) {
		return m[1]
	}
	return name
}

// pgNode is a node of PostgreSQL's plan.
type pgNode struct {
	Type     string   `json:"Node Type"`
	Relation string   `json:"Relation Name"`
	Index    string   `json:"Index Name"`
	Rows     float64  `json:"Actual Rows"`
	Loops    *float64 `json:"Actual Loops"`
	Removed  float64  `json:"Rows Removed by Filter"`
	Recheck  float64  `json:"Rows Removed by Index Recheck"`
	Plans    []pgNode
}

// touched counts the rows that were read from tables that grow, and notes whether one
// was gone through. Of what was not carried out nothing is counted.
func (n pgNode) touched(through *string) (rows float64) {
	if growing.MatchString(n.Relation) {
		if n.Type == "Seq Scan" && (n.Loops == nil || *n.Loops > 0) {
			*through = n.Relation
		}
		if n.Loops == nil {
			n.Loops = new(float64)
		}
		rows = (n.Rows + n.Removed + n.Recheck) * *n.Loops
	}
	for _, c := range n.Plans {
		rows += c.touched(through)
	}
	return rows
}

func checkPgPlan(t *testing.T, p planned, s store.Statement, n pgNode, plan string) {
	t.Helper()
	through, most := "", float64(mostTouched)
	if p.touches > 0 {
		most = float64(p.touches)
	}
	rows := n.touched(&through)
	if p.whole != "" {
		return
	}
	if through != "" {
		t.Errorf("%s: goes through %s\n%s\n%s", p.name, through, s.Text, plan)
	} else if rows > most {
		t.Errorf("%s: touches %.0f rows, more than %.0f\n%s\n%s", p.name, rows, most, s.Text, plan)
	}
}

func reads(fn func(tx *store.Tx) error) func(context.Context, *store.DB) error {
	return func(ctx context.Context, db *store.DB) error { return db.Read(ctx, fn) }
}

func writes(fn func(tx *store.Tx) error) func(context.Context, *store.DB) error {
	return func(ctx context.Context, db *store.DB) error {
		_, err := db.Write(ctx, fn)
		return err
	}
}

// last drops what was found, of whom only how it was found matters.
func last[T any](_ T, err error) error { return err }

const (
	planApprover = "per_000001" // asked by everything, has decided a half
	planAsker    = "per_000002" // asked for one in 100
)

var (
	planMiddle = planRequest(10_000)
	planBefore = planRequest(15_000)
)

func plannedQueries() []planned {
	all := append(inboxPlans(), tablePlans()...)
	all = append(all, explorerPlans()...)
	return append(all, append(clockPlans(), submissionPlans()...)...)
}

func inboxPlans() []planned {
	soon := planAt(planRequests).Add(24 * time.Hour)
	approver := []string{planApprover, store.AudienceGroup + "approvers", store.AudienceInner + "approvers", store.AudienceGroup + "finance"}
	concerns := append([]string{store.AudienceOwn + planApprover, store.AudienceWatch + "treasury"}, approver...)
	asked := store.AskedQuery{Who: approver, Person: planApprover, Soon: soon, Limit: 30}
	deep := asked
	deep.After = store.Place{First: -10_000, Second: store.Micros(planAt(5_000)), ID: planRequest(5000)}
	var out []planned
	for name, q := range map[string]store.AskedQuery{"": asked, ", a later page": deep} {
		out = append(out,
			planned{name: "asked soon" + name, lite: "audience_due", does: reads(func(tx *store.Tx) error { return last(tx.AskedSoon(q)) })},
			planned{name: "asked by weight" + name, lite: "audience_pressing", does: reads(func(tx *store.Tx) error { return last(tx.AskedByWeight(q)) })})
	}
	for name, who := range map[string][]string{"an approver": concerns, "who asked": {store.AudienceOwn + planAsker, planAsker}} {
		person := strings.TrimPrefix(who[0], store.AudienceOwn)
		out = append(out,
			planned{name: "count asked of " + name, touches: 3 * mostTouched, does: reads(func(tx *store.Tx) error {
				return last(tx.CountAsked(store.AskedQuery{Who: who, Person: person}, 1000))
			})},
			planned{name: "concerning " + name, lite: "audience_others", does: reads(func(tx *store.Tx) error { return last(tx.Concerning(who, "", 30)) })},
			planned{name: "concerning, a later page, " + name, lite: "audience_others", does: reads(func(tx *store.Tx) error { return last(tx.Concerning(who, planMiddle, 30)) })},
			planned{name: "asking " + name, lite: "audience_asked", does: reads(func(tx *store.Tx) error { return last(tx.Asking(who, "", 30)) })},
			planned{name: "concerned by, " + name, does: reads(func(tx *store.Tx) error {
				return last(tx.ConcernedBy([]string{planRequest(10), planRequest(9999), planRequest(19999)}, who))
			})},
			planned{name: "count concerning " + name, touches: 10 * mostTouched, does: reads(func(tx *store.Tx) error {
				return last(tx.CountConcerning(who, person, false, 1000))
			})},
			planned{name: "count concerning and open " + name, touches: 10 * mostTouched, does: reads(func(tx *store.Tx) error {
				return last(tx.CountConcerning(who, person, true, 1000))
			})},
			planned{name: "finished of " + name, does: reads(func(tx *store.Tx) error { return last(tx.FinishedOf(person, time.Time{}, "", 30)) })},
			planned{name: "finished of, a later page, " + name, does: reads(func(tx *store.Tx) error {
				return last(tx.FinishedOf(person, planAt(15_000), planBefore, 30))
			})},
			planned{name: "count finished of " + name, touches: 5 * mostTouched, does: reads(func(tx *store.Tx) error { return last(tx.CountFinishedOf(person, 1000)) })})
	}
	return append(out,
		planned{name: "open requests", does: reads(func(tx *store.Tx) error { return last(tx.OpenRequests("", 30)) })},
		planned{name: "open requests, a later page", does: reads(func(tx *store.Tx) error { return last(tx.OpenRequests(planRequest(5000), 30)) })},
		planned{name: "approvals by id", does: reads(func(tx *store.Tx) error { return last(tx.ApprovalsByID([]string{planRequest(1), planRequest(10001)})) })},
		planned{name: "openings named", does: reads(func(tx *store.Tx) error {
			return last(tx.OpeningsNamed([]string{"ent_000001", "ent_000002"}, countersign.OpeningWeighing))
		})},
		planned{name: "openings of each", does: reads(func(tx *store.Tx) error {
			return last(tx.OpeningsOfEach([]string{"ent_000001", "ent_000002"}))
		})},
		planned{name: "entries by id", does: reads(func(tx *store.Tx) error { return last(tx.EntriesByID([]string{"ent_000001", "ent_000002"})) })},
		planned{name: "audience of", does: reads(func(tx *store.Tx) error { return last(tx.AudienceOf(planMiddle)) })},
		planned{name: "entries about", does: reads(func(tx *store.Tx) error { return last(tx.EntriesAbout(planMiddle, 100)) })},
		planned{name: "decisions of a request", lite: "sqlite_autoindex_decision_1", does: reads(func(tx *store.Tx) error { return last(tx.Decisions(planBefore)) })},
		planned{name: "last account document", does: reads(func(tx *store.Tx) error {
			_, err := tx.LastAccountDocument("V-1", planRequest(20000))
			return gone(err)
		})})
}

// gone makes nothing of finding nothing.
func gone(err error) error {
	if err == store.ErrNotFound {
		return nil
	}
	return err
}

// looksAtAll is why a search may go through all requests: any part of a word is found.
const looksAtAll = "any part of any request's words, and every rule, may be meant"

func tablePlans() []planned {
	day := planAt(12_000)
	// Decisions are looked through for those on requests of a filter, and a person's own for
	// what stands on a later page.
	among := map[string]int{"pending": planRequests, "revoked, of which there are none": planRequests, "a decider": planRequests / 2}
	var out []planned
	for name, f := range map[string]store.TableFilter{
		"everything": {}, "pending": {Status: countersign.StatusPending}, "released": {Status: countersign.StatusReleased}, "revoked, of which there are none": {Status: countersign.StatusRevoked},
		"asked a person": {Outcome: countersign.OutcomeStepUp}, "a vendor": {Vendor: "V-7"}, "no such vendor": {Vendor: "V-none"}, "a requester": {Requester: planAsker},
		"a day": {Since: day, Until: day.Add(24 * time.Hour)}, "a group": {Group: "approvers"}, "no such group": {Group: "nobody"}, "a decider": {Decider: planApprover},
		"no such decider": {Decider: "per_none"}, "of a vendor and pending": {Vendor: "V-7", Status: countersign.StatusPending}, "a kind": {Kind: countersign.KindPurchaseOrder},
		"a kind that is rare": {Kind: countersign.KindVendorBankChange}, "no such kind": {Kind: "nothing"}, "a source": {Source: "erp"}, "ours": {Source: store.InternalSource}, "no such source": {Source: "nowhere"},
	} {
		out = append(out,
			planned{name: "requests: " + name, does: reads(func(tx *store.Tx) error { return last(tx.RequestTable(f, "", 50)) })},
			planned{name: "requests, a later page: " + name, touches: among[name], does: reads(func(tx *store.Tx) error { return last(tx.RequestTable(f, planMiddle, 50)) })},
			planned{name: "decisions: " + name, touches: among[name], does: reads(func(tx *store.Tx) error { return last(tx.DecisionTable(f, time.Time{}, "", 50)) })})
	}
	for name, f := range map[string]store.TableFilter{"words": {Words: "nowhere"}, "a rule": {Rule: "nothing-like-it"}} {
		out = append(out, planned{name: "requests: " + name, whole: looksAtAll, does: reads(func(tx *store.Tx) error { return last(tx.RequestTable(f, "", 50)) })})
	}
	return append(out,
		planned{name: "decisions of one person", lite: "decision_person", does: reads(func(tx *store.Tx) error {
			return last(tx.DecisionTable(store.TableFilter{Decider: "per_none"}, time.Time{}, "", 50))
		})},
		planned{name: "held now", does: reads(func(tx *store.Tx) error { return last(tx.HeldNow(time.Time{}, "", 50)) })},
		planned{name: "founding", does: reads(func(tx *store.Tx) error { return last(tx.CountFounding()) })},
		planned{name: "count open", whole: "all of them are counted", does: reads(func(tx *store.Tx) error { return last(tx.CountOpen()) })},
		planned{name: "count by status", whole: "all are counted", does: reads(func(tx *store.Tx) error { return last(tx.CountByStatus()) })},
		planned{name: "rules", whole: "all of the time are counted", does: reads(func(tx *store.Tx) error {
			_, _, err := tx.RuleCounts(planAt(19_000), planAt(19_900))
			return err
		})},
		planned{name: "deciders", touches: 5 * mostTouched, does: reads(func(tx *store.Tx) error { return last(tx.Deciders(100)) })})
}

func explorerPlans() []planned {
	day := planAt(12_000)
	var out []planned
	for name, f := range map[string]store.EntryFilter{
		"everything": {}, "a type": {Types: []countersign.EntryType{countersign.EntryDecisionMade}}, "no such type": {Types: []countersign.EntryType{countersign.EntryErased}},
		"types": {Types: []countersign.EntryType{countersign.EntryDecisionMade, countersign.EntryRequestReleased}}, "a person": {Person: planAsker},
		"no such person": {Person: "per_none"}, "a vendor": {Vendor: "V-7"}, "no such vendor": {Vendor: "V-none"}, "an object": {Object: "PO-010000"}, "no such object": {Object: "nothing"},
		"a day": {Since: day, Until: day.Add(24 * time.Hour)}, "a kind": {Kind: countersign.KindPurchaseOrder},
		"a person and a type": {Person: planApprover, Types: []countersign.EntryType{countersign.EntryDecisionMade}},
	} {
		out = append(out, planned{name: "entries: " + name, does: reads(func(tx *store.Tx) error { return last(tx.EntryTable(f, 1<<60, 50)) })},
			planned{name: "entries, a later page: " + name, does: reads(func(tx *store.Tx) error { return last(tx.EntryTable(f, 20_000, 50)) })})
	}
	return append(out,
		planned{name: "entries about an object", lite: "audit_entry_subject", does: reads(func(tx *store.Tx) error {
			return last(tx.EntryTable(store.EntryFilter{Object: "PO-010000"}, 1<<60, 50))
		})},
		planned{name: "entries in order", does: reads(func(tx *store.Tx) error { return last(tx.Entries(1000, 100)) })},
		planned{name: "an entry", does: reads(func(tx *store.Tx) error { return last(tx.EntryByID("ent_000500")) })},
		planned{name: "entries by subject", does: reads(func(tx *store.Tx) error { return last(tx.EntriesBySubject(planMiddle, -1, 100)) })},
		planned{name: "openings", does: reads(func(tx *store.Tx) error { return last(tx.Openings("ent_000500")) })},
		planned{name: "unplaced entries", does: reads(func(tx *store.Tx) error { return last(tx.UnplacedEntries()) })},
		planned{name: "last entry's time", does: reads(func(tx *store.Tx) error { return last(tx.LastEntryTime()) })})
}

func clockPlans() []planned {
	hour := planTime.Add(time.Hour)
	job := store.Job{ID: "evt_new", Topic: "t", Payload: []byte("{}")}
	return []planned{
		{name: "due", does: reads(func(tx *store.Tx) error { return last(tx.Due(100)) })},
		{name: "waiting for more people", does: reads(func(tx *store.Tx) error {
			return last(tx.Approvals(store.ApprovalFilter{Statuses: []countersign.Status{countersign.StatusUnsatisfiable}}, "", 100))
		})},
		{name: "settled history", does: reads(func(tx *store.Tx) error { return last(tx.SettledWaiting()) })},
		{name: "folding history", does: writes(func(tx *store.Tx) error { return last(tx.FoldSettled(100)) })},
		{name: "stale counters", whole: "all are looked at, once in a while", does: reads(func(tx *store.Tx) error { return last(tx.StaleThrottles(hour, "", 100)) })},
		{name: "calls whose time is over", does: writes(func(tx *store.Tx) error { return last(tx.PurgeCalls(100)) })},
		{name: "anything open", does: reads(func(tx *store.Tx) error {
			_, _, _, _, err := tx.AnythingOpen()
			return err
		})},
		{name: "claiming jobs", does: func(ctx context.Context, db *store.DB) error {
			claims, err := db.Claim(ctx, time.Minute, 10)
			if err != nil || len(claims) == 0 {
				return fmt.Errorf("claimed %d: %w", len(claims), err)
			}
			return db.Replace(ctx, claims[0], []store.Job{job})
		}},
		{name: "next job", does: func(ctx context.Context, db *store.DB) error {
			_, _, err := db.NextRun(ctx)
			return err
		}},
		{name: "dead letters", does: reads(func(tx *store.Tx) error { return last(tx.DeadLetters("", 50)) })},
		{name: "jobs about a request", whole: "an erasure is rare, and what waits to leave is little", does: writes(func(tx *store.Tx) error { return last(tx.EraseJobs(planMiddle)) })},
		{name: "count jobs", whole: "all are counted", does: reads(func(tx *store.Tx) error { return last(tx.OutboxCounts()) })},
	}
}

func submissionPlans() []planned {
	since := planAt(12_000)
	return []planned{
		{name: "sum over a vendor", does: reads(func(tx *store.Tx) error {
			return last(tx.SumOf(store.SumQuery{Kind: countersign.KindPurchaseOrder, Vendor: "V-7", Since: since, Base: "EUR", Below: 1 << 40}))
		})},
		{name: "sum over a requester", does: reads(func(tx *store.Tx) error {
			return last(tx.SumOf(store.SumQuery{Kind: countersign.KindPurchaseOrder, Requester: planAsker, Category: "c7", Since: since, Base: "EUR", Below: 1 << 40}))
		})},
		{name: "pending bank changes", lite: "approval_bank_change", does: reads(func(tx *store.Tx) error { return last(tx.PendingBankChanges("V-7")) })},
		{name: "open alerts of each", does: reads(func(tx *store.Tx) error {
			return last(tx.OpenAlertsOfEach([]string{planAsker, planApprover}))
		})},
		{name: "open alerts", does: reads(func(tx *store.Tx) error {
			return last(tx.OpenAlerts([]string{store.AboutVendor("V-7"), planAsker, store.AboutOrganisation}))
		})},
		{name: "alerts", does: reads(func(tx *store.Tx) error { return last(tx.Alerts(true, "", 50)) })},
		{name: "requests of an object", does: reads(func(tx *store.Tx) error {
			return last(tx.ApprovalsOfObject("erp", countersign.KindPurchaseOrder, "PO-010000", 10))
		})},
		{name: "verdicts on an object", does: reads(func(tx *store.Tx) error {
			return last(tx.VerdictsOnObject("erp", countersign.KindPurchaseOrder, "PO-010000", 10))
		})},
		{name: "request by digest", lite: "approval_object", does: reads(func(tx *store.Tx) error {
			_, err := tx.ApprovalByDigest("erp", countersign.KindPurchaseOrder, "PO-010000", "d")
			return gone(err)
		})},
		{name: "history of a vendor", does: reads(func(tx *store.Tx) error { return last(tx.VendorStats("V-7")) })},
		{name: "what is kept about a vendor", does: reads(func(tx *store.Tx) error { return last(tx.FactsOfVendors([]string{"V-7"}, true)) })},
		{name: "what is kept about vendors", does: reads(func(tx *store.Tx) error {
			return last(tx.FactsOfVendors([]string{"V-7", "V-8", "V-9"}, false))
		})},
		{name: "earlier requests for an object", lite: "approval_object", does: reads(func(tx *store.Tx) error {
			return last(tx.EarlierOn("erp", countersign.KindPurchaseOrder, "PO-010000", 10))
		})},
		{name: "a person by either name", does: reads(func(tx *store.Tx) error {
			_, err := tx.PersonBy("erp", "nobody", "directory", "nobody")
			return gone(err)
		})},
		{name: "unsettled history", does: reads(func(tx *store.Tx) error { return last(tx.Unsettled("V-7")) })},
		{name: "requests of a source", whole: "on SQLite the newest of one source are looked for among all", does: reads(func(tx *store.Tx) error {
			return last(tx.Approvals(store.ApprovalFilter{Source: "erp"}, "", 50))
		})},
		{name: "requests of a vendor", does: reads(func(tx *store.Tx) error {
			return last(tx.Approvals(store.ApprovalFilter{Vendor: "V-7", Source: "erp"}, planMiddle, 50))
		})},
		{name: "requests of ours", does: reads(func(tx *store.Tx) error {
			ours := true
			return last(tx.Approvals(store.ApprovalFilter{Internal: &ours, Statuses: []countersign.Status{countersign.StatusPending}}, "", 50))
		})},
	}
}
