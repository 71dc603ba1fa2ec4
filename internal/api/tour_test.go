package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Every operation is used once, with success, and every answer is as described.
func TestEveryOperation(t *testing.T) {
	testkit.EachWith(t, testkit.Options{Settings: func(s *authority.Settings) {
		s.BreakGlassAmount = &countersign.Amount{Value: "50000.00", Currency: "EUR"}
	}}, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		v := &visit{Server: s, t: t}
		v.requests()
		v.around()
		v.alerts()
		v.authenticators()
		v.register()
		v.changes()
		v.audit()
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json"} {
			s.Call("GET", path, "", nil, nil2(path))
		}
		for _, o := range described(t) {
			if !s.Visited(o.method+" "+o.path) && o.id != "reviewBreakGlass" {
				t.Errorf("%s was not used", o.id)
			}
		}
	})
}

func nil2(path string) any {
	if path == "/metrics" {
		return nil
	}
	return new(map[string]any)
}

type visit struct {
	*testkit.Server
	t *testing.T
}

func (v *visit) requests() {
	c := v.Client(v.Key)
	ctx := v.t.Context()
	marta := v.Person("marta")
	order := testkit.Order("PO-1", "30000.00")
	e, err := c.Evaluate(ctx, testkit.Body(order, nil))
	v.Must(err)
	if e.Outcome != countersign.OutcomeStepUp || !e.Satisfiable {
		v.t.Errorf("evaluated: %+v", e)
	}
	a, err := c.Submit(ctx, testkit.Body(order, nil))
	v.Must(err)
	if a.Digest != e.Digest {
		v.t.Error("the evaluation read another document")
	}
	if _, p := marta.ByPasskey(a.ID, countersign.ActApprove); p != nil {
		v.t.Fatal(p)
	}
	a, err = c.Wait(ctx, a.ID)
	v.Must(err)
	receipt, err := c.Receipt(ctx, a.ID)
	v.Must(err)
	v.Verify(receipt)
	if !bytes.Equal(receipt, a.Receipt) {
		v.t.Log("the receipt was made under a newer checkpoint")
	}
	check, err := c.Check(ctx, a.ID, testkit.Raw(order))
	v.Must(err)
	if !check.Releasable {
		v.t.Errorf("%+v", check)
	}
	_, err = c.Release(ctx, countersign.ReleaseBody{Request: a.ID, Document: testkit.Raw(order), Execution: "run-1"})
	v.Must(err)
	_, err = c.Confirm(ctx, a.ID, "run-1")
	v.Must(err)
	small := testkit.Order("PO-2", "900.00")
	b, err := c.Submit(ctx, testkit.Body(small, nil))
	v.Must(err)
	_, err = c.Release(ctx, countersign.ReleaseBody{Request: b.ID, Document: testkit.Raw(small), Execution: "run-2"})
	v.Must(err)
	out, err := c.Abandon(ctx, b.ID, "run-2")
	v.Must(err)
	if out.State != "abandoned" {
		v.t.Errorf("%+v", out)
	}
	d, err := c.Submit(ctx, testkit.Body(testkit.Order("PO-3", "31000.00"), nil))
	v.Must(err)
	_, err = c.Cancel(ctx, d.ID)
	v.Must(err)
	v.pages(c)
}

// pages walks over the list a page at a time, and narrows it.
func (v *visit) pages(c *countersign.Client) {
	var ids []string
	after := ""
	for {
		page, err := c.List(v.t.Context(), countersign.ListOptions{Limit: 1, After: after})
		v.Must(err)
		for _, a := range page.Items {
			ids = append(ids, a.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(ids) != 3 || !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) {
		v.t.Errorf("pages: %v", ids)
	}
	for want, o := range map[string]countersign.ListOptions{
		"PO-1": {Object: "PO-1"}, "PO-3": {Statuses: []countersign.Status{countersign.StatusCancelled}},
		"PO-2": {Statuses: []countersign.Status{countersign.StatusReleased}, Object: "PO-2", Kind: "purchase_order", Requester: "elif", Vendor: "V-1"},
	} {
		page, err := c.List(v.t.Context(), o)
		v.Must(err)
		var d countersign.Document
		if len(page.Items) != 1 || json.Unmarshal(page.Items[0].Document, &d) != nil || d.ID != want {
			v.t.Errorf("%+v: %d items", o, len(page.Items))
		}
	}
	page, err := c.List(v.t.Context(), countersign.ListOptions{From: v.Clock.Now().AddDate(0, 0, 1)})
	v.Must(err)
	if len(page.Items) != 0 {
		v.t.Errorf("from tomorrow: %d items", len(page.Items))
	}
}

func (v *visit) alerts() {
	claire, samuel := v.Person("claire"), v.Person("samuel")
	body := countersign.AlertBody{ID: "A-1", Severity: "low", About: countersign.AlertSubject{Person: "elif"}, Title: "a new device"}
	al, err := v.Client(v.Key).Alert(v.t.Context(), body)
	v.Must(err)
	if a := v.Send("POST", "/v1/alerts", v.Key, body); a.Status != 200 {
		v.t.Errorf("the same alert again: %d", a.Status)
	}
	var page countersign.Page[countersign.Alert]
	v.Call("GET", "/v1/alerts?open=true&limit=1", claire.Token, nil, &page)
	if len(page.Items) != 1 {
		v.t.Errorf("alerts: %+v", page)
	}
	var closing countersign.Approval
	v.Call("POST", "/v1/proposals", claire.Token, authority.Proposal{Kind: countersign.KindAlertClose, ID: al.ID, Subject: "it was her own"}, &closing)
	if done, p := samuel.ByPasskey(closing.ID, countersign.ActApprove); p != nil || done.Status != countersign.StatusApproved {
		v.t.Fatal(p, done)
	}
	v.Call("GET", "/v1/alerts?open=true", claire.Token, nil, &page)
	if len(page.Items) != 0 {
		v.t.Errorf("it is still open: %+v", page)
	}
	var z authority.FreezeView
	v.Call("POST", "/v1/freezes", claire.Token, map[string]any{"vendor": "V-9", "reason": "looks wrong", "hours": 1, "step_up": claire.StepUp("freeze:vendor:V-9")}, &z)
	var all authority.FreezesView
	v.Call("GET", "/v1/freezes", claire.Token, nil, &all)
	if len(all.Items) != 1 || all.Items[0] != z || z.Vendor != "V-9" {
		v.t.Errorf("freezes: %+v", all)
	}
	v.Call("GET", "/v1/break-glass", claire.Token, nil, new(authority.BreakGlassUses))
	v.Refused(v.Try("POST", "/v1/break-glass/"+closing.ID+"/review", claire.Token, map[string]any{"step_up": claire.StepUp("review:" + closing.ID)}, nil), countersign.CodeNotFound)
}

// authenticators are enrolled, confirmed, listed, reported, removed and recovered.
func (v *visit) authenticators() {
	samuel, daniel := v.Person("samuel"), v.Person("daniel")
	var waiting authority.Unconfirmed
	var inv authority.Invited
	v.Call("POST", "/v1/invitations", samuel.Token, map[string]any{"person": daniel.ID, "step_up": samuel.StepUp("invite:" + daniel.ID)}, &inv)
	if !strings.HasSuffix(inv.URL, "#"+inv.Token) {
		v.t.Errorf("invitation: %+v", inv)
	}
	daniel.EnrolPasskey() // a second one, which samuel confirms
	v.Call("GET", "/v1/confirmations", samuel.Token, nil, &waiting)
	if len(waiting.Items) != 0 {
		v.t.Errorf("waiting: %+v", waiting)
	}
	daniel.SignIn() // with it: a session ends with what opened it
	daniel.EnrolCode()
	var mine authority.MyAuthenticators
	v.Call("GET", "/v1/authenticators", daniel.Token, nil, &mine)
	kinds := map[string][]string{}
	for _, f := range mine.Items {
		kinds[f.Type] = append(kinds[f.Type], f.ID)
	}
	if len(kinds["passkey"]) != 2 || len(kinds["totp"]) != 1 || len(kinds["password"]) != 1 {
		v.t.Fatalf("authenticators: %+v", mine)
	}
	remove := func(id string) *countersign.Problem {
		return v.Try("POST", "/v1/authenticators/"+id+"/remove", daniel.Token, map[string]any{"step_up": daniel.StepUp("remove:" + id)}, nil)
	}
	if p := remove(kinds["passkey"][0]); p != nil {
		v.t.Fatal(p)
	}
	v.Refused(remove(kinds["passkey"][1]), countersign.CodeState)
	v.Refused(v.Try("POST", "/v1/authenticators/"+kinds["totp"][0]+"/remove", samuel.Token, map[string]any{"step_up": samuel.StepUp("remove:" + kinds["totp"][0])}, nil), countersign.CodeNotFound)

	var codes authority.RecoveryCodes
	v.Call("POST", "/v1/recovery-codes", daniel.Token, map[string]any{"step_up": daniel.StepUp("recovery-codes")}, &codes)
	if len(codes.Codes) != 10 {
		v.t.Fatalf("%d codes", len(codes.Codes))
	}
	for _, c := range codes.Codes {
		v.Secret(c)
	}
	v.Call("POST", "/v1/authenticators/"+kinds["totp"][0]+"/report", daniel.Token, nil, nil)
	v.Refused(v.Try("GET", "/v1/session", daniel.Token, nil, nil), countersign.CodeUnauthenticated)
	v.Refused(v.Try("POST", "/v1/recovery", "", map[string]string{"login": "daniel", "code": "k3m7-9qxz-2wrt-h8ya"}, nil), countersign.CodeUnauthenticated)
	v.Refused(v.Try("POST", "/v1/recovery", "", map[string]string{"login": "nobody", "code": "k3m7-9qxz-2wrt-h8ya"}, nil), countersign.CodeUnauthenticated)
	var in authority.SignedIn
	v.Call("POST", "/v1/recovery", "", map[string]string{"login": "daniel", "code": codes.Codes[0]}, &in)
	v.Refused(v.Try("POST", "/v1/recovery", "", map[string]string{"login": "daniel", "code": codes.Codes[0]}, nil), countersign.CodeUnauthenticated)
	if in.Kind != "enrolment" {
		v.t.Errorf("a recovery code opened a session of kind %s", in.Kind)
	}
	daniel.SignIn()
	v.Call("POST", "/v1/hand-over", "", map[string]string{"token": v.handOver(daniel)}, &in)
	v.Call("DELETE", "/v1/session", daniel.Token, nil, nil)
	v.Refused(v.Try("GET", "/v1/session", daniel.Token, nil, nil), countersign.CodeUnauthenticated)
	daniel.SignIn()
	var who authority.Who
	v.Call("GET", "/v1/session", daniel.Token, nil, &who)
	if who.Person.ID != daniel.ID || !slices.Contains(who.Groups, "finance") {
		v.t.Errorf("who: %+v", who)
	}
}

func (v *visit) handOver(p *testkit.Person) string {
	sub := &countersign.Submission{Vouch: &countersign.Vouch{Person: p.Login, Method: "pwd", AuthenticatedAt: v.Clock.Now().UTC().Format("2006-01-02T15:04:05Z")}}
	a, err := v.Client(v.Key).Submit(v.t.Context(), testkit.Body(testkit.Order("PO-HAND", "30500.00"), sub))
	v.Must(err)
	_, token, _ := strings.Cut(a.HandOverURL, "#")
	return token
}

// furtherKey is made for a source that has had a key: it waits for a second person.
func (v *visit) furtherKey() {
	samuel, claire := v.Person("samuel"), v.Person("claire")
	var made authority.MadeKey
	v.Call("POST", "/v1/keys", samuel.Token, map[string]any{"name": "sap", "source": "sap", "scopes": []string{"submit"}, "step_up": samuel.StepUp("key:sap:submit")}, &made)
	v.Secret(made.Key)
	v.Refused(v.Try("GET", "/v1/organisation", made.Key, nil, nil), countersign.CodeForbidden)
	confirm := func(p *testkit.Person) *countersign.Problem {
		return v.Try("POST", "/v1/keys/"+made.ID+"/confirm", p.Token, map[string]any{"step_up": p.StepUp("confirm:" + made.ID)}, nil)
	}
	v.Refused(confirm(samuel), countersign.CodeForbidden)
	if p := confirm(claire); p != nil || !made.Waits {
		v.t.Fatalf("the key waits: %v; %v", made.Waits, p)
	}
	v.Call("GET", "/v1/organisation", made.Key, nil, nil)
	v.Refused(confirm(claire), countersign.CodeState)
}

// onRecord adds somebody, finds them, reads what is known of them, and signs them out.
func (v *visit) onRecord() {
	samuel, marta := v.Person("samuel"), v.Person("marta")
	var jonas authority.PersonView
	add := map[string]any{"login": "Jonas", "name": "Jonas Weber", "email": "jonas@example.com", "step_up": samuel.StepUp("person:jonas")}
	v.Call("POST", "/v1/people", samuel.Token, add, &jonas)
	if jonas.Name != "Jonas Weber" || len(jonas.Groups) != 0 || !jonas.Active {
		v.t.Errorf("added: %+v", jonas)
	}
	add["step_up"] = samuel.StepUp("person:jonas")
	v.Refused(v.Try("POST", "/v1/people", samuel.Token, add, nil), countersign.CodeConflict)
	add["groups"] = []string{"administrators"}
	v.Refused(v.Try("POST", "/v1/people", samuel.Token, add, nil), countersign.CodeInvalid)
	v.Refused(v.Try("POST", "/v1/people", marta.Token, map[string]any{"login": "x", "name": "X", "step_up": marta.StepUp("person:x")}, nil), countersign.CodeForbidden)
	var found countersign.Page[authority.PersonView]
	v.Call("GET", "/v1/people?q=WEBER", samuel.Token, nil, &found)
	if len(found.Items) != 1 || found.Items[0].ID != jonas.ID {
		v.t.Errorf("found: %+v", found)
	}
	var some, rest countersign.Page[authority.PersonView]
	v.Call("GET", "/v1/people?group=finance&limit=1", samuel.Token, nil, &some)
	v.Call("GET", "/v1/people?group=finance&after="+some.Next, samuel.Token, nil, &rest)
	if len(some.Items) != 1 || some.Items[0].Name != "Daniel Novak" || len(rest.Items) != 2 || rest.Items[1].ID != marta.ID {
		v.t.Errorf("finance: %+v, then %+v", some, rest)
	}
	var r api.PersonRecord
	v.Call("GET", "/v1/people/"+marta.ID+"/record", samuel.Token, nil, &r)
	if r.Person.ID != marta.ID || len(r.Authenticators) == 0 || r.Sessions == 0 || r.Since == "" {
		v.t.Errorf("record: %+v", r)
	}
	v.Refused(v.Try("GET", "/v1/people/"+samuel.ID+"/record", marta.Token, nil, nil), countersign.CodeForbidden)
	v.Refused(v.Try("POST", "/v1/people/"+samuel.ID+"/sign-out", marta.Token, nil, nil), countersign.CodeForbidden)
	v.Call("POST", "/v1/people/"+marta.ID+"/sign-out", samuel.Token, nil, nil)
	v.Refused(v.Try("GET", "/v1/session", marta.Token, nil, nil), countersign.CodeUnauthenticated)
	marta.SignIn()
}

func (v *visit) register() {
	samuel, marta := v.Person("samuel"), v.Person("marta")
	var org authority.OrganisationView
	v.Call("GET", "/v1/organisation", marta.Token, nil, &org)
	if org.ID != v.Org || org.Founding || len(org.Keys) != 1 {
		v.t.Errorf("organisation: %+v", org)
	}
	var some, rest countersign.Page[authority.PersonView]
	v.Call("GET", "/v1/people?limit=3", samuel.Token, nil, &some)
	v.Call("GET", "/v1/people?limit=200&after="+some.Next, samuel.Token, nil, &rest)
	if len(some.Items) != 3 || len(rest.Items) == 0 || rest.Next != "" || some.Items[2].ID != some.Next {
		v.t.Errorf("people: %d, then %d, then %q", len(some.Items), len(rest.Items), rest.Next)
	}
	var p authority.PersonView
	v.Call("GET", "/v1/people/"+marta.ID, marta.Token, nil, &p)
	v.Refused(v.Try("GET", "/v1/people/"+samuel.ID, marta.Token, nil, nil), countersign.CodeForbidden)
	v.Refused(v.Try("GET", "/v1/people", marta.Token, nil, nil), countersign.CodeForbidden)

	var made authority.MadeKey
	body := map[string]any{"name": "sap", "source": "sap", "scopes": []string{"submit"}, "step_up": samuel.StepUp("key:sap:submit")}
	r := v.Request("POST", "/v1/keys", samuel.Token, body)
	r.Header.Set("Idempotency-Key", "make-sap")
	if a := v.Do(r); a.Status != 201 || json.Unmarshal(a.Body, &made) != nil || made.Key == "" {
		v.t.Fatalf("key: %d %s", a.Status, a.Body)
	}
	r = v.Request("POST", "/v1/keys", samuel.Token, body)
	r.Header.Set("Idempotency-Key", "make-sap")
	if a := v.Do(r); a.Status != 201 || bytes.Contains(a.Body, []byte(`"key"`)) {
		v.t.Errorf("a repeated answer shows the key again: %s", a.Body)
	}
	v.Call("GET", "/v1/organisation", made.Key, nil, nil)
	var keys authority.KeysView
	v.Call("GET", "/v1/keys", samuel.Token, nil, &keys)
	if len(keys.Items) != 2 {
		v.t.Errorf("keys: %+v", keys)
	}
	v.Call("DELETE", "/v1/keys/"+made.ID, samuel.Token, nil, nil)
	v.Refused(v.Try("GET", "/v1/organisation", made.Key, nil, nil), countersign.CodeUnauthenticated)
	v.furtherKey()
	v.onRecord()

	var versions authority.PoliciesView
	v.Call("GET", "/v1/policies", samuel.Token, nil, &versions)
	var now, first authority.PolicyView
	v.Call("GET", "/v1/policies/current", samuel.Token, nil, &now)
	v.Call("GET", "/v1/policies/1", samuel.Token, nil, &first)
	if len(versions.Items) != 1 || now.Version != 1 || first.Text != now.Text || now.Text == "" {
		v.t.Errorf("policies: %d, now %d", len(versions.Items), now.Version)
	}
	var figures api.RuleFigures
	v.Call("GET", "/v1/policies/current/figures", samuel.Token, nil, &figures)
	if figures.Quarter.Requests == 0 || figures.Month.Requests != figures.Quarter.Requests || len(figures.Quarter.Counted) == 0 {
		v.t.Errorf("figures: %+v", figures)
	}
	v.Refused(v.Try("GET", "/v1/policies/current/figures", marta.Token, nil, nil), countersign.CodeForbidden)
	v.Refused(v.Try("GET", "/v1/policies/2", samuel.Token, nil, nil), countersign.CodeNotFound)
	v.Refused(v.Try("GET", "/v1/policies/01", samuel.Token, nil, nil), countersign.CodeNotFound)
}

// audit reads the whole log over HTTP, and verifies it from the outside.
func (v *visit) audit() {
	noor := v.Person("noor")
	v.Must(v.Authority.Publish(v.t.Context()))
	read := func(path string) []byte {
		a := v.Send("GET", "/v1/audit/"+path, noor.Token, nil)
		if a.Status != 200 {
			v.t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
		return a.Body
	}
	var org authority.OrganisationView
	v.Call("GET", "/v1/organisation", noor.Token, nil, &org)
	verifier, err := note.NewVerifier(org.Keys[0])
	v.Must(err)
	c, err := audit.OpenCheckpoint(read("checkpoint"), org.Origin, verifier)
	v.Must(err)
	var hashes []tlog.Hash
	for from := int64(0); from < c.Size; from += audit.TileWidth {
		width := min(c.Size-from, audit.TileWidth)
		name := fmt.Sprintf("%03d", from/audit.TileWidth)
		if width < audit.TileWidth {
			name += fmt.Sprintf(".p/%d", width)
		}
		leaves, err := audit.ParseBundle(read("tile/entries/" + name))
		v.Must(err)
		tile := read("tile/0/" + name)
		for i, leaf := range leaves {
			h := audit.LeafHash(leaf)
			if !bytes.Equal(h[:], tile[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
				v.t.Fatalf("entry %d is not what the tile says", from+int64(i))
			}
			hashes = append(hashes, h)
		}
	}
	a, err := audit.Append(0, func(audit.TileKey) ([]byte, error) { return nil, nil }, hashes)
	v.Must(err)
	if a.Root != c.Root || int64(len(hashes)) != c.Size {
		v.t.Error("the entries do not give the root of the checkpoint")
	}
	for _, bad := range []string{"tile/0/1", "tile/0/000.p/0", "tile/0/000.p/256", "tile/64/000", "tile/0/x000/000", "tile/0/000.p/255", "tile/x/000", "tile/entries/999", "proof/-1", "proof/999999", "proof/01"} {
		if r := v.Send("GET", "/v1/audit/"+bad, noor.Token, nil); r.Status != 404 {
			v.t.Errorf("%s: %d", bad, r.Status)
		}
	}
	v.entries(noor, c)
}

func (v *visit) entries(noor *testkit.Person, c audit.Checkpoint) {
	n, after := int64(0), ""
	for {
		var page countersign.Page[authority.LoggedEntry] // anew: the last page has no next
		v.Call("GET", "/v1/audit/entries?limit=7&after="+after, noor.Token, nil, &page)
		for _, e := range page.Items {
			leaf, err := countersign.ParseLeaf([]byte(e.Leaf))
			v.Must(err)
			for name, o := range e.Openings {
				if got, err := o.Commitment(name); err != nil || got != leaf.Commitments[name] {
					v.t.Errorf("entry %d: opening %s", e.Index, name)
				}
			}
			if e.Index != n {
				v.t.Fatalf("entry %d where %d should be", e.Index, n)
			}
			n++
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if n < c.Size {
		v.t.Errorf("%d entries of %d", n, c.Size)
	}
	proof := v.Send("GET", "/v1/audit/proof/3", noor.Token, nil)
	if proof.Status != 200 || !bytes.HasPrefix(proof.Body, []byte("c2sp.org/tlog-proof@v1\n")) {
		v.t.Errorf("proof: %d %s", proof.Status, proof.Body)
	}
	var grown struct {
		Checkpoint string
		Path       []string
	}
	v.Call("GET", "/v1/audit/consistency?size=3", noor.Token, nil, &grown)
	if len(grown.Path) == 0 {
		v.t.Errorf("consistency: %+v", grown)
	}
	for _, h := range grown.Path {
		if b, err := base64.StdEncoding.DecodeString(h); err != nil || len(b) != tlog.HashSize {
			v.t.Errorf("hash %q", h)
		}
	}
}
