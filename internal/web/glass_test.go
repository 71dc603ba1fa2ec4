package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit"
)

// TestRuling21BreakGlassByThePages: who is named approves what others are asked for, by
// the pages alone: from when the name counts, with a passkey and a ticked box, beside a
// second person. The use stands on the receipt and waits for its review.
func TestRuling21BreakGlassByThePages(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{Settings: func(st *authority.Settings) {
		st.BreakGlassAmount = &countersign.Amount{Value: "40000.00", Currency: "EUR"}
	}})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	samuel, tomas, marta := s.Person("samuel"), s.Person("tomas"), s.Person("marta")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	path := "/r/" + order.ID + "/approve"
	if a := as(t, s, "tomas").get(path); a.Status != 404 {
		t.Fatalf("who is not named sees it: %d", a.Status)
	}
	admin := as(t, s, "samuel")
	request, _ := admin.proposed(admin.post("/admin/people/"+tomas.ID+"/break-glass", "reason", "He is always near"))
	agree(t, s, "samuel", request)
	agree(t, s, "claire", request)
	if a := as(t, s, "tomas").get(path); a.Status != 404 {
		t.Errorf("a name counts at once: %d", a.Status)
	}
	s.Clock.Forward(73 * time.Hour)
	for _, p := range []*testkit.Person{samuel, tomas, marta} {
		p.SignIn()
	}
	c := callerOf(t, s, tomas.Token)
	page := c.get(path)
	page.has(t, "break-glass")
	if !strings.Contains(page.Body, `name="break_glass" value="yes" required`) {
		t.Fatalf("no box to tick: %s", page.text())
	}
	if a := c.byKey(tomas.Key, path, append(page.hidden(), "reason", "Nobody is there")...); a.Status != 403 {
		t.Errorf("without the box: %d %s", a.Status, a.text())
	}
	used := c.byKey(tomas.Key, path, append(page.hidden(), "reason", "Nobody is there", "break_glass", "yes")...)
	if used.Status != 303 {
		t.Fatalf("%d %s", used.Status, used.text())
	}
	c.get(used.To).has(t, "break-glass", "Still needed")
	if got := getRequest(s, order.ID); got.Status != countersign.StatusPending || len(got.Decisions) != 1 || !got.Decisions[0].BreakGlass {
		t.Fatalf("%s %+v", got.Status, got.Decisions)
	}
	if a, problem := marta.ByPasskey(order.ID, countersign.ActApprove); problem != nil || a.Status != countersign.StatusApproved {
		t.Fatal(problem, a)
	}
	s.Verify(getRequest(s, order.ID).Receipt)
	callerOf(t, s, samuel.Token).get("/admin/break-glass").has(t, "EUR\u00a030\u202f000.00", "Tomas Horak", "Review")
}
