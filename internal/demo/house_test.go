package demo

import (
	"path/filepath"
	"testing"
	"time"
)

func TestBuildIsFast(t *testing.T) {
	began := time.Now()
	h, err := Build(t.Context(), Config{Dir: filepath.Join(t.TempDir(), "demo"), URL: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("built in", time.Since(began))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}
