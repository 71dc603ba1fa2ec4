package authority

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
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
	overdueAfter  = time.Hour              // without a cosignature, while there is something new
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
	looked  bool // whether alerts of an earlier process were looked for
}

func newWitnesses(given []Witness, now time.Time) ([]*witness, error) {
	if len(given) > MaxWitnesses {
		return nil, fmt.Errorf("%d witnesses: a log may have %d", len(given), MaxWitnesses)
	}
	var all []*witness
	for _, g := range given {
		v, err := countersign.WitnessVerifier(g.Key)
		if err != nil {
			return nil, err
		}
		all = append(all, &witness{Witness: g, verifier: v, id: audit.KeyID(v), opened: now})
	}
	return all, nil
}

func (b *book) witnessVerifiers() []note.Verifier {
	var all []note.Verifier
	for _, w := range b.witnesses {
		all = append(all, w.verifier)
	}
	return all
}

// openWitnesses takes up what was cosigned before. What the database says of it is
// believed only as far as it verifies.
func (b *book) openWitnesses(ctx context.Context) error {
	if len(b.witnesses) == 0 {
		return nil
	}
	kept, err := b.a.db.Cosigned(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := audit.OpenCheckpoint(kept.Checkpoint, b.a.org.Origin, b.verifiers()...)
	var by []string
	if err == nil {
		by, err = audit.Cosigners(kept.Checkpoint, b.witnessVerifiers()...)
	}
	if err == nil && c.Size <= b.signed.tree.N {
		var root tlog.Hash
		if root, err = b.prover.root(ctx, b.signed.tree.N, c.Size); err == nil && root != c.Root {
			err = fmt.Errorf("%w: the first %d entries are not those that a witness has cosigned (hint: %s)", ErrGuard, c.Size, recoverHint)
		}
	}
	switch {
	case errors.Is(err, ErrGuard):
		return err
	case err != nil:
		b.a.log.Warn("the stored cosigned checkpoint is not taken", "error", err)
		return nil
	case c.Size > b.signed.tree.N: // of another replica, or of a log that is older now: the witness itself will tell
		return nil
	case len(by) == 0: // by witnesses that are no longer asked
		return nil
	}
	for _, w := range b.witnesses {
		for _, name := range by {
			if name == w.id {
				w.size, w.has = c.Size, c.Size
			}
		}
	}
	b.keepCosigned(signedHead{tlog.Tree{N: c.Size, Hash: c.Root}, kept.Checkpoint})
	return nil
}

// keepCosigned makes a cosigned checkpoint the one that is given out, and tells those
// who wait for it. Cosignatures of the same tree are put together.
func (b *book) keepCosigned(s signedHead) signedHead {
	b.state.Lock()
	defer b.state.Unlock()
	if s.tree.N < b.cosigned.tree.N {
		return b.cosigned
	}
	if s.tree.N == b.cosigned.tree.N {
		both, err := audit.MergeCosignatures(b.cosigned.checkpoint, s.checkpoint)
		if err != nil {
			return b.cosigned
		}
		s.checkpoint = both
	}
	b.cosigned = s
	if s.tree.N == b.signed.tree.N {
		b.signed.checkpoint = s.checkpoint
	}
	close(b.witnessed)
	b.witnessed = make(chan struct{})
	return s
}

// best is the cosigned checkpoint where it covers so many entries, and the head
// otherwise.
func (b *book) best(head signedHead, size int64) signedHead {
	b.state.Lock()
	defer b.state.Unlock()
	if b.cosigned.tree.N >= size && b.cosigned.checkpoint != nil {
		return b.cosigned
	}
	return head
}

// follow asks a witness for every checkpoint that is published, one after another, and
// again at growing intervals where it does not answer. It begins with the checkpoint
// that is there: a witness that knows more than that tells so at once.
func (a *Authority) follow(ctx context.Context, w *witness) {
	pause := witnessFirst
	for ctx.Err() == nil {
		a.book.state.Lock()
		changed := a.book.changed
		a.book.state.Unlock()
		err := a.AskWitness(ctx, w.id)
		wait, wake := witnessPace, changed
		if err != nil && ctx.Err() == nil {
			if errors.Is(err, ErrGuard) {
				return // nothing is signed any more, so that there is nothing to cosign
			}
			a.log.Warn("a witness did not cosign", "witness", w.id, "error", err, "again_in", pause)
			wait, wake, pause = pause, nil, min(2*pause, witnessLater)
		} else {
			pause = witnessFirst
		}
		if err := a.noteOverdue(ctx, w); err != nil && ctx.Err() == nil {
			a.log.Error("the alert about an overdue witness could not be written", "witness", w.id, "error", err)
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
// checkpoint, once. The loop does it by itself.
func (a *Authority) AskWitness(ctx context.Context, id string) error {
	for _, w := range a.book.witnesses {
		if w.id == id {
			err := a.askWitness(ctx, w)
			a.metrics.witnessAnswered(w, err)
			return err
		}
	}
	return fmt.Errorf("there is no witness %s", id)
}

func (a *Authority) askWitness(ctx context.Context, w *witness) error {
	w.asking.Lock()
	defer w.asking.Unlock()
	head, err := a.book.last()
	if err != nil || head.checkpoint == nil {
		return err
	}
	if w.size > head.tree.N { // another replica is ahead; its checkpoint comes to us too
		return nil
	}
	plain, err := audit.Uncosigned(head.checkpoint)
	if err != nil {
		return err
	}
	const tries = 4 // other replicas ask the same witness
	for range tries {
		path, err := audit.ConsistencyProof(w.size, head.tree.N, a.db.Tiles(ctx, head.tree.N))
		if err != nil {
			return err
		}
		request, err := audit.WitnessRequest(w.size, path, plain)
		if err != nil {
			return err
		}
		again, err := a.askOnce(ctx, w, signedHead{head.tree, plain}, request)
		if !again || err != nil {
			return err
		}
	}
	return errors.New("it names another size each time")
}

// askOnce reports whether to ask again from the size that the witness knows.
func (a *Authority) askOnce(ctx context.Context, w *witness, head signedHead, request []byte) (again bool, err error) {
	within, cancel := context.WithTimeout(ctx, witnessWithin)
	defer cancel()
	status, kind, answer, err := w.Ask(within, request)
	if err != nil {
		return false, err
	}
	switch status {
	case answerCosigned:
		cosigned, err := audit.Cosign(head.checkpoint, answer, w.verifier, a.db.Now())
		if err != nil {
			return false, err
		}
		if err := a.keep(ctx, signedHead{head.tree, cosigned}); err != nil {
			return false, err
		}
		w.size = head.tree.N
		w.mu.Lock()
		defer w.mu.Unlock()
		w.has = w.size
		return false, nil
	case answerOtherSize:
		known, err := audit.WitnessSize(kind, answer)
		switch {
		case err != nil:
			return false, err
		case known > head.tree.N:
			return false, a.ahead(ctx, w, known)
		case known == w.size:
			return false, fmt.Errorf("it refuses to go on from %d entries, which it says it knows", known)
		}
		w.size = known
		return true, nil
	case answerOtherTree:
		return false, a.forked(ctx, w, w.size, fmt.Errorf("it has cosigned another tree of %d entries than these", w.size))
	case answerNoSuchLog:
		return false, fmt.Errorf("it does not follow the log %s: give whoever runs it the log's name and public key", a.org.Origin)
	case answerNoSuchKey:
		return false, errors.New("it does not accept the log's signature: give whoever runs it the log's present public key")
	}
	return false, fmt.Errorf("it answered with status %d", status)
}

// ahead handles a witness that has cosigned more than this process published. Another
// replica may have: the guard, which advances before any witness is asked, knows. A
// witness that knows more than the guard has seen a log that is not here any more.
func (a *Authority) ahead(ctx context.Context, w *witness, known int64) error {
	held, err := a.book.guard.Load(ctx, a.org.Origin)
	if err != nil {
		return fmt.Errorf("read the guard: %w", err)
	}
	published := int64(0)
	if c, err := unsignedCheckpoint(held); err == nil {
		published = c.Size
	}
	if known <= published {
		w.size = known
		return nil
	}
	return a.forked(ctx, w, known, fmt.Errorf("it has cosigned %d entries, and %d were published here: the database is older", known, published))
}

// forked stops signing, and says so as loudly as can be: the log is not the one that
// the witness has seen (ruling 31).
func (a *Authority) forked(ctx context.Context, w *witness, size int64, cause error) error {
	err := a.book.fail(fmt.Errorf("%w: witness %s: %w (hint: %s)", ErrGuard, w.id, cause, recoverHint))
	_, alert := a.db.Write(ctx, func(tx *store.Tx) error {
		return a.raise(tx, newAlert{about: store.AboutOrganisation, severity: "critical", external: "witness:" + w.id + ":" + strconv.FormatInt(size, 10), days: maxAlertDays,
			title: "a witness has seen another log than this one, and nothing is signed any more: " + cause.Error()})
	})
	if alert != nil {
		a.log.Error("the alert about a forked log could not be written", "error", alert)
	}
	return err
}

// keep stores a cosigned checkpoint, together with what others have cosigned of it.
func (a *Authority) keep(ctx context.Context, s signedHead) error {
	for range 5 { // other replicas store theirs
		old, err := a.db.Cosigned(ctx)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if old.Size == s.tree.N {
			if both, err := audit.MergeCosignatures(s.checkpoint, old.Checkpoint); err == nil {
				s.checkpoint = both
			}
		}
		s = a.book.keepCosigned(s)
		if old.Size > s.tree.N || string(old.Checkpoint) == string(s.checkpoint) {
			return nil
		}
		if err = a.db.SetCosigned(ctx, old, store.Cosigned{Size: s.tree.N, Checkpoint: s.checkpoint}); !errors.Is(err, store.ErrConflict) {
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
}

// Witnesses says how far each witness has come.
func (a *Authority) Witnesses() []WitnessState {
	var all []WitnessState
	for _, w := range a.book.witnesses {
		w.mu.Lock()
		all = append(all, WitnessState{w.id, w.has, w.overdue})
		w.mu.Unlock()
	}
	return all
}

// WitnessKeys are the public keys of the witnesses, as name+hash+base64.
func (a *Authority) WitnessKeys() []string {
	var all []string
	for _, w := range a.book.witnesses {
		all = append(all, w.Key)
	}
	return all
}

// witnessName is the name of a witness without its key's hash.
func witnessName(id string) string {
	name, _, _ := strings.Cut(id, "+")
	return name
}
