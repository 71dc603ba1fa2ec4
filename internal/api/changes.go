package api

import (
	"net/http"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func changeOperations() []operation {
	return []operation{
		{method: post, path: "/v1/proposals", id: "propose", tag: "changes", who: people, repeat: true, summary: "Propose a change to Countersign itself",
			detail: "Policy, people, settings, delegations, freezes, alerts, erasure: the change becomes a request like any other, and others decide on it. While the organisation is founding, it is carried out at once.",
			in:     authority.Proposal{}, out: countersign.Approval{}, status: []int{201}, run: propose},
		{method: post, path: "/v1/freezes", id: "freeze", tag: "changes", who: people, strict: true, summary: "Freeze a vendor or a person",
			detail: "For at most 72 hours. Needs a step-up for \"freeze:vendor:ID\" or \"freeze:per_…\". Extending or lifting it is a proposal.",
			in:     authority.FreezeBody{}, out: authority.FreezeView{}, status: []int{201}, run: freeze},
		{method: get, path: "/v1/freezes", id: "listFreezes", tag: "changes", who: people, summary: "List the freezes in force", out: authority.FreezesView{}, run: listFreezes},
		{method: get, path: "/v1/break-glass", id: "listBreakGlass", tag: "changes", who: people, summary: "List the uses of break-glass that wait for their review", out: authority.BreakGlassUses{}, run: listBreakGlass},
		{method: post, path: "/v1/break-glass/{request}/review", id: "reviewBreakGlass", tag: "changes", who: people, strict: true, summary: "Review a use of break-glass",
			detail: "A controller or administrator who did not take part in it. Needs a step-up for \"review:req_…\".", in: StepUp{}, status: []int{204}, run: reviewBreakGlass},
	}
}

func propose(c *call) (answer, error) {
	var body authority.Proposal
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Propose(c.ctx(), c.session(), body)
	if err != nil {
		return answer{}, err
	}
	c.w.Header().Set("Location", "/v1/requests/"+out.ID)
	return approval(http.StatusCreated, out), nil
}

func freeze(c *call) (answer, error) {
	var body authority.FreezeBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	row, err := c.org.Freeze(c.ctx(), c.session(), body)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: authority.ViewFreeze(row)}, nil
}

func listFreezes(c *call) (answer, error) {
	out, err := c.org.Freezes(c.ctx(), c.session())
	return answer{body: out}, err
}

func listBreakGlass(c *call) (answer, error) {
	out, err := c.org.BreakGlassToReview(c.ctx(), c.session())
	return answer{body: out}, err
}

func reviewBreakGlass(c *call) (answer, error) {
	var body StepUp
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, c.org.ReviewBreakGlass(c.ctx(), c.session(), c.param("request"), body.StepUp)
}
