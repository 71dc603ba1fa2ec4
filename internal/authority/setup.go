package authority

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// originOf is the web origin of a URL.
func originOf(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("public_url %q: want an address as https://approvals.example.com", public)
	}
	return u.Scheme + "://" + u.Host, nil
}

// processName names this process where several replicas take turns.
var processName = func() string {
	host, _ := os.Hostname()
	var b [4]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), hex.EncodeToString(b[:]))
}()

// NewPerson is a person whom the operator adds offline.
type NewPerson struct {
	Login  string // in the directory
	Name   string
	Email  string
	Groups []string
}

// AddPersonOffline adds a person on the data folder, stamped "operator". It is how
// the first administrator comes into being.
func (a *Authority) AddPersonOffline(ctx context.Context, p NewPerson) (id string, err error) {
	_, err = a.RecordOffline(ctx, directory, true, countersign.FactsBody{People: []countersign.PersonFact{{Subject: p.Login, Name: p.Name, Email: p.Email, Groups: p.Groups}}})
	if err != nil {
		return "", err
	}
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		row, err := identify(tx, directory, p.Login)
		id = row.ID
		return err
	})
	return id, err
}

// InviteOffline makes an invitation on the data folder, stamped "operator"; set-up
// says that it is the first start's own link.
func (a *Authority) InviteOffline(ctx context.Context, person string, setUp bool) (*Invited, error) {
	var out *Invited
	_, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = a.invite(tx, authn.Invitation{Org: tx.Org(), Person: person, InvitedBy: actorOperator, Setup: setUp}, nil)
		return err
	})
	return out, err
}

// NeedsSetUp reports whether nobody has enrolled yet.
func (a *Authority) NeedsSetUp(ctx context.Context) (bool, error) {
	var n int64
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.CountAuthenticators()
		return err
	})
	return n == 0, err
}

// publishPolicy writes the next version of the policy with its entry.
func publishPolicy(tx *store.Tx, v *policy.Version, actor string) error {
	next := int64(1)
	if current, err := tx.CurrentPolicy(); err == nil {
		next = current.Version + 1
	} else if err != store.ErrNotFound {
		return err
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryPolicyPublished, subject: "policy", actor: actor,
		facts:    map[string]string{"policy_digest": string(v.Digest()), "version": strconv.FormatInt(next, 10)},
		openings: map[string][]byte{countersign.OpeningPolicy: v.Canonical()}})
	if err != nil {
		return err
	}
	err = tx.InsertPolicy(store.Policy{Version: next, Digest: string(v.Digest()), Body: v.Canonical(), Published: tx.Now(), PublishedBy: actor, EntryID: w.id})
	if err != nil {
		return err
	}
	return tx.FactsChanged()
}

// policyBody is the canonical form of a stored policy.
type policyBody struct {
	Text  string            `json:"text"`
	Lists map[string]string `json:"lists"`
}

// parseBody reads a stored policy's text and lists.
func parseBody(body []byte) (policy.Source, error) {
	var b policyBody
	if err := countersign.DecodeStrict(body, &b); err != nil {
		return policy.Source{}, err
	}
	return policy.Source{Text: []byte(b.Text), Lists: b.Lists}, nil
}
