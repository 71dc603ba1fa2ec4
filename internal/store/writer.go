package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"
	"modernc.org/sqlite"
)

// maxBatch bounds the functions in one commit, and so how long the first one waits.
const maxBatch = 256

// liteWriter is the one goroutine that writes to SQLite. It commits in groups: while
// it runs the functions of one group others queue up, and they become the next
// group. There is no artificial delay: a lone caller is a group of one.
type liteWriter struct {
	engine *engine
	path   string
	conn   *liteConn // nil after a failure, until it is opened again
	queue  chan *job
	logs   map[string]*openLog
	batch  []*job

	mu      sync.RWMutex // held for reading while handing in, so that stop can close the queue
	stopped bool
	ended   chan struct{}
}

// job is one function that waits to be run and committed.
type job struct {
	work
	state atomic.Int32
	done  chan result
	refs  []EntryRef
	jobs  int
	err   error
}

type result struct {
	committed Committed
	err       error
}

// The states of a job: either the writer starts it or the caller withdraws it.
const (
	jobWaiting int32 = iota
	jobStarted
	jobWithdrawn
)

func startWriter(e *engine, path string, c *liteConn) *liteWriter {
	w := &liteWriter{engine: e, path: path, conn: c, queue: make(chan *job, 4*maxBatch),
		logs: map[string]*openLog{}, ended: make(chan struct{})}
	go w.loop()
	return w
}

// submit hands a function in and waits for its commit.
func (w *liteWriter) submit(ctx context.Context, wk work) (Committed, error) {
	j := &job{work: wk, done: make(chan result, 1)}
	w.mu.RLock()
	if w.stopped {
		w.mu.RUnlock()
		return Committed{}, ErrClosed
	}
	w.engine.stats.waiting.Add(1)
	select {
	case w.queue <- j:
		w.mu.RUnlock()
	case <-ctx.Done():
		w.mu.RUnlock()
		w.engine.stats.waiting.Add(-1)
		return Committed{}, ctx.Err()
	}
	select {
	case r := <-j.done:
		return r.committed, r.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobWithdrawn) {
			return Committed{}, ctx.Err()
		}
		r := <-j.done // it has started: its outcome is awaited, not guessed
		return r.committed, r.err
	}
}

// stop lets the queue run empty and closes the connection.
func (w *liteWriter) stop() error {
	w.mu.Lock()
	if !w.stopped {
		w.stopped = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
	if w.conn == nil {
		return nil
	}
	return w.conn.close()
}

func (w *liteWriter) loop() {
	finished := false
	defer func() {
		if finished {
			close(w.ended)
			return
		}
		// A function ended this goroutine (runtime.Goexit): it is the only one to
		// blame, but its group cannot be continued from here.
		w.abort(errGoexit)
		go w.loop()
	}()
	for first := range w.queue {
		w.group(first)
	}
	finished = true
}

// group runs the functions that wait, commits them, and answers them.
//
// It is confident first: functions run without a savepoint each, which saves a part of
// every commit. Should one fail after it has written something, everything is rolled
// back and the group runs again, each function under its own savepoint, so that only
// the one that failed is lost.
func (w *liteWriter) group(first *job) {
	w.batch = w.batch[:0]
	// Only those who wait already: a group that took in whoever comes while it runs would
	// make its first callers wait for its last, and leave the rest of the machine idle
	// meanwhile.
	waiting := len(w.queue)
	for j := first; j != nil; j = w.next(&waiting) {
		w.take(j)
	}
	err := w.runAll(false)
	if errors.Is(err, errAgain) {
		clear(w.logs)
		if _, err = w.conn.exec("ROLLBACK", nil); err == nil {
			err = w.runAll(true)
		}
	}
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		w.abort(err)
		return
	}
	w.answer()
}

// errAgain says that a function failed after it had written something.
var errAgain = errors.New("the group must run again, each function under its own savepoint")

// runAll begins a transaction and runs the group's functions in it.
func (w *liteWriter) runAll(savepoints bool) error {
	if err := w.begin(); err != nil {
		return err
	}
	for _, j := range w.batch {
		if err := w.run(j, savepoints); err != nil {
			return err
		}
	}
	return nil
}

// next is the next function that waits, or nil when none does or the group is full.
func (w *liteWriter) next(waiting *int) *job {
	if *waiting--; *waiting < 0 || len(w.batch) >= maxBatch {
		return nil
	}
	select {
	case j := <-w.queue: // nil when the queue was closed
		return j
	default:
		return nil
	}
}

// take puts a function into the group, unless its caller has withdrawn it.
func (w *liteWriter) take(j *job) bool {
	w.engine.stats.waiting.Add(-1)
	if !j.state.CompareAndSwap(jobWaiting, jobStarted) {
		return false
	}
	w.batch = append(w.batch, j)
	return true
}

func (w *liteWriter) begin() error {
	if w.conn == nil {
		c, err := openLite(context.Background(), w.path, false)
		if err != nil {
			return err
		}
		w.conn = c
	}
	_, err := w.conn.exec("BEGIN IMMEDIATE", nil)
	return classify(err)
}

// run runs one function, under a savepoint or without. Its own error is kept for its
// caller; an error that is returned ends the whole group.
func (w *liteWriter) run(j *job, savepoint bool) error {
	if savepoint {
		if _, err := w.conn.exec("SAVEPOINT job", nil); err != nil {
			return classify(err)
		}
	}
	log := &groupLog{writer: w, org: j.org}
	tx := &Tx{engine: w.engine, trips: j.trips, org: j.org, now: w.engine.Now(), s: w.conn, log: log}
	j.err = call(tx.began(), j.fn)
	j.refs, j.jobs = tx.entries, tx.jobs
	if !savepoint {
		switch {
		case errors.Is(tx.failed, ErrFull):
			return tx.failed
		case j.err != nil && tx.wrote:
			return errAgain
		}
		return nil
	}
	if j.err == nil {
		_, err := w.conn.exec("RELEASE job", nil)
		return classify(err)
	}
	log.undo()
	if errors.Is(tx.failed, ErrFull) { // SQLite may have rolled everything back already
		return tx.failed
	}
	if _, err := w.conn.exec("ROLLBACK TO job", nil); err != nil {
		return classify(err)
	}
	_, err := w.conn.exec("RELEASE job", nil)
	return classify(err)
}

// commit gives the new entries their places in the tree, and syncs.
func (w *liteWriter) commit() error {
	for _, l := range w.logs {
		if err := l.sequence(w.engine, w.conn); err != nil {
			return err
		}
	}
	_, err := w.conn.exec("COMMIT", nil)
	var lite *sqlite.Error
	if errors.As(err, &lite) && lite.Code()&0xff == sqliteIOErr {
		// The sync failed: what reached the disk is not known.
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, classify(err))
	}
	return classify(err)
}

// answer tells every caller of the group what became of its function.
func (w *liteWriter) answer() {
	good, outbox, grew := int64(0), false, false
	for _, l := range w.logs {
		grew = l.committed(&w.engine.tiles) || grew
	}
	for _, j := range w.batch {
		if j.err != nil {
			w.engine.stats.failed.Add(1)
			continue
		}
		good++
		outbox = outbox || j.jobs > 0
	}
	w.engine.stats.committed(good)
	for i, j := range w.batch {
		w.batch[i] = nil
		if j.err != nil {
			j.done <- result{err: j.err}
			continue
		}
		c := Committed{Entries: j.refs}
		if len(j.refs) > 0 {
			if l := w.logs[j.org]; l != nil {
				c.Tree = tlog.Tree{N: l.size, Hash: l.root}
			}
		}
		j.done <- result{committed: c}
	}
	w.engine.done(grew, outbox)
}

// abort throws the group away: nothing of it was committed. The connection is opened
// anew, since nobody knows what a failing disk left it in.
func (w *liteWriter) abort(err error) {
	clear(w.logs)
	if w.conn != nil {
		w.conn.exec("ROLLBACK", nil)
		w.conn.close()
		w.conn = nil
	}
	for i, j := range w.batch {
		w.batch[i] = nil
		own := j.err
		switch {
		case own != nil && !errors.Is(own, ErrFull): // it failed by itself, before
		case errors.Is(err, ErrUnknownOutcome):
			own = err
		default:
			own = fmt.Errorf("nothing was written: %w", err)
		}
		w.engine.stats.failed.Add(1)
		j.done <- result{err: own}
	}
	w.batch = w.batch[:0]
}
