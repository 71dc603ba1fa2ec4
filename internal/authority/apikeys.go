package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

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
	// Waits says that the key works only once a second administrator, or the operator,
	// has confirmed it: its source is in use already.
	Waits bool `json:"needs_confirmation,omitempty"`
}

// KeySubject is what a step-up for a key is made for: the source and all that the key
// may do, so that neither can be changed under it.
func KeySubject(source string, scopes []string) string {
	return "key:" + source + ":" + strings.Join(slices.Compact(slices.Sorted(slices.Values(scopes))), ",")
}

// CreateKey makes an API key. An administrator does, with a step-up for [KeySubject].
// Once the organisation is founded, a key that says who people are and which groups
// they are in is made on the data folder only: with one, an administrator could appoint
// approvers alone. A key of a source that is in use, by which one administrator would
// see and release what another system submitted, waits for a second (ruling 11).
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
	out, err := a.makeKey(ctx, n, keyMaker{actor: s.Person.ID, judgement: &j, allowed: func(tx *store.Tx, founding bool) error {
		if !founding && slices.Contains(n.Scopes, string(authn.ScopeProvisioning)) {
			return countersign.NewProblem(countersign.CodeForbidden, "a key with the scope %q is not made here: it appoints people", authn.ScopeProvisioning).
				WithHint("the operator makes it on the data folder: countersign key create --offline")
		}
		return a.judged(tx, j)
	}})
	return out, fault(err)
}

// CreateKeyOffline makes an API key on the data folder, stamped "operator".
func (a *Authority) CreateKeyOffline(ctx context.Context, n NewKey) (*MadeKey, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	return a.makeKey(ctx, n, keyMaker{actor: actorOperator, allowed: func(*store.Tx, bool) error { return nil }})
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

// keyMaker is who makes a key: the operator, or an administrator who has proven
// themself for it.
type keyMaker struct {
	actor     string
	judgement *authn.Judgement // nil of the operator
	allowed   func(tx *store.Tx, founding bool) error
}

func (a *Authority) makeKey(ctx context.Context, n NewKey, by keyMaker) (*MadeKey, error) {
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
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		if err := by.allowed(tx, at.founding); err != nil {
			return err
		}
		used, err := tx.SourceInUse(n.Source)
		if err != nil {
			return err
		}
		id := countersign.NewID(countersign.PrefixKey, tx.Now())
		key, hash := authn.NewAPIKey(id)
		row := store.APIKey{ID: id, Name: n.Name, Source: n.Source, Scopes: string(scopes), Hash: hash, Returns: string(returns),
			Created: tx.Now(), CreatedBy: by.actor, Expires: tx.Now().Add(time.Duration(days) * 24 * time.Hour),
			Waits: used && by.judgement != nil && !at.founding}
		if err := tx.InsertAPIKey(row); err != nil {
			return err
		}
		out = &MadeKey{ID: id, Key: key, Source: n.Source, Scopes: n.Scopes, ExpiresAt: stamp(row.Expires), Waits: row.Waits}
		if err := by.log(tx, row, out, used); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	return out, err
}

// log writes the entry of a fresh key: what it may do, whether its source was in use
// before, and how whoever made it proved themself.
func (by keyMaker) log(tx *store.Tx, row store.APIKey, made *MadeKey, used bool) error {
	says := map[string]any{"name": row.Name, "source": row.Source, "scopes": made.Scopes, "expires_at": made.ExpiresAt, "source_in_use": used}
	if by.judgement != nil {
		says["evidence"] = by.judgement.Evidence()
	}
	detail, err := countersign.Canonical(says)
	if err != nil {
		return err
	}
	e := entry{typ: countersign.EntryKeyCreated, subject: row.ID, actor: by.actor, openings: map[string][]byte{countersign.OpeningDetail: detail}}
	if row.Waits {
		e.facts = map[string]string{"needs_confirmation": "true"}
	}
	_, err = appendEntry(tx, e)
	return err
}

// ConfirmKeySubject is what a step-up for letting a key work is made for.
func ConfirmKeySubject(id string) string { return "confirm:" + id }

// ConfirmKey lets a key work that waits for a second person. An administrator does who
// did not make it, with a step-up for [ConfirmKeySubject].
func (a *Authority) ConfirmKey(ctx context.Context, s Session, id string, body StepUpBody) error {
	if err := a.administrator(ctx, s); err != nil {
		return err
	}
	j, err := a.stepUp(ctx, s, ConfirmKeySubject(id), body)
	if err != nil {
		return fault(err)
	}
	return fault(a.confirmKey(ctx, id, keyMaker{actor: s.Person.ID, judgement: &j, allowed: func(tx *store.Tx, _ bool) error { return a.judged(tx, j) }}))
}

// ConfirmKeyOffline lets a key work on the data folder, stamped "operator".
func (a *Authority) ConfirmKeyOffline(ctx context.Context, id string) error {
	return a.confirmKey(ctx, id, keyMaker{actor: actorOperator, allowed: func(*store.Tx, bool) error { return nil }})
}

func (a *Authority) confirmKey(ctx context.Context, id string, by keyMaker) error {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if err := by.allowed(tx, false); err != nil {
			return err
		}
		row, err := tx.APIKey(id)
		if errors.Is(err, store.ErrNotFound) {
			return countersign.NewProblem(countersign.CodeNotFound, "there is no key %s here", clipText(id))
		} else if err != nil {
			return err
		}
		if row.CreatedBy == by.actor {
			return countersign.NewProblem(countersign.CodeForbidden, "you made this key: a second administrator confirms it").
				WithHint("the operator can as well, on the data folder: countersign key confirm %s --offline", id)
		}
		if !row.Expires.IsZero() && !tx.Now().Before(row.Expires) {
			return countersign.NewProblem(countersign.CodeState, "this key has expired").WithHint("make another")
		}
		if err := tx.ConfirmAPIKey(id, by.actor); errors.Is(err, store.ErrConflict) {
			return countersign.NewProblem(countersign.CodeState, "this key waits for nobody: it works already, or was ended")
		} else if err != nil {
			return err
		}
		e := entry{typ: countersign.EntryKeyConfirmed, subject: id, actor: by.actor}
		if by.judgement != nil {
			detail, err := countersign.Canonical(map[string]any{"evidence": by.judgement.Evidence()})
			if err != nil {
				return err
			}
			e.openings = map[string][]byte{countersign.OpeningDetail: detail}
		}
		if _, err := appendEntry(tx, e); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	a.keyRows.Delete(id)
	return err
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
