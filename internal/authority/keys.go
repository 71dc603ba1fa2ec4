package authority

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Keys are the secrets of one organisation. They live in a folder of their own,
// never in the database and never in a backup of the data: whoever has only the
// data can read it, but can neither continue the log nor open a sealed secret.
//
// The folder holds log-N.key (Ed25519 note keys that sign checkpoints), seal-N.key
// (encryption at rest) and hmac-N.key (account fingerprints). N counts rotations;
// the highest is used for new work, the older ones still verify and open.
type Keys struct {
	Dir  string
	Log  []LogKey         // by number, oldest first
	Seal map[int][32]byte // by number
	HMAC map[int][32]byte
}

// LogKey is one signing key of the log.
type LogKey struct {
	Number   int
	Signer   note.Signer
	Verifier string // encoded verifier key, public
}

// ErrKeys says that the keys folder cannot be used; the text says why and what to
// do.
var ErrKeys = errors.New("keys folder")

// OpenKeys reads the keys folder, and makes the first keys when the folder is
// empty or missing. The log's keys bear the origin as their name.
func OpenKeys(dir, origin string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	k := &Keys{Dir: dir, Seal: map[int][32]byte{}, HMAC: map[int][32]byte{}}
	empty := !slices.ContainsFunc(names, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".key") })
	if empty {
		if err := k.generate(origin); err != nil {
			return nil, err
		}
		if names, err = os.ReadDir(dir); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeys, err)
		}
	}
	for _, e := range names {
		if strings.HasSuffix(e.Name(), ".key") {
			if err := k.read(e.Name(), origin); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrKeys, filepath.Join(dir, e.Name()), err)
			}
		}
	}
	if len(k.Log) == 0 || len(k.Seal) == 0 || len(k.HMAC) == 0 {
		return nil, fmt.Errorf("%w: %s has some keys but not all of log, seal and hmac: restore the folder as it was", ErrKeys, dir)
	}
	slices.SortFunc(k.Log, func(a, b LogKey) int { return a.Number - b.Number })
	return k, nil
}

// Newest returns the number of the newest key in a ring.
func Newest(ring map[int][32]byte) int {
	n := 0
	for i := range ring {
		n = max(n, i)
	}
	return n
}

// Verifiers returns the public keys of the log, newest last.
func (k *Keys) Verifiers() []string {
	out := make([]string, len(k.Log))
	for i, l := range k.Log {
		out[i] = l.Verifier
	}
	return out
}

func (k *Keys) generate(origin string) error {
	if _, err := k.AddLogKey(origin); err != nil {
		return err
	}
	for _, name := range [2]string{"seal-1.key", "hmac-1.key"} {
		if err := k.writeSecret(name); err != nil {
			return err
		}
	}
	k.Log = nil // all are read back from the folder
	return nil
}

// AddLogKey makes the next signing key. The rotation counts once the log says so.
func (k *Keys) AddLogKey(origin string) (LogKey, error) {
	next := 1
	for _, l := range k.Log {
		next = max(next, l.Number+1)
	}
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return LogKey{}, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	base := "log-" + strconv.Itoa(next)
	if err := writeNew(filepath.Join(k.Dir, base+".key"), secret, 0o600); err != nil {
		return LogKey{}, err
	}
	if err := writeNew(filepath.Join(k.Dir, base+".pub"), public, 0o644); err != nil {
		return LogKey{}, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return LogKey{}, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	l := LogKey{Number: next, Signer: signer, Verifier: public}
	k.Log = append(k.Log, l)
	return l, nil
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
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("%w: write %s: %w", ErrKeys, path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (k *Keys) read(name, origin string) error {
	path := filepath.Join(k.Dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("can be read by others (mode %o): run chmod 600 on it", info.Mode().Perm())
	}
	kind, num, ok := strings.Cut(strings.TrimSuffix(name, ".key"), "-")
	n, err := strconv.Atoi(num)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != num {
		return errors.New("not a name that is known: want log-N.key, seal-N.key or hmac-N.key")
	}
	if info.Size() > 4096 {
		return errors.New("too long for a key")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(raw))
	switch kind {
	case "log":
		return k.readLogKey(n, text, origin)
	case "seal", "hmac":
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(b) != 32 {
			return errors.New("want 32 bytes in base64")
		}
		ring := k.Seal
		if kind == "hmac" {
			ring = k.HMAC
		}
		ring[n] = [32]byte(b)
		return nil
	}
	return errors.New("not a name that is known: want log-N.key, seal-N.key or hmac-N.key")
}

func (k *Keys) readLogKey(n int, text, origin string) error {
	signer, err := note.NewSigner(text)
	if err != nil {
		return errors.New("not a signing key")
	}
	if signer.Name() != origin {
		return fmt.Errorf("is the key of the log %q, not of %q: each organisation has its own keys folder", signer.Name(), origin)
	}
	pub, err := os.ReadFile(strings.TrimSuffix(filepath.Join(k.Dir, "log-"+strconv.Itoa(n)+".key"), ".key") + ".pub")
	if err != nil {
		return err
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(pub)))
	if err != nil || v.KeyHash() != signer.KeyHash() {
		return errors.New("its .pub file does not fit it")
	}
	k.Log = append(k.Log, LogKey{Number: n, Signer: signer, Verifier: strings.TrimSpace(string(pub))})
	return nil
}
