package web_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/testkit"
)

// TestTwoClausesOnThePage: a request that two groups must approve says to each visitor
// how many are lacking beside them, of which group.
func TestTwoClausesOnThePage(t *testing.T) {
	text := `policy: two
currency: EUR
rules:
  - {name: approved, for: [purchase_order], when: "amount >= 1", require: {assurance: mfa, approvers: {count: 1, from: [approvers]}}}
  - {name: treasury, for: [purchase_order], when: "amount >= 1", require: {assurance: mfa, approvers: {count: 2, from: [treasury]}}}
`
	s := testkit.StartSQLite(t, testkit.Options{Create: func(n *authority.NewOrganisation) {
		n.Policy = policy.Source{File: "two", Text: []byte(text)}
	}})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	marta, ingrid, tomas := s.Person("marta"), s.Person("ingrid"), s.Person("tomas")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	page := func(p *testkit.Person) shown { return callerOf(t, s, p.Token).get("/r/" + order.ID) }
	page(marta).has(t, "Beside yours, the approval of 2 more people of treasury is needed.", "1 person of approvers", "2 people of treasury")
	page(ingrid).has(t, "Beside yours, the approval of 1 more person of treasury is needed.")
	page(tomas).has(t, "Beside yours, the approval of 1 more person of approvers and 1 more person of treasury is needed.")
	made, problem := marta.ByPasskey(order.ID, countersign.ActApprove)
	if problem != nil || len(made.Missing) != 1 || made.Missing[0] != "2 people of treasury must approve" {
		t.Fatalf("%v %v", made, problem)
	}
	page(tomas).has(t, "Beside yours, the approval of 1 more person of treasury is needed.")
	if _, problem := tomas.ByPasskey(order.ID, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	page(ingrid).has(t, "Your approval is the last that is needed.", "1 more person of treasury")
}
