package api_test

import (
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// changes changes the organisation's settings, delegates, and rotates a key.
func (v *visit) changes() {
	samuel, claire, marta, daniel := v.Person("samuel"), v.Person("claire"), v.Person("marta"), v.Person("daniel")
	v.Refused(v.Try("GET", "/v1/organisation/settings", marta.Token, nil, nil), countersign.CodeForbidden)
	lease := func() string {
		var s authority.SettingsView
		v.Call("GET", "/v1/organisation/settings", samuel.Token, nil, &s)
		for _, it := range s.Items {
			if it.Name == "lease_seconds" {
				return it.Value
			}
		}
		return ""
	}
	before := lease()
	var asked countersign.Approval
	v.Call("POST", "/v1/proposals", samuel.Token, authority.Proposal{Kind: countersign.KindSettingsChange, ID: "settings", Subject: "payment runs take longer",
		Changes: []countersign.Change{{Field: "lease_seconds", From: before, To: "1800"}}}, &asked)
	if done, p := claire.ByPasskey(asked.ID, countersign.ActApprove); p != nil || done.Status != countersign.StatusApproved || lease() != "1800" {
		v.t.Fatalf("settings: %v %+v, lease %s", p, done, lease())
	}

	ends := v.Clock.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	body := authority.DelegationBody{To: daniel.ID, Ends: ends, Kinds: []string{"purchase_order", "invoice"}, Limit: &countersign.Amount{Value: "35000.00", Currency: "EUR"}, Reason: "away"}
	subject := "delegate:" + daniel.ID + "::" + ends + ":purchase_order,invoice:35000.00 EUR"
	if subject != authority.DelegationSubject(body) {
		v.t.Errorf("the subject is %s", authority.DelegationSubject(body))
	}
	send := map[string]any{"to": body.To, "ends_at": ends, "kinds": body.Kinds, "limit": body.Limit, "reason": "away", "step_up": marta.StepUp(subject)}
	var made authority.DelegationView
	v.Call("POST", "/v1/delegations", marta.Token, send, &made)
	for query, n := range map[string]int{"": 1, "?person=me&limit=1": 1, "?person=" + marta.ID: 1, "?after=" + made.ID: 0} {
		var page countersign.Page[authority.DelegationView]
		v.Call("GET", "/v1/delegations"+query, marta.Token, nil, &page)
		if len(page.Items) != n {
			v.t.Errorf("delegations%s: %+v", query, page)
		}
	}
	v.Refused(v.Try("GET", "/v1/delegations?person=all", marta.Token, nil, nil), countersign.CodeForbidden)
	v.Refused(v.Try("GET", "/v1/delegations?person=nobody", marta.Token, nil, nil), countersign.CodeInvalid)
	v.Refused(v.Try("DELETE", "/v1/delegations/"+made.ID, v.Person("elif").Token, nil, nil), countersign.CodeNotFound)
	v.Call("DELETE", "/v1/delegations/"+made.ID, daniel.Token, nil, nil)
	v.Refused(v.Try("DELETE", "/v1/delegations/"+made.ID, daniel.Token, nil, nil), countersign.CodeState)

	var r authority.Rotation
	v.Refused(v.Try("POST", "/v1/keys/rotate", marta.Token, map[string]any{"kind": "seal", "step_up": marta.StepUp("rotate:seal")}, nil), countersign.CodeForbidden)
	v.Refused(v.Try("POST", "/v1/keys/rotate", samuel.Token, map[string]any{"kind": "seal", "step_up": samuel.StepUp("rotate:hmac")}, nil), countersign.CodeConflict)
	v.Call("POST", "/v1/keys/rotate", samuel.Token, map[string]any{"kind": "seal", "step_up": samuel.StepUp("rotate:seal")}, &r)
	if r.New != "k2" || !strings.HasPrefix(r.Entry, "ent_") {
		v.t.Errorf("rotation: %+v", r)
	}
}
