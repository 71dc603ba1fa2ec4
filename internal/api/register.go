package api

import (
	"net/http"
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func registerOperations() []operation {
	return []operation{
		{method: get, path: "/v1/organisation", id: "getOrganisation", tag: "register", who: either, summary: "Read the organisation, and the public keys of its log", out: authority.OrganisationView{}, run: getOrganisation},
		{method: get, path: "/v1/organisation/settings", id: "getSettings", tag: "register", who: people, summary: "Read the organisation's settings",
			detail: "For auditors, controllers and administrators. They are changed by a proposal of kind \"countersign.settings_change\" about \"settings\": one change for each setting, from the value that stands here.",
			out:    authority.SettingsView{}, run: getSettings},
		{method: get, path: "/v1/keys", id: "listKeys", tag: "register", who: people, summary: "List API keys", detail: "For auditors, controllers and administrators. A key itself is never shown again.",
			out: authority.KeysView{}, run: listKeys},
		{method: post, path: "/v1/keys", id: "createKey", tag: "register", who: people, strict: true, repeat: true, summary: "Make an API key",
			detail: "For administrators, with a step-up for \"key:SOURCE:SCOPES\", the scopes sorted and with commas between. The key is shown once. Once the organisation is founded, a key with the scope \"provisioning\" is made on the data folder only, and a further key of a source that is in use works only when a second administrator has confirmed it.", in: KeyBody{}, out: authority.MadeKey{}, status: []int{201}, run: createKey},
		{method: post, path: "/v1/keys/rotate", id: "rotateKey", tag: "register", who: people, strict: true, summary: "Make a new key of the server's own",
			detail: "Of the log, of sealing, or of naming accounts: no API key. For administrators, with a step-up for \"rotate:KIND\". The log announces it. Several replicas must share the keys folder.",
			in:     RotateBody{}, out: authority.Rotation{}, status: []int{201}, run: rotateKey},
		{method: post, path: "/v1/keys/{key}/confirm", id: "confirmKey", tag: "register", who: people, strict: true, summary: "Let a key work that waits for a second administrator",
			detail: "An administrator who did not make it. Needs a step-up for \"confirm:key_…\".", in: StepUp{}, status: []int{204}, run: confirmKey},
		{method: remove, path: "/v1/keys/{key}", id: "revokeKey", tag: "register", who: people, summary: "End an API key now", status: []int{204}, run: revokeKey},
		{method: get, path: "/v1/policies", id: "listPolicies", tag: "register", who: people, summary: "List the versions of the policy, newest first", out: authority.PoliciesView{}, run: listPolicies},
		{method: get, path: "/v1/policies/current", id: "currentPolicy", tag: "register", who: people, summary: "Read the policy in force", out: authority.PolicyView{}, run: currentPolicy},
		{method: get, path: "/v1/policies/current/figures", id: "ruleFigures", tag: "register", who: people, summary: "Count how often each rule counted",
			detail: "Over the last 30 and the last 90 days. For auditors, controllers and administrators.", out: RuleFigures{}, run: ruleFigures},
		{method: get, path: "/v1/policies/{version}", id: "getPolicy", tag: "register", who: people, summary: "Read one version of the policy", out: authority.PolicyView{}, run: getPolicy},
	}
}

// KeyBody describes the API key that is to be made.
type KeyBody struct {
	Name    string               `json:"name"`
	Source  string               `json:"source"` // the system that will use it
	Scopes  []string             `json:"scopes"`
	Returns []string             `json:"return_origins,omitempty"` // where its return URLs may lead
	Days    int                  `json:"expires_days,omitempty"`   // default 365, at most 730
	StepUp  authority.StepUpBody `json:"step_up"`
}

// RotateBody names the kind of key of which a new one is made.
type RotateBody struct {
	Kind   string               `json:"kind"` // "log", "seal" or "hmac"
	StepUp authority.StepUpBody `json:"step_up"`
}

func getSettings(c *call) (answer, error) {
	out, err := c.org.Settings(c.ctx(), c.session())
	return answer{body: out}, err
}

func rotateKey(c *call) (answer, error) {
	var body RotateBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.RotateKey(c.ctx(), c.session(), body.Kind, body.StepUp)
	return answer{status: http.StatusCreated, body: out}, err
}

func getOrganisation(c *call) (answer, error) {
	out, err := c.org.Describe(c.ctx(), c.caller)
	return answer{body: out}, err
}

func listKeys(c *call) (answer, error) {
	out, err := c.org.APIKeys(c.ctx(), c.session())
	return answer{body: out}, err
}

func createKey(c *call) (answer, error) {
	var body KeyBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.CreateKey(c.ctx(), c.session(), authority.NewKey{Name: body.Name, Source: body.Source, Scopes: body.Scopes, Returns: body.Returns, Days: body.Days}, body.StepUp)
	if err != nil {
		return answer{}, err
	}
	kept := *out
	kept.Key = ""
	return answer{status: http.StatusCreated, body: out, kept: &kept, subject: out.ID}, nil
}

func confirmKey(c *call) (answer, error) {
	var body StepUp
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, c.org.ConfirmKey(c.ctx(), c.session(), c.param("key"), body.StepUp)
}

func revokeKey(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, c.org.RevokeKey(c.ctx(), c.session(), c.param("key"))
}

func listPolicies(c *call) (answer, error) {
	out, err := c.org.Policies(c.ctx(), c.session())
	return answer{body: out}, err
}

func currentPolicy(c *call) (answer, error) {
	out, err := c.org.Policy(c.ctx(), c.session(), 0)
	return answer{body: out}, err
}

func getPolicy(c *call) (answer, error) {
	s := c.param("version")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != s {
		return answer{}, countersign.NewProblem(countersign.CodeNotFound, "there is no such version of the policy")
	}
	out, err := c.org.Policy(c.ctx(), c.session(), n)
	return answer{body: out}, err
}

// RuleFigures says how often the rules of the policy counted, over two times until now.
type RuleFigures struct {
	Month   Figures `json:"last_30_days"`
	Quarter Figures `json:"last_90_days"`
	Open    int     `json:"open"` // requests of which something may still come: a policy that is published now weighs them again
}

// Figures are numbers over some days.
type Figures struct {
	Since    string         `json:"since"`
	Requests int            `json:"requests"` // submitted
	Counted  map[string]int `json:"counted"`  // in how many of them each rule counted, as they were last weighed
}

func ruleFigures(c *call) (answer, error) {
	f, err := c.org.RuleFigures(c.ctx(), c.session())
	if err != nil {
		return answer{}, err
	}
	view := func(f authority.Figures) Figures {
		if f.Counted == nil {
			f.Counted = map[string]int{}
		}
		return Figures{Since: stamp(f.Since), Requests: f.Requests, Counted: f.Counted}
	}
	return answer{body: RuleFigures{Month: view(f.Month), Quarter: view(f.Quarter), Open: f.Open}}, nil
}
