package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit"
)

// operation is what the description says of one operation.
type operation struct {
	method, path, id string
	keys, people     bool
	body, repeat     bool
}

// described lists the operations of the description, in order.
func described(t testing.TB) []operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			ID          string                `json:"operationId"`
			Security    []map[string][]string `json:"security"`
			RequestBody json.RawMessage       `json:"requestBody"`
			Parameters  []struct{ Name string }
		} `json:"paths"`
	}
	if err := json.Unmarshal(api.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	var out []operation
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			d := doc.Paths[path][method]
			o := operation{method: strings.ToUpper(method), path: path, id: d.ID, body: len(d.RequestBody) > 0}
			for _, s := range d.Security {
				if _, ok := s["key"]; ok {
					o.keys = true
				}
				if _, ok := s["session"]; ok {
					o.people = true
				}
			}
			for _, p := range d.Parameters {
				o.repeat = o.repeat || p.Name == "Idempotency-Key"
			}
			out = append(out, o)
		}
	}
	return out
}

// at fills the path's places in.
func (o operation) at(request string) string {
	return strings.NewReplacer("{request}", request, "{authenticator}", "fac_01m8677m3te2jscfznjmzgpnb6", "{person}", "per_01m8677m3ve2jscfznjmzgpnb6",
		"{attachment}", strings.Repeat("0f", 32), "{key}", "key_01m8677m3we2jscfznjmzgpnb6", "{delegation}", "del_01m8677m3we2jscfznjmzgpnb6", "{version}", "1", "{tile}", "0/000.p/1", "{index}", "0").Replace(o.path)
}

func (o operation) send(s *testkit.Server, path, token string, edit ...func(*http.Request)) testkit.Answer {
	var body any
	if o.body {
		body = "{}"
	}
	r := s.Request(o.method, path, token, body)
	for _, e := range edit {
		e(r)
	}
	return s.Do(r)
}

// Every operation against everybody who may not use it. That an operation exists which
// is not in this walk is impossible: the walk is the description, and the description
// is made from the router's own table.
func TestWhoMayUseWhat(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	elif := s.Person("elif")
	out := s.Submit(testkit.Order("PO-1", "30000.00"))
	nothing := s.APIKey("events", "events")
	strangerKey := "cs_01m8677m3we2jscfznjmzgpnb6_3njvv6xasckt60qx6bpvsfncmrzj9mcasdzdea0bzygmtq9jspng"
	strangerToken := "css_3njvv6xasckt60qx6bpvsfncmrzj9mcasdzdea0bzygmtq9jspng"
	for _, o := range described(t) {
		if !strings.HasPrefix(o.path, "/v1/") || !o.keys && !o.people {
			continue
		}
		path := o.at(out.ID)
		for name, c := range map[string]struct {
			token string
			edit  func(*http.Request)
			want  []int
		}{
			"nobody":        {"", nil, []int{401}},
			"cookie":        {"", func(r *http.Request) { r.Header.Set("Cookie", "session="+elif.Token+"; __Host-session="+elif.Token) }, []int{401}},
			"wrong key":     {strangerKey, nil, []int{401}},
			"wrong token":   {strangerToken, nil, []int{401}},
			"broken token":  {elif.Token[:20], nil, []int{401}},
			"basic":         {"", func(r *http.Request) { r.SetBasicAuth("elif", elif.Token) }, []int{401}},
			"both kinds":    {s.Key, func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+elif.Token) }, []int{401}},
			"two in one":    {s.Key + ", Bearer " + elif.Token, nil, []int{401}},
			"in the query":  {"", func(r *http.Request) { r.URL.RawQuery = "access_token=" + elif.Token }, []int{401}},
			"foreign host":  {s.Key, func(r *http.Request) { r.Host = "other.example.com" }, []int{404}},
			"another kind":  {other(o, s.Key, elif.Token), nil, []int{403}},
			"without scope": {nothing, nil, []int{403, 404}},
		} {
			if c.token == "" && c.edit == nil && name != "nobody" {
				continue
			}
			if name == "without scope" && o.id == "getOrganisation" || name == "without scope" && o.id == "listRequests" {
				continue // every key may know where it is, and sees what its source submitted: nothing
			}
			if name == "another kind" && o.keys && o.people {
				continue
			}
			edit := []func(*http.Request){}
			if c.edit != nil {
				edit = append(edit, c.edit)
			}
			if a := o.send(s, path, c.token, edit...); !slices.Contains(c.want, a.Status) {
				t.Errorf("%s %s as %s: %d, want %v: %s", o.method, o.path, name, a.Status, c.want, a.Body)
			}
		}
	}
}

// other is a credential of the kind that an operation is not for.
func other(o operation, key, session string) string {
	if o.keys {
		return session
	}
	return key
}

// Ruling 11: what another source submitted is not there, and nothing in the answer
// tells it from what never was: not its status, nor its members, nor its headers.
func TestRuling11AnotherSourceIsNotThere(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	out := s.Submit(testkit.Order("PO-1", "30000.00"))
	theirs := s.APIKey("other", "submit", "release", "evaluate", "audit", "alert", "facts", "vouch", "provisioning", "events")
	elif, priya := s.Person("elif"), s.Person("priya")
	_ = elif
	never := "req_01m8677m3se2jscfznjmzgpnb6"
	shape := func(a testkit.Answer) string {
		var members map[string]any
		if err := json.Unmarshal(a.Body, &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "instance")
		text, _ := json.Marshal(members)
		headers := a.Header.Clone()
		for _, h := range []string{"X-Request-Id", "Date"} {
			headers.Del(h)
		}
		return fmt.Sprintf("%d %s %v", a.Status, text, headers)
	}
	document := testkit.Raw(testkit.Order("PO-1", "30000.00"))
	for _, c := range []struct {
		name, method, path, token string
		body                      func(id string) any
	}{
		{"get", "GET", "/v1/requests/ID", theirs, nil},
		{"receipt", "GET", "/v1/requests/ID/receipt", theirs, nil},
		{"cancel", "POST", "/v1/requests/ID/cancel", theirs, nil},
		{"confirm", "POST", "/v1/requests/ID/confirm", theirs, func(string) any { return map[string]string{"execution": "x"} }},
		{"abandon", "POST", "/v1/requests/ID/abandon", theirs, func(string) any { return map[string]string{"execution": "x"} }},
		{"check", "POST", "/v1/check", theirs, func(id string) any { return countersign.ReleaseBody{Request: id, Document: document} }},
		{"release", "POST", "/v1/release", theirs, func(id string) any { return countersign.ReleaseBody{Request: id, Document: document, Execution: "x"} }},
		{"get by a person", "GET", "/v1/requests/ID", priya.Token, nil},
		{"cancel by a person", "POST", "/v1/requests/ID/cancel", priya.Token, nil},
		{"upload", "POST", "/v1/requests/ID/attachments/" + strings.Repeat("0f", 32), theirs, func(string) any { return "{}" }},
		{"attachments", "GET", "/v1/requests/ID/attachments", theirs, nil},
		{"questions", "GET", "/v1/requests/ID/questions", theirs, nil},
		{"questions by a person", "GET", "/v1/requests/ID/questions", priya.Token, nil},
		{"ask by a person", "POST", "/v1/requests/ID/questions", priya.Token, func(string) any { return countersign.QuestionBody{Text: "why?"} }},
		{"attachments by a person", "GET", "/v1/requests/ID/attachments", priya.Token, nil},
		{"attachment by a person", "GET", "/v1/requests/ID/attachments/" + strings.Repeat("0f", 32), priya.Token, nil},
		{"return by a person", "GET", "/v1/requests/ID/return", priya.Token, nil},
		{"reassign by a person", "POST", "/v1/requests/ID/reassign", priya.Token, func(string) any { return countersign.ReassignBody{To: "marta", Reason: "away"} }},
		{"challenge by a person", "POST", "/v1/requests/ID/challenges", priya.Token, func(string) any { return countersign.ChallengeBody{Digest: out.Digest, Act: "approve"} }},
	} {
		send := func(id string) testkit.Answer {
			var body any
			if c.body != nil {
				body = c.body(id)
			}
			return s.Send(c.method, strings.ReplaceAll(c.path, "ID", id), c.token, body)
		}
		there, absent := shape(send(out.ID)), shape(send(never))
		if there != absent || !strings.HasPrefix(there, "404 ") {
			t.Errorf("%s:\n  theirs %s\n  absent %s", c.name, there, absent)
		}
	}
	var page countersign.Page[countersign.Approval]
	s.Call("GET", "/v1/requests", theirs, nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("another source lists %d requests", len(page.Items))
	}
}

// Ruling 13: a hand-over session sees its one request and starts only its step-up; a
// session for enrolling sees nothing at all. Opening the link changes nothing, and a
// replay never repeats it.
func TestRuling13NarrowSessions(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	marta := s.Person("marta")
	marta.EnrolCode()
	vouch := &countersign.Submission{Vouch: &countersign.Vouch{Person: "marta", Method: "pwd", AuthenticatedAt: s.Clock.Now().UTC().Format("2006-01-02T15:04:05Z")}}
	post := func(r *http.Request) { r.Header.Set("Idempotency-Key", `"vouched-1"`) }
	first := s.Request("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "30000.00"), vouch))
	post(first)
	var out, again countersign.Approval
	a := s.Do(first)
	if err := json.Unmarshal(a.Body, &out); err != nil || out.HandOverURL == "" {
		t.Fatalf("no hand-over: %s", a.Body)
	}
	second := s.Request("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "30000.00"), vouch))
	post(second)
	a = s.Do(second)
	if err := json.Unmarshal(a.Body, &again); err != nil || again.HandOverURL != "" || again.ID != out.ID || a.Header.Get("Idempotent-Replay") != "true" || a.Status != 201 {
		t.Errorf("the replay: %d %v %s", a.Status, a.Header, a.Body)
	}
	other := s.Submit(testkit.Order("PO-2", "30000.00"))
	_, token, _ := strings.Cut(out.HandOverURL, "#")
	if a := s.Send("GET", "/v1/hand-over", "", nil); a.Status != 405 {
		t.Errorf("GET of the hand-over: %d", a.Status)
	}
	var handed authority.SignedIn
	s.Call("POST", "/v1/hand-over", "", map[string]string{"token": token}, &handed)
	s.Refused(s.Try("POST", "/v1/hand-over", "", map[string]string{"token": token}, nil), countersign.CodeGone)

	inv, err := s.Authority.InviteOffline(t.Context(), s.Person("elif").ID, false)
	s.Must(err)
	s.Secret(inv.Token)
	var enrolling authority.SignedIn
	s.Call("POST", "/v1/invitations/redeem", "", map[string]string{"token": inv.Token}, &enrolling)

	may := map[string]map[string]bool{
		handed.Token: {"whoAmI": true, "getRequest": true, "listRequests": true, "getOrganisation": true, "listQuestions": true, "listAttachments": true,
			"getReturn": true, "getPreferences": true},
		enrolling.Token: {"whoAmI": true, "getPreferences": true},
	}
	for _, o := range described(t) {
		if !o.people || o.id == "signOut" {
			continue
		}
		for token, allowed := range may {
			a := o.send(s, o.at(out.ID), token)
			if a.Status < 300 != allowed[o.id] {
				t.Errorf("%s with a session for one thing only: %d %s", o.id, a.Status, a.Body)
			}
		}
	}
	s.Refused(s.Try("GET", "/v1/requests/"+other.ID, handed.Token, nil, nil), countersign.CodeNotFound)
	var page countersign.Page[countersign.Approval]
	s.Call("GET", "/v1/requests", handed.Token, nil, &page)
	if len(page.Items) != 1 || page.Items[0].ID != out.ID {
		t.Errorf("the hand-over's list: %d items", len(page.Items))
	}

	var c countersign.ChallengeAnswer
	s.Call("POST", "/v1/requests/"+out.ID+"/challenges", handed.Token, countersign.ChallengeBody{Digest: out.Digest, Act: countersign.ActApprove}, &c)
	var done countersign.Approval
	s.Call("POST", "/v1/requests/"+out.ID+"/decisions", handed.Token, countersign.DecisionBody{Challenge: c.ID, TOTP: marta.Code(0)}, &done)
	if done.Status != countersign.StatusApproved || done.Decisions[0].Evidence.FirstFactor.StatedBy != s.KeyID {
		t.Errorf("%s %+v", done.Status, done.Decisions)
	}
	s.Verify(done.Receipt)
}

// Ruling 11: no key decides, enrols, publishes, closes alerts, lifts freezes or sets
// limits, whatever its scopes.
func TestRuling11NoKeyDecides(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	all := s.APIKey("all", "submit", "release", "evaluate", "audit", "alert", "facts", "vouch", "provisioning", "events")
	for _, id := range []string{"decide", "challenge", "propose", "freeze", "invite", "createKey", "revokeKey", "finishEnrolment", "beginEnrolment", "confirmEnrolment", "reviewBreakGlass"} {
		i := slices.IndexFunc(described(t), func(o operation) bool { return o.id == id })
		if i < 0 {
			t.Fatalf("there is no operation %s", id)
		}
		o := described(t)[i]
		if a := o.send(s, o.at("req_01m8677m3se2jscfznjmzgpnb6"), all); a.Status != 403 {
			t.Errorf("%s by a key with every scope: %d", id, a.Status)
		}
	}
}
