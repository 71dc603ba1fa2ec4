package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/note"
)

// Rotation says what a rotation did.
type Rotation struct {
	Kind string `json:"kind"`
	// Old and New are verifier keys of the log, or the names of the other keys, as k2.
	Old   string `json:"old"`
	New   string `json:"new"`
	Entry string `json:"entry"` // that announces it
	// Published says that a published checkpoint covers the announcement: from then on
	// the new key of the log signs. Otherwise the next checkpoint brings that about.
	Published bool `json:"published"`
	// Resealed counts the secrets that were sealed anew with the new key, and Left those
	// that were being changed at that moment: rotate again, or leave them to the old key.
	Resealed int `json:"resealed,omitempty"`
	Left     int `json:"left,omitempty"`
}

// RotateKey makes a new key of the kind, announces it in the log and puts it to use.
// An administrator does, with a step-up for "rotate:" and the kind.
func (a *Authority) RotateKey(ctx context.Context, s Session, kind string, body StepUpBody) (*Rotation, error) {
	if err := a.administrator(ctx, s); err != nil {
		return nil, err
	}
	if err := checkKeyKind(kind); err != nil {
		return nil, err
	}
	j, err := a.stepUp(ctx, s, "rotate:"+kind, body)
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.rotate(ctx, kind, s.Person.ID, func(tx *store.Tx) error { return a.judged(tx, j) })
	return out, fault(err)
}

// RotateKeyOffline rotates a key on the data folder, stamped "operator".
func (a *Authority) RotateKeyOffline(ctx context.Context, kind string) (*Rotation, error) {
	if err := checkKeyKind(kind); err != nil {
		return nil, err
	}
	return a.rotate(ctx, kind, actorOperator, func(*store.Tx) error { return nil })
}

func checkKeyKind(kind string) error {
	if !slices.Contains([]string{checkpoint.KindLog, checkpoint.KindSeal, checkpoint.KindHMAC}, kind) {
		return countersign.Invalid(countersign.FieldError{Pointer: "/kind", Detail: `want "log", "seal" or "hmac"`})
	}
	return nil
}

func (a *Authority) rotate(ctx context.Context, kind, actor string, allowed func(*store.Tx) error) (*Rotation, error) {
	a.rotation.Lock()
	defer a.rotation.Unlock()
	if kind == checkpoint.KindLog {
		return a.rotateLog(ctx, actor, allowed)
	}
	return a.rotateSecret(ctx, kind, actor, allowed)
}

// rotateLog is safe wherever it is broken off. A key that was made and not announced
// does nothing, and is taken by the next rotation. One that was announced and not
// published signs beside the old one at the next checkpoint, as [keyChain] says.
func (a *Authority) rotateLog(ctx context.Context, actor string, allowed func(*store.Tx) error) (*Rotation, error) {
	if _, err := a.publisher.Last(); err != nil {
		return nil, err
	}
	key, err := a.spareLogKey()
	if err != nil {
		return nil, err
	}
	out := &Rotation{Kind: checkpoint.KindLog, New: key}
	done := a.publisher.Rotating() // whoever publishes looks for the announcement, until it has been taken in
	committed, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if err := allowed(tx); err != nil {
			return err
		}
		if out.Old, err = a.lastLogKey(tx); err != nil {
			return err
		}
		w, err := appendEntry(tx, entry{typ: countersign.EntryKeyRotated, subject: checkpoint.SubjectLog, actor: actor,
			facts: map[string]string{audit.FactOldKey: out.Old, audit.FactNewKey: out.New}})
		out.Entry = w.id
		return err
	})
	if err != nil {
		if !errors.Is(err, store.ErrUnknownOutcome) {
			done()
		}
		return nil, err
	}
	if committed.Tree.N > 0 {
		if err := a.publisher.Chain.Follow(ctx, committed.Tree.N); err == nil {
			done()
		}
	}
	_, err = a.publisher.Settle(ctx, committed)
	out.Published = err == nil
	if err != nil {
		a.log.Warn("the rotation is announced, and no checkpoint covers it yet", "error", err)
	}
	return out, nil
}

// spareLogKey is a key of the origin that was made and never announced, or a new one.
func (a *Authority) spareLogKey() (string, error) {
	if key, found := a.keys.Spare(a.publisher.Verifiers()); found {
		return key, nil
	}
	l, err := a.keys.AddLogKey(a.org.Origin)
	return l.Verifier, err
}

// lastLogKey is the key that the last rotation made, as of the transaction: entries
// that wait for their place count, and a rotation by another replica at the same
// moment collides with this one.
func (a *Authority) lastLogKey(tx *store.Tx) (string, error) {
	leaves, err := checkpoint.AboutLog(tx)
	if err != nil {
		return "", err
	}
	for _, leaf := range slices.Backward(leaves) {
		if leaf.Type != countersign.EntryKeyRotated {
			continue
		}
		if v, err := note.NewVerifier(leaf.Facts[audit.FactNewKey]); err == nil && v.Name() == a.org.Origin {
			return leaf.Facts[audit.FactNewKey], nil
		}
	}
	return a.publisher.Chain.Newest(), nil
}

// factKey names, in an entry about the log, the kind of another key that was rotated.
const factKey = "key"

// rotateSecret makes the next key for sealing or for naming accounts. It is in use
// when the log has announced it; what was made with the older ones is still opened
// and compared with them. A key that was made and not announced is announced now.
func (a *Authority) rotateSecret(ctx context.Context, kind, actor string, allowed func(*store.Tx) error) (*Rotation, error) {
	announced, err := a.announcedSecret(ctx, kind)
	if err != nil {
		return nil, err
	}
	n := a.keys.NewestSecret(kind)
	if n <= announced {
		if n, err = a.keys.AddSecret(kind); err != nil {
			return nil, err
		}
	}
	out := &Rotation{Kind: kind, Old: checkpoint.KeyName(announced), New: checkpoint.KeyName(n)}
	committed, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if err := allowed(tx); err != nil {
			return err
		}
		w, err := appendEntry(tx, entry{typ: countersign.EntrySecretRotated, subject: checkpoint.SubjectLog, actor: actor,
			facts: map[string]string{factKey: kind, "old": out.Old, "new": out.New}})
		out.Entry = w.id
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := a.keys.UseSecrets(); err != nil {
		return nil, err
	}
	_, err = a.publisher.Settle(ctx, committed)
	out.Published = err == nil
	if kind == checkpoint.KindSeal {
		if out.Resealed, out.Left, err = a.reseal(ctx); err != nil {
			return out, fmt.Errorf("the new key is in use, but not all secrets could be sealed anew (the old key still opens them): %w", err)
		}
	}
	return out, nil
}

// announcedSecret is the number of the last key of the kind that the log knows of; the
// first one goes without saying.
func (a *Authority) announcedSecret(ctx context.Context, kind string) (int, error) {
	n := 1
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		n = 1
		leaves, err := checkpoint.AboutLog(tx)
		for _, leaf := range leaves {
			number, ok := strings.CutPrefix(leaf.Facts["new"], "k")
			if k, err := strconv.Atoi(number); ok && err == nil && leaf.Type == countersign.EntrySecretRotated && leaf.Facts[factKey] == kind {
				n = max(n, k)
			}
		}
		return err
	})
	return n, err
}

// reseal seals every secret of an authenticator with the newest key. One that is being
// used at that moment is left for another time.
func (a *Authority) reseal(ctx context.Context) (done, left int, err error) {
	const page = 50 // short transactions: others go on working
	for after := ""; ; {
		last, sealed, missed := "", 0, 0
		_, err := a.db.Write(ctx, func(tx *store.Tx) error {
			last, sealed, missed = "", 0, 0
			rows, err := tx.SealedSecrets(after, page)
			if err != nil {
				return err
			}
			for _, row := range rows {
				switch ok, err := a.resealOne(tx, row); {
				case err != nil:
					return fmt.Errorf("authenticator %s: %w", row.ID, err)
				case ok:
					sealed++
				case a.keys.Ring.Stale(row.Secret):
					missed++
				}
			}
			if len(rows) == page {
				last = rows[page-1].ID
			}
			return nil
		})
		if err != nil {
			return done, left, err
		}
		done, left, after = done+sealed, left+missed, last
		if last == "" {
			return done, left, nil
		}
	}
}

func (a *Authority) resealOne(tx *store.Tx, row store.Sealed) (bool, error) {
	if !a.keys.Ring.Stale(row.Secret) {
		return false, nil
	}
	value, err := a.keys.Ring.Open(a.place(row.ID), row.Secret)
	if err != nil {
		return false, err
	}
	row.Secret = a.keys.Ring.Seal(a.place(row.ID), value)
	err = tx.SetSealedSecret(row)
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}
