// Package authority is the one desk that a request passes over, and the only code
// that changes anything: submit, challenge, decide, release, cancel, expire, enrol,
// sign in, publish, record facts, raise alerts, sign checkpoints. Each verb checks
// who asks, loads what is needed, asks the pure core, and commits once: the change,
// its log entry and its outgoing event together.
//
// Errors that a caller may see are [countersign.Problem]; anything else is a fault
// of ours, and its text stays in the log.
package authority

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// Config is what an authority is made of. Every field is needed unless it says
// otherwise.
type Config struct {
	DB    *store.DB // bound to the organisation
	Keys  *checkpoint.Keys
	Guard store.Guard
	Log   *slog.Logger

	Witnesses []checkpoint.Witness // who cosign what the log publishes; may be empty
	Roots     []*x509.Certificate  // attestation roots whose devices count as hardware; may be empty
	Origins   []string             // further origins of the pages; public_url's is always in
	Simulated bool                 // accept the demo's software authenticator
	Publishes time.Duration        // how long an answer that allows waits for its checkpoint; a second if it is not set
	Steady    func() time.Time     // a clock that never jumps; nil is the process's own
}

// Authority decides for one organisation. It is safe for concurrent use.
type Authority struct {
	db        *store.DB
	keys      *checkpoint.Keys
	log       *slog.Logger
	org       store.Organisation // id, name, host, URLs, origin, demo: they never change
	blocklist *authn.Blocklist
	rp        *authn.RelyingParty
	roots     []*x509.Certificate
	simulated bool
	hashing   authn.Argon2
	hashes    chan struct{} // bounds the memory that password hashing takes at once

	publisher *checkpoint.Publisher
	patience  time.Duration  // how long an answer waits for a witness, where the policy says so
	options   policy.Options // of every policy that is loaded here, without its kinds
	metrics   *metrics

	rotation  sync.Mutex                 // held by whoever rotates a key
	mu        sync.Mutex                 // guards policies
	policies  map[string]*policy.Version // by digest; a version never changes
	settings  atomic.Pointer[settingsAt]
	inForce   atomic.Pointer[policyAt]
	stands    atomic.Pointer[standingAt]
	keyRows   sync.Map     // key id → keptKey
	published sync.Map     // entry id → audit.Logged of a published policy
	lookedAt  atomic.Int64 // generation of the facts when unsatisfiable requests were looked at last
	clock     clockWatch
	live      liveFeed
}

// settingsAt are the organisation's settings as of a generation of its facts.
type settingsAt struct {
	gen      int64
	settings Settings
	founding bool
}

// Open makes the authority of an organisation that exists. It checks the log
// against the guard before anything can be signed, and refuses to start on a
// mismatch.
func Open(ctx context.Context, cfg Config) (*Authority, error) {
	a := &Authority{db: cfg.DB, keys: cfg.Keys, log: cfg.Log, roots: cfg.Roots, simulated: cfg.Simulated,
		hashing: authn.PasswordHashing(), hashes: make(chan struct{}, 2), policies: map[string]*policy.Version{}, metrics: newMetrics()}
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		a.org, err = tx.Organisation()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no organisation %s in this database", cfg.DB.Org())
	} else if err != nil {
		return nil, err
	}
	if a.org.Demo && cfg.Simulated {
		// Its one password is printed for everybody to see: hashing it slowly would only
		// make thirteen people wait. No other organisation is ever stamped a demo.
		a.hashing = authn.Argon2{Memory: 8 << 10, Passes: 1, Threads: 1}
	}
	if a.blocklist, err = authn.LoadBlocklist(); err != nil {
		return nil, err
	}
	origin, err := originOf(a.org.PublicURL)
	if err != nil {
		return nil, err
	}
	a.rp, err = authn.NewRelyingParty(authn.RelyingPartyConfig{Org: a.org.ID, ID: a.org.RPID, Name: a.org.Name,
		Origins: append([]string{origin}, cfg.Origins...), Roots: cfg.Roots, Simulated: cfg.Simulated})
	if err != nil {
		return nil, err
	}
	a.clock.steadily = cfg.Steady
	a.patience = cosignWait
	a.options = policy.Options{Hardware: len(cfg.Roots) > 0, Witness: len(cfg.Witnesses) > 0}
	if a.org.Origin != a.keys.Origin {
		return nil, fmt.Errorf("the organisation's log is named %q, and its keys are for %q: they do not belong together", a.org.Origin, a.keys.Origin)
	}
	a.publisher, err = checkpoint.Open(ctx, checkpoint.Config{DB: a.db, Keys: a.keys, Guard: cfg.Guard, Log: a.log, Witnesses: cfg.Witnesses,
		Trusted: a.trusted, Signs: a.metrics.checkpoints.Inc, Process: processName, Within: cfg.Publishes})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Org is the organisation's id.
func (a *Authority) Org() string { return a.org.ID }

// Organisation is what never changes of the organisation.
func (a *Authority) Organisation() store.Organisation { return a.org }

// NewOrganisation is what an organisation is created from.
type NewOrganisation struct {
	Name      string
	Host      string // host name and port that select it
	PublicURL string
	RPID      string
	Demo      bool
	Settings  Settings
	Policy    policy.Source
}

// Create writes a new, founding organisation with its first policy. It is done
// offline, on the data folder, and its entries are stamped "operator".
func Create(ctx context.Context, db *store.DB, n NewOrganisation) (org string, err error) {
	now := db.Now()
	id := countersign.NewID(countersign.PrefixOrganisation, now)
	settings, err := countersign.Canonical(n.Settings)
	if err != nil {
		return "", err
	}
	n.Policy.Kinds = n.Settings.Kinds
	v, err := policy.Load(n.Policy)
	if err != nil {
		return "", err
	}
	_, err = db.For(id).Write(ctx, func(tx *store.Tx) error {
		o := store.Organisation{ID: id, Name: n.Name, Host: n.Host, PublicURL: n.PublicURL, RPID: n.RPID,
			Origin: LogOrigin(n.Host, id), Settings: string(settings), Founding: true, Demo: n.Demo}
		if err := tx.InsertOrganisation(o); err != nil {
			return err
		}
		if err := tx.CreateLog(o.Origin); err != nil {
			return err
		}
		detail, err := countersign.Canonical(map[string]string{"name": n.Name, "host": n.Host, "public_url": n.PublicURL, "rp_id": n.RPID})
		if err != nil {
			return err
		}
		if _, err := appendEntry(tx, entry{typ: countersign.EntryOrganisationCreated, subject: id, actor: actorOperator,
			openings: map[string][]byte{countersign.OpeningDetail: detail}}); err != nil {
			return err
		}
		return publishPolicy(tx, v, actorOperator)
	})
	return id, err
}

// LogOrigin names the log of an organisation.
func LogOrigin(host, org string) string { return host + "/log/" + org }

// optionsFor are the options that a policy is loaded with beside these custom kinds.
func (a *Authority) optionsFor(kinds []string) policy.Options {
	options := a.options
	options.Kinds = kinds
	return options
}

// trusted refuses while the clock cannot be trusted.
func (a *Authority) trusted(ctx context.Context) error { return a.clock.check(ctx, a.db) }

// Actors of entries that are neither a person nor a key.
const (
	actorSystem   = "system"   // the authority itself, by the clock
	actorOperator = "operator" // offline, on the data folder
)

// entry is what a verb writes into the log.
type entry struct {
	typ            countersign.EntryType
	subject, actor string
	facts          map[string]string
	openings       map[string][]byte
	sealed         audit.Sealed // openings that were committed to before the transaction
}

// written is an entry as it was written.
type written struct {
	id       string
	entry    countersign.Leaf
	leaf     []byte
	openings map[string]countersign.Opening
	index    int64 // once it is known
}

// appendEntry writes an entry in the transaction that makes the change.
func appendEntry(tx *store.Tx, e entry) (written, error) {
	id := countersign.NewID(countersign.PrefixEntry, tx.Now())
	leaf, data, openings, err := audit.NewLeaf(audit.EntrySpec{ID: id, Org: tx.Org(), Type: e.typ, Time: tx.Now(),
		Subject: e.subject, Actor: e.actor, Facts: e.facts, Openings: e.openings, Sealed: e.sealed})
	if err != nil {
		return written{}, err
	}
	return written{id: id, entry: leaf, leaf: data, openings: openings, index: store.Unplaced}, tx.AppendLeaf(leaf, data, openings)
}

// current returns the organisation's settings and whether it is founding, as of the
// transaction.
func (a *Authority) current(tx *store.Tx) (*settingsAt, error) {
	gen, err := tx.FactsGen()
	if err != nil {
		return nil, err
	}
	if s := a.settings.Load(); s != nil && s.gen == gen {
		return s, nil
	}
	o, err := tx.Organisation()
	if err != nil {
		return nil, err
	}
	s := &settingsAt{gen: o.FactsGen, founding: o.Founding}
	if err := json.Unmarshal([]byte(o.Settings), &s.settings); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", o.ID, err)
	}
	a.settings.Store(s)
	return s, nil
}

// version returns the compiled version of a stored policy.
func (a *Authority) version(p store.Policy, kinds []string) (*policy.Version, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v, ok := a.policies[p.Digest]; ok {
		return v, nil
	}
	src, err := parseBody(p.Body)
	if err != nil {
		return nil, fmt.Errorf("policy version %d: %w", p.Version, err)
	}
	src.File = fmt.Sprintf("policy version %d", p.Version)
	src.Options = a.optionsFor(kinds)
	v, err := policy.Load(src)
	if err != nil {
		return nil, fmt.Errorf("policy version %d no longer loads: %w", p.Version, err)
	}
	if string(v.Digest()) != p.Digest {
		return nil, fmt.Errorf("policy version %d: its stored text has digest %s, its entry says %s", p.Version, v.Digest(), p.Digest)
	}
	a.policies[p.Digest] = v
	return v, nil
}

// stamp writes a time as it stands on the wire and in the log.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(countersign.TimeFormat)
}

// fault wraps an error of ours so that its text does not reach a caller. Problems
// pass as they are; what the store says about its state becomes "unavailable".
func fault(err error) error {
	var p *countersign.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return countersign.NewProblem(countersign.CodeUnavailable, "the answer did not come in time").WithCause(err)
	case errors.Is(err, checkpoint.ErrNotCosigned):
		return countersign.NewProblem(countersign.CodeUnavailable, "no witness has cosigned the log entry yet, and the policy waits for one").
			WithHint("ask again with the same content: nothing is lost, and nothing is done twice").WithCause(err)
	case errors.Is(err, checkpoint.ErrNotCovered), errors.Is(err, checkpoint.ErrGuard):
		return countersign.NewProblem(countersign.CodeUnavailable, "the log entry is not signed yet").
			WithHint("ask again in a second with the same content: you get the same answer").WithCause(err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrBusy):
		return countersign.NewProblem(countersign.CodeUnavailable, "the database cannot be written now; nothing was changed").
			WithHint("try again; the operator finds the cause in the log").WithCause(err)
	case errors.Is(err, store.ErrUnknownOutcome):
		return countersign.NewProblem(countersign.CodeUnavailable, "the connection to the database was lost; the change may or may not have been made").
			WithHint("ask again with the same content: nothing is done twice").WithCause(err)
	case errors.Is(err, store.ErrConflict):
		return countersign.NewProblem(countersign.CodeConflict, "somebody else changed it at the same moment").WithHint("look again and repeat").WithCause(err)
	case errors.Is(err, store.ErrNotFound):
		return notFound().WithCause(err)
	}
	return countersign.NewProblem(countersign.CodeInternal, "something went wrong here").WithCause(err)
}

// notFound is the one answer to what is not there and to what is not for the asker.
func notFound() *countersign.Problem {
	return countersign.NewProblem(countersign.CodeNotFound, "there is no such thing here")
}
