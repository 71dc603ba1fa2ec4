package api

import (
	"net/http"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func delegationOperations() []operation {
	return []operation{
		{method: post, path: "/v1/delegations", id: "delegate", tag: "changes", who: people, strict: true, summary: "Let another person decide in your place for a time",
			detail: "Needs a step-up for \"delegate:TO:STARTS_AT:ENDS_AT:KIND,KIND:LIMIT\": each as it stands in the body, the limit as \"35000.00 EUR\", nothing where it is left out. " +
				"The smallest of all limits counts. For somebody who is absent, who is above them proposes it: a proposal of kind \"countersign.delegation\" about the person, with changes to, ends_at and, if wanted, starts_at, kinds and limit.",
			in: authority.DelegationBody{}, out: authority.DelegationView{}, status: []int{201}, run: delegate},
		{method: get, path: "/v1/delegations", id: "listDelegations", tag: "changes", who: people, summary: "List delegations, newest first",
			detail: "Your own, or those of who reports to you; auditors, controllers and administrators list everybody's.", out: countersign.Page[authority.DelegationView]{},
			query: append([]parameter{{name: "person", about: "Whose, in either part: per_…, me (the default) or all.", example: "me"}}, paging...), run: listDelegations},
		{method: remove, path: "/v1/delegations/{delegation}", id: "endDelegation", tag: "changes", who: people, summary: "End a delegation at once",
			detail: "For both of its people, whoever is above the delegator, and administrators.", status: []int{204}, run: endDelegation},
	}
}

func delegate(c *call) (answer, error) {
	var body authority.DelegationBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Delegate(c.ctx(), c.session(), body)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: out}, nil
}

func listDelegations(c *call) (answer, error) {
	limit, err := c.number("limit", defaultPage, 1, mostPage)
	if err != nil {
		return answer{}, err
	}
	q := authority.DelegationQuery{Person: c.query("person"), After: c.query("after"), Limit: int(limit)}
	if q.Person != "" && q.Person != "me" && q.Person != "all" && !countersign.IsID(countersign.PrefixPerson, q.Person) {
		return answer{}, countersign.Invalid(countersign.FieldError{Pointer: "?person", Detail: "want me, all, or a person's id as per_…"})
	}
	if q.After != "" && !countersign.IsID(countersign.PrefixDelegation, q.After) {
		return answer{}, countersign.Invalid(countersign.FieldError{Pointer: "?after", Detail: "want the next of the page before"})
	}
	page, err := c.org.Delegations(c.ctx(), c.session(), q)
	return answer{body: page}, err
}

func endDelegation(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, c.org.EndDelegation(c.ctx(), c.session(), c.param("delegation"))
}
