package authority

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// book signs the log's checkpoints. A checkpoint is signed only for what has been
// committed, and only when it extends what the guard holds; it is published once
// the guard has advanced. Answers that allow something wait for that (ruling 29).
type book struct {
	a     *Authority
	guard store.Guard

	mu      sync.Mutex // held by whoever signs; it orders checkpoints
	prover  *prover
	guarded []byte // what the guard holds

	rotating atomic.Int32 // rotations under way in this process
	chain    keyChain     // which key signs at which size

	state   sync.Mutex    // guards the fields below
	signed  signedHead    // the last published checkpoint
	changed chan struct{} // closed when signed changes
	broken  error         // why nothing may be signed any more
	saved   int64         // size that the database knows to be signed

	cosigned  signedHead    // the last one that a witness cosigned; none without a checkpoint
	witnessed chan struct{} // closed when cosigned changes

	witnesses []*witness // who is asked to cosign; set before the book is used
}

type signedHead struct {
	tree       tlog.Tree
	checkpoint []byte
}

// ErrGuard says that the log and the guard's last checkpoint contradict each other.
// Nothing is signed until somebody has looked: the database may be an old copy.
var ErrGuard = errors.New("the log does not extend what was published")

// openBook checks the log against itself and the guard.
func openBook(ctx context.Context, a *Authority, guard store.Guard) (*book, error) {
	b := newBook(a, guard)
	head, err := a.db.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Origin != a.org.Origin || head.Origin != a.keys.Origin {
		return nil, fmt.Errorf("the log is named %q, the organisation's is %q, and its keys are for %q: they do not belong together", head.Origin, a.org.Origin, a.keys.Origin)
	}
	held, err := guard.Load(ctx, head.Origin)
	if err != nil {
		return nil, fmt.Errorf("read the guard: %w", err)
	}
	if len(held) > 0 {
		// Another replica may have published between the two readings: what the guard holds
		// is compared with the database as it is after that, never as it was before.
		if head, err = a.db.Head(ctx); err != nil {
			return nil, err
		}
	}
	b.guarded = held
	if err := b.chain.follow(ctx, a, head.Size); err != nil {
		return nil, err
	}
	if err := b.abandoned(ctx); err != nil {
		return nil, err
	}
	if err := b.compare(ctx, head, held); err != nil {
		return nil, err
	}
	if _, err = b.chain.signers(a.keys, b.signed.tree.N, head.Size); err != nil {
		return nil, err
	}
	b.witnesses = a.witnesses
	return b, b.openWitnesses(ctx)
}

// newBook is a book that has compared nothing yet.
func newBook(a *Authority, guard store.Guard) *book {
	return &book{a: a, guard: guard, changed: make(chan struct{}), witnessed: make(chan struct{}), prover: newProver(a.db)}
}

// recoverHint is the way out of every contradiction between log and guard.
const recoverHint = "run countersign audit recover, which proves growth or opens a new origin"

// abandoned refuses a database that is older than a recovery: the log was continued
// under another origin, and whoever went on under this one would fork it.
func (b *book) abandoned(ctx context.Context) error {
	for _, origin := range b.a.keys.successors() {
		held, err := b.guard.Load(ctx, origin)
		if err != nil {
			return fmt.Errorf("read the guard: %w", err)
		}
		if len(held) > 0 {
			return fmt.Errorf("%w: it was continued as %s, and this database is from before that (hint: %s)", ErrGuard, origin, recoverHint)
		}
	}
	return nil
}

// compare proves that the log has grown out of the guard's checkpoint.
func (b *book) compare(ctx context.Context, head store.Head, held []byte) error {
	if len(held) == 0 {
		if head.SignedSize > 0 {
			return fmt.Errorf("%w: checkpoints of %d entries were published, but the guard is empty (hint: %s)", ErrGuard, head.SignedSize, recoverHint)
		}
		return nil
	}
	c, err := audit.OpenCheckpoint(held, head.Origin, b.verifiers()...)
	if err != nil {
		return fmt.Errorf("%w: the guard's checkpoint cannot be opened: %w (hint: %s)", ErrGuard, err, recoverHint)
	}
	if c.Size > head.Size {
		return fmt.Errorf("%w: a checkpoint of %d entries was published, the database has %d: it is older (hint: %s)", ErrGuard, c.Size, head.Size, recoverHint)
	}
	root, err := audit.Root(c.Size, b.a.db.Tiles(ctx, head.Size))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	if root != c.Root {
		return fmt.Errorf("%w: the first %d entries are not those that were published (hint: %s)", ErrGuard, c.Size, recoverHint)
	}
	b.signed = signedHead{tlog.Tree{N: c.Size, Hash: c.Root}, held}
	b.saved = head.SignedSize
	return nil
}

// verifiers are the keys by which we know our own checkpoints: those that the log
// announces, and those in the keys folder, which an older copy of the database does not
// announce yet.
func (b *book) verifiers() []note.Verifier {
	var vs []note.Verifier
	seen := map[string]bool{}
	for _, k := range slices.Concat(b.chain.verifiers(b.a.keys), b.a.keys.Verifiers()) {
		if v, err := note.NewVerifier(k); err == nil && !seen[k] { // checked when the keys were read
			vs, seen[k] = append(vs, v), true
		}
	}
	return vs
}

// Verifiers are the public keys of the log in the form name+hash+base64: all that
// ever signed, those of origins that this log continues first, the newest last. A key
// that is in the folder but not announced is not among them.
func (a *Authority) Verifiers() []string { return a.book.chain.verifiers(a.keys) }

// publish signs the tree if it is larger than what is signed, advances the guard
// and tells those who wait. Whoever comes second finds the work done.
func (b *book) publish(ctx context.Context, tree tlog.Tree) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, err := b.last()
	if err != nil {
		return err
	}
	if tree.N <= last.tree.N {
		return nil
	}
	if err := b.a.clock.check(ctx, b.a.db); err != nil {
		return err
	}
	if err := b.extends(ctx, last.tree, tree); err != nil {
		return b.fail(err)
	}
	if b.a.db.Driver() == store.Postgres || b.rotating.Load() > 0 { // else nobody rotates but by restarting
		if err := b.chain.follow(ctx, b.a, tree.N); err != nil {
			return err
		}
	}
	signers, err := b.chain.signers(b.a.keys, last.tree.N, tree.N)
	if err != nil {
		return err
	}
	checkpoint, err := audit.Checkpoint{Origin: b.a.org.Origin, Size: tree.N, Root: tree.Hash}.Sign(signers...)
	if err != nil {
		return b.fail(err)
	}
	if err := b.guard.Advance(ctx, b.a.org.Origin, b.guarded, checkpoint); err != nil {
		if errors.Is(err, store.ErrConflict) {
			return b.overtaken(ctx, tree, err)
		}
		return fmt.Errorf("advance the guard: %w", err)
	}
	b.guarded = checkpoint
	b.set(signedHead{tree, checkpoint})
	b.a.metrics.checkpoints.Inc()
	return nil
}

// extends checks that the new tree begins with the old one: both roots follow from
// the same tiles, of which the smaller tree is the beginning (RFC 6962 §2.1). It costs
// a few hashes, and finds what would otherwise be a fork with our own signature.
func (b *book) extends(ctx context.Context, old, tree tlog.Tree) error {
	root, err := b.prover.root(ctx, tree.N, tree.N)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("%w: the tiles of %d entries do not give the root that was committed", ErrGuard, tree.N)
	}
	if old.N == 0 {
		return nil
	}
	if root, err = b.prover.root(ctx, tree.N, old.N); err != nil {
		return err
	}
	if root != old.Hash {
		return fmt.Errorf("%w: the tree of %d entries does not extend that of %d", ErrGuard, tree.N, old.N)
	}
	return nil
}

// overtaken handles a guard that another replica advanced: what it holds must be of
// the same log.
func (b *book) overtaken(ctx context.Context, tree tlog.Tree, cause error) error {
	held, err := b.guard.Load(ctx, b.a.org.Origin)
	if err != nil {
		return err
	}
	if bytes.Equal(held, b.guarded) {
		return cause
	}
	head, err := b.a.db.Head(ctx)
	if err != nil {
		return err
	}
	if err := b.chain.follow(ctx, b.a, head.Size); err != nil { // it may be signed with a new key
		return err
	}
	c, err := audit.OpenCheckpoint(held, b.a.org.Origin, b.verifiers()...)
	if err != nil {
		return b.fail(fmt.Errorf("%w: %w", ErrGuard, err))
	}
	if c.Size > head.Size {
		return b.fail(fmt.Errorf("%w: another process published %d entries, the database has %d", ErrGuard, c.Size, head.Size))
	}
	root, err := audit.Root(c.Size, b.a.db.Tiles(ctx, head.Size))
	if err != nil {
		return err
	}
	if root != c.Root {
		return b.fail(fmt.Errorf("%w: another process published another tree of %d entries", ErrGuard, c.Size))
	}
	b.guarded = held
	b.set(signedHead{tlog.Tree{N: c.Size, Hash: c.Root}, held})
	if c.Size >= tree.N {
		return nil
	}
	return errRepeat
}

var errRepeat = errors.New("the guard was advanced by another process: look again")

func (b *book) last() (signedHead, error) {
	b.state.Lock()
	defer b.state.Unlock()
	return b.signed, b.broken
}

func (b *book) set(s signedHead) {
	b.state.Lock()
	defer b.state.Unlock()
	if s.tree.N <= b.signed.tree.N {
		return
	}
	b.signed = s
	close(b.changed)
	b.changed = make(chan struct{})
}

// fail stops signing for good: a contradiction in the log is never repaired by
// trying again.
func (b *book) fail(err error) error {
	b.state.Lock()
	defer b.state.Unlock()
	if b.broken == nil {
		b.broken = err
		b.a.log.Error("nothing will be signed any more", "error", err)
	}
	return b.broken
}

// covered waits until a published checkpoint covers the tree's entries, and returns
// it.
func (b *book) covered(ctx context.Context, size int64) (signedHead, error) {
	for {
		b.state.Lock()
		s, broken, changed := b.signed, b.broken, b.changed
		b.state.Unlock()
		if s.tree.N >= size {
			return s, nil
		}
		if broken != nil {
			return s, broken
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// errNotCovered says that the change is committed but no checkpoint covers it yet.
var errNotCovered = errors.New("committed, but not yet covered by a published checkpoint")

// publishWait is how long an allowing answer waits for its entries to be sequenced
// and signed (ruling 41).
const publishWait = time.Second

// settle waits until what was committed is covered by a published checkpoint.
func (a *Authority) settle(ctx context.Context, c store.Committed) (signedHead, error) {
	if len(c.Entries) == 0 {
		return a.book.last()
	}
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	if c.Tree.N > 0 { // the entries have their places: sign at once
		err := errRepeat
		for errors.Is(err, errRepeat) && ctx.Err() == nil { // another process advanced the guard: go on from there
			err = a.book.publish(ctx, c.Tree)
		}
		if err != nil {
			return signedHead{}, fmt.Errorf("%w: %w", errNotCovered, err)
		}
		s, err := a.book.covered(ctx, c.Tree.N)
		if err != nil {
			return s, fmt.Errorf("%w: %w", errNotCovered, err)
		}
		return s, nil
	}
	last := c.Entries[len(c.Entries)-1].ID
	for {
		grown := a.db.Changed(store.LogGrew)
		var at int64
		err := a.db.Read(ctx, func(tx *store.Tx) error {
			e, err := tx.EntryByID(last)
			at = e.Index
			return err
		})
		if err != nil {
			return signedHead{}, fmt.Errorf("%w: %w", errNotCovered, err)
		}
		if at != store.Unplaced {
			c.Entries[len(c.Entries)-1].Index = at // so that nobody looks for it again
			s, err := a.book.covered(ctx, at+1)
			if err != nil {
				return s, fmt.Errorf("%w: %w", errNotCovered, err)
			}
			return s, nil
		}
		select {
		case <-grown:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return signedHead{}, errNotCovered
		}
	}
}

// Publish sequences what is committed, signs it and records in the database that it
// did. The loop calls it; so may a command before it ends.
func (a *Authority) Publish(ctx context.Context) error {
	if err := a.sequence(ctx); err != nil {
		return err
	}
	return a.saveSigned(ctx)
}

// sequence gives committed entries their places, where that is not done yet, and signs.
func (a *Authority) sequence(ctx context.Context) error {
	var head store.Head
	var err error
	if a.db.Driver() == store.Postgres {
		head, err = a.db.Sequence(ctx, a.holder())
	} else {
		head, err = a.db.Head(ctx)
	}
	if err != nil {
		return err
	}
	if err := a.book.publish(ctx, tlog.Tree{N: head.Size, Hash: head.Root}); err != nil && !errors.Is(err, errRepeat) {
		return err
	}
	return nil
}

// saveSigned tells the database which checkpoint is published: outgoing events wait
// for it. It may lag behind; it never runs ahead.
func (a *Authority) saveSigned(ctx context.Context) error {
	s, err := a.book.last()
	if err != nil {
		return err
	}
	a.book.state.Lock()
	behind := a.book.saved < s.tree.N
	a.book.state.Unlock()
	if !behind {
		return nil
	}
	if err := a.db.SetSigned(ctx, s.tree.N, s.checkpoint); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	a.book.state.Lock()
	a.book.saved = max(a.book.saved, s.tree.N)
	a.book.state.Unlock()
	return nil
}

// Checkpoint is the last published checkpoint, or a problem before the first.
func (a *Authority) Checkpoint() ([]byte, error) {
	s, err := a.book.last()
	if err != nil {
		return nil, countersign.NewProblem(countersign.CodeUnavailable, "the log cannot be signed").WithCause(err)
	}
	if s.checkpoint == nil {
		return nil, notFound()
	}
	return s.checkpoint, nil
}

// prover proves out of memory: the inner hashes of tiles that it has met never change
// while the tree grows. Only committed trees are asked of it.
type prover struct {
	mu   sync.Mutex
	p    *audit.Prover
	size int64 // of the tree whose tiles are read now
	ctx  context.Context
}

func newProver(db *store.DB) *prover {
	p := &prover{}
	p.p = audit.NewProver(func(k audit.TileKey) ([]byte, error) { return db.Tiles(p.ctx, p.size)(k) })
	return p
}

func (p *prover) inclusion(ctx context.Context, size, index int64) ([]tlog.Hash, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx, p.size = ctx, size
	return p.p.Inclusion(size, index)
}

func (p *prover) root(ctx context.Context, size, of int64) (tlog.Hash, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx, p.size = ctx, size
	return p.p.Root(of)
}

// prove returns the paths of entries.
func (b *book) prove(ctx context.Context) func(size, index int64) ([]tlog.Hash, error) {
	return func(size, index int64) ([]tlog.Hash, error) { return b.prover.inclusion(ctx, size, index) }
}

// CheckLog checks the stored log against itself: every entry's bytes, the tree, the
// head. It reads everything.
func (a *Authority) CheckLog(ctx context.Context) error {
	_, err := a.db.CheckLog(ctx, nil)
	return err
}
