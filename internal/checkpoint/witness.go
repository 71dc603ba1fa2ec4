package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Witness is somebody outside who cosigns what the log publishes, and who thereby
// notices when it forks or goes back (C2SP tlog-witness).
type Witness struct {
	Key string // of its cosignatures, as name+hash+base64
	// Ask posts a body to the witness's add-checkpoint. An error is of the way there;
	// whatever the witness answers is none. It bounds the answer and the time.
	Ask func(ctx context.Context, request []byte) (status int, contentType string, answer []byte, err error)
}

// MaxWitnesses is how many witnesses a log may have.
const MaxWitnesses = 5

// Bounds of asking a witness.
const (
	witnessPace   = 250 * time.Millisecond // at most so often, however fast the log grows
	witnessFirst  = time.Second            // after a failure, doubled each time
	witnessLater  = time.Minute            // at most
	witnessWithin = 10 * time.Second       // for one answer
)

// Answers of a witness: HTTP statuses (C2SP tlog-witness, add-checkpoint).
const (
	answerCosigned  = 200
	answerNoSuchKey = 403
	answerNoSuchLog = 404
	answerOtherSize = 409
	answerOtherTree = 422
)

// witness is one witness as this process knows it.
type witness struct {
	Witness
	verifier note.Verifier
	id       string // name+hash
	opened   time.Time

	asking sync.Mutex // held by whoever asks it
	size   int64      // what it knows, as far as we know

	mu      sync.Mutex // guards the fields below; never held while anybody waits
	has     int64      // what it has cosigned, and we have the cosignature of
	overdue bool
	judged  bool // whether this process has said so or so
}

func newWitnesses(given []Witness, now time.Time) ([]*witness, error) {
	if len(given) > MaxWitnesses {
		return nil, fmt.Errorf("%d witnesses: a log may have %d", len(given), MaxWitnesses)
	}
	var all []*witness
	for _, g := range given {
		v, err := verify.WitnessVerifier(g.Key)
		if err != nil {
			return nil, err
		}
		all = append(all, &witness{Witness: g, verifier: v, id: audit.KeyID(v), opened: now})
	}
	return all, nil
}

func (p *Publisher) witnessVerifiers() []note.Verifier {
	var all []note.Verifier
	for _, w := range p.witnesses {
		all = append(all, w.verifier)
	}
	return all
}

// openWitnesses takes up what was cosigned before. What the database says of it is
// believed only as far as it verifies.
func (p *Publisher) openWitnesses(ctx context.Context) error {
	if len(p.witnesses) == 0 {
		return nil
	}
	kept, err := p.db.Cosigned(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := audit.OpenCheckpoint(kept.Checkpoint, p.keys.Origin, p.OwnVerifiers()...)
	var by []string
	if err == nil {
		by, err = audit.Cosigners(kept.Checkpoint, p.witnessVerifiers()...)
	}
	if err == nil && c.Size <= p.signed.Tree.N {
		var root tlog.Hash
		if root, err = p.prover.root(ctx, p.signed.Tree.N, c.Size); err == nil && root != c.Root {
			err = fmt.Errorf("%w: the first %d entries are not those that a witness has cosigned (hint: %s)", ErrGuard, c.Size, recoverHint)
		}
	}
	switch {
	case errors.Is(err, ErrGuard):
		return err
	case err != nil:
		p.log.Warn("the stored cosigned checkpoint is not taken", "error", err)
		return nil
	case c.Size > p.signed.Tree.N: // of another replica, or of a log that is older now: the witness itself will tell
		return nil
	case len(by) == 0: // by witnesses that are no longer asked
		return nil
	}
	for _, w := range p.witnesses {
		for _, name := range by {
			if name == w.id {
				w.size, w.has = c.Size, c.Size
			}
		}
	}
	p.keepCosigned(Head{tlog.Tree{N: c.Size, Hash: c.Root}, kept.Checkpoint})
	return nil
}

// keepCosigned makes a cosigned checkpoint the one that is given out, and tells those
// who wait for it. Cosignatures of the same tree are put together.
func (p *Publisher) keepCosigned(s Head) Head {
	p.state.Lock()
	defer p.state.Unlock()
	if s.Tree.N < p.cosigned.Tree.N {
		return p.cosigned
	}
	if s.Tree.N == p.cosigned.Tree.N {
		both, err := audit.MergeCosignatures(p.cosigned.Checkpoint, s.Checkpoint)
		if err != nil {
			return p.cosigned
		}
		s.Checkpoint = both
	}
	p.cosigned = s
	if s.Tree.N == p.signed.Tree.N {
		p.signed.Checkpoint = s.Checkpoint
	}
	close(p.witnessed)
	p.witnessed = make(chan struct{})
	return s
}

// Best is the cosigned checkpoint where it covers so many entries, and the head
// otherwise.
func (p *Publisher) Best(head Head, size int64) Head {
	p.state.Lock()
	defer p.state.Unlock()
	if p.cosigned.Tree.N >= size && p.cosigned.Checkpoint != nil {
		return p.cosigned
	}
	return head
}

// FollowWitness asks a witness for every checkpoint that is published, one after
// another, and again at growing intervals where it does not answer. It begins with the
// checkpoint that is there: a witness that knows more than that tells so at once. After
// each time told hears what came of it.
func (p *Publisher) FollowWitness(ctx context.Context, id string, told func(error)) {
	pause := witnessFirst
	for ctx.Err() == nil {
		changed := p.Signed()
		err := p.AskWitness(ctx, id)
		told(err)

		wait, wake := witnessPace, changed
		if err != nil && ctx.Err() == nil {
			if errors.Is(err, ErrGuard) {
				return // nothing is signed any more, so that there is nothing to cosign
			}
			p.log.Warn("a witness did not cosign", "witness", id, "error", err, "again_in", pause)
			wait, wake, pause = pause, nil, min(2*pause, witnessLater)
		} else {
			pause = witnessFirst
		}

		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if wake == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
	}
}

// AskWitness asks the witness of that key (name+hash) to cosign the last published
// checkpoint, once. A witness that has seen another log than this is a
// [ContradictionError], and stops the signing.
func (p *Publisher) AskWitness(ctx context.Context, id string) error {
	w, err := p.witness(id)
	if err != nil {
		return err
	}
	return p.askWitness(ctx, w)
}

func (p *Publisher) witness(id string) (*witness, error) {
	for _, w := range p.witnesses {
		if w.id == id {
			return w, nil
		}
	}
	return nil, fmt.Errorf("there is no witness %s", id)
}

func (p *Publisher) askWitness(ctx context.Context, w *witness) error {
	w.asking.Lock()
	defer w.asking.Unlock()
	head, err := p.Last()
	if err != nil || head.Checkpoint == nil {
		return err
	}
	if w.size > head.Tree.N { // another replica is ahead; its checkpoint comes to us too
		return nil
	}
	plain, err := audit.Uncosigned(head.Checkpoint)
	if err != nil {
		return err
	}
	const tries = 4 // other replicas ask the same witness
	for range tries {
		path, err := audit.ConsistencyProof(w.size, head.Tree.N, p.db.Tiles(ctx, head.Tree.N))
		if err != nil {
			return err
		}
		request, err := audit.WitnessRequest(w.size, path, plain)
		if err != nil {
			return err
		}
		again, err := p.askOnce(ctx, w, Head{head.Tree, plain}, request)
		if !again || err != nil {
			return err
		}
	}
	return errors.New("it names another size each time")
}

// askOnce reports whether to ask again from the size that the witness knows.
func (p *Publisher) askOnce(ctx context.Context, w *witness, head Head, request []byte) (again bool, err error) {
	within, cancel := context.WithTimeout(ctx, witnessWithin)
	defer cancel()
	status, kind, answer, err := w.Ask(within, request)
	if err != nil {
		return false, err
	}
	switch status {
	case answerCosigned:
		cosigned, err := audit.Cosign(head.Checkpoint, answer, w.verifier, p.db.Now())
		if err != nil {
			return false, err
		}
		if err := p.keep(ctx, Head{head.Tree, cosigned}); err != nil {
			return false, err
		}
		w.size = head.Tree.N
		w.mu.Lock()
		defer w.mu.Unlock()
		w.has = w.size
		return false, nil
	case answerOtherSize:
		known, err := audit.WitnessSize(kind, answer)
		switch {
		case err != nil:
			return false, err
		case known > head.Tree.N:
			return false, p.ahead(ctx, w, known)
		case known == w.size:
			return false, fmt.Errorf("it refuses to go on from %d entries, which it says it knows", known)
		}
		w.size = known
		return true, nil
	case answerOtherTree:
		return false, p.forked(w, w.size, fmt.Errorf("it has cosigned another tree of %d entries than these", w.size))
	case answerNoSuchLog:
		return false, fmt.Errorf("it does not follow the log %s: give whoever runs it the log's name and public key", p.keys.Origin)
	case answerNoSuchKey:
		return false, errors.New("it does not accept the log's signature: give whoever runs it the log's present public key")
	}
	return false, fmt.Errorf("it answered with status %d", status)
}

// ahead handles a witness that has cosigned more than this process published. Another
// replica may have: the guard, which advances before any witness is asked, knows. A
// witness that knows more than the guard has seen a log that is not here any more.
func (p *Publisher) ahead(ctx context.Context, w *witness, known int64) error {
	held, err := p.guard.Load(ctx, p.keys.Origin)
	if err != nil {
		return fmt.Errorf("read the guard: %w", err)
	}
	published := int64(0)
	if c, err := Unsigned(held); err == nil {
		published = c.Size
	}
	if known <= published {
		w.size = known
		return nil
	}
	return p.forked(w, known, fmt.Errorf("it has cosigned %d entries, and %d were published here: the database is older", known, published))
}

// ContradictionError is a witness that has seen another log than this one. It is an
// [ErrGuard] too: nothing is signed any more.
type ContradictionError struct {
	Witness string // name+hash
	Size    int64  // of what the witness has cosigned
	Cause   error
	err     error
}

func (e *ContradictionError) Error() string { return e.err.Error() }
func (e *ContradictionError) Unwrap() error { return e.err }

// forked stops signing: the log is not the one that the witness has seen (ruling 31).
func (p *Publisher) forked(w *witness, size int64, cause error) error {
	err := p.fail(fmt.Errorf("%w: witness %s: %w (hint: %s)", ErrGuard, w.id, cause, recoverHint))
	return &ContradictionError{Witness: w.id, Size: size, Cause: cause, err: err}
}

// keep stores a cosigned checkpoint, together with what others have cosigned of it.
func (p *Publisher) keep(ctx context.Context, s Head) error {
	for range 5 { // other replicas store theirs
		old, err := p.db.Cosigned(ctx)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if old.Size == s.Tree.N {
			if both, err := audit.MergeCosignatures(s.Checkpoint, old.Checkpoint); err == nil {
				s.Checkpoint = both
			}
		}
		s = p.keepCosigned(s)
		if old.Size > s.Tree.N || string(old.Checkpoint) == string(s.Checkpoint) {
			return nil
		}
		if err = p.db.SetCosigned(ctx, old, store.Cosigned{Size: s.Tree.N, Checkpoint: s.Checkpoint}); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

// WitnessState is what is known of a witness.
type WitnessState struct {
	Witness  string // name+hash
	Cosigned int64  // entries of the last checkpoint that it has cosigned
	Overdue  bool   // it has cosigned nothing for over an hour, while there is something new

	Opened time.Time // since when this process asks it
	Judged bool      // whether it was called overdue or not, ever, by this process
}

// Witnesses says how far each witness has come.
func (p *Publisher) Witnesses() []WitnessState {
	var all []WitnessState
	for _, w := range p.witnesses {
		all = append(all, w.state())
	}
	return all
}

func (w *witness) state() WitnessState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WitnessState{Witness: w.id, Cosigned: w.has, Overdue: w.overdue, Opened: w.opened, Judged: w.judged}
}

// SetOverdue keeps whether a witness is overdue.
func (p *Publisher) SetOverdue(id string, overdue bool) {
	w, err := p.witness(id)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.overdue, w.judged = overdue, true
}

// WitnessKeys are the public keys of the witnesses, as name+hash+base64.
func (p *Publisher) WitnessKeys() []string {
	var all []string
	for _, w := range p.witnesses {
		all = append(all, w.Key)
	}
	return all
}

// CosignedOver reports whether a witness that is asked has cosigned so many entries.
func (p *Publisher) CosignedOver(size int64) bool {
	p.state.Lock()
	defer p.state.Unlock()
	return p.cosigned.Checkpoint != nil && p.cosigned.Tree.N >= size
}

// Unsigned reads a checkpoint whose signatures cannot be checked.
func Unsigned(data []byte) (audit.Checkpoint, error) {
	for i := 1; i < len(data); i++ {
		if data[i] == '\n' && data[i-1] == '\n' {
			return verify.ParseCheckpoint(string(data[:i]))
		}
	}
	return audit.Checkpoint{}, errors.New("no checkpoint")
}
