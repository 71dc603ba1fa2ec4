package countersign

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Submission says how a document came: who is nominated to approve it, which
// session it was made in. It is stored and logged under its own commitment and is
// weighed, but never compared at release.
type Submission struct {
	Approver   string   `json:"approver,omitempty"`   // nominated approver, by an identifier of the source's system
	ActingFor  string   `json:"acting_for,omitempty"` // whom the approver stands in for
	Session    *Session `json:"session,omitempty"`    // facts of the session in the source's system
	Channel    string   `json:"channel,omitempty"`    // "ui", "api", "import", "email", "agent"
	ETag       string   `json:"etag,omitempty"`       // the source's own version tag
	ReturnURL  string   `json:"return_url,omitempty"` // where the approver goes afterwards; must be allowed for the key
	Supersedes string   `json:"supersedes,omitempty"` // the request that this revision replaces
	Vouch      *Vouch   `json:"vouch,omitempty"`      // the source states that its user is signed in
}

// Session are facts that the source states about its user's session.
type Session struct {
	AuthenticatedAt string `json:"authenticated_at,omitempty"` // RFC 3339
	Method          string `json:"method,omitempty"`           // as in RFC 8176: "pwd", "otp", "hwk"
	IP              string `json:"ip,omitempty"`
	Device          string `json:"device,omitempty"`
	Country         string `json:"country,omitempty"` // ISO 3166-1 alpha-2
}

// Vouch is a calling system's statement that the person is signed in there now. It
// can stand for a first factor where the policy allows it, and the evidence says
// which key stated it.
type Vouch struct {
	Person          string `json:"person"`           // an identifier of the source's system
	Method          string `json:"method"`           // how they signed in: "pwd", …
	AuthenticatedAt string `json:"authenticated_at"` // RFC 3339
}

// RequestBody is what POST /v1/requests and /v1/evaluate take.
type RequestBody struct {
	Document   json.RawMessage `json:"document"`
	Submission *Submission     `json:"submission,omitempty"`
}

// Validate checks the submission's form; the pointers of the [Problem] start at
// prefix.
func (s *Submission) Validate(prefix string) error {
	v := &validator{prefix: prefix}
	v.text("/approver", s.Approver, maxID)
	v.text("/acting_for", s.ActingFor, maxID)
	v.text("/channel", s.Channel, 40)
	v.text("/etag", s.ETag, maxName)
	v.text("/return_url", s.ReturnURL, maxText)
	if s.ReturnURL != "" {
		if u, err := url.Parse(s.ReturnURL); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.Fragment != "" {
			v.fail("/return_url", "want an absolute http or https URL without user and fragment")
		} else if strings.Contains(u.RawQuery, paramPrefix) {
			v.fail("/return_url", "must have no parameters that begin with %q: the signed result comes in those", paramPrefix)
		}
	}
	if s.Supersedes != "" && !IsID(PrefixRequest, s.Supersedes) {
		v.fail("/supersedes", "want the id of a request, as req_…")
	}
	if s.Session != nil {
		v.instant("/session/authenticated_at", s.Session.AuthenticatedAt)
		v.text("/session/method", s.Session.Method, 40)
		v.text("/session/device", s.Session.Device, maxName)
		if s.Session.IP != "" {
			if _, err := netip.ParseAddr(s.Session.IP); err != nil {
				v.fail("/session/ip", "want an IP address")
			}
		}
		if s.Session.Country != "" && !upperLetters(s.Session.Country, 2) {
			v.fail("/session/country", "want two upper-case letters (ISO 3166-1)")
		}
	}
	if s.Vouch != nil {
		v.need("/vouch/person", s.Vouch.Person, maxID)
		v.need("/vouch/method", s.Vouch.Method, 40)
		v.need("/vouch/authenticated_at", s.Vouch.AuthenticatedAt, 40)
		v.instant("/vouch/authenticated_at", s.Vouch.AuthenticatedAt)
	}
	return v.err()
}

func (v *validator) instant(at, s string) {
	if s == "" {
		return
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		v.fail(at, "want a time as 2026-11-24T06:00:00Z (RFC 3339)")
	}
}
