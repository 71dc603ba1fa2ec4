package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// doctorCmd looks at an installation, whether its server runs or not, and changes
// nothing. Its exit code is 1 when anything is wrong, 0 when there are only warnings.
type doctorCmd struct {
	Config string `short:"c" placeholder:"FILE" help:"The configuration of the server. Without one: the defaults and the environment."`
	Full   bool   `help:"Check the whole log too, every entry of it, and not only its end."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

// The verdicts of a check.
const (
	checkOK   = "ok"
	checkWarn = "warning"
	checkBad  = "wrong"
	checkSkip = "not looked at"
)

// check is one thing that was looked at.
type check struct {
	Name    string `json:"check"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Hint    string `json:"hint,omitempty"`
}

// examination is one run of the doctor.
type examination struct {
	cmd    *doctorCmd
	p      *process
	config Config
	driver string
	checks []check
}

func (c *doctorCmd) Run(ctx context.Context, p *process) error {
	x := &examination{cmd: c, p: p}
	x.all(ctx)
	wrong := slices.ContainsFunc(x.checks, func(c check) bool { return c.Verdict == checkBad })
	if c.JSON {
		if err := p.json(map[string]any{"ok": !wrong, "checks": x.checks}); err != nil {
			return err
		}
	} else {
		for _, k := range x.checks {
			p.printf("%-13s  %-15s  %s\n", k.Verdict, k.Name, k.Detail)
			if k.Hint != "" {
				p.printf("%-13s  %-15s  hint: %s\n", "", "", k.Hint)
			}
		}
	}
	if wrong {
		return errSaid
	}
	return ctx.Err()
}

func (x *examination) add(name, verdict, hint, format string, args ...any) {
	x.checks = append(x.checks, check{name, verdict, fmt.Sprintf(format, args...), hint})
}

// all runs the checks in the order in which an installation stands on them.
func (x *examination) all(ctx context.Context) {
	config, err := Load(x.cmd.Config, x.p.env)
	if err != nil {
		x.add("configuration", checkBad, "countersign config check says each in a line", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	x.config = config
	from := x.cmd.Config
	if from == "" {
		from = "the defaults and the environment"
	}
	x.add("configuration", checkOK, "", "%s, for %s", from, config.PublicURL)
	cfg, err := databaseOf(&config)
	if err != nil {
		x.add("database", checkBad, "", "%v", err)
		return
	}
	x.driver = cfg.Driver
	if cfg.Driver == store.SQLite {
		x.folder("data", config.Data)
		x.space("data", config.Data)
	}
	x.keysFolder()
	x.guardFolder()
	x.certificates()
	x.mail(ctx)
	there, err := databaseExists(cfg)
	if !there || err != nil {
		x.add("database", checkBad, "start the server once, or name its configuration with --config", "there is no database in %s", config.Data)
		return
	}
	db, err := store.OpenReader(ctx, cfg)
	if err != nil {
		x.add("database", checkBad, "", "%v", err)
		return
	}
	defer db.Close()
	x.engine(ctx, db)
	var organisations []store.Organisation
	if err := db.Read(ctx, func(tx *store.Tx) (err error) {
		organisations, err = tx.Organisations()
		return err
	}); err != nil || len(organisations) == 0 {
		x.add("organisation", checkBad, "countersign serve founds one", "there is none: %v", err)
		return
	}
	for _, o := range organisations {
		if len(organisations) == 1 && o.PublicURL != config.PublicURL {
			x.add("public_url", checkBad, "set public_url (COUNTERSIGN_PUBLIC_URL) to "+o.PublicURL, "%s was founded as %s, and its passkeys are bound to that", o.Name, o.PublicURL)
		}
		x.organisation(ctx, db.For(o.ID), o, len(organisations))
	}
}

// folder looks whether a folder can be written to, by us and by nobody else.
func (x *examination) folder(name, path string) {
	info, err := os.Stat(path)
	if err != nil {
		x.add(name+" folder", checkBad, "start the server once, or name its configuration with --config", "%v", err)
		return
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		x.add(name+" folder", checkWarn, "chmod 700 "+path, "%s can be entered by others (mode %o)", path, info.Mode().Perm())
	}
	f, err := os.CreateTemp(path, ".doctor-")
	if err != nil {
		x.add(name+" folder", checkBad, "let the server's user own it", "%s cannot be written to: %v", path, err)
		return
	}
	f.Close()
	os.Remove(f.Name())
	switch kind, remote := fileSystem(path); {
	case remote:
		x.add(name+" folder", checkBad, "move it to a local disk: locks and syncs of a network file system do not keep what was committed", "%s is on a network file system (%s)", path, kind)
	default:
		x.add(name+" folder", checkOK, "", "%s can be written to, and is on a local disk", path)
	}
}

// Free space below which something is said.
const (
	spaceLow  = 1 << 30
	spaceNone = 64 << 20
)

func (x *examination) space(name, path string) {
	free, ok := freeSpace(path)
	if !ok {
		x.add(name+" space", checkSkip, "", "the free space cannot be asked for on this system")
		return
	}
	verdict, hint := checkOK, ""
	switch {
	case free < spaceNone:
		verdict, hint = checkBad, "make room: without space nothing is decided or released"
	case free < spaceLow:
		verdict, hint = checkWarn, "make room before it runs out: without space nothing is decided or released"
	}
	x.add(name+" space", verdict, hint, "%d MiB are free", free>>20)
}

// keysFolder looks at the keys without reading any.
func (x *examination) keysFolder() {
	path := x.config.Keys
	if within(x.config.Data, path) {
		x.add("keys folder", checkBad, "move it out: whoever copies the data must not get the keys with it", "%s is inside the data folder", path)
		return
	}
	var loose []string
	found := 0
	err := filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".key") {
			return err
		}
		found++
		info, err := d.Info()
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			loose = append(loose, p)
		}
		return err
	})
	switch {
	case err != nil:
		x.add("keys folder", checkBad, "restore the keys, or start the server once if it never ran", "%v", err)
	case len(loose) > 0:
		x.add("keys folder", checkBad, "chmod 600 "+strings.Join(loose, " "), "keys that others can read: %s", strings.Join(loose, ", "))
	case found == 0:
		x.add("keys folder", checkBad, "restore the keys, or start the server once if it never ran", "there are no keys in %s", path)
	default:
		x.add("keys folder", checkOK, "", "%d keys in %s, for their owner alone", found, path)
	}
}

func (x *examination) guardFolder() {
	path := x.config.Guard
	if x.config.PostgresGuard() {
		if x.config.Database == path {
			x.add("guard", checkBad, "use a second database that is not restored with the first", "it is the database that it watches over")
		}
		return
	}
	switch _, err := os.Stat(path); {
	case within(x.config.Data, path):
		x.add("guard folder", checkBad, "move it out: a restored copy of the data must not bring its guard along", "%s is inside the data folder", path)
	case err != nil:
		x.add("guard folder", checkBad, "start the server once if it never ran; if it did, countersign audit recover", "%v", err)
	case x.driver == store.SQLite && sameDisk(path, x.config.Data):
		x.add("guard folder", checkWarn, "put it on another disk, or give checkpoints to an auditor (countersign audit checkpoint)", "%s is on the same disk as the data: a snapshot of the disk puts both back, and nothing tells", path)
	default:
		x.add("guard folder", checkOK, "", "%s is outside the data", path)
	}
}

// within reports whether a path is inside a folder, links resolved.
func within(folder, path string) bool {
	resolve := func(p string) string {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			p = r
		}
		if a, err := filepath.Abs(p); err == nil {
			p = a
		}
		return p
	}
	rel, err := filepath.Rel(resolve(folder), resolve(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// engine looks at the settings that durability rests on. Opening has refused the worst.
func (x *examination) engine(ctx context.Context, db *store.DB) {
	settings, err := db.Settings(ctx)
	if err != nil {
		x.add("database", checkBad, "", "%v", err)
		return
	}
	var said []string
	for name, value := range settings {
		if name != "version" && name != "server_version" {
			said = append(said, name+"="+value)
		}
	}
	slices.Sort(said)
	version := settings["version"] + settings["server_version"]
	x.add("database", checkOK, "", "%s %s: %s", x.driver, version, strings.Join(said, " "))
}

// organisation looks at one organisation's log, clock, keys and guard.
func (x *examination) organisation(ctx context.Context, db *store.DB, o store.Organisation, of int) {
	suffix := ""
	if of > 1 {
		suffix = " " + o.Host
	}
	head, err := db.CheckEdge(ctx)
	if x.cmd.Full && err == nil {
		bar := x.p.progress("entries checked")
		head, err = db.CheckLog(ctx, func(done, total int64) error { bar.show(done, total); return ctx.Err() })
		bar.end()
	}
	switch {
	case err != nil:
		x.add("log"+suffix, checkBad, "stop the server; countersign audit recover says what can be done", "%v", err)
	case x.cmd.Full:
		x.add("log"+suffix, checkOK, "", "all %d entries of %s are sound", head.Size, head.Origin)
	default:
		x.add("log"+suffix, checkOK, "", "the end of %s is sound, at %d entries (--full checks all of them)", head.Origin, head.Size)
	}
	if head.Size > head.SignedSize {
		x.add("published"+suffix, checkWarn, "a running server publishes within a second, and the next start does", "%d entries are not published yet", head.Size-head.SignedSize)
	}
	x.witnesses(ctx, db, suffix)
	x.clock(ctx, db, suffix)
	x.guardOf(ctx, db, o, of, suffix)
}

func (x *examination) clock(ctx context.Context, db *store.DB, suffix string) {
	var last, server time.Time
	err := db.Read(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.LastEntryTime()
		return err
	})
	if err == nil && x.driver == store.Postgres {
		server, err = db.ServerTime(ctx)
	}
	if err == nil {
		err = approval.ClockSane(db.Now(), last, server)
	}
	if err != nil {
		x.add("clock"+suffix, checkBad, "set the clocks right: until then nothing is decided or released", "%v", err)
		return
	}
	x.add("clock"+suffix, checkOK, "", "agrees with the database and the last entry, of %s", last.UTC().Format(time.DateTime))
}

// guardOf compares the log with the guard, as a start would.
func (x *examination) guardOf(ctx context.Context, db *store.DB, o store.Organisation, of int, suffix string) {
	const name = "guard"
	d := data{config: x.config, db: db, org: o, keys: keysFolder(x.config.Keys, o.ID, of)}
	keys, err := d.openKeys()
	if err != nil {
		x.add("keys"+suffix, checkBad, "restore the keys folder as it was", "%v", err)
		return
	}
	if _, err := os.Stat(x.config.Guard); err != nil && !x.config.PostgresGuard() {
		return // said
	}
	guard, err := openGuard(ctx, &x.config)
	if errors.Is(err, store.ErrInUse) {
		x.add(name+suffix, checkOK, "", "in use by the server, which compared it with the log when it started")
		return
	}
	if err != nil {
		x.add(name+suffix, checkBad, "", "%v", err)
		return
	}
	defer guard.Close()
	if _, err := authority.Open(ctx, authority.Config{DB: db, Keys: keys, Guard: guard, Log: slog.New(slog.DiscardHandler)}); err != nil {
		x.add(name+suffix, checkBad, "countersign audit recover", "%v", err)
		return
	}
	x.add(name+suffix, checkOK, "", "the log has grown out of what the guard holds")
}
