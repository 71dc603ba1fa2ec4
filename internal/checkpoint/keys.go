package checkpoint

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
)

// Keys are the secrets of one organisation. They live in a folder of their own,
// never in the database and never in a backup of the data: whoever has only the
// data can read it, but can neither continue the log nor open a sealed secret.
//
// The folder holds log-N.key (Ed25519 note keys that sign checkpoints) with their
// public halves log-N.pub, seal-N.key (encryption at rest) and hmac-N.key (account
// fingerprints). N counts rotations. The highest of seal and hmac is used for new
// work, and the older ones still open and compare. Which of the log's keys signs is
// told by the log itself. The secret half of a rotated one may be deleted; its .pub
// stays, so that what it signed can be verified.
//
// A log that was continued under a new origin leaves the keys of the old origin in
// the folder: they verify, and never sign again.
type Keys struct {
	Dir    string
	Origin string // of the log that is signed

	mu      sync.RWMutex // a rotation adds to what follows
	log     []LogKey     // of the origin, by number, oldest first
	retired []LogKey     // of origins before it
	later   []string     // origins after it that have a key here
	highest int          // number of any of the log's keys
	seal    map[int][32]byte
	hmac    map[int][32]byte

	Ring  Ring         // seals secrets at rest
	Names AccountNames // name accounts in history
}

// The kinds of keys in the folder.
const (
	KindLog  = "log"  // signs the log's checkpoints
	KindSeal = "seal" // encrypts secrets at rest
	KindHMAC = "hmac" // names bank accounts in history
)

// LogKey is one signing key of the log.
type LogKey struct {
	Number   int
	Signer   note.Signer // nil where only the public half is there
	Verifier string      // encoded verifier key, public
}

// ErrKeys says that the keys folder cannot be used; the text says why and what to
// do.
var ErrKeys = errors.New("keys folder")

// OpenKeys reads the keys folder, and makes the first keys when the folder is
// empty or missing. The log's keys bear the origin as their name. Keys of origins
// that this one continues are kept to verify with; a folder without a signing key of
// the origin itself is refused.
func OpenKeys(dir, origin string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	k := &Keys{Dir: dir, Origin: origin, seal: map[int][32]byte{}, hmac: map[int][32]byte{}}
	names, err := k.names()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if err := k.generate(origin); err != nil {
			return nil, err
		}
	}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, k.UseSecrets()
}

// names lists the files of the folder that are keys.
func (k *Keys) names() ([]string, error) {
	files, err := os.ReadDir(k.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".key") || strings.HasSuffix(f.Name(), ".pub") {
			names = append(names, f.Name())
		}
	}
	return names, nil
}

// Reload reads the folder anew: another process may have made a key in it.
func (k *Keys) Reload() error {
	names, err := k.names()
	if err != nil {
		return err
	}
	fresh := &Keys{Dir: k.Dir, Origin: k.Origin, seal: map[int][32]byte{}, hmac: map[int][32]byte{}}
	for _, name := range names {
		if err := fresh.read(name, names); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrKeys, filepath.Join(k.Dir, name), err)
		}
	}
	if fresh.highest == 0 || len(fresh.seal) == 0 || len(fresh.hmac) == 0 {
		return fmt.Errorf("%w: %s has some keys but not all of log, seal and hmac: restore the folder as it was", ErrKeys, k.Dir)
	}
	if !slices.ContainsFunc(fresh.log, func(l LogKey) bool { return l.Signer != nil }) {
		return fmt.Errorf("%w: %s has no signing key of the log %q: restore the folder as it was; each organisation has its own", ErrKeys, k.Dir, k.Origin)
	}
	for _, keys := range [][]LogKey{fresh.log, fresh.retired} {
		slices.SortFunc(keys, func(a, b LogKey) int { return a.Number - b.Number })
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log, k.retired, k.later, k.highest, k.seal, k.hmac = fresh.log, fresh.retired, fresh.later, fresh.highest, fresh.seal, fresh.hmac
	return nil
}

// Signer finds the signing half of a key.
func (k *Keys) Signer(verifier string) (note.Signer, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, l := range k.log {
		if l.Verifier == verifier && l.Signer != nil {
			return l.Signer, nil
		}
	}
	return nil, fmt.Errorf("%w: %s does not have the key that signs now, %s: copy it there from where it was made", ErrKeys, k.Dir, shortKey(verifier))
}

// shortKey is a verifier key without its public key: name+hash.
func shortKey(verifier string) string {
	if at := strings.LastIndexByte(verifier, '+'); at > 0 {
		return verifier[:at]
	}
	return verifier
}

// SplitOrigin takes an origin apart. A log that is continued under a new one gets the next number behind its name:
// host/log/org_…, host/log/org_…/2, host/log/org_…/3.
func SplitOrigin(origin string) (base string, n int) {
	at := strings.LastIndexByte(origin, '/')
	n, err := strconv.Atoi(origin[at+1:])
	if at < 0 || err != nil || n < 2 || strconv.Itoa(n) != origin[at+1:] {
		return origin, 1
	}
	return origin[:at], n
}

// JoinOrigin is what [SplitOrigin] takes apart.
func JoinOrigin(base string, n int) string {
	if n == 1 {
		return base
	}
	return base + "/" + strconv.Itoa(n)
}

// newest returns the number of the newest key in a ring.
func newest(ring map[int][32]byte) int {
	n := 0
	for i := range ring {
		n = max(n, i)
	}
	return n
}

// Verifiers returns the public keys of the log in the folder, those of origins
// before it first, the newest last.
func (k *Keys) Verifiers() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var out []string
	for _, l := range slices.Concat(k.retired, k.log) {
		out = append(out, l.Verifier)
	}
	return out
}

// generate makes the first keys of a folder.
func (k *Keys) generate(origin string) error {
	if _, err := k.AddLogKey(origin); err != nil {
		return err
	}
	for _, name := range [2]string{"seal-1.key", "hmac-1.key"} {
		if err := k.writeSecret(name); err != nil {
			return err
		}
	}
	return nil
}

// AddLogKey makes the next signing key. A rotation counts once the log says so.
func (k *Keys) AddLogKey(origin string) (LogKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return LogKey{}, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return LogKey{}, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	l := LogKey{Number: k.highest + 1, Signer: signer, Verifier: public}
	base := filepath.Join(k.Dir, "log-"+strconv.Itoa(l.Number))
	// The public half comes first: without the other it is only of no use.
	if err := writeNew(base+".pub", public, 0o644); err != nil {
		return LogKey{}, err
	}
	if err := writeNew(base+".key", secret, 0o600); err != nil {
		return LogKey{}, err
	}
	k.highest = l.Number
	if origin == k.Origin {
		k.log = append(slices.Clip(k.log), l)
	}
	return l, nil
}

// AddSecret makes the next key of a ring, "seal" or "hmac", and returns its number.
func (k *Keys) AddSecret(kind string) (int, error) {
	ring := func() map[int][32]byte {
		if kind == KindHMAC {
			return k.hmac
		}
		return k.seal
	}
	k.mu.RLock()
	n := newest(ring()) + 1
	k.mu.RUnlock()
	if err := k.writeSecret(kind + "-" + strconv.Itoa(n) + ".key"); err != nil {
		return 0, err
	}
	return n, k.Reload()
}

func (k *Keys) writeSecret(name string) error {
	var b [32]byte
	rand.Read(b[:])
	return writeNew(filepath.Join(k.Dir, name), base64.StdEncoding.EncodeToString(b[:]), 0o600)
}

// writeNew writes a file that must not exist yet, durably: a key that signed
// something and is then lost to a power cut would orphan the log.
func writeNew(path, content string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeys, err)
	}
	_, err = f.WriteString(content + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("%w: write %s: %w", ErrKeys, path, err)
	}
	return nil
}

// SyncDir makes a new name in a folder durable. On Windows a folder cannot be synced,
// and names are written through the file system's own journal.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (k *Keys) read(name string, all []string) error {
	path := filepath.Join(k.Dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	base, public := strings.CutSuffix(name, ".pub")
	base = strings.TrimSuffix(base, ".key")
	if !public && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("can be read by others (mode %o): run chmod 600 on it", info.Mode().Perm())
	}
	kind, num, ok := strings.Cut(base, "-")
	n, err := strconv.Atoi(num)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != num || public && kind != KindLog {
		return errors.New("not a name that is known: want log-N.key, log-N.pub, seal-N.key or hmac-N.key")
	}
	if info.Size() > 4096 {
		return errors.New("too long for a key")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(raw))
	switch {
	case public:
		return k.readVerifier(LogKey{Number: n, Verifier: text}, slices.Contains(all, base+".key"))
	case kind == KindLog:
		if !slices.Contains(all, base+".pub") {
			return errors.New("its .pub file is missing: restore the folder as it was")
		}
		return nil // read with its public half
	case kind == KindSeal, kind == KindHMAC:
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(b) != 32 {
			return errors.New("want 32 bytes in base64")
		}
		ring := k.seal
		if kind == KindHMAC {
			ring = k.hmac
		}
		ring[n] = [32]byte(b)
		return nil
	}
	return errors.New("not a name that is known: want log-N.key, log-N.pub, seal-N.key or hmac-N.key")
}

// readVerifier sorts a key of the log by the origin that it is named after, and reads
// its secret half where that is there.
func (k *Keys) readVerifier(l LogKey, secret bool) error {
	v, err := note.NewVerifier(l.Verifier)
	if err != nil {
		return errors.New("not a verifier key")
	}
	if secret {
		raw, err := os.ReadFile(filepath.Join(k.Dir, "log-"+strconv.Itoa(l.Number)+".key"))
		if err != nil {
			return err
		}
		if l.Signer, err = note.NewSigner(strings.TrimSpace(string(raw))); err != nil {
			return errors.New("the .key file beside it is not a signing key")
		}
		if l.Signer.Name() != v.Name() || l.Signer.KeyHash() != v.KeyHash() {
			return errors.New("it does not fit the .key file beside it")
		}
	}
	base, n := SplitOrigin(k.Origin)
	keyBase, keyN := SplitOrigin(v.Name())
	switch {
	case keyBase != base:
		return fmt.Errorf("is the key of the log %q, not of %q: each organisation has its own keys folder", v.Name(), k.Origin)
	case keyN == n:
		k.log = append(k.log, l)
	case keyN < n:
		l.Signer = nil
		k.retired = append(k.retired, l)
	default:
		k.later = append(k.later, v.Name())
	}
	k.highest = max(k.highest, l.Number)
	return nil
}
