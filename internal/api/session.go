package api

import (
	"net/http"

	"github.com/countersign/countersign/internal/authority"
)

func sessionOperations() []operation {
	return []operation{
		{method: post, path: "/v1/session/challenge", id: "beginSignIn", tag: "session", who: anyone, strict: true, summary: "Begin a sign-in with a passkey",
			detail: "Who it will be is not asked.", out: authority.Ceremony{}, status: []int{201}, run: beginSignIn},
		{method: post, path: "/v1/session", id: "signIn", tag: "session", who: anyone, strict: true, summary: "Sign in",
			detail: "With a passkey that answers a begun ceremony, or with login, password and code together. The token is shown once.",
			in:     authority.SignInBody{}, out: authority.SignedIn{}, status: []int{201}, run: signIn},
		{method: get, path: "/v1/session", id: "whoAmI", tag: "session", who: people, summary: "Read who is signed in", out: authority.Who{}, run: whoAmI},
		{method: remove, path: "/v1/session", id: "signOut", tag: "session", who: people, summary: "Sign out", status: []int{204}, run: signOut},
		{method: post, path: "/v1/step-up", id: "beginStepUp", tag: "session", who: people, summary: "Begin a step-up for one act that is no decision",
			detail: `The subject names the act: "enrol", "confirm:fac_…", "remove:fac_…", "recovery-codes", "freeze:vendor:ID", "freeze:per_…", "key:SOURCE:SCOPE,SCOPE" (sorted), "confirm:key_…", "invite:per_…", "person:LOGIN" (in lower case), "rotate:KIND", "review:req_…", "delegate:…". The answer goes into the step_up of that act. What gives power is proven with the strongest that the person has: who has a passkey is offered no code for it.`,
			in:     StepUpFor{}, out: authority.Ceremony{}, status: []int{201}, run: beginStepUp},
		{method: post, path: "/v1/hand-over", id: "redeemHandOver", tag: "session", who: anyone, strict: true, summary: "Use a hand-over link up",
			detail: "Opens a session that sees one request and can start only its step-up.", in: TokenBody{}, out: authority.SignedIn{}, status: []int{201}, run: redeemHandOver},
	}
}

// StepUpFor names what is stepped up for.
type StepUpFor struct {
	Subject string `json:"subject"`
}

// TokenBody carries the token of a link that is used once.
type TokenBody struct {
	Token string `json:"token"`
}

func beginSignIn(c *call) (answer, error) {
	out, err := c.org.BeginSignIn(c.ctx())
	return answer{status: http.StatusCreated, body: out}, err
}

func signIn(c *call) (answer, error) {
	var body authority.SignInBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.SignIn(c.ctx(), body)
	return answer{status: http.StatusCreated, body: out}, err
}

func whoAmI(c *call) (answer, error) {
	out, err := c.org.WhoAmI(c.ctx(), c.session())
	return answer{body: out}, err
}

func signOut(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, c.org.SignOut(c.ctx(), c.session())
}

func beginStepUp(c *call) (answer, error) {
	var body StepUpFor
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.BeginStepUp(c.ctx(), c.session(), body.Subject)
	return answer{status: http.StatusCreated, body: out}, err
}

func redeemHandOver(c *call) (answer, error) {
	var body TokenBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.RedeemHandOver(c.ctx(), body.Token)
	return answer{status: http.StatusCreated, body: out}, err
}
