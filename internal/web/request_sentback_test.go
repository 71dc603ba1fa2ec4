package web_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// TestRuling27SentBackSaysWhy: whoever decides on a request that its release sent back
// reads what is new, also where nobody had been asked before and no rule counts; who asked
// reads only that something is.
func TestRuling27SentBackSaysWhy(t *testing.T) {
	s := settled(t)
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	marta, elif, claire := s.Person("marta"), s.Person("elif"), s.Person("claire")
	order := testkit.Order("PO-1", "90.00")
	a := s.Submit(order)
	s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "1", Severity: "high", About: countersign.AlertSubject{Organisation: true}, Title: "a stolen laptop"}, nil)
	s.Refused(s.Try("POST", "/v1/release", s.Key, countersign.ReleaseBody{Request: a.ID, Document: testkit.Raw(order), Execution: "run-1"}, nil), countersign.CodeNotReleasable)
	page := callerOf(t, s, marta.Token).get("/r/" + a.ID)
	page.has(t, "Why this needs you", "Sent back by its release: an alert was raised since it was judged: a stolen laptop", "sent-back · policy v1", "Review and approve")
	asker := callerOf(t, s, elif.Token).get("/r/" + a.ID)
	asker.has(t, "Sent back by its release: something new stands against it")
	asker.lacks(t, "laptop")
	callerOf(t, s, claire.Token).get("/r/"+a.ID).lacks(t, "#rule-sent-back")
}
