package main

import (
	"debug/buildinfo"
	"os"
	"testing"
)

// TestTheProgramIsSmallAndNeedsNoC weighs what is handed out (decision 0009).
func TestTheProgramIsSmallAndNeedsNoC(t *testing.T) {
	if underRace {
		t.Skip("a program of its own: the race detector sees nothing of it")
	}
	path, err := program()
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	const most = 40_000_000
	if info.Size() >= most {
		t.Errorf("the stripped program has %d bytes, want less than %d", info.Size(), most)
	}
	built, err := buildinfo.ReadFile(path)
	must(t, err)
	for _, s := range built.Settings {
		if s.Key == "CGO_ENABLED" && s.Value == "0" {
			return
		}
	}
	t.Errorf("the program was not built without cgo: %v", built.Settings)
}
