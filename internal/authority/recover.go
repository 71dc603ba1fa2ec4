package authority

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// RecoverConfig is what a recovery of the log works on: the data, the keys and the
// guard of one organisation, while no server uses them.
type RecoverConfig struct {
	DB    *store.DB        // bound to the organisation
	Keys  *checkpoint.Keys // of the origin that the database names
	Guard store.Guard
	Log   *slog.Logger

	// Earlier is a signed checkpoint that somebody else kept: an auditor, a witness. It
	// is needed where the guard is lost and the database itself is not to be believed.
	Earlier []byte
	// NewOrigin lets the log go on under a new name where it cannot be shown that it has
	// grown out of what was published. Where it can be shown, it is refused.
	NewOrigin bool
	// Progress is told how far the check of the whole log is; its error ends it.
	Progress func(done, total int64) error

	server func(context.Context) (time.Time, error) // the database's clock; nil asks the database
}

// What a recovery's proof of growth rests on.
const (
	ProvenByGuard    = "guard"
	ProvenByEarlier  = "earlier checkpoint" // given by whoever kept it
	ProvenByDatabase = "database"           // nobody but the database's own copy
)

// Recovered says what a recovery found and did.
type Recovered struct {
	Origin string    `json:"origin"` // of the log from now on
	Size   int64     `json:"size"`   // entries, with the recovery's own
	Root   tlog.Hash `json:"root"`

	// Done is false where nothing was wrong: the log has grown out of what the guard
	// holds, and nothing was written.
	Done      bool   `json:"done"`
	NewOrigin bool   `json:"new_origin"`
	ProvenBy  string `json:"proven_by,omitempty"` // not with a new origin
	Found     string `json:"found,omitempty"`     // why growth could not be proven

	// Continues is the published head that is continued, or, under a new origin, that is
	// not: entries from its size down to what this database has are lost.
	Continues audit.Checkpoint `json:"continues"`
	Lost      int64            `json:"lost,omitempty"` // entries that were published and are not here
	Entry     string           `json:"entry,omitempty"`
}

// ErrGrowth says that it cannot be shown that the log has grown out of what was
// published.
var ErrGrowth = errors.New("the log cannot be shown to have grown out of what was published")

// Recover is the way out after the guard or the database was lost, damaged or put
// back to an older state (ruling 30). It checks the whole stored log, and then proves
// that it has grown out of what the guard holds; where the guard has nothing, out of
// the earlier checkpoint that was given, or of the database's own. It writes an entry
// that names what it continues, and sets the guard.
//
// Where growth cannot be proven it returns [ErrGrowth] and changes nothing, unless a
// new origin is asked for: then the log goes on under a new name and a new key, its
// first new entry names the head that was published and is not continued, and an alert
// asks people to look at what happened in between. Receipts made before stay
// verifiable with the old keys.
//
// It is done offline, stamped "operator", and can be repeated after it was broken off.
func Recover(ctx context.Context, cfg RecoverConfig) (*Recovered, error) {
	r := &recovery{cfg: cfg}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if err := r.evidence(ctx); err != nil {
		return nil, err
	}
	switch {
	case r.found == "" && cfg.NewOrigin:
		return nil, errors.New("the log has grown out of what was published: it needs no new origin (hint: recover it without one)")
	case r.found == "" && !r.needed:
		return &Recovered{Origin: r.head.Origin, Size: r.head.Size, Root: r.head.Root, ProvenBy: r.provenBy, Continues: r.last}, nil
	case r.found == "":
		return r.goOn(ctx)
	case !cfg.NewOrigin:
		return nil, fmt.Errorf("%w: %s (hint: put back a newer copy of the database; where there is none, open a new origin, which names what is lost)", ErrGrowth, r.found)
	}
	return r.reopen(ctx)
}

// recovery is one recovery under way.
type recovery struct {
	cfg  RecoverConfig
	a    *Authority
	head store.Head
	held []byte // what the guard has

	last     audit.Checkpoint // the largest published head that is known of
	provenBy string
	needed   bool
	found    string // the first contradiction, in words
}

// open checks the stored log whole, and makes what signs it, without comparing it.
func (r *recovery) open(ctx context.Context) (err error) {
	cfg := r.cfg
	if cfg.DB.Driver() == store.Postgres { // entries that waited for their place when the server ended
		if err := placeAll(ctx, cfg.DB); err != nil {
			return err
		}
	}
	if r.head, err = cfg.DB.CheckLog(ctx, cfg.Progress); err != nil {
		if errors.Is(err, store.ErrLog) {
			return fmt.Errorf("%w (hint: entries themselves were changed, which no recovery can mend: restore a copy of the database in which they were not)", err)
		}
		return err
	}
	if r.a, err = r.unchecked(ctx, cfg.Keys); err != nil {
		return err
	}
	if err := r.a.clock.check(ctx, cfg.DB); err != nil { // before anything is written that could not be signed
		return err
	}
	if r.head.Origin != r.a.org.Origin || r.head.Origin != cfg.Keys.Origin {
		return fmt.Errorf("the log is named %q, the organisation's is %q, and the keys are for %q: they do not belong together", r.head.Origin, r.a.org.Origin, cfg.Keys.Origin)
	}
	if err := r.a.publisher.Chain.Follow(ctx, r.head.Size); err != nil {
		return err
	}
	if r.held, err = cfg.Guard.Load(ctx, r.head.Origin); err != nil {
		return fmt.Errorf("read the guard: %w (hint: move a damaged guard file away, keep it, and recover with an earlier checkpoint that somebody kept)", err)
	}
	return nil
}

// unchecked makes an authority that can sign and append, and has not compared the log
// with the guard.
func (r *recovery) unchecked(ctx context.Context, keys *checkpoint.Keys) (*Authority, error) {
	a := &Authority{db: r.cfg.DB, keys: keys, log: r.cfg.Log, metrics: newMetrics()}
	a.clock.server = r.cfg.server
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		a.org, err = tx.Organisation()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no organisation %s in this database", r.cfg.DB.Org())
	}
	if err != nil {
		return nil, err
	}
	a.publisher, err = checkpoint.Unchecked(checkpoint.Config{DB: a.db, Keys: keys, Guard: r.cfg.Guard, Log: a.log,
		Trusted: a.trusted, Signs: a.metrics.checkpoints.Inc, Process: processName})
	return a, err
}

// evidence holds the log to every published checkpoint that is known of. The guard's
// decides; where it has none, the earlier one that was given; where there is none, the
// database's own. All of them must agree with the log.
func (r *recovery) evidence(ctx context.Context) error {
	for _, e := range []struct {
		by   string
		data []byte
	}{{ProvenByGuard, r.held}, {ProvenByEarlier, r.cfg.Earlier}, {ProvenByDatabase, r.head.Checkpoint}} {
		if len(e.data) == 0 {
			continue
		}
		if r.provenBy == "" {
			r.provenBy = e.by
		}
		if err := r.hold(ctx, e.by, e.data); err != nil {
			return err
		}
	}
	r.needed = len(r.held) == 0 && r.provenBy != ""
	if r.found != "" {
		return nil
	}
	for _, origin := range r.a.keys.Successors() {
		held, err := r.cfg.Guard.Load(ctx, origin)
		if err != nil {
			return fmt.Errorf("read the guard: %w", err)
		}
		if len(held) > 0 || len(r.held) == 0 {
			r.found = fmt.Sprintf("it was continued as %s, and this database is from before that", origin)
			if c, err := checkpoint.Unsigned(held); err == nil && c.Size > r.last.Size {
				r.last = c
			}
			return nil
		}
	}
	return nil
}

// hold compares the log with one checkpoint.
func (r *recovery) hold(ctx context.Context, by string, data []byte) error {
	found := func(format string, args ...any) {
		if r.found == "" {
			r.found = fmt.Sprintf(format, args...)
		}
	}
	c, err := audit.OpenCheckpoint(data, r.head.Origin, r.a.publisher.OwnVerifiers()...)
	if err != nil {
		if by == ProvenByEarlier { // it is asked for by a person, who can bring another
			return fmt.Errorf("the earlier checkpoint: %w (hint: bring one of the log %s)", err, r.head.Origin)
		}
		found("the checkpoint of the %s cannot be opened with the keys in the folder: %v", by, err)
		if c, err = checkpoint.Unsigned(data); err == nil && c.Size > r.last.Size {
			r.last = c
		}
		return nil
	}
	if c.Size > r.last.Size || r.last.Origin == "" {
		r.last = c
	}
	if c.Size > r.head.Size {
		found("%d entries were published, says the checkpoint of the %s, and this database has %d: it is older", c.Size, by, r.head.Size)
		return nil
	}
	root, err := audit.Root(c.Size, r.cfg.DB.Tiles(ctx, r.head.Size))
	if c.Size == 0 {
		root, err = audit.Root(0, nil)
	}
	if err != nil {
		return err
	}
	if root != c.Root {
		found("the first %d entries are not those that were published, says the checkpoint of the %s: the database is another one, or was rewritten", c.Size, by)
	}
	return nil
}

// goOn continues the log under its origin.
func (r *recovery) goOn(ctx context.Context) (*Recovered, error) {
	out := &Recovered{Origin: r.head.Origin, Done: true, ProvenBy: r.provenBy, Continues: r.last}
	facts := r.facts()
	facts["proven_by"] = r.provenBy
	var again bool
	_, err := r.cfg.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if out.Entry, again, err = r.written(tx, facts); err != nil || again {
			return err
		}
		out.Entry, err = r.append(tx, facts)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.a.publisher.Resume(tlog.Tree{N: r.last.Size, Hash: r.last.Root}, r.held)
	return r.publish(ctx, r.a, out)
}

// written finds the entry of a recovery that was broken off before it was published.
func (r *recovery) written(tx *store.Tx, facts map[string]string) (id string, found bool, err error) {
	leaves, err := checkpoint.AboutLog(tx)
	if err != nil || len(leaves) == 0 {
		return "", false, err
	}
	last := leaves[len(leaves)-1]
	if last.Type != countersign.EntryLogRecovered || len(last.Facts) != len(facts) {
		return "", false, nil
	}
	for name, value := range facts {
		if last.Facts[name] != value {
			return "", false, nil
		}
	}
	return last.ID, true, nil
}

func (r *recovery) facts() map[string]string {
	return map[string]string{audit.FactOldOrigin: r.last.Origin, audit.FactOldSize: strconv.FormatInt(r.last.Size, 10), audit.FactOldRoot: r.last.Root.String()}
}

func (r *recovery) append(tx *store.Tx, facts map[string]string) (string, error) {
	detail, err := countersign.Canonical(map[string]string{"found": r.found, "entries": strconv.FormatInt(r.head.Size, 10)})
	if err != nil {
		return "", err
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryLogRecovered, subject: checkpoint.SubjectLog, actor: actorOperator, facts: facts,
		openings: map[string][]byte{countersign.OpeningDetail: detail}})
	return w.id, err
}

// reopen continues the log under a new origin.
func (r *recovery) reopen(ctx context.Context) (*Recovered, error) {
	origin, err := r.freeOrigin(ctx)
	if err != nil {
		return nil, err
	}
	if r.last.Origin == "" { // nothing at all could be read of what was published
		r.last = audit.Checkpoint{Origin: r.head.Origin, Size: r.head.Size, Root: r.head.Root}
	}
	if _, err := r.cfg.Keys.AddLogKey(origin); err != nil {
		return nil, err
	}
	keys, err := checkpoint.OpenKeys(r.cfg.Keys.Dir, origin)
	if err != nil {
		return nil, err
	}
	out := &Recovered{Origin: origin, Done: true, NewOrigin: true, Found: r.found, Continues: r.last, Lost: max(0, r.last.Size-r.head.Size)}
	_, err = r.cfg.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if out.Entry, err = r.append(tx, r.facts()); err != nil {
			return err
		}
		if err := r.a.raise(tx, newAlert{about: store.AboutOrganisation, severity: "critical", external: "log:" + origin, days: maxAlertDays, actor: actorOperator,
			title: fmt.Sprintf("the log was continued under a new origin: %d published entries are lost; compare what was decided and released since with the systems that asked", out.Lost)}); err != nil {
			return err
		}
		if err := tx.ReopenLog(r.head.Origin, origin); err != nil {
			return err
		}
		return tx.SetOrigin(r.head.Origin, origin)
	})
	if err != nil {
		return nil, err
	}
	a, err := r.unchecked(ctx, keys)
	if err != nil {
		return nil, err
	}
	return r.publish(ctx, a, out)
}

// freeOrigin is the first name of the log that was never used: neither a key nor the
// guard knows it.
func (r *recovery) freeOrigin(ctx context.Context) (string, error) {
	base, n := checkpoint.SplitOrigin(r.head.Origin)
	used := map[string]bool{}
	for _, origin := range r.a.keys.Successors() {
		used[origin] = true
	}
	for n++; ; n++ {
		origin := checkpoint.JoinOrigin(base, n)
		held, err := r.cfg.Guard.Load(ctx, origin)
		if err != nil {
			return "", fmt.Errorf("read the guard: %w", err)
		}
		if len(held) == 0 && !used[origin] {
			return origin, nil
		}
	}
}

// publish signs the log as it is now, and sets the guard and the database to it.
func (r *recovery) publish(ctx context.Context, a *Authority, out *Recovered) (*Recovered, error) {
	if a.db.Driver() == store.Postgres {
		if err := placeAll(ctx, a.db); err != nil {
			return nil, err
		}
	}
	head, err := a.db.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.publisher.Chain.Follow(ctx, head.Size); err != nil {
		return nil, err
	}
	if err := a.publisher.Publish(ctx); err != nil {
		return nil, fmt.Errorf("the recovery is recorded and not yet signed; run it again: %w", err)
	}
	out.Size, out.Root = head.Size, head.Root
	return out, nil
}

// placeAll waits until every entry has its place: the lease of a sequencer that died
// has to run out first.
func placeAll(ctx context.Context, db *store.DB) error {
	for {
		if _, err := db.Sequence(ctx, processName); err != nil {
			return err
		}
		var left int64
		err := db.Read(ctx, func(tx *store.Tx) (err error) {
			left, err = tx.UnplacedEntries()
			return err
		})
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
