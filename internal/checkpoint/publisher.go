// Package checkpoint publishes the log: it signs checkpoints with the keys of the
// organisation's folder, proves that each extends the last, advances the guard, asks
// the witnesses, and knows which key signs at which size. It reports what it finds and
// raises nothing: alerts are for whoever called.
package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Publisher signs the log's checkpoints. A checkpoint is signed only for what has been
// committed, and only when it extends what the guard holds; it is published once
// the guard has advanced. Answers that allow something wait for that (ruling 29).
type Publisher struct {
	db      *store.DB
	keys    *Keys
	guard   store.Guard
	log     *slog.Logger
	trusted func(context.Context) error
	signs   func()
	process string
	within  time.Duration // how long Settle waits

	// Chain knows which key signs at which size.
	Chain *KeyChain

	mu      sync.Mutex // held by whoever signs; it orders checkpoints
	prover  *prover
	guarded []byte // what the guard holds

	rotating atomic.Int32 // rotations under way in this process

	state   sync.Mutex    // guards the fields below
	signed  Head          // the last published checkpoint
	changed chan struct{} // closed when signed changes
	broken  error         // why nothing may be signed any more
	saved   int64         // size that the database knows to be signed

	cosigned  Head          // the last one that a witness cosigned; none without a checkpoint
	witnessed chan struct{} // closed when cosigned changes

	witnesses []*witness // who is asked to cosign
}

// Head is a published tree with its checkpoint.
type Head struct {
	Tree       tlog.Tree
	Checkpoint []byte // a signed note; nil before the first
}

// Config is what a publisher is made of.
type Config struct {
	DB    *store.DB // bound to the organisation
	Keys  *Keys     // of its log
	Guard store.Guard
	Log   *slog.Logger

	Witnesses []Witness                   // who cosign; may be empty
	Trusted   func(context.Context) error // refuses while the clock cannot be trusted
	Signs     func()                      // called after each checkpoint; may be nil
	Process   string                      // names this process where several take turns
	Within    time.Duration               // how long Settle waits; a second if it is not set
}

// ErrGuard says that the log and the guard's last checkpoint contradict each other.
// Nothing is signed until somebody has looked: the database may be an old copy.
var ErrGuard = errors.New("the log does not extend what was published")

// Open makes a publisher, and checks the log against itself and the guard.
func Open(ctx context.Context, cfg Config) (*Publisher, error) {
	p, err := Unchecked(cfg)
	if err != nil {
		return nil, err
	}
	head, err := p.db.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Origin != p.keys.Origin {
		return nil, fmt.Errorf("the log is named %q, and its keys are for %q: they do not belong together", head.Origin, p.keys.Origin)
	}
	held, err := p.guard.Load(ctx, head.Origin)
	if err != nil {
		return nil, fmt.Errorf("read the guard: %w", err)
	}
	if len(held) > 0 {
		// Another replica may have published between the two readings: what the guard holds
		// is compared with the database as it is after that, never as it was before.
		if head, err = p.db.Head(ctx); err != nil {
			return nil, err
		}
	}

	p.guarded = held
	if err := p.Chain.Follow(ctx, head.Size); err != nil {
		return nil, err
	}
	if err := p.abandoned(ctx); err != nil {
		return nil, err
	}
	if err := p.compare(ctx, head, held); err != nil {
		return nil, err
	}
	if _, err = p.Chain.Signers(p.signed.Tree.N, head.Size); err != nil {
		return nil, err
	}
	return p, p.openWitnesses(ctx)
}

// Unchecked makes a publisher that has compared nothing yet: for a recovery, which
// compares for itself.
func Unchecked(cfg Config) (*Publisher, error) {
	witnesses, err := newWitnesses(cfg.Witnesses, cfg.DB.Now())
	if err != nil {
		return nil, err
	}
	p := &Publisher{db: cfg.DB, keys: cfg.Keys, guard: cfg.Guard, log: cfg.Log, trusted: cfg.Trusted, signs: cfg.Signs, process: cfg.Process, within: cfg.Within,
		Chain: NewKeyChain(cfg.DB, cfg.Keys), changed: make(chan struct{}), witnessed: make(chan struct{}), prover: newProver(cfg.DB), witnesses: witnesses}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.within <= 0 {
		p.within = publishWait
	}
	return p, nil
}

// Resume lets an unchecked publisher go on from what was published and what the guard
// holds, which the caller has compared.
func (p *Publisher) Resume(published tlog.Tree, guarded []byte) {
	p.guarded, p.signed = guarded, Head{Tree: published}
}

// recoverHint is the way out of every contradiction between log and guard.
const recoverHint = "run countersign audit recover, which proves growth or opens a new origin"

// abandoned refuses a database that is older than a recovery: the log was continued
// under another origin, and whoever went on under this one would fork it.
func (p *Publisher) abandoned(ctx context.Context) error {
	for _, origin := range p.keys.Successors() {
		held, err := p.guard.Load(ctx, origin)
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
func (p *Publisher) compare(ctx context.Context, head store.Head, held []byte) error {
	if len(held) == 0 {
		if head.SignedSize > 0 {
			return fmt.Errorf("%w: checkpoints of %d entries were published, but the guard is empty (hint: %s)", ErrGuard, head.SignedSize, recoverHint)
		}
		return nil
	}
	c, err := audit.OpenCheckpoint(held, head.Origin, p.OwnVerifiers()...)
	if err != nil {
		return fmt.Errorf("%w: the guard's checkpoint cannot be opened: %w (hint: %s)", ErrGuard, err, recoverHint)
	}
	if c.Size > head.Size {
		return fmt.Errorf("%w: a checkpoint of %d entries was published, the database has %d: it is older (hint: %s)", ErrGuard, c.Size, head.Size, recoverHint)
	}
	root, err := audit.Root(c.Size, p.db.Tiles(ctx, head.Size))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	if root != c.Root {
		return fmt.Errorf("%w: the first %d entries are not those that were published (hint: %s)", ErrGuard, c.Size, recoverHint)
	}
	p.signed = Head{tlog.Tree{N: c.Size, Hash: c.Root}, held}
	p.saved = head.SignedSize
	return nil
}

// OwnVerifiers are the keys by which we know our own checkpoints: those that the log
// announces, and those in the keys folder, which an older copy of the database does not
// announce yet.
func (p *Publisher) OwnVerifiers() []note.Verifier {
	var vs []note.Verifier
	seen := map[string]bool{}
	for _, k := range slices.Concat(p.Chain.Verifiers(), p.keys.Verifiers()) {
		if v, err := note.NewVerifier(k); err == nil && !seen[k] { // checked when the keys were read
			vs, seen[k] = append(vs, v), true
		}
	}
	return vs
}

// Verifiers are the public keys of the log in the form name+hash+base64: all that
// ever signed, those of origins that this log continues first, the newest last. A key
// that is in the folder but not announced is not among them.
func (p *Publisher) Verifiers() []string { return p.Chain.Verifiers() }

// publish signs the tree if it is larger than what is signed, advances the guard
// and tells those who wait. Whoever comes second finds the work done.
func (p *Publisher) publish(ctx context.Context, tree tlog.Tree) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, err := p.Last()
	if err != nil {
		return err
	}
	if tree.N <= last.Tree.N {
		return nil
	}
	if err := p.trusted(ctx); err != nil {
		return err
	}
	if err := p.extends(ctx, last.Tree, tree); err != nil {
		return p.fail(err)
	}
	if p.db.Driver() == store.Postgres || p.rotating.Load() > 0 { // else nobody rotates but by restarting
		if err := p.Chain.Follow(ctx, tree.N); err != nil {
			return err
		}
	}
	signers, err := p.Chain.Signers(last.Tree.N, tree.N)
	if err != nil {
		return err
	}
	checkpoint, err := audit.Checkpoint{Origin: p.keys.Origin, Size: tree.N, Root: tree.Hash}.Sign(signers...)
	if err != nil {
		return p.fail(err)
	}
	if err := p.guard.Advance(ctx, p.keys.Origin, p.guarded, checkpoint); err != nil {
		if errors.Is(err, store.ErrConflict) {
			return p.overtaken(ctx, tree, err)
		}
		return fmt.Errorf("advance the guard: %w", err)
	}
	p.guarded = checkpoint
	p.set(Head{tree, checkpoint})
	if p.signs != nil {
		p.signs()
	}
	return nil
}

// extends checks that the new tree begins with the old one: both roots follow from
// the same tiles, of which the smaller tree is the beginning (RFC 6962 §2.1). It costs
// a few hashes, and finds what would otherwise be a fork with our own signature.
func (p *Publisher) extends(ctx context.Context, old, tree tlog.Tree) error {
	root, err := p.prover.root(ctx, tree.N, tree.N)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("%w: the tiles of %d entries do not give the root that was committed", ErrGuard, tree.N)
	}
	if old.N == 0 {
		return nil
	}
	if root, err = p.prover.root(ctx, tree.N, old.N); err != nil {
		return err
	}
	if root != old.Hash {
		return fmt.Errorf("%w: the tree of %d entries does not extend that of %d", ErrGuard, tree.N, old.N)
	}
	return nil
}

// overtaken handles a guard that another replica advanced: what it holds must be of
// the same log.
func (p *Publisher) overtaken(ctx context.Context, tree tlog.Tree, cause error) error {
	held, err := p.guard.Load(ctx, p.keys.Origin)
	if err != nil {
		return err
	}
	if bytes.Equal(held, p.guarded) {
		return cause
	}
	head, err := p.db.Head(ctx)
	if err != nil {
		return err
	}
	if err := p.Chain.Follow(ctx, head.Size); err != nil { // it may be signed with a new key
		return err
	}
	c, err := audit.OpenCheckpoint(held, p.keys.Origin, p.OwnVerifiers()...)
	if err != nil {
		return p.fail(fmt.Errorf("%w: %w", ErrGuard, err))
	}
	if c.Size > head.Size {
		return p.fail(fmt.Errorf("%w: another process published %d entries, the database has %d", ErrGuard, c.Size, head.Size))
	}
	root, err := audit.Root(c.Size, p.db.Tiles(ctx, head.Size))
	if err != nil {
		return err
	}
	if root != c.Root {
		return p.fail(fmt.Errorf("%w: another process published another tree of %d entries", ErrGuard, c.Size))
	}
	p.guarded = held
	p.set(Head{tlog.Tree{N: c.Size, Hash: c.Root}, held})
	if c.Size >= tree.N {
		return nil
	}
	return errRepeat
}

var errRepeat = errors.New("the guard was advanced by another process: look again")

// Last is the last published head, or why nothing may be signed any more.
func (p *Publisher) Last() (Head, error) {
	p.state.Lock()
	defer p.state.Unlock()
	return p.signed, p.broken
}

func (p *Publisher) set(s Head) {
	p.state.Lock()
	defer p.state.Unlock()
	if s.Tree.N <= p.signed.Tree.N {
		return
	}
	p.signed = s
	close(p.changed)
	p.changed = make(chan struct{})
}

// fail stops signing for good: a contradiction in the log is never repaired by
// trying again.
func (p *Publisher) fail(err error) error {
	p.state.Lock()
	defer p.state.Unlock()
	if p.broken == nil {
		p.broken = err
		p.log.Error("nothing will be signed any more", "error", err)
	}
	return p.broken
}

// covered waits until a published checkpoint covers the tree's entries, and returns
// it.
func (p *Publisher) covered(ctx context.Context, size int64) (Head, error) {
	for {
		p.state.Lock()
		s, broken, changed := p.signed, p.broken, p.changed
		p.state.Unlock()
		if s.Tree.N >= size {
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

// ErrNotCovered says that the change is committed but no checkpoint covers it yet.
var ErrNotCovered = errors.New("committed, but not yet covered by a published checkpoint")

// ErrNotCosigned says that a checkpoint covers what allows, and no witness has cosigned
// one that does, for which the requirement waits (ruling 29).
var ErrNotCosigned = fmt.Errorf("%w that a witness has cosigned", ErrNotCovered)

// publishWait is how long an allowing answer waits for its entries to be sequenced
// and signed (ruling 41).
const publishWait = time.Second

// Settle waits until what was committed is covered by a published checkpoint.
func (p *Publisher) Settle(ctx context.Context, c store.Committed) (Head, error) {
	if len(c.Entries) == 0 {
		return p.Last()
	}
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	if c.Tree.N > 0 { // the entries have their places: sign at once
		err := errRepeat
		for errors.Is(err, errRepeat) && ctx.Err() == nil { // another process advanced the guard: go on from there
			err = p.publish(ctx, c.Tree)
		}
		if err != nil {
			return Head{}, fmt.Errorf("%w: %w", ErrNotCovered, err)
		}
		s, err := p.covered(ctx, c.Tree.N)
		if err != nil {
			return s, fmt.Errorf("%w: %w", ErrNotCovered, err)
		}
		return s, nil
	}
	last := c.Entries[len(c.Entries)-1].ID
	for {
		grown := p.db.Changed(store.LogGrew)
		var at int64
		err := p.db.Read(ctx, func(tx *store.Tx) error {
			e, err := tx.EntryByID(last)
			at = e.Index
			return err
		})
		if err != nil {
			return Head{}, fmt.Errorf("%w: %w", ErrNotCovered, err)
		}
		if at != store.Unplaced {
			c.Entries[len(c.Entries)-1].Index = at // so that nobody looks for it again
			s, err := p.covered(ctx, at+1)
			if err != nil {
				return s, fmt.Errorf("%w: %w", ErrNotCovered, err)
			}
			return s, nil
		}
		select {
		case <-grown:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return Head{}, ErrNotCovered
		}
	}
}

// Publish sequences what is committed, signs it and records in the database that it
// did. The loop calls it; so may a command before it ends.
func (p *Publisher) Publish(ctx context.Context) error {
	if err := p.Sequence(ctx); err != nil {
		return err
	}
	return p.SaveSigned(ctx)
}

// Sequence gives committed entries their places, where that is not done yet, and signs.
func (p *Publisher) Sequence(ctx context.Context) error {
	var head store.Head
	var err error
	if p.db.Driver() == store.Postgres {
		head, err = p.db.Sequence(ctx, p.process)
	} else {
		head, err = p.db.Head(ctx)
	}
	if err != nil {
		return err
	}
	if err := p.publish(ctx, tlog.Tree{N: head.Size, Hash: head.Root}); err != nil && !errors.Is(err, errRepeat) {
		return err
	}
	return nil
}

// SaveSigned tells the database which checkpoint is published: outgoing events wait
// for it. It may lag behind; it never runs ahead.
func (p *Publisher) SaveSigned(ctx context.Context) error {
	s, err := p.Last()
	if err != nil {
		return err
	}
	p.state.Lock()
	behind := p.saved < s.Tree.N
	p.state.Unlock()
	if !behind {
		return nil
	}
	if err := p.db.SetSigned(ctx, s.Tree.N, s.Checkpoint); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	p.state.Lock()
	p.saved = max(p.saved, s.Tree.N)
	p.state.Unlock()
	return nil
}

// Checkpoint is the last published checkpoint, and nil before the first.
func (p *Publisher) Checkpoint() ([]byte, error) {
	s, err := p.Last()
	if err != nil {
		return nil, err
	}
	if s.Checkpoint == nil {
		return nil, nil
	}
	return s.Checkpoint, nil
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

// Prove returns the paths of entries.
func (p *Publisher) Prove(ctx context.Context) func(size, index int64) ([]tlog.Hash, error) {
	return func(size, index int64) ([]tlog.Hash, error) { return p.prover.inclusion(ctx, size, index) }
}

// Signed tells when another checkpoint is published: its channel is closed then.
func (p *Publisher) Signed() <-chan struct{} {
	p.state.Lock()
	defer p.state.Unlock()
	return p.changed
}

// Witnessed tells when a witness has cosigned more: its channel is closed then.
func (p *Publisher) Witnessed() <-chan struct{} {
	p.state.Lock()
	defer p.state.Unlock()
	return p.witnessed
}

// ReadGuard reads what the guard holds of this log.
func (p *Publisher) ReadGuard(ctx context.Context) ([]byte, error) {
	return p.guard.Load(ctx, p.keys.Origin)
}

// Rotating says that a rotation of the log's key is under way: until done is called,
// whoever publishes looks for its announcement.
func (p *Publisher) Rotating() (done func()) {
	p.rotating.Add(1)
	return func() { p.rotating.Add(-1) }
}
