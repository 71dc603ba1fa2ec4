//go:build !linux

package main

// On other systems the doctor cannot tell what a folder is on.

func fileSystem(string) (kind string, remote bool) { return "not known", false }

func freeSpace(string) (int64, bool) { return 0, false }

func sameDisk(string, string) bool { return false }
