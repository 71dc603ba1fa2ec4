package api

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

func releaseOperations() []operation {
	return []operation{
		{method: post, path: "/v1/check", id: "check", tag: "release", who: keys, scope: authn.ScopeRelease, summary: "Ask what a release would say now",
			detail: "Any number of times; changes nothing.", in: countersign.ReleaseBody{}, out: countersign.CheckAnswer{}, run: check},
		{method: post, path: "/v1/release", id: "release", tag: "release", who: keys, scope: authn.ScopeRelease, summary: "Ask whether the document, as it stands now, may be executed",
			detail: "Says yes once. The same execution id with the same document gets the same answer; another one gets 409. 409 names the fields that differ from what was approved, or what stands against it.",
			in:     countersign.ReleaseBody{}, out: countersign.ReleaseAnswer{}, run: release},
		{method: post, path: "/v1/requests/{request}/confirm", id: "confirmRelease", tag: "release", who: keys, scope: authn.ScopeRelease, repeat: true,
			summary: "Say that what was released was executed", in: ExecutionBody{}, out: countersign.ReleaseAnswer{}, run: confirmRelease},
		{method: post, path: "/v1/requests/{request}/abandon", id: "abandonRelease", tag: "release", who: keys, scope: authn.ScopeRelease, repeat: true,
			summary: "Say that what was released was not executed, and will not be", in: ExecutionBody{}, out: countersign.ReleaseAnswer{}, run: abandonRelease},
	}
}

// ExecutionBody names the execution that a lease was opened for.
type ExecutionBody struct {
	Execution string `json:"execution"` // the caller's id, as it was given at the release
}

func released(a *countersign.ReleaseAnswer) answer {
	out := *a
	receipt := out.Receipt
	out.Receipt = nil
	return answer{body: &out, receipt: receipt, subject: a.Request}
}

func check(c *call) (answer, error) {
	var body countersign.ReleaseBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.Execution != "" || body.Confirm {
		return answer{}, countersign.Invalid(countersign.FieldError{Pointer: "/execution", Detail: "a check executes nothing: it takes neither execution nor confirm"})
	}
	out, err := c.org.Check(c.ctx(), c.key(), body)
	return answer{body: out}, err
}

func release(c *call) (answer, error) {
	var body countersign.ReleaseBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Release(c.ctx(), c.key(), body)
	if err != nil {
		return answer{}, err
	}
	return released(out), nil
}

func confirmRelease(c *call) (answer, error) {
	var body ExecutionBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.ConfirmRelease(c.ctx(), c.key(), c.param("request"), body.Execution)
	if err != nil {
		return answer{}, err
	}
	return released(out), nil
}

func abandonRelease(c *call) (answer, error) {
	var body ExecutionBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.AbandonRelease(c.ctx(), c.key(), c.param("request"), body.Execution)
	if err != nil {
		return answer{}, err
	}
	return released(out), nil
}
