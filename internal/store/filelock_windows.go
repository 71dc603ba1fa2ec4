package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockExclusive locks one byte far behind what the file holds, so that the holder's
// process number can still be read.
func lockExclusive(f *os.File) error {
	far := &windows.Overlapped{Offset: 1 << 30}
	return windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, far)
}

// syncDir has nothing to do here: a folder cannot be synced, and renames are written
// through the file system's own journal.
func syncDir(string) error { return nil }
