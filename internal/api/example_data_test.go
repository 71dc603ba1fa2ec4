package api

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/countersign/countersign"
)

// What the examples of the description are made of.
const (
	exampleRequest  = "req_01m8677m3se2jscfznjmzgpnb6"
	exampleFactor   = "fac_01m8677m3te2jscfznjmzgpnb6"
	examplePerson   = "per_01m8677m3ve2jscfznjmzgpnb6"
	exampleKey      = "key_01m8677m3we2jscfznjmzgpnb6"
	exampleDigest   = "sha-256:3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728"
	exampleTime     = "2026-11-24T09:30:00.000000Z"
	exampleNonce    = "xT5cUcvbKJ2eDGB4rXJpyTDDDQZJsaxzWRlvRTNT2YQ"
	exampleSecret   = "3njvv6xasckt60qx6bpvsfncmrzj9mcasdzdea0bzygmtq9jspng"
	exampleVerifier = "localhost:8080/log/org_01m8676r36e66nws74yf3wfdwe+4b1c7f3a+AcH0yQxV0mQe5mE0TqvXcN0o2vBvP3qg7y0o0C2z3mJt"
)

var document = object{"kind": "purchase_order", "id": "PO-4711", "revision": "1", "amount": object{"value": "30000.00", "currency": "EUR"},
	"payee": object{"id": "V-1", "name": "Nordwind Technik GmbH"}, "requester": object{"type": "person", "id": "elif", "name": "Elif Kaya"}}

var statement = object{"v": 1, "org": "org_01m8676r36e66nws74yf3wfdwe", "approval": exampleRequest, "digest": exampleDigest, "requirement_digest": exampleDigest,
	"policy_digest": exampleDigest, "act": "approve", "attestations": []any{}, "reason": "", "person": examplePerson, "acting_for": "", "expires": exampleTime, "nonce": exampleNonce}

var assertion = object{"id": "AQIDBAUGBwgJCgsMDQ4PEA", "rawId": "AQIDBAUGBwgJCgsMDQ4PEA", "type": "public-key", "clientExtensionResults": object{},
	"response": object{"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0", "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ", "signature": "MEUCIQ"}}

var receipt = object{"type": "countersign.receipt/v1", "org": "org_01m8676r36e66nws74yf3wfdwe", "origin": "localhost:8080/log/org_01m8676r36e66nws74yf3wfdwe",
	"request": exampleRequest, "status": "approved", "founding": false, "summary": "allowed by policy version 1; nobody was asked",
	"entries": []any{object{"role": "submission", "leaf": "{…}", "openings": object{"document": object{"salt": "…", "value": "{…}"}}, "proof": "c2sp.org/tlog-proof@v1\n…"}}}

// rawSamples are the examples of members that are raw JSON.
var rawSamples = map[string]any{
	"RequestBody.Document": document, "Approval.Document": document, "ReleaseBody.Document": document, "Approval.Receipt": receipt, "ReleaseAnswer.Receipt": receipt,
	"DelegationBody.To":         examplePerson,
	"ChallengeAnswer.Statement": statement, "Evidence.Statement": statement,
	"ChallengeAnswer.Passkey": object{"challenge": exampleNonce, "timeout": 300000, "rpId": "localhost", "userVerification": "required"},
	"Ceremony.Options":        object{"challenge": exampleNonce, "timeout": 300000, "rpId": "localhost", "userVerification": "required"},
	"DecisionBody.Passkey":    assertion, "SignInBody.Passkey": assertion, "EnrolBody.Passkey": assertion, "StepUpBody.Passkey": assertion,
}

// words are the examples of strings, by member.
var words = map[string]string{
	"id": exampleRequest, "request": exampleRequest, "person": examplePerson, "approver": "marta", "key": "cs_01m8677m3we2jscfznjmzgpnb6_" + exampleSecret, "token": "csi_" + exampleSecret,
	"challenge": "chl_01m8677m3xe2jscfznjmzgpnb6", "authenticator": exampleFactor, "session": "ses_01m8677m3ye2jscfznjmzgpnb6", "entry": "ent_01m8677m3ze2jscfznjmzgpnb6",
	"lease": "lea_01m8677m40e2jscfznjmzgpnb6", "execution": "run-2026-11-24/PO-4711", "name": "Marta Silva", "person_name": "Marta Silva", "email": "marta@example.com",
	"value": "30000.00", "currency": "EUR", "base": "EUR", "rate": "0.92", "day": "2026-11-23", "date": "2026-11-01", "vendor": "V-1", "kind": "purchase_order", "source": "erp",
	"title": "Login from a new country", "subject": "enrol", "reason": "checked against the contract", "sentence": "30,000.00 EUR is over the limit of 10,000.00 EUR",
	"url": "https://approve.example.com/enrol#csi_" + exampleSecret, "public_url": "https://approve.example.com", "host": "approve.example.com", "rp_id": "approve.example.com",
	"log_origin": "approve.example.com/log/org_01m8676r36e66nws74yf3wfdwe", "login": "marta", "password": "quiet-lantern-orchard-9", "totp": "287082", "code": "287082",
	"type": "passkey", "digest": exampleDigest, "nonce": exampleNonce, "country": "DE", "tax_id": "DE123456789", "scheme": "iban", "question": "Did you call the vendor back on a number you had before?",
	"answer": "yes", "signal": "over_threshold", "rule": "large-order", "group": "approvers", "state": "open", "text": "version: 1\n", "leaf": "{…}", "salt": "…", "proof": "…",
	"checkpoint": "approve.example.com/log/org_01m8676r36e66nws74yf3wfdwe\n12\nPw…=\n\n— …", "severity": "high", "status": "pending", "binding": exampleNonce, "channel": "api",
	"return_url": "https://erp.example.com/done", "step_up_url": "https://approve.example.com/r/" + exampleRequest, "detail": "the document is not the one that was approved", "pointer": "/amount/value",
	"field": "group.add", "to": "finance", "owner": "controllers", "manager": "ingrid", "department": "Operations", "category": "it", "organisation": "Example", "published_by": "operator",
	"created_by": "operator", "placed_by": examplePerson, "secret": "JBSW Y3DP EHPK 3PXP", "uri": "otpauth://totp/Example:marta@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Example",
	"time_zone": "Europe/Berlin", "answers": "qst_01m8677m41e2jscfznjmzgpnb6", "media_type": "application/pdf",
	"role": "submission", "summary": "allowed by policy version 1; nobody was asked", "method": "pwd",
}

// left lists optional members that an example does without, by operation: one of two
// alternatives, or what only some answers have.
var left = map[string]string{
	"submitRequest.in": "submission", "evaluate.in": "submission", "signIn.in": "login password totp", "finishEnrolment.in": "code password", "decide.in": "password totp unexpected",
	"freeze.in": "person", "freeze.out": "person", "raiseAlert.in": "person organisation", "raiseAlert.out": "person organisation closed_at closed_by", "listAlerts.out": "person organisation closed_at closed_by",
	"check.in": "execution confirm", "beginSignIn.out": "secret uri factors", "beginStepUp.out": "secret uri binding", "beginEnrolment.out": "binding factors",
	"challenge.in": "acting_for break_glass attestations",
}

// sparse are the types of which an example shows the required members only.
var sparse = map[string]bool{"Approval": true, "Requirement": true, "Principal": true, "Problem": true, "StepUpBody": false}

// sample makes an example of a type, the same each time.
func sample(t reflect.Type, operation string) any {
	return sampleOf(t, "", operation, 0)
}

func sampleOf(t reflect.Type, name, operation string, depth int) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if values, ok := enums[t]; ok {
		return values[0]
	}
	switch t.Kind() {
	case reflect.String:
		return word(t, name)
	case reflect.Bool:
		return true
	case reflect.Int, reflect.Int64:
		return 1
	case reflect.Slice:
		if depth > 4 {
			return []any{}
		}
		return []any{sampleOf(t.Elem(), strings.TrimSuffix(name, "s"), operation, depth+1)}
	case reflect.Map:
		return object{"approvers": sampleOf(t.Elem(), "text", operation, depth+1)}
	}
	out := object{}
	sampleMembers(t, out, operation, depth)
	return out
}

func sampleMembers(t reflect.Type, out object, operation string, depth int) {
	base, _, _ := strings.Cut(t.Name(), "[")
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		optional := strings.Contains(options, "omitempty")
		if f.Anonymous && name == "" {
			sampleMembers(f.Type, out, operation, depth)
			continue
		}
		if name == "" || name == "-" || optional && (sparse[base] || depth > 3 || containsWord(left[operation], name)) {
			continue
		}
		if raw, ok := rawSamples[base+"."+f.Name]; ok {
			out[name] = raw
			continue
		}
		if f.Type == reflect.TypeFor[json.RawMessage]() {
			continue
		}
		if s, ok := fields[base+"."+f.Name]; ok {
			if values, is := s["enum"].([]string); is {
				out[name] = values[0]
				continue
			}
			out[name] = []any{"submit", "release"}
			continue
		}
		out[name] = sampleOf(f.Type, name, operation, depth+1)
	}
}

func containsWord(list, name string) bool {
	for _, w := range strings.Fields(list) {
		if w == name {
			return true
		}
	}
	return false
}

func word(t reflect.Type, name string) string {
	if t == reflect.TypeFor[countersign.Digest]() {
		return exampleDigest
	}
	if w, ok := words[name]; ok {
		return w
	}
	switch {
	case strings.HasSuffix(name, "_at"), strings.HasSuffix(name, "_by"), strings.HasPrefix(name, "not_"):
		return exampleTime
	case name == "log_key":
		return exampleVerifier
	case name == "item" || name == "codes":
		return "k3m7-9qxz-2wrt-h8ya"
	}
	return name
}

func textExample(id string) any {
	switch id {
	case "getOpenAPI":
		return object{"openapi": "3.1.0"}
	case "getTile", "getAttachment":
		return "(bytes)"
	case "metrics":
		return "countersign_checkpoints_total 1\n"
	}
	return words["checkpoint"]
}
