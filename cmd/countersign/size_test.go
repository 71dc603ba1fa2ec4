package main

import (
	"debug/buildinfo"
	"os"
	"testing"
)

// TestTheProgramNeedsNoC builds what is handed out, and reports its size (decision 0010).
func TestTheProgramNeedsNoC(t *testing.T) {
	if underRace {
		t.Skip("built for the race detector, it is larger and needs C")
	}
	path, err := program()
	must(t, err)

	info, err := os.Stat(path)
	must(t, err)
	t.Logf("%.1f MB", float64(info.Size())/1e6)

	built, err := buildinfo.ReadFile(path)
	must(t, err)
	for _, s := range built.Settings {
		if s.Key == "CGO_ENABLED" && s.Value == "0" {
			return
		}
	}
	t.Errorf("the program was not built without cgo: %v", built.Settings)
}
