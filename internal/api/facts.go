package api

import (
	"net/http"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

func factOperations() []operation {
	return []operation{
		{method: post, path: "/v1/facts", id: "recordFacts", tag: "facts", who: keys, scope: authn.ScopeFacts, repeat: true, summary: "Say what is known of vendors, purchases, rates and people",
			detail: "People need the scope provisioning. A bad item refuses the whole body, naming it. The same facts again change nothing. At most 5000 facts in one body.",
			in:     countersign.FactsBody{}, out: countersign.FactsAnswer{}, run: recordFacts},
		{method: post, path: "/v1/alerts", id: "raiseAlert", tag: "alerts", who: either, scope: authn.ScopeAlert, repeat: true, summary: "Raise an alert",
			detail: "By a system, or by an administrator or controller, who can also raise one about a request and names as owner a group that somebody is in, or a person by their id. " +
				"The same id again answers with the alert that is there (200 instead of 201). Closing one is a proposal.",
			in: countersign.AlertBody{}, out: countersign.Alert{}, status: []int{201, 200}, run: raiseAlert},
		{method: get, path: "/v1/alerts", id: "listAlerts", tag: "alerts", who: people, summary: "List alerts, newest first", out: countersign.Page[countersign.Alert]{}, run: listAlerts,
			query: append([]parameter{{name: "open", about: "true: only those that are neither closed nor expired.", enum: []string{"true", "false"}, example: "true"}}, paging...)},
	}
}

func recordFacts(c *call) (answer, error) {
	var body countersign.FactsBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.RecordFacts(c.ctx(), c.key(), body)
	return answer{body: out}, err
}

func raiseAlert(c *call) (answer, error) {
	var body countersign.AlertBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, fresh, err := c.org.RaiseAlert(c.ctx(), c.caller, body)
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return answer{status: status, body: out}, nil
}

func listAlerts(c *call) (answer, error) {
	limit, err := c.number("limit", defaultPage, 1, mostPage)
	if err != nil {
		return answer{}, err
	}
	after := c.query("after")
	if after != "" && !countersign.IsID(countersign.PrefixAlert, after) {
		return answer{}, countersign.Invalid(countersign.FieldError{Pointer: "?after", Detail: "want the next of the page before"})
	}
	page, err := c.org.Alerts(c.ctx(), c.session(), c.query("open") == "true", after, int(limit))
	return answer{body: page}, err
}
