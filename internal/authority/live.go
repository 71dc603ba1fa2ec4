package authority

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Change says that something that a person may see has changed.
type Change struct {
	Request string                // req_…; "" with Resync
	Type    countersign.EntryType // what happened
	Status  countersign.Status    // of the request now
	Actor   string                // per_…, key_…, "system", "operator"
	Index   int64                 // of the log entry
	// Resync says that changes were missed, because whoever reads was too slow: look at
	// everything again. It is the last that comes before the channel is closed.
	Resync bool
}

// Watch tells a signed-in person of changes of requests that they may see, by this
// process at once and by other replicas within about a second. A request that passed
// undisturbed is no change that anybody is told of. The channel is closed when ctx ends,
// when the session ends or expires (within a few seconds), and after a Resync. Watching
// does not keep a session alive.
func (a *Authority) Watch(ctx context.Context, s Session) (<-chan Change, error) {
	if s.Request() == "" {
		if err := s.browse(); err != nil {
			return nil, err
		}
	}
	head, err := a.db.Head(ctx)
	if err != nil {
		return nil, fault(err)
	}
	w := &watcher{session: s, changes: make(chan Change, watchBuffer+1)}
	if a.live.join(w, head.Size) {
		go a.feed()
	}
	context.AfterFunc(ctx, func() { a.live.leave(w) })
	return w.changes, nil
}

const (
	watchBuffer = 64                     // changes that wait for one reader
	feedEvery   = 100 * time.Millisecond // at most so often, however much is written
	feedPoll    = time.Second            // for what other replicas write
	feedBatch   = 500                    // entries that are read at once
	stillThere  = 2 * time.Second        // how long what is known of a watcher is taken to hold
)

// liveFeed tells watchers what the log tells it. One goroutine feeds all of them while
// there are any. Its zero value is ready.
type liveFeed struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
	next     int64 // index of the log's entry that is told of next
	running  bool
}

// watcher is one reader of changes. Only the feed sends to it, and whoever closes the
// channel holds the feed's lock.
type watcher struct {
	session Session
	changes chan Change

	// of the feeding goroutine alone
	viewer viewer
	gen    int64     // of the facts when it was read
	read   time.Time // when it was; zero before the first time
}

// join adds a watcher, and reports whether the feed has to be started.
func (f *liveFeed) join(w *watcher, size int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = map[*watcher]bool{}
	}
	f.watchers[w] = true
	if f.running {
		return false
	}
	f.running, f.next = true, size
	return true
}

// leave ends a watcher, once.
func (f *liveFeed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(w)
}

func (f *liveFeed) end(w *watcher) {
	if f.watchers[w] {
		delete(f.watchers, w)
		close(w.changes)
	}
}

// all are the watchers now; none means that the feed has stopped.
func (f *liveFeed) all() []*watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) == 0 {
		f.running = false
		return nil
	}
	return slices.Collect(maps.Keys(f.watchers))
}

// stop ends everybody: there is nothing to tell any more.
func (f *liveFeed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		f.end(w)
	}
	f.running = false
}

// tell hands a change to a watcher. The last free place is kept for saying that some
// were missed: whoever does not read in time looks at everything again.
func (f *liveFeed) tell(w *watcher, c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.watchers[w]:
	case len(w.changes) < watchBuffer:
		w.changes <- c
	default:
		w.changes <- Change{Resync: true}
		f.end(w)
	}
}

// feed reads what is new in the log and tells it, until nobody watches any more. It is
// woken by what this process writes, and looks by itself for what others do.
func (a *Authority) feed() {
	ctx := context.Background()
	for {
		grown := a.db.Changed(store.LogGrew)
		all := a.live.all()
		if all == nil {
			return
		}
		if err := a.feedOnce(ctx, all); errors.Is(err, store.ErrClosed) {
			a.live.stop()
			return
		} else if err != nil {
			a.log.Warn("the pages cannot be told what is new", "error", err)
		}
		time.Sleep(feedEvery)
		poll := time.NewTimer(feedPoll)
		select {
		case <-grown:
		case <-poll.C:
		}
		poll.Stop()
	}
}

// feedOnce tells everything that is new.
func (a *Authority) feedOnce(ctx context.Context, all []*watcher) error {
	for {
		var out []told
		var over []*watcher
		next, full := a.live.next, false
		err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
			out, over = nil, nil
			if over, err = a.lookAtWatchers(tx, all); err != nil {
				return err
			}
			entries, err := tx.Entries(a.live.next, feedBatch)
			if err != nil || len(entries) == 0 {
				return err
			}
			next, full = entries[len(entries)-1].Index+1, len(entries) == feedBatch
			out, err = a.changes(tx, entries, all)
			return err
		})
		if err != nil {
			return err
		}
		for _, w := range over {
			a.live.leave(w)
		}
		for _, t := range out {
			a.live.tell(t.to, t.change)
		}
		if a.live.next = next; !full {
			return nil
		}
	}
}

type told struct {
	to     *watcher
	change Change
}

// lookAtWatchers reads anew what watchers may see, and finds those whose session is over.
func (a *Authority) lookAtWatchers(tx *store.Tx, all []*watcher) (over []*watcher, err error) {
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if age := tx.Now().Sub(w.read); !w.read.IsZero() && w.gen == at.gen && age >= 0 && age < stillThere {
			continue
		}
		lives, err := stillLives(tx, w.session, at.settings.sessionLimits())
		if err != nil {
			return nil, err
		}
		if !lives {
			over = append(over, w)
			w.viewer, w.read = viewer{}, time.Time{} // sees nothing more
			continue
		}
		if w.viewer, err = viewerOf(tx, w.session); err != nil {
			return nil, err
		}
		w.gen, w.read = at.gen, tx.Now()
	}
	return over, nil
}

// stillLives reports whether a session is alive, without using it.
func stillLives(tx *store.Tx, s Session, limits authn.SessionLimits) (bool, error) {
	row, err := tx.SessionByToken(s.hash)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	var f authn.Session
	if err := json.Unmarshal([]byte(row.Facts), &f); err != nil {
		return false, err
	}
	if _, err := f.Live(limits, tx.Now()); err != nil {
		return false, nil
	}
	p, err := tx.Person(row.Person)
	if err != nil || !p.Active {
		return false, err
	}
	return opened(tx, f)
}

// changes finds out what to tell whom about entries.
func (a *Authority) changes(tx *store.Tx, entries []store.Entry, all []*watcher) ([]told, error) {
	type event struct {
		leaf  countersign.Leaf
		index int64
	}
	var events []event
	var ids []string
	for _, e := range entries {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, err
		}
		silent := leaf.Type == countersign.EntryRequestSubmitted && leaf.Facts["outcome"] == string(countersign.OutcomeAllow)
		if silent || !countersign.IsID(countersign.PrefixRequest, leaf.Subject) {
			continue
		}
		events = append(events, event{leaf, e.Index})
		ids = append(ids, leaf.Subject)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := tx.ApprovalsByID(ids)
	if err != nil {
		return nil, err
	}
	files := map[string]*caseFile{}
	for id, row := range rows {
		if files[id], err = light(row); errors.Is(err, errTampered) {
			delete(files, id) // its own page says so
		} else if err != nil {
			return nil, err
		}
	}
	var out []told
	for _, e := range events {
		c := files[e.leaf.Subject]
		if c == nil {
			continue
		}
		change := Change{Request: c.row.ID, Type: e.leaf.Type, Status: c.state.Status, Actor: e.leaf.Actor, Index: e.index}
		for _, w := range all {
			if c.sees(w.viewer) {
				out = append(out, told{w, change})
			}
		}
	}
	return out, nil
}
