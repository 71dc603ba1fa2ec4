package authority

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

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

func keyName(n int) string { return "k" + strconv.Itoa(n) }

// sortSecretKeys orders keys oldest first: a ring seals with its last.
func sortSecretKeys(keys []authn.SecretKey) {
	sort.Slice(keys, func(i, j int) bool {
		x, _ := strconv.Atoi(keys[i].ID[1:])
		y, _ := strconv.Atoi(keys[j].ID[1:])
		return x < y
	})
}

var processName = func() string {
	host, _ := os.Hostname()
	var b [4]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), hex.EncodeToString(b[:]))
}()

// holder names this process where several replicas take turns.
func (a *Authority) holder() string { return processName }

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
		out, err = a.invite(tx, authn.Invitation{Org: tx.Org(), Person: person, InvitedBy: actorOperator, Setup: setUp})
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

// NewKey describes an API key that is to be made.
type NewKey struct {
	Name    string   `json:"name"`
	Source  string   `json:"source"` // the system that will use it
	Scopes  []string `json:"scopes"`
	Returns []string `json:"return_origins,omitempty"` // where its return URLs may lead
	Days    int      `json:"expires_days,omitempty"`   // default 365, at most 730
}

// MadeKey is a fresh key. The key itself is shown once and stored nowhere.
type MadeKey struct {
	ID        string   `json:"id"`
	Key       string   `json:"key,omitempty"` // left out when the answer is repeated
	Source    string   `json:"source"`
	Scopes    []string `json:"scopes"`
	ExpiresAt string   `json:"expires_at"`
}

// KeySubject is what a step-up for a key is made for: the source and all that the key
// may do, so that neither can be changed under it.
func KeySubject(source string, scopes []string) string {
	return "key:" + source + ":" + strings.Join(slices.Compact(slices.Sorted(slices.Values(scopes))), ",")
}

// CreateKey makes an API key. An administrator does, with a step-up for [KeySubject].
// Once the organisation is founded, a key that says who people are and which groups
// they are in is made on the data folder only: with one, an administrator could appoint
// approvers alone.
func (a *Authority) CreateKey(ctx context.Context, s Session, n NewKey, body StepUpBody) (*MadeKey, error) {
	if err := a.administrator(ctx, s); err != nil {
		return nil, err
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	j, err := a.stepUp(ctx, s, KeySubject(n.Source, n.Scopes), body)
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.makeKey(ctx, n, s.Person.ID, func(tx *store.Tx) error {
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		if !at.founding && slices.Contains(n.Scopes, string(authn.ScopeProvisioning)) {
			return countersign.NewProblem(countersign.CodeForbidden, "a key with the scope %q is not made here: it appoints people", authn.ScopeProvisioning).
				WithHint("the operator makes it on the data folder: countersign key create --offline")
		}
		return a.judged(tx, j)
	})
	return out, fault(err)
}

// CreateKeyOffline makes an API key on the data folder, stamped "operator".
func (a *Authority) CreateKeyOffline(ctx context.Context, n NewKey) (*MadeKey, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	return a.makeKey(ctx, n, actorOperator, func(*store.Tx) error { return nil })
}

func (n *NewKey) check() error {
	var errs []countersign.FieldError
	add := func(at, detail string) { errs = append(errs, countersign.FieldError{Pointer: at, Detail: detail}) }
	if n.Name == "" || len(n.Name) > 100 {
		add("/name", "required, at most 100 bytes")
	}
	if !countersign.ValidKind(n.Source) || n.Source == store.InternalSource || n.Source == directory {
		add("/source", "want lower-case letters, digits and underscores, as \"sap\": the system that uses the key")
	}
	if len(n.Scopes) == 0 {
		add("/scopes", "want at least one")
	}
	for i, s := range n.Scopes {
		if !authn.Scope(s).Valid() {
			add("/scopes/"+strconv.Itoa(i), fmt.Sprintf("%q is no scope", s))
		}
	}
	for i, r := range n.Returns {
		if o, err := originOf(r); err != nil || o != r {
			add("/return_origins/"+strconv.Itoa(i), "want an origin, as https://erp.example.com")
		}
	}
	if n.Days < 0 || n.Days > 730 {
		add("/expires_days", "want 1 to 730")
	}
	if len(errs) > 0 {
		return countersign.Invalid(errs...)
	}
	return nil
}

func (a *Authority) makeKey(ctx context.Context, n NewKey, actor string, allowed func(*store.Tx) error) (*MadeKey, error) {
	days := n.Days
	if days == 0 {
		days = 365
	}
	scopes, err := json.Marshal(n.Scopes)
	if err != nil {
		return nil, err
	}
	if n.Returns == nil {
		n.Returns = []string{}
	}
	returns, err := json.Marshal(n.Returns)
	if err != nil {
		return nil, err
	}
	var out *MadeKey
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := allowed(tx); err != nil {
			return err
		}
		id := countersign.NewID(countersign.PrefixKey, tx.Now())
		key, hash := authn.NewAPIKey(id)
		row := store.APIKey{ID: id, Name: n.Name, Source: n.Source, Scopes: string(scopes), Hash: hash, Returns: string(returns),
			Created: tx.Now(), CreatedBy: actor, Expires: tx.Now().Add(time.Duration(days) * 24 * time.Hour)}
		if err := tx.InsertAPIKey(row); err != nil {
			return err
		}
		out = &MadeKey{ID: id, Key: key, Source: n.Source, Scopes: n.Scopes, ExpiresAt: stamp(row.Expires)}
		detail, err := countersign.Canonical(map[string]any{"name": n.Name, "source": n.Source, "scopes": n.Scopes, "expires_at": out.ExpiresAt})
		if err != nil {
			return err
		}
		if _, err = appendEntry(tx, entry{typ: countersign.EntryKeyCreated, subject: id, actor: actor, openings: map[string][]byte{countersign.OpeningDetail: detail}}); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	return out, err
}

// RevokeKey ends an API key now.
func (a *Authority) RevokeKey(ctx context.Context, s Session, id string) error {
	if err := a.administrator(ctx, s); err != nil {
		return err
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.APIKey(id); err != nil {
			return err
		}
		if err := tx.RevokeAPIKey(id); err != nil {
			return err
		}
		if _, err := appendEntry(tx, entry{typ: countersign.EntryKeyRevoked, subject: id, actor: s.Person.ID}); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	a.keyRows.Delete(id)
	return fault(err)
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
