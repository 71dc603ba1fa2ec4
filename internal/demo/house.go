package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/policies"
)

// Config says where the sample company comes to life.
type Config struct {
	// Dir holds everything: the data, the keys and the guard, in a folder each, and the
	// demo's own file of people. It is made when it is missing; a folder that holds a
	// demo already is opened as it was left.
	Dir string
	URL string // under which it is reached: "http://localhost:8080"
	Log *slog.Logger
}

// House is the sample company as a running organisation: its database with a year
// behind it, its people enrolled, and everything that a visitor needs to be them.
type House struct {
	Company   Company
	Authority *authority.Authority
	Info      info.File

	db      *store.DB
	guard   store.Guard
	closers []io.Closer

	dir string
	mu  sync.Mutex // of the software passkeys in Info
}

const (
	seed       = 20 // of the company that visitors meet
	dataFolder = "data"
	keysFolder = "keys"
	guardPlace = "guard"
	dataFile   = "countersign.db"
)

// Sample is the company that visitors meet, as of the day of until.
func Sample(until time.Time) Company { return Generate(seed, until) }

// Password is everybody's in the sample company. It is printed, and protects nothing.
const Password = "plum kettle orbit fourteen"

// Build makes the sample company in a folder, or opens the one that is there. Its
// organisation is stamped as a demo for good: it accepts the software authenticator,
// and a server for real work refuses its folder.
func Build(ctx context.Context, cfg Config) (*House, error) {
	if cfg.Log == nil {
		cfg.Log = quiet()
	}
	h := &House{dir: cfg.Dir}
	err := h.open(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// DB is the house's database.
func (h *House) DB() *store.DB { return h.db }

// Close ends the house and gives its folders free. What is committed is signed first.
func (h *House) Close() error {
	var errs []error
	if h.Authority != nil {
		errs = append(errs, h.Authority.Publish(context.Background()))
	}
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i].Close())
	}
	h.closers = nil
	return errors.Join(errs...)
}

func (h *House) open(ctx context.Context, cfg Config) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" || u.Hostname() != "localhost" || u.Path != "" {
		return fmt.Errorf("the demo's address is http://localhost with a port, not %q: passkeys work on localhost without a certificate, and on no bare address", cfg.URL)
	}
	known, err := info.Known(filepath.Join(cfg.Dir, info.Name))
	fresh := errors.Is(err, os.ErrNotExist)
	switch {
	case err != nil && !fresh:
		return err
	case !fresh && known.URL != cfg.URL:
		return fmt.Errorf("the demo in %s was made for %s: its passkeys work only there (hint: start it with --listen %s, or use another folder)",
			cfg.Dir, known.URL, strings.TrimPrefix(known.URL, "http://"))
	case fresh:
		if err := empty(cfg.Dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, dataFolder), 0o700); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: filepath.Join(cfg.Dir, dataFolder, dataFile)})
	if err != nil {
		return err
	}
	h.closers, h.db = append(h.closers, db), db
	guard, err := store.OpenFileGuard(filepath.Join(cfg.Dir, guardPlace))
	if err != nil {
		return err
	}
	h.closers, h.guard = append(h.closers, guard), guard
	if !fresh {
		h.Company, h.Info = Sample(known.Until), known
		return h.start(ctx, cfg, db.For(known.Org))
	}
	h.Company = Sample(db.Now())
	return h.found(ctx, cfg, db)
}

// empty refuses a folder that holds something else.
func empty(dir string) error {
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(names) > 0 {
		return fmt.Errorf("%s is not empty and holds no finished demo (hint: name a folder that does not exist yet)", dir)
	}
	return err
}

// start opens the organisation's authority.
func (h *House) start(ctx context.Context, cfg Config, db *store.DB) error {
	keys, err := checkpoint.OpenKeys(filepath.Join(cfg.Dir, keysFolder), authority.LogOrigin(hostOf(cfg.URL), db.Org()))
	if err != nil {
		return err
	}
	h.Authority, err = authority.Open(ctx, authority.Config{DB: db, Keys: keys, Guard: h.guard, Log: cfg.Log, Simulated: true})
	return err
}

func hostOf(address string) string { return strings.TrimPrefix(address, "http://") }

// found brings the company to life: the organisation with the policy that ships, the
// year, the people with what they prove themselves with, and the key of its ERP.
func (h *House) found(ctx context.Context, cfg Config, db *store.DB) error {
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		return err
	}
	at := 0 // nobody waits in a demo: no cool-off, no settling
	org, err := authority.Create(ctx, db, authority.NewOrganisation{Name: h.Company.Name, Host: hostOf(cfg.URL), PublicURL: cfg.URL, RPID: "localhost", Demo: true,
		Settings: authority.Settings{CoolOff: &at, HistorySettling: &at}, Policy: policy.Source{File: policies.Procurement, Text: text}})
	if err != nil {
		return err
	}
	if err := h.start(ctx, cfg, db.For(org)); err != nil {
		return err
	}
	for _, body := range h.Company.Facts() {
		if _, err := h.Authority.RecordOffline(ctx, h.Company.Source, true, body); err != nil {
			return fmt.Errorf("record the year: %w", err)
		}
	}
	key, err := h.Authority.CreateKeyOffline(ctx, authority.NewKey{Name: "ERP of the sample company", Source: h.Company.Source, Scopes: allScopes()})
	if err != nil {
		return err
	}
	h.Info = info.File{Demo: true, Organisation: h.Company.Name, Org: org, URL: cfg.URL, Until: h.Company.Until, Key: key.Key, KeyID: key.ID,
		Verifiers: h.Authority.Verifiers(), Password: Password, People: make([]info.Person, len(h.Company.People))}
	if err := h.enrolAll(ctx); err != nil {
		return fmt.Errorf("enrol the people: %w", err)
	}
	return h.Info.Write(filepath.Join(cfg.Dir, info.Name))
}

func allScopes() []string {
	var all []string
	for _, s := range authn.Scopes() {
		all = append(all, string(s))
	}
	return all
}

// enrolAll enrols everybody while the organisation is founding. With the second
// administrator it stops being so, and what is enrolled by an invitation from then on
// waits for a second person: the administrators come last, one after the other, and
// add their app on the strength of their passkey.
func (h *House) enrolAll(ctx context.Context) error {
	var subjects []string
	for _, p := range h.Company.People {
		subjects = append(subjects, p.Subject)
	}
	ids, err := h.Authority.IdentifyOffline(ctx, h.Company.Source, subjects...)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	var last []*info.Person
	errs := make([]error, len(h.Company.People))
	for i, p := range h.Company.People {
		h.Info.People[i] = infoOf(p, ids[p.Subject])
		if slices.Contains(p.Groups, authority.GroupAdministrators) {
			last = append(last, &h.Info.People[i])
			continue
		}
		wait.Go(func() { errs[i] = h.enrol(ctx, &h.Info.People[i], h.byInvitation) })
	}
	wait.Wait()
	for _, p := range last {
		errs = append(errs, h.enrol(ctx, p, h.byPasskey))
	}
	return errors.Join(errs...)
}

// Facts are the company's records as they are told to Countersign, in bodies that
// each name only what the ones before have told.
func (c *Company) Facts() []countersign.FactsBody {
	var first countersign.FactsBody
	for _, p := range c.People {
		first.People = append(first.People, p.fact())
	}
	for _, r := range c.Rates {
		first.Rates = append(first.Rates, countersign.RateFact{Base: r.Base, Currency: r.Currency, Day: r.Day.Format(time.DateOnly), Rate: r.Value})
	}
	changed := map[string]bool{}
	for _, b := range c.BankChanges {
		changed[b.VendorID] = true
	}
	for _, v := range c.Vendors {
		f := countersign.VendorFact{ID: v.ID, Name: v.Name, Country: v.Country, TaxID: v.TaxID, Status: v.Status, CreatedAt: v.CreatedAt.Format(time.DateOnly), CreatedBy: v.CreatedBy}
		a := countersign.AccountFact{Account: *v.Account}
		if changed[v.ID] {
			a.ChangedAt = v.AccountSince.Format(time.DateOnly)
		}
		f.Accounts = append(f.Accounts, a)
		first.Vendors = append(first.Vendors, f)
	}
	for _, p := range c.Purchases {
		first.Purchases = append(first.Purchases, countersign.PurchaseFact{Kind: p.Kind, ID: p.ID, Line: p.Line, Vendor: p.VendorID, Amount: p.Amount, Date: p.Date.Format(time.DateOnly),
			Account: p.Account, Requester: p.Requester, Approver: p.Approver, Department: p.Department, Category: p.Category})
	}
	return []countersign.FactsBody{first}
}

func (p Person) fact() countersign.PersonFact {
	f := countersign.PersonFact{Subject: p.Subject, Aliases: []countersign.Alias{{Source: authority.Directory, Subject: p.Subject}}, Name: p.Name, Email: p.Email,
		Manager: p.Manager, Groups: p.Groups, Privileged: p.Privileged}
	if p.Limit != nil {
		f.Limits = []countersign.LimitFact{{Amount: *p.Limit}}
	}
	return f
}

// CheckListen refuses an address that the demo cannot be reached at as it must be.
func CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("want a host and a port, as localhost:8080: %w", err)
	}
	if host != "localhost" {
		return fmt.Errorf("the demo is reached as localhost only, not %q: passkeys do not work on a bare address, and nobody else should reach it", host)
	}
	return nil
}
