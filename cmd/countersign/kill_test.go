package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit/steady"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
)

// TestKilledUnderLoad: the built server is killed 25 times while it submits, decides
// and releases, on either database. Whatever it had acknowledged is there each time;
// no decision is without its entry and no entry without its decision; the tree is the
// one that the entries give; nothing is published that is not there; what was asked
// again gets the same answer; and the log goes on.
func TestKilledUnderLoad(t *testing.T) {
	kills := 25
	if testing.Short() {
		kills = 3
	}
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		t.Parallel()
		if cfg.Driver == store.SQLite {
			cfg = inFolder(t)
		}
		chance := rand.New(rand.NewPCG(steady.Seed(t), 1))
		l := &load{plant: newPlant(t, cfg), acked: map[string]*acked{}}
		l.start()
		for range kills {
			l.run(time.Duration(250+chance.IntN(350))*time.Millisecond, l.kill)
			l.inspect()
			l.start()
			l.again()
		}
		l.exported()
		l.kill()
		l.whole()
		t.Logf("%d kills: %d submissions, %d decisions and %d releases acknowledged, %d calls cut off; %d entries", kills, l.submitted.Load(), l.decided.Load(), l.released.Load(), l.cut.Load(), l.checked)
		if l.cut.Load() < int64(kills) || l.decided.Load() == 0 || l.released.Load() == 0 {
			t.Errorf("too little was under way for the kills to prove anything")
		}
	})
}

// inFolder is a fresh SQLite database where serve looks for it.
func inFolder(t testing.TB) store.Config {
	return store.Config{Driver: store.SQLite, Path: filepath.Join(t.TempDir(), dataFile)}
}

// load is what callers do to the server, and what it acknowledged to them.
type load struct {
	*plant
	round int

	mu     sync.Mutex
	acked  map[string]*acked // by document id
	doubt  []string          // document ids whose submission was cut off
	recent []string          // document ids acknowledged in this round

	submitted, decided, released, cut atomic.Int64
	checked                           int64 // entries that were looked at
}

// acked is what the callers were told about one document. Fields only ever advance.
type acked struct {
	document  json.RawMessage
	id        string // of the request
	status    countersign.Status
	execution string // of the release that was asked for
	lease     string // of the release that was answered
	receipt   []byte
}

// run loads the server from several callers, and lets the end come in the midst.
func (l *load) run(d time.Duration, end func()) {
	l.round++
	l.recent, l.doubt = nil, nil
	before := l.decided.Load()
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() { l.buy(ctx, n) })
	}
	for _, login := range []string{"marta", "daniel"} {
		all.Go(func() { l.approve(ctx, l.people[login]) })
	}
	time.Sleep(d)
	steady.Until(l.t, "the first decision", func() bool { return l.decided.Load() > before })
	end()
	stop()
	all.Wait()
}

// failed counts a call that was cut off; any answer that is a refusal is an error.
func (l *load) failed(what string, err error) {
	if isProblem(err) && !unavailable(err) {
		l.t.Errorf("%s: %v", what, err)
	}
	l.cut.Add(1)
}

// buy submits small orders and releases some of them.
func (l *load) buy(ctx context.Context, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("PO-%d-%d-%d", l.round, n, i)
		a := &acked{document: purchase(name, "9.00")}
		out, err := l.submit(a.document)
		if err != nil {
			l.uncertain(name, a)
			l.failed("submit "+name, err)
			return
		}
		l.acknowledge(name, a, out)
		l.submitted.Add(1)
		if i%3 == 0 && !l.execute(name, a) {
			return
		}
	}
}

// approve submits large orders, approves them with a passkey, and releases them.
func (l *load) approve(ctx context.Context, w *worker) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("LARGE-%d-%s-%d", l.round, w.login, i)
		a := &acked{document: purchase(name, "30000.00")}
		out, err := l.submit(a.document)
		if err != nil {
			l.uncertain(name, a)
			l.failed("submit "+name, err)
			return
		}
		l.acknowledge(name, a, out)
		if out, err = l.decide(w, out); err != nil {
			l.failed("decide "+name, err)
			return
		}
		if out.Status != countersign.StatusApproved && len(out.Missing) == 0 {
			l.t.Errorf("%s is %s after its decision", name, out.Status)
		}
		l.acknowledge(name, a, out)
		l.decided.Add(1)
		if out.Status == countersign.StatusApproved && !l.execute(name, a) {
			return
		}
	}
}

func (l *load) execute(name string, a *acked) bool {
	if a.status != countersign.StatusApproved {
		return true // not signed yet: its entry waits (ruling 41)
	}
	l.mu.Lock()
	a.execution = "run-" + name
	l.mu.Unlock()
	out, err := l.release(a.id, a.document, a.execution)
	if err != nil {
		l.failed("release "+name, err)
		return false
	}
	l.mu.Lock()
	a.status, a.lease = out.Status, out.Lease
	l.mu.Unlock()
	l.released.Add(1)
	return true
}

func (l *load) acknowledge(name string, a *acked, out *countersign.Approval) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.id, a.status = out.ID, out.Status
	if out.Receipt != nil {
		a.receipt = out.Receipt
	}
	l.acked[name] = a
	l.recent = append(l.recent, name)
}

func (l *load) uncertain(name string, a *acked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[name] = a
	l.doubt = append(l.doubt, name)
}

// inspect looks at what the dead server left, without any of its own code running.
func (l *load) inspect() {
	ctx := context.Background()
	db, err := store.OpenReader(ctx, l.cfg)
	l.must(err)
	defer db.Close()
	head, err := db.CheckEdge(ctx)
	l.must(err)
	l.published(ctx, db, head)
	l.must(db.Read(ctx, func(tx *store.Tx) error {
		for _, name := range l.recent {
			if err := kept(tx, name, l.acked[name]); err != nil {
				return err
			}
		}
		var orphans int64
		err := tx.Row(`SELECT (SELECT COUNT(*) FROM decision d WHERE d.org_id = $1 AND NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.org_id = $1 AND e.id = d.entry_id AND e.subject = d.approval_id))
			+ (SELECT COUNT(*) FROM approval a WHERE a.org_id = $1 AND NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.org_id = $1 AND e.id = a.entry_id AND e.subject = a.id))`).Scan(&orphans)
		if err == nil && orphans > 0 {
			err = fmt.Errorf("%d requests and decisions are without their entry", orphans)
		}
		return err
	}))
	l.entries(ctx, db, head.Size)
}

// kept checks that what was acknowledged is there.
func kept(tx *store.Tx, name string, a *acked) error {
	row, err := tx.Approval(a.id)
	if err != nil {
		return fmt.Errorf("%s was acknowledged as %s: %w", name, a.id, err)
	}
	rank := map[countersign.Status]int{countersign.StatusPending: 1, countersign.StatusApproved: 2, countersign.StatusReleased: 3}
	if row.Object != name || rank[row.Status] < rank[a.status] {
		return fmt.Errorf("%s was acknowledged as %s, and is %s of %s", name, a.status, row.Status, row.Object)
	}
	return nil
}

// entries looks at the entries since the last kill: each is of something that is there.
func (l *load) entries(ctx context.Context, db *store.DB, size int64) {
	for l.checked < size {
		l.must(db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Entries(l.checked, 500)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return fmt.Errorf("entry %d is missing", l.checked)
			}
			for _, r := range rows {
				leaf, err := countersign.ParseLeaf(r.Leaf)
				if err != nil || r.Index != l.checked {
					return fmt.Errorf("entry %d, want %d: %v", r.Index, l.checked, err)
				}
				if err := stands(tx, leaf); err != nil {
					return fmt.Errorf("entry %d: %w", r.Index, err)
				}
				l.checked++
			}
			return nil
		}))
	}
}

// stands checks that what an entry tells is there.
func stands(tx *store.Tx, leaf countersign.Leaf) error {
	switch leaf.Type {
	case countersign.EntryRequestSubmitted:
		_, err := tx.Approval(leaf.Subject)
		return err
	case countersign.EntryDecisionMade:
		all, err := tx.Decisions(leaf.Subject)
		for _, d := range all {
			if d.ID == leaf.Facts["decision"] {
				return err
			}
		}
		return errors.Join(err, fmt.Errorf("the decision %s is not there", leaf.Facts["decision"]))
	case countersign.EntryRequestReleased:
		row, err := tx.Approval(leaf.Subject)
		if err == nil && row.Status != countersign.StatusReleased {
			err = fmt.Errorf("%s is %s", row.ID, row.Status)
		}
		return err
	}
	return nil
}

// published compares the log with the guard, and with every receipt of this round: an
// answer that allows something had its checkpoint in the guard before it left.
func (l *load) published(ctx context.Context, db *store.DB, head store.Head) {
	guard, err := store.OpenFileGuard(filepath.Join(l.dir, "guard"))
	l.must(err)
	defer guard.Close()
	held, err := guard.Load(ctx, head.Origin)
	l.must(err)
	keys, err := checkpoint.OpenKeys(filepath.Join(l.dir, "keys"), head.Origin)
	l.must(err)
	v, err := note.NewVerifier(keys.Verifiers()[0])
	l.must(err)
	c, err := audit.OpenCheckpoint(held, head.Origin, v)
	l.must(err)
	root, err := audit.Root(c.Size, db.Tiles(ctx, head.Size))
	l.must(err)
	if c.Size > head.Size || root != c.Root || head.SignedSize > c.Size {
		l.t.Fatalf("the guard has %d entries, the database %d, of which it believes %d published; the roots agree: %v", c.Size, head.Size, head.SignedSize, root == c.Root)
	}
	for i, name := range l.recent {
		a := l.acked[name]
		if a.receipt == nil || i%20 != 0 && i < len(l.recent)-16 { // the last ones tell most
			continue
		}
		r, err := verify.Receipt(a.receipt, verify.Options{Keys: keys.Verifiers()})
		l.must(err)
		if r.Checkpoint.Size > c.Size {
			l.t.Fatalf("the receipt of %s is of %d entries, the guard has %d", name, r.Checkpoint.Size, c.Size)
		}
	}
}

// again asks for what was acknowledged, and for what was cut off, a second time.
func (l *load) again() {
	l.t.Helper()
	for i, name := range append(l.doubt, l.recent...) {
		a := l.acked[name]
		if i >= len(l.doubt) && i%10 != 0 {
			continue
		}
		out, err := patient(func() (*countersign.Approval, error) { return l.submit(a.document) })
		l.must(err)
		if a.id != "" && out.ID != a.id {
			l.t.Fatalf("%s was %s, and is %s when it is submitted again", name, a.id, out.ID)
		}
		a.id = out.ID
		if out.Status == countersign.StatusApproved {
			a.status = out.Status
		}
	}
	for _, name := range l.recent {
		if a := l.acked[name]; a.execution != "" {
			l.releasedAgain(name, a)
		}
	}
}

// patient asks again while the answer is that it is not signed yet: on PostgreSQL the
// dead server's lease on giving places runs for two seconds more.
func patient[T any](ask func() (T, error)) (T, error) {
	for end := time.Now().Add(steady.Limit); ; time.Sleep(50 * time.Millisecond) {
		out, err := ask()
		if !unavailable(err) || time.Now().After(end) {
			return out, err
		}
	}
}

// releasedAgain repeats a release: the same execution gets the same answer, another is
// refused.
func (l *load) releasedAgain(name string, a *acked) {
	l.t.Helper()
	out, err := patient(func() (*countersign.ReleaseAnswer, error) { return l.release(a.id, a.document, a.execution) })
	l.must(err)
	if out.Status != countersign.StatusReleased || a.lease != "" && out.Lease != a.lease {
		l.t.Fatalf("%s was released under the lease %s, and again under %s (%s)", name, a.lease, out.Lease, out.Status)
	}
	if a.lease == "" { // cut off, and now known
		a.lease, a.status = out.Lease, out.Status
		_, err := patient(func() (*countersign.ReleaseAnswer, error) { return l.release(a.id, a.document, "another-"+name) })
		var p *countersign.Problem
		if !errors.As(err, &p) || p.Status != 409 {
			l.t.Fatalf("%s was released twice: %v", name, err)
		}
	}
}

// exported exports the log beside the running server, and verifies it as an auditor
// would.
func (l *load) exported() {
	ctx := context.Background()
	db, err := store.OpenReader(ctx, l.cfg)
	l.must(err)
	defer db.Close()
	var head store.Head
	for end := time.Now().Add(steady.Limit); ; time.Sleep(20 * time.Millisecond) {
		head, err = db.Head(ctx)
		l.must(err)
		if head.SignedSize == head.Size {
			break
		}
		if time.Now().After(end) {
			l.t.Fatalf("%d of %d entries are published", head.SignedSize, head.Size)
		}
	}
	keys, err := checkpoint.OpenKeys(filepath.Join(l.dir, "keys"), head.Origin)
	l.must(err)
	dir := l.t.TempDir()
	_, err = authority.ExportLog(ctx, authority.ExportConfig{DB: db, Verifiers: keys.Verifiers(), Dir: dir})
	l.must(err)
	report, err := audit.VerifyExport(os.DirFS(dir), audit.ExportOptions{Keys: keys.Verifiers(), Origin: head.Origin, RPID: "localhost", Origins: []string{l.url}})
	l.must(err)
	if report.Decisions < l.decided.Load() || report.Releases < l.released.Load() || report.Simulated != 0 {
		l.t.Errorf("%d decisions and %d releases are in the export, %d and %d were acknowledged", report.Decisions, report.Releases, l.decided.Load(), l.released.Load())
	}
}

// whole checks everything that was ever acknowledged, and the log from its first entry.
func (l *load) whole() {
	ctx := context.Background()
	db, err := store.OpenReader(ctx, l.cfg)
	l.must(err)
	head, err := db.CheckLog(ctx, nil)
	l.must(err)
	l.recent = nil
	for name, a := range l.acked {
		if a.id != "" {
			l.recent = append(l.recent, name)
		}
	}
	l.must(db.Close())
	l.inspect()
	if l.checked != head.Size {
		l.t.Errorf("%d entries, %d looked at", head.Size, l.checked)
	}
}
