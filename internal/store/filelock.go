package store

import (
	"fmt"
	"os"
	"strings"
)

// fileLock is a file that one process holds. The lock ends with the process, however
// that ends; the file stays.
type fileLock struct{ f *os.File }

// lockFile takes the lock, or returns [ErrInUse] with the holder's process number.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	if err := lockExclusive(f); err != nil {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		if pid := strings.TrimSpace(string(holder[:n])); pid != "" {
			return nil, fmt.Errorf("%w (process %s; stop it first): %w", ErrInUse, pid, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if err := f.Truncate(0); err == nil { // only for the message above: no matter if it fails
		f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return &fileLock{f}, nil
}

func (l *fileLock) release() error { return l.f.Close() }
