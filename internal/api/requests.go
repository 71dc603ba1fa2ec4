package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
)

var statuses = []string{"pending", "approved", "denied", "expired", "cancelled", "superseded", "unsatisfiable", "released", "revoked"}

func requestOperations() []operation {
	return []operation{
		{method: post, path: "/v1/requests", id: "submitRequest", tag: "requests", who: keys, scope: authn.ScopeSubmit, repeat: true,
			summary: "Ask whether a document may be approved",
			detail: "Approved at once with a receipt, pending with what is missing and a step-up URL, or denied with reasons. The same document again is the same request (200 instead of 201). " +
				"On PostgreSQL an approval whose log entry is not signed within a second is answered as pending: ask again.",
			in: countersign.RequestBody{}, out: countersign.Approval{}, status: []int{201, 200}, run: submit},
		{method: get, path: "/v1/requests", id: "listRequests", tag: "requests", who: either, summary: "List requests, newest first",
			detail: "A key sees what its source submitted; a person what concerns them, or everything as an auditor, controller or administrator. Without receipts.",
			out:    countersign.Page[countersign.Approval]{}, run: listRequests,
			query: append([]parameter{{name: "kind", about: "Kind of the document.", example: "purchase_order"},
				{name: "status", about: "Status; may be repeated.", many: true, enum: statuses, example: "pending"},
				{name: "object", about: "The document's id in its system.", example: "PO-4711"}, {name: "vendor", about: "The payee's id.", example: "V-1"},
				{name: "requester", about: "Who asked: per_…, or an identifier of the source's system.", example: "elif"},
				{name: "from", about: "Submitted at or after: a time (RFC 3339) or a day.", example: "2026-11-01"},
				{name: "until", about: "Submitted before: a time (RFC 3339) or a day.", example: "2026-12-01"}}, paging...)},
		{method: get, path: "/v1/requests/{request}", id: "getRequest", tag: "requests", who: either, summary: "Read one request",
			detail: "With its receipt where it is approved or released.", out: countersign.Approval{}, run: getRequest},
		{method: get, path: "/v1/requests/{request}/receipt", id: "getReceipt", tag: "requests", who: either, summary: "Read the receipt as its one encoding",
			detail: "Evidence, never permission: only a release is that. These exact bytes verify offline.", out: countersign.Receipt{}, run: getReceipt},
		{method: post, path: "/v1/requests/{request}/cancel", id: "cancelRequest", tag: "requests", who: either, scope: authn.ScopeSubmit, repeat: true,
			summary: "Withdraw a request that was not released", out: countersign.Approval{}, run: cancel},
		{method: post, path: "/v1/requests/{request}/challenges", id: "challenge", tag: "decisions", who: people, summary: "Ask for the challenge of one act",
			detail: "The person says which digest they saw and what they are about to do. The answer is the statement that is signed; 409 with the differences when the stored document is another one. A challenge is used once.",
			in:     countersign.ChallengeBody{}, out: countersign.ChallengeAnswer{}, status: []int{201}, run: challenge},
		{method: post, path: "/v1/requests/{request}/decisions", id: "decide", tag: "decisions", who: people, strict: true, summary: "Answer a challenge",
			detail: "The challenge is used up whatever follows. For a denial the session suffices.",
			in:     countersign.DecisionBody{}, out: countersign.Approval{}, status: []int{201}, run: decide},
		{method: post, path: "/v1/evaluate", id: "evaluate", tag: "requests", who: keys, scope: authn.ScopeEvaluate, costly: true, summary: "Ask what would happen",
			detail: "Weighs the document as a submission would, and changes nothing.", in: countersign.RequestBody{}, out: countersign.Evaluation{}, run: evaluate},
	}
}

// approval answers with a request; its receipt is put in byte for byte.
func approval(status int, a *countersign.Approval) answer {
	out := *a
	receipt := out.Receipt
	out.Receipt = nil
	if len(out.Document) == 0 { // erased
		out.Document = nil
	}
	ans := answer{status: status, body: &out, receipt: receipt, subject: a.ID}
	if out.HandOverURL != "" { // shown once
		kept := out
		kept.HandOverURL = ""
		ans.kept = &kept
	}
	ans.passing = out.Outcome == countersign.OutcomeAllow && out.Status == countersign.StatusPending // waits to be signed
	return ans
}

func submit(c *call) (answer, error) {
	body, err := authority.ReadBody(c.node)
	if err != nil {
		return answer{}, err
	}
	out, err := c.org.SubmitParsed(c.ctx(), c.key(), body)
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if out.Created {
		status = http.StatusCreated
	}
	c.w.Header().Set("Location", "/v1/requests/"+out.Approval.ID)
	return approval(status, out.Approval), nil
}

func listRequests(c *call) (answer, error) {
	limit, err := c.number("limit", defaultPage, 1, mostPage)
	if err != nil {
		return answer{}, err
	}
	values := c.r.URL.Query()
	q := authority.ListQuery{After: values.Get("after"), Limit: int(limit)}
	q.Kind, q.Object, q.Vendor, q.Requester = values.Get("kind"), values.Get("object"), values.Get("vendor"), values.Get("requester")
	for _, s := range values["status"] {
		q.Statuses = append(q.Statuses, countersign.Status(s))
	}
	if q.From, err = moment(values, "from"); err != nil {
		return answer{}, err
	}
	if q.Until, err = moment(values, "until"); err != nil {
		return answer{}, err
	}
	if q.After != "" && !countersign.IsID(countersign.PrefixRequest, q.After) {
		return answer{}, countersign.Invalid(countersign.FieldError{Pointer: "?after", Detail: "want the next of the page before"})
	}
	page, err := c.org.List(c.ctx(), c.caller, q)
	for i := range page.Items {
		if len(page.Items[i].Document) == 0 { // erased
			page.Items[i].Document = nil
		}
	}
	return answer{body: page}, err
}

// moment reads a time or a day out of the query.
func moment(values url.Values, name string) (time.Time, error) {
	s := values.Get(name)
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, countersign.Invalid(countersign.FieldError{Pointer: "?" + name, Detail: "want a time as 2026-11-24T06:00:00Z (RFC 3339), or a day"})
}

func getRequest(c *call) (answer, error) {
	out, err := c.org.Get(c.ctx(), c.caller, c.param("request"))
	if err != nil {
		return answer{}, err
	}
	return approval(http.StatusOK, out), nil
}

func getReceipt(c *call) (answer, error) {
	receipt, err := c.org.Receipt(c.ctx(), c.caller, c.param("request"))
	return answer{raw: receipt, media: "application/json"}, err
}

func cancel(c *call) (answer, error) {
	out, err := c.org.Cancel(c.ctx(), c.caller, c.param("request"))
	if err != nil {
		return answer{}, err
	}
	return approval(http.StatusOK, out), nil
}

func challenge(c *call) (answer, error) {
	var body countersign.ChallengeBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Challenge(c.ctx(), c.session(), c.param("request"), body)
	return answer{status: http.StatusCreated, body: out}, err
}

func decide(c *call) (answer, error) {
	var body countersign.DecisionBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Decide(c.ctx(), c.session(), c.param("request"), body)
	if err != nil {
		return answer{}, err
	}
	return approval(http.StatusCreated, out), nil
}

func evaluate(c *call) (answer, error) {
	var body countersign.RequestBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Evaluate(c.ctx(), c.key(), body)
	return answer{body: out}, err
}
