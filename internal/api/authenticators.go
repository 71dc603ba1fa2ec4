package api

import (
	"net/http"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
)

func authenticatorOperations() []operation {
	return []operation{
		{method: post, path: "/v1/invitations", id: "invite", tag: "authenticators", who: people, repeat: true, summary: "Invite a person to enrol",
			detail: "For administrators. Once the organisation is founded, with a step-up for \"invite:per_…\". The token and URL are shown once.", in: InviteBody{}, out: authority.Invited{}, status: []int{201}, run: invite},
		{method: post, path: "/v1/invitations/redeem", id: "redeemInvitation", tag: "authenticators", who: anyone, strict: true, summary: "Use an invitation up",
			detail: "Opens a session that can enrol one authenticator, and nothing else.", in: TokenBody{}, out: authority.SignedIn{}, status: []int{201}, run: redeemInvitation},
		{method: post, path: "/v1/recovery", id: "recover", tag: "authenticators", who: anyone, strict: true, summary: "Use a recovery code up",
			detail: "Opens a session that can enrol one authenticator, and nothing else.", in: authority.RecoverBody{}, out: authority.SignedIn{}, status: []int{201}, run: recoverSelf},
		{method: post, path: "/v1/recovery-codes", id: "makeRecoveryCodes", tag: "authenticators", who: people, strict: true, summary: "Make a fresh set of recovery codes",
			detail: "Ten codes, shown once; they replace the old set. Needs a step-up for \"recovery-codes\".", in: StepUp{}, out: authority.RecoveryCodes{}, status: []int{201}, run: recoveryCodes},
		{method: get, path: "/v1/authenticators", id: "listAuthenticators", tag: "authenticators", who: people, summary: "List what you prove yourself with", out: authority.MyAuthenticators{}, run: listAuthenticators},
		{method: post, path: "/v1/authenticators/grant", id: "grantEnrolment", tag: "authenticators", who: people, strict: true, summary: "Open an enrolment by an authenticator that you have",
			detail: "Needs a step-up for \"enrol\".", in: StepUp{}, out: authority.SignedIn{}, status: []int{201}, run: grantEnrolment},
		{method: post, path: "/v1/authenticators/challenge", id: "beginEnrolment", tag: "authenticators", who: people, summary: "Begin to enrol an authenticator",
			detail: "With the token of an enrolment session.", in: EnrolmentOf{}, out: authority.Ceremony{}, status: []int{201}, run: beginEnrolment},
		{method: post, path: "/v1/authenticators", id: "finishEnrolment", tag: "authenticators", who: people, strict: true, summary: "Finish enrolling an authenticator",
			detail: "After a wrong first code of an app, send the next one with the same challenge: five in all.",
			in:     authority.EnrolBody{}, out: authority.Enrolled{}, status: []int{201}, run: finishEnrolment},
		{method: post, path: "/v1/authenticators/{authenticator}/remove", id: "removeAuthenticator", tag: "authenticators", who: people, strict: true, summary: "Remove one of your authenticators",
			detail: "Needs a step-up for \"remove:fac_…\". The last strong one stays.", in: StepUp{}, status: []int{204}, run: removeAuthenticator},
		{method: post, path: "/v1/authenticators/{authenticator}/report", id: "reportAuthenticator", tag: "authenticators", who: people, summary: "Report one of your authenticators lost or stolen",
			detail: "It counts no more at once, and approvals that were made with it and not released go back to their approvers.", status: []int{204}, run: reportAuthenticator},
		{method: post, path: "/v1/authenticators/{authenticator}/confirm", id: "confirmEnrolment", tag: "authenticators", who: people, strict: true, summary: "Confirm somebody's enrolment",
			detail: "A second administrator, not the inviter, who has spoken with the enrolee, with the digits that the enrolee read out. Needs a step-up for \"confirm:fac_…\".", in: authority.ConfirmBody{}, status: []int{204}, run: confirmEnrolment},
		{method: get, path: "/v1/confirmations", id: "listConfirmations", tag: "authenticators", who: people, summary: "List enrolments that wait for a confirmation", out: authority.Unconfirmed{}, run: listConfirmations},
	}
}

// InviteBody names who is invited.
type InviteBody struct {
	Person string                `json:"person"`            // per_…
	StepUp *authority.StepUpBody `json:"step_up,omitempty"` // required once the organisation is founded
}

// StepUp carries the proof of an act that is no decision.
type StepUp struct {
	StepUp authority.StepUpBody `json:"step_up"`
}

// EnrolmentOf says what is to be enrolled.
type EnrolmentOf struct {
	Type authn.Kind `json:"type"` // "passkey" or "totp"
}

func invite(c *call) (answer, error) {
	var body InviteBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.StepUp == nil {
		body.StepUp = &authority.StepUpBody{}
	}
	out, err := c.org.Invite(c.ctx(), c.session(), body.Person, *body.StepUp)
	if err != nil {
		return answer{}, err
	}
	kept := *out
	kept.Token, kept.URL = "", ""
	return answer{status: http.StatusCreated, body: out, kept: &kept, subject: body.Person}, nil
}

func redeemInvitation(c *call) (answer, error) {
	var body TokenBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.RedeemInvitation(c.ctx(), body.Token)
	return answer{status: http.StatusCreated, body: out}, err
}

func recoverSelf(c *call) (answer, error) {
	var body authority.RecoverBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Recover(c.ctx(), body)
	return answer{status: http.StatusCreated, body: out}, err
}

func recoveryCodes(c *call) (answer, error) {
	var body StepUp
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.MakeRecoveryCodes(c.ctx(), c.session(), body.StepUp)
	return answer{status: http.StatusCreated, body: out}, err
}

func listAuthenticators(c *call) (answer, error) {
	out, err := c.org.AuthenticatorsUsed(c.ctx(), c.session())
	return answer{body: out}, err
}

func grantEnrolment(c *call) (answer, error) {
	var body StepUp
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.GrantEnrolment(c.ctx(), c.session(), body.StepUp)
	return answer{status: http.StatusCreated, body: out}, err
}

func beginEnrolment(c *call) (answer, error) {
	var body EnrolmentOf
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.BeginEnrolment(c.ctx(), c.session(), body.Type)
	return answer{status: http.StatusCreated, body: out}, err
}

func finishEnrolment(c *call) (answer, error) {
	var body authority.EnrolBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.FinishEnrolment(c.ctx(), c.session(), body)
	return answer{status: http.StatusCreated, body: out}, err
}

func removeAuthenticator(c *call) (answer, error) {
	var body StepUp
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, c.org.RemoveAuthenticator(c.ctx(), c.session(), c.param("authenticator"), body.StepUp)
}

func reportAuthenticator(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, c.org.ReportAuthenticator(c.ctx(), c.session(), c.param("authenticator"))
}

func confirmEnrolment(c *call) (answer, error) {
	var body authority.ConfirmBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, c.org.ConfirmEnrolment(c.ctx(), c.session(), c.param("authenticator"), body)
}

func listConfirmations(c *call) (answer, error) {
	out, err := c.org.Unconfirmed(c.ctx(), c.session())
	return answer{body: out}, err
}
