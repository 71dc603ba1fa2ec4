package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// A guard file has two slots of equal length, written in turn. Each advance writes
// the slot that does not hold the last checkpoint and syncs once; the file's length
// never changes. A write that was torn by a crash leaves a slot whose sum does not
// fit, and the other one with what was durable before.
//
//	8 bytes  "CSGUARD1"
//	8 bytes  sequence number, big-endian; the higher one counts
//	4 bytes  length of the checkpoint
//	n bytes  the checkpoint; none in the first slot of a new file
//	32 bytes SHA-256 over the origin's length and the origin and all of the above
const (
	guardMagic = "CSGUARD1"
	guardHead  = 8 + 8 + 4
	guardSlot  = 64 << 10
)

// fileGuard is a guard in a folder: one file for each origin.
type fileGuard struct {
	dir  string
	lock *fileLock

	mu    sync.Mutex
	files map[string]*guardFile
}

type guardFile struct {
	f       *os.File
	seq     uint64
	current []byte // nil before the first checkpoint
	broken  error  // after a failed write or sync nobody knows what the disk holds
}

// OpenFileGuard opens a guard in a folder, which it makes, and holds it until Close: a
// second process gets [ErrInUse]. The folder belongs on another disk than the data,
// or at least outside of what backups of the data restore.
func OpenFileGuard(dir string) (Guard, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the guard's folder: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "guard.lock"))
	if err != nil {
		return nil, fmt.Errorf("the guard's folder %s: %w", dir, err)
	}
	return &fileGuard{dir: dir, lock: lock, files: map[string]*guardFile{}}, nil
}

func (g *fileGuard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, f := range g.files {
		errs = append(errs, f.f.Close())
	}
	g.files = nil
	return errors.Join(append(errs, g.lock.release())...)
}

func (g *fileGuard) Load(_ context.Context, origin string) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := g.file(origin)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(f.current), f.broken
}

func (g *fileGuard) Advance(_ context.Context, origin string, old, next []byte) error {
	if err := checkAdvance(origin, old, next); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := g.file(origin)
	if err != nil {
		return err
	}
	if f.broken != nil {
		return f.broken
	}
	if !sameCheckpoint(f.current, old) {
		return &GuardConflict{origin, bytes.Clone(f.current)}
	}
	if err := f.write(origin, f.seq+1, next); err != nil {
		f.broken = fmt.Errorf("the guard cannot be written, and what it holds is not known until it is opened again: %w", err)
		return f.broken
	}
	return nil
}

// file opens the file of an origin, and makes it when it is not there.
func (g *fileGuard) file(origin string) (*guardFile, error) {
	if g.files == nil {
		return nil, ErrClosed
	}
	if f := g.files[origin]; f != nil {
		return f, nil
	}
	path := filepath.Join(g.dir, guardName(origin))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := g.create(path, origin); err != nil {
			return nil, fmt.Errorf("make the guard of %s: %w", origin, err)
		}
	}
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the guard of %s: %w", origin, err)
	}
	f := &guardFile{f: h}
	if err := f.read(origin); err != nil {
		h.Close()
		return nil, fmt.Errorf("read the guard of %s from %s: %w", origin, path, err)
	}
	g.files[origin] = f
	return f, nil
}

func guardName(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:16]) + ".guard"
}

// create makes the file whole under another name first: it is there with one good
// slot, or it is not there.
func (g *fileGuard) create(path, origin string) error {
	h, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer h.Close()
	if _, err := h.Write(make([]byte, 2*guardSlot)); err != nil { // the space is taken now, not later
		return err
	}
	f := &guardFile{f: h}
	if err := f.write(origin, 0, nil); err != nil {
		return err
	}
	if err := h.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(g.dir)
}

// write puts a checkpoint into the slot of its sequence number and makes it durable.
func (f *guardFile) write(origin string, seq uint64, checkpoint []byte) error {
	data := encodeSlot(origin, seq, checkpoint)
	if _, err := f.f.WriteAt(data, int64(seq%2)*guardSlot); err != nil {
		return err
	}
	if err := datasync(f.f); err != nil {
		return err
	}
	f.seq, f.current = seq, bytes.Clone(checkpoint)
	return nil
}

// read finds the last good slot.
func (f *guardFile) read(origin string) error {
	found := false
	for slot := range int64(2) {
		data := make([]byte, guardSlot)
		if _, err := f.f.ReadAt(data, slot*guardSlot); err != nil {
			return err
		}
		seq, checkpoint, ok := decodeSlot(origin, data)
		if !ok || seq%2 != uint64(slot) || found && seq < f.seq {
			continue
		}
		found, f.seq, f.current = true, seq, checkpoint
	}
	if !found {
		return errors.New("neither of its two slots is whole: the file was damaged or belongs to another log; " +
			"put the last checkpoint that you kept back, or recover the log")
	}
	return nil
}

func encodeSlot(origin string, seq uint64, checkpoint []byte) []byte {
	b := make([]byte, 0, guardHead+len(checkpoint)+sha256.Size)
	b = append(b, guardMagic...)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(len(checkpoint)))
	b = append(b, checkpoint...)
	sum := slotSum(origin, b)
	return append(b, sum[:]...)
}

func decodeSlot(origin string, b []byte) (seq uint64, checkpoint []byte, ok bool) {
	if string(b[:8]) != guardMagic {
		return 0, nil, false
	}
	n := int(binary.BigEndian.Uint32(b[16:]))
	if n > len(b)-guardHead-sha256.Size {
		return 0, nil, false
	}
	sum := slotSum(origin, b[:guardHead+n])
	if !bytes.Equal(sum[:], b[guardHead+n:][:sha256.Size]) {
		return 0, nil, false
	}
	if n > 0 {
		checkpoint = bytes.Clone(b[guardHead:][:n])
	}
	return binary.BigEndian.Uint64(b[8:]), checkpoint, true
}

func slotSum(origin string, b []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(origin))))
	h.Write([]byte(origin))
	h.Write(b)
	return [sha256.Size]byte(h.Sum(nil))
}
