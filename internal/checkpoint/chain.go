package checkpoint

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

// SubjectLog is the subject of entries about the log itself.
const SubjectLog = "log"

// KeyChain knows which key of the log signs: the first one of the origin, and then
// the new one of each rotation, in the order of their entries. A rotation counts once
// its entry is published: the checkpoint that covers it bears the old key's signature,
// so that whoever trusts that key learns of the new one from what it signed, and the
// new key's beside it; every later one bears the new key's alone. So the log itself
// says who signs at which size, whatever a crash left in the keys folder.
type KeyChain struct {
	db   *store.DB
	keys *Keys

	mu    sync.Mutex
	links []rotation
	known int64 // entries below are taken in
}

// NewKeyChain is the chain of the log whose origin the keys are for. It has taken in
// nothing yet.
func NewKeyChain(db *store.DB, keys *Keys) *KeyChain { return &KeyChain{db: db, keys: keys} }

// rotation is one announced change of the signing key.
type rotation struct {
	index    int64 // of its entry
	old, new string
}

// Follow takes in the rotations among the first size entries. Where one names a key
// that this process does not have, it reads the keys folder anew.
func (c *KeyChain) Follow(ctx context.Context, size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size <= c.known {
		return nil
	}
	fresh, secrets, err := rotationsBetween(ctx, c.db, c.known, size)
	if err != nil {
		return err
	}
	if secrets && c.known > 0 { // another replica made a key: it is in the folder by now
		if err := c.keys.Reload(); err != nil {
			return err
		}
		if err := c.keys.UseSecrets(); err != nil {
			return err
		}
	}
	links := slices.Clone(c.links)
	for _, r := range fresh {
		if v, err := note.NewVerifier(r.new); err != nil || v.Name() != c.keys.Origin {
			continue // of an origin before this one
		}
		if n := len(links); n > 0 && links[n-1].new != r.old {
			return fmt.Errorf("%w: entry %d rotates the key %s, which did not sign then", ErrGuard, r.index, shortKey(r.old))
		}
		links = append(links, r)
	}
	if len(links) > len(c.links) {
		if _, err := c.keys.Signer(links[len(links)-1].new); err != nil {
			if err := c.keys.Reload(); err != nil {
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
			entries, err := tx.EntriesBySubject(SubjectLog, after, page)
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
func (c *KeyChain) first() string {
	if len(c.links) > 0 {
		return c.links[0].old
	}
	c.keys.mu.RLock()
	defer c.keys.mu.RUnlock()

	for _, l := range c.keys.log {
		if l.Signer != nil {
			return l.Verifier
		}
	}
	return ""
}

// signing is the key that signs what comes after a checkpoint of published entries.
func (c *KeyChain) signing(published int64) string {
	key := c.first()
	for _, r := range c.links {
		if r.index < published {
			key = r.new
		}
	}
	return key
}

// Signers are the keys that sign a checkpoint of size entries that follows one of
// published: the one that signs then, and those that the new entries announce.
func (c *KeyChain) Signers(published, size int64) ([]note.Signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := []string{c.signing(published)}
	for _, r := range c.links {
		if r.index >= published && r.index < size {
			names = append(names, r.new)
		}
	}
	var signers []note.Signer
	for _, name := range names {
		s, err := c.keys.Signer(name)
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	return signers, nil
}

// Newest is the key that the last announced rotation made.
func (c *KeyChain) Newest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.links); n > 0 {
		return c.links[n-1].new
	}
	return c.first()
}

// Verifiers are the keys that signed or are announced to sign, oldest first.
func (c *KeyChain) Verifiers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys.mu.RLock()
	var all []string
	for _, l := range c.keys.retired {
		all = append(all, l.Verifier)
	}
	c.keys.mu.RUnlock()
	all = append(all, c.first())
	for _, r := range c.links {
		all = append(all, r.new)
	}
	return all
}

// Successors are the origins after the present one that the folder has keys of.
func (k *Keys) Successors() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.later)
}

// AboutLog reads the entries about the log itself, those that wait for their place
// last.
func AboutLog(tx *store.Tx) ([]countersign.Leaf, error) {
	placed, err := tx.EntriesBySubject(SubjectLog, -1, 100_000)
	if err != nil {
		return nil, err
	}
	waiting, err := tx.UnplacedBySubject(SubjectLog)
	if err != nil {
		return nil, err
	}
	var leaves []countersign.Leaf
	for _, e := range slices.Concat(placed, waiting) {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", e.ID, err)
		}
		leaves = append(leaves, leaf)
	}
	return leaves, nil
}

// LogKeyInfo is one verifier key of the log, and what it is for.
type LogKeyInfo struct {
	Key   string `json:"key"`
	Since int64  `json:"since"` // size from which it signs; −1 for a key of an origin before this one
	Now   bool   `json:"now"`   // it signs what comes next
}

// LogKeys tells which keys verify a log, out of the log and the public halves in the
// keys folder. Nothing secret is used.
func LogKeys(ctx context.Context, db *store.DB, keys *Keys) ([]LogKeyInfo, error) {
	head, err := db.Head(ctx)
	if err != nil {
		return nil, err
	}
	c := NewKeyChain(db, keys)
	if err := c.Follow(ctx, head.Size); err != nil {
		return nil, err
	}

	now := c.signing(head.SignedSize)
	since := map[string]int64{c.first(): 0}
	for _, r := range c.links {
		since[r.new] = r.index + 1
	}
	var out []LogKeyInfo
	for _, k := range c.Verifiers() {
		at, ok := since[k]
		if !ok {
			at = -1
		}
		out = append(out, LogKeyInfo{Key: k, Since: at, Now: k == now})
	}
	return out, nil
}
