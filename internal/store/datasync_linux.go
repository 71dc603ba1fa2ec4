package store

import (
	"os"
	"syscall"
)

// datasync makes the file's contents durable. The file's length does not change
// where it is used, so that nothing else needs to be.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}
