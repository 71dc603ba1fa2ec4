//go:build !linux

package store

import "os"

// datasync makes the file's contents durable.
func datasync(f *os.File) error { return f.Sync() }
