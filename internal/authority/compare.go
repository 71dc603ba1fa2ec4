package authority

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// compared is what the digits of an enrolment are made from: the very key that was
// enrolled, so that whoever enrolled in the enrolee's place has others.
type compared struct {
	Purpose       string `json:"purpose"`
	Authenticator string `json:"authenticator"`
	Credential    string `json:"credential"` // "" of a code generator
	Key           string `json:"key"`        // the public key; of a code generator, the hash of its secret
}

// compareDigits are what an enrolee reads out and whoever confirms the enrolment types
// in: six digits, bound to the enrolled key and made with a key of the server's. They
// follow from nothing that an invitation, a list or the log shows, and nobody can make
// a key that has given ones. The oldest naming key makes them, so that a rotation does
// not change what somebody has just read out.
func (a *Authority) compareDigits(row store.Authenticator) (string, error) {
	c := compared{Purpose: "countersign/compare/v1", Authenticator: row.ID, Credential: row.CredentialID}
	if row.Type == store.FactorTOTP {
		secret, err := a.keys.Ring.Open(a.place(row.ID), row.Secret)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(secret)
		c.Key = base64.RawURLEncoding.EncodeToString(sum[:])
	} else {
		var p authn.Passkey
		if err := json.Unmarshal([]byte(row.Record), &p); err != nil {
			return "", err
		}
		c.Key = base64.RawURLEncoding.EncodeToString(p.COSEKey)
	}
	text, err := countersign.Canonical(c)
	if err != nil {
		return "", err
	}
	key := a.keys.OldestName()
	m := hmac.New(sha256.New, key[:])
	m.Write(text)
	n := fmt.Sprintf("%06d", binary.BigEndian.Uint64(m.Sum(nil))%1_000_000)
	return n[:3] + " " + n[3:], nil
}

// sameDigits refuses digits that are not those of the enrolment. A confirmer who does
// not have them from the enrolee has not asked.
func (a *Authority) sameDigits(row store.Authenticator, given string) error {
	want, err := a.compareDigits(row)
	if err != nil {
		return err
	}
	plain := func(s string) []byte { return []byte(strings.ReplaceAll(strings.TrimSpace(s), " ", "")) }
	if subtle.ConstantTimeCompare(plain(want), plain(given)) == 1 {
		return nil
	}
	return countersign.NewProblem(countersign.CodeInvalid, "these are not the digits of this enrolment: nothing was confirmed").
		WithHint("ask the enrolee again. If they read what you typed, somebody else may have enrolled in their name: tell another administrator, and do not confirm")
}
