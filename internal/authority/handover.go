package authority

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// vouch makes the hand-over link for a user whom the submitting system states to be
// signed in there (ruling 13). Where the requirement refuses vouching, or the person
// is not on record, there is none.
func (s *submission) vouch(tx *store.Tx, state approval.State) error {
	if state.Requirement.NoVouching {
		return nil
	}
	v := s.in.sub.Vouch
	p, err := identify(tx, s.key.Source, v.Person)
	if errors.Is(err, store.ErrNotFound) {
		return countersign.Invalid(countersign.FieldError{Pointer: "/submission/vouch/person", Detail: "is nobody on record here"})
	} else if err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, v.AuthenticatedAt)
	if err != nil {
		return err
	}
	h, token, err := authn.NewHandOver(authn.Vouching{Org: tx.Org(), Person: p.ID, Request: state.ID, Key: s.key.ID, Method: v.Method, At: at.UTC()}, tx.Now())
	if err != nil {
		return err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	s.handOver = s.a.org.PublicURL + "/h#" + token
	return tx.InsertInvitation(store.Invitation{TokenHash: h.TokenHash, ID: countersign.NewID(countersign.PrefixInvitation, tx.Now()), Purpose: "hand_over",
		Person: p.ID, Approval: state.ID, Inviter: s.key.ID, Detail: string(text), Created: h.CreatedAt, Expires: h.ExpiresAt})
}

// RedeemHandOver uses a hand-over link up and opens a session for its one request.
// Only a POST does: looking at the link changes nothing.
func (a *Authority) RedeemHandOver(ctx context.Context, token string) (*SignedIn, error) {
	bad := countersign.NewProblem(countersign.CodeGone, "this link is not valid").WithHint("start again in the system that you came from")
	hash, ok := authn.ParseToken(authn.TokenHandOver, token)
	if !ok {
		return nil, bad
	}
	var out *SignedIn
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		var h authn.HandOver
		used, err := linkOf(tx, hash, &h, bad)
		if err != nil {
			return err
		}
		h.UsedAt = used
		_, s, sessionToken, err := h.Redeem(token, tx.Now())
		if err != nil {
			return err
		}
		if err := tx.UseInvitation(hash); err != nil {
			return bad
		}
		p, err := tx.Person(h.Person)
		if err != nil {
			return err
		}
		if !p.Active {
			return bad
		}
		out = &SignedIn{Token: sessionToken, Person: countersign.Principal{ID: p.ID, Name: p.Name}, Kind: string(s.Kind), Request: h.Request,
			ExpiresAt: stamp(tx.Now().Add(authn.HandOverLife))}
		return saveSession(tx, s, authn.SessionLimits{Absolute: authn.HandOverLife})
	})
	return out, fault(err)
}

// linkOf reads what a link that is used once was made for into detail, and when it was
// used; a token that is none of ours is refused with bad.
func linkOf(tx *store.Tx, hash string, detail any, bad error) (used time.Time, err error) {
	row, err := tx.InvitationByToken(hash)
	if errors.Is(err, store.ErrNotFound) {
		return used, bad
	} else if err != nil {
		return used, err
	}
	return row.Used, json.Unmarshal([]byte(row.Detail), detail)
}
