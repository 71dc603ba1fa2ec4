package connect_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/connect"
)

// shared opens a file of the real sets, which are not part of the project.
func shared(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatalf("the real set %s is required and is not there: %v", name, err)
		}
		t.Skipf("the real set %s is not there", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// purchases reads a text that must be readable as a file.
func purchases(t testing.TB, text, mapping string, o connect.Options) ([]connect.Purchase, connect.Report) {
	t.Helper()
	var kept []connect.Purchase
	report, err := connect.ReadPurchases(strings.NewReader(text), parse(t, mapping), o, func(p connect.Purchase) error {
		kept = append(kept, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept, report
}

func parse(t testing.TB, mapping string) connect.Mapping {
	t.Helper()
	m, err := connect.ParseMapping(mapping)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func equal[T comparable](t testing.TB, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Errorf("%s: have %v, want %v", what, have, want)
	}
}

// key is what names a purchase within its system.
func key(p connect.Purchase) string { return fmt.Sprintf("%s %q %q", p.Kind, p.ID, p.Line) }
