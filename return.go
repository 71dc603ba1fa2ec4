package countersign

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/jcs"
	"golang.org/x/mod/sumdb/note"
)

// Parameters that a signed result adds to a return URL, in this order and at its end.
const (
	paramRequest   = "countersign_request"
	paramStatus    = "countersign_status"
	paramDigest    = "countersign_digest"
	paramOrg       = "countersign_org"
	paramAt        = "countersign_at"
	paramExpires   = "countersign_expires"
	paramSignature = "countersign_signature"
	paramPrefix    = "countersign_"
)

// ReturnLifetime is how long a signed result is good for after it was made: long
// enough for a browser to follow it, short enough that it is no credential.
const ReturnLifetime = 10 * time.Minute

// returnSkew is by how much the two clocks may differ.
const returnSkew = 5 * time.Minute

// returnContext stands before what is signed. No checkpoint of a log begins with it,
// so that a signature under one can never pass for the other.
const returnContext = "countersign.return/v1\n"

// Return is the result that travels with a person who is sent back to the system that
// they came from. It is evidence of what the status was, and never permission: whoever
// executes asks for a release.
type Return struct {
	Version int    `json:"v"`          // 1
	Org     string `json:"org"`        // org_…
	Origin  string `json:"origin"`     // of the log, whose key signs
	Request string `json:"request"`    // req_…
	Digest  Digest `json:"digest"`     // of the document
	Status  Status `json:"status"`     // when it was made
	At      string `json:"at"`         // when it was made: RFC 3339, UTC
	Expires string `json:"expires"`    // at most ReturnLifetime later
	URL     string `json:"return_url"` // where the person is sent, as it was submitted
}

// message is what is signed: a fixed line, and the canonical bytes.
func (r Return) message() ([]byte, error) {
	b, err := Canonical(r)
	return append([]byte(returnContext), b...), err
}

// Sign returns the return URL with the result and its signature at its end. The
// signer's name becomes the origin.
func (r Return) Sign(signer note.Signer) (string, error) {
	if err := checkReturnURL(r.URL); err != nil {
		return "", err
	}
	r.Version, r.Origin = 1, signer.Name()
	msg, err := r.message()
	if err != nil {
		return "", err
	}
	sig, err := signer.Sign(msg)
	if err != nil {
		return "", err
	}
	sig = append(binary.BigEndian.AppendUint32(nil, signer.KeyHash()), sig...)
	var b strings.Builder
	b.WriteString(r.URL)
	b.WriteByte(separator(r.URL))
	b.WriteString(r.query(base64.RawURLEncoding.EncodeToString(sig)))
	return b.String(), nil
}

// separator stands between a return URL and what is added to it.
func separator(returnURL string) byte {
	if strings.Contains(returnURL, "?") {
		return '&'
	}
	return '?'
}

// query writes the parameters in their one encoding.
func (r Return) query(signature string) string {
	var b strings.Builder
	for i, p := range r.params(signature) {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + url.QueryEscape(p[1]))
	}
	return b.String()
}

func (r Return) params(signature string) [][2]string {
	return [][2]string{{paramRequest, r.Request}, {paramStatus, string(r.Status)}, {paramDigest, string(r.Digest)}, {paramOrg, r.Org},
		{paramAt, r.At}, {paramExpires, r.Expires}, {paramSignature, signature}}
}

// checkReturnURL refuses a return URL on which a result could not be told from what
// the URL has of its own.
func checkReturnURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || strings.Contains(s, "#") {
		return errors.New("the return URL is not an absolute http or https URL without user and fragment")
	}
	if strings.Contains(u.RawQuery, paramPrefix) {
		return fmt.Errorf("the return URL has a parameter that begins with %q", paramPrefix)
	}
	return nil
}

// VerifyReturn checks the result on a URL that a browser was sent to, offline. Keys are
// the log's public keys in the form name+hash+base64, got from elsewhere; now is the
// receiver's clock. The URL must be whole, as it was requested: scheme, host, path and
// query. Only a nil error means that the holder of one of the keys stated the result
// within the last minutes, for this very URL.
//
// What it proves is that somebody could see this status then. It is not bound to the
// person who brings it, may be brought more than once, and releases nothing.
func VerifyReturn(rawURL string, keys []string, now time.Time) (*Return, error) {
	r, signature, err := parseReturn(rawURL)
	if err != nil {
		return nil, fmt.Errorf("signed result: %w", err)
	}
	if err := r.verify(signature, keys); err != nil {
		return nil, fmt.Errorf("signed result: %w", err)
	}
	if err := r.fresh(now); err != nil {
		return nil, fmt.Errorf("signed result: %w", err)
	}
	return &r, nil
}

// parseReturn takes the URL apart into the return URL and the result at its end. The
// parameters must stand there once each and in the one encoding that Sign gives them.
func parseReturn(raw string) (Return, string, error) {
	at := strings.LastIndex(raw, paramRequest+"=") // no value can hold it: "=" is escaped there
	if at < 1 {
		return Return{}, "", errors.New("the URL carries none")
	}
	r := Return{Version: 1, URL: raw[:at-1]}
	if raw[at-1] != separator(r.URL) {
		return Return{}, "", errors.New("the URL carries none in its query")
	}
	if err := checkReturnURL(r.URL); err != nil {
		return r, "", err
	}
	values, err := url.ParseQuery(raw[at:])
	if err != nil {
		return r, "", errors.New("its parameters cannot be read")
	}
	r.Request, r.Status, r.Digest, r.Org = values.Get(paramRequest), Status(values.Get(paramStatus)), Digest(values.Get(paramDigest)), values.Get(paramOrg)
	r.At, r.Expires = values.Get(paramAt), values.Get(paramExpires)
	signature := values.Get(paramSignature)
	if r.query(signature) != raw[at:] {
		return r, "", errors.New("its parameters are not exactly those that were signed, in their order")
	}
	return r, signature, nil
}

// verify checks the signature with whichever key it names.
func (r *Return) verify(signature string, keys []string) error {
	sig, err := jcs.DecodeBase64(base64.RawURLEncoding, signature)
	if err != nil || len(sig) < 5 {
		return errors.New("the signature cannot be read")
	}
	hash := binary.BigEndian.Uint32(sig)
	for _, key := range keys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return fmt.Errorf("a key cannot be read: want name+hash+base64: %w", err)
		}
		if v.KeyHash() != hash {
			continue
		}
		r.Origin = v.Name()
		msg, err := r.message()
		if err != nil {
			return err
		}
		if v.Verify(msg, sig[4:]) {
			return nil
		}
	}
	r.Origin = ""
	return errors.New("no key that was given signed it")
}

// fresh checks that the result was made lately, by the receiver's clock.
func (r *Return) fresh(now time.Time) error {
	at, err := ParseTime(r.At)
	if err != nil {
		return fmt.Errorf("at: %w", err)
	}
	expires, err := ParseTime(r.Expires)
	if err != nil {
		return fmt.Errorf("expires: %w", err)
	}
	switch {
	case !expires.After(at) || expires.Sub(at) > ReturnLifetime:
		return errors.New("it claims to be good for longer than a result is")
	case !now.Before(expires):
		return fmt.Errorf("it expired at %s", r.Expires)
	case at.After(now.Add(returnSkew)):
		return fmt.Errorf("it is of %s, which is yet to come: the clocks disagree", r.At)
	}
	return nil
}
