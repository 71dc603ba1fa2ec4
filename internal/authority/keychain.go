package authority

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/note"
)

// subjectLog is the subject of entries about the log itself.
const subjectLog = "log"

// keyChain knows which key of the log signs: the first one of the origin, and then
// the new one of each rotation, in the order of their entries. A rotation counts once
// its entry is published: the checkpoint that covers it bears the old key's signature,
// so that whoever trusts that key learns of the new one from what it signed, and the
// new key's beside it; every later one bears the new key's alone. So the log itself
// says who signs at which size, whatever a crash left in the keys folder.
type keyChain struct {
	mu    sync.Mutex
	links []rotation
	known int64 // entries below are taken in
}

// rotation is one announced change of the signing key.
type rotation struct {
	index    int64 // of its entry
	old, new string
}

// follow takes in the rotations among the first size entries. Where one names a key
// that this process does not have, it reads the keys folder anew.
func (c *keyChain) follow(ctx context.Context, a *Authority, size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size <= c.known {
		return nil
	}
	fresh, secrets, err := rotationsBetween(ctx, a.db, c.known, size)
	if err != nil {
		return err
	}
	if secrets && c.known > 0 { // another replica made a key: it is in the folder by now
		if err := a.keys.reload(); err != nil {
			return err
		}
		if err := a.useSecrets(); err != nil {
			return err
		}
	}
	links := slices.Clone(c.links)
	for _, r := range fresh {
		if v, err := note.NewVerifier(r.new); err != nil || v.Name() != a.org.Origin {
			continue // of an origin before this one
		}
		if n := len(links); n > 0 && links[n-1].new != r.old {
			return fmt.Errorf("%w: entry %d rotates the key %s, which did not sign then", ErrGuard, r.index, shortKey(r.old))
		}
		links = append(links, r)
	}
	if len(links) > len(c.links) {
		if _, err := a.keys.signer(links[len(links)-1].new); err != nil {
			if err := a.keys.reload(); err != nil {
				return err
			}
		}
	}
	c.links, c.known = links, size
	return nil
}

// rotationsBetween reads the announced rotations among the entries from first on and
// before end, and tells whether other keys than the log's were rotated.
func rotationsBetween(ctx context.Context, db *store.DB, first, end int64) (all []rotation, secrets bool, err error) {
	const page = 200
	err = db.Read(ctx, func(tx *store.Tx) error {
		all, secrets = nil, false
		for after := first - 1; ; {
			entries, err := tx.EntriesBySubject(subjectLog, after, page)
			if err != nil {
				return err
			}
			for _, e := range entries {
				leaf, err := countersign.ParseLeaf(e.Leaf)
				if err != nil {
					return fmt.Errorf("entry %d: %w", e.Index, err)
				}
				if e.Index < end && leaf.Type == countersign.EntryKeyRotated {
					all = append(all, rotation{e.Index, leaf.Facts[audit.FactOldKey], leaf.Facts[audit.FactNewKey]})
				}
				secrets = secrets || leaf.Type == countersign.EntrySecretRotated
				after = e.Index
			}
			if len(entries) < page {
				return nil
			}
		}
	})
	return all, secrets, err
}

// first is the key that the origin began with.
func (c *keyChain) first(k *Keys) string {
	if len(c.links) > 0 {
		return c.links[0].old
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, l := range k.Log {
		if l.Signer != nil {
			return l.Verifier
		}
	}
	return ""
}

// signing is the key that signs what comes after a checkpoint of published entries.
func (c *keyChain) signing(k *Keys, published int64) string {
	key := c.first(k)
	for _, r := range c.links {
		if r.index < published {
			key = r.new
		}
	}
	return key
}

// signers are the keys that sign a checkpoint of size entries that follows one of
// published: the one that signs then, and those that the new entries announce.
func (c *keyChain) signers(k *Keys, published, size int64) ([]note.Signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := []string{c.signing(k, published)}
	for _, r := range c.links {
		if r.index >= published && r.index < size {
			names = append(names, r.new)
		}
	}
	var signers []note.Signer
	for _, name := range names {
		s, err := k.signer(name)
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	return signers, nil
}

// newest is the key that the last announced rotation made.
func (c *keyChain) newest(k *Keys) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.links); n > 0 {
		return c.links[n-1].new
	}
	return c.first(k)
}

// verifiers are the keys that signed or are announced to sign, oldest first.
func (c *keyChain) verifiers(k *Keys) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.mu.RLock()
	var all []string
	for _, l := range k.retired {
		all = append(all, l.Verifier)
	}
	k.mu.RUnlock()
	all = append(all, c.first(k))
	for _, r := range c.links {
		all = append(all, r.new)
	}
	return all
}

// successors are the origins after the present one that the folder has keys of.
func (k *Keys) successors() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.later)
}
