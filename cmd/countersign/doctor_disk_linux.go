package main

import (
	"fmt"
	"os"
	"syscall"
)

// remoteFileSystems are those of other machines, by the magic number that statfs(2)
// tells, on which SQLite's locks cannot be relied on (sqlite.org/faq.html#q5).
var remoteFileSystems = map[uint32]string{
	0x6969: "NFS", 0x517B: "SMB", 0xFF534D42: "CIFS", 0xFE534D42: "SMB2", 0x01021997: "9P", 0x65735546: "FUSE",
	0x5346414F: "AFS", 0x00C36400: "Ceph", 0x0BD00BD0: "Lustre", 0x7461636F: "OCFS2", 0x01161970: "GFS2",
}

// fileSystem tells what kind of file system a folder is on, and whether it is one of
// another machine.
func fileSystem(path string) (kind string, remote bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return err.Error(), false
	}
	kind, remote = remoteFileSystems[uint32(s.Type)]
	if !remote {
		kind = fmt.Sprintf("%#x", uint32(s.Type))
	}
	return kind, remote
}

// freeSpace tells how many bytes are left for us.
func freeSpace(path string) (int64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}

// sameDisk reports whether two paths are on one file system.
func sameDisk(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	if errA != nil || errB != nil {
		return false
	}
	return x.Sys().(*syscall.Stat_t).Dev == y.Sys().(*syscall.Stat_t).Dev
}
