package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

func write(t *testing.T, s *testkit.Server, id, amount string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), id+".json")
	s.Must(os.WriteFile(file, testkit.Raw(testkit.Order(id, amount)), 0o600))
	return file
}

// waiting gives up once it has been told why it waits.
type waiting struct {
	out  *bytes.Buffer
	stop func()
}

func (w *waiting) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "because") {
		w.stop()
	}
	return w.out.Write(b)
}

// A small order is ordered at once, once; a large one when somebody has decided; a
// changed one not at all.
func TestPurchase(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	client := s.Client(s.Key)
	var out bytes.Buffer
	small := write(t, s, "PO-1", "900.00")
	s.Must(purchase(t.Context(), client, &out, small, ""))
	s.Must(purchase(t.Context(), client, &out, small, "")) // tried again: the same
	if strings.Count(out.String(), "ordered") != 2 {
		t.Error(out.String())
	}

	large := write(t, s, "PO-2", "30000.00")
	out.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := purchase(ctx, client, &waiting{&out, cancel}, large, ""); err == nil || strings.Contains(out.String(), "ordered") || !strings.Contains(out.String(), "because") {
		t.Errorf("%v\n%s", err, &out)
	}
	request := strings.Fields(out.String())[0]
	if _, p := s.Person("marta").ByPasskey(request, countersign.ActApprove); p != nil {
		t.Fatal(p)
	}
	s.Must(os.WriteFile(large, testkit.Raw(testkit.Order("PO-2", "30000.01")), 0o600))
	if err := execute(t.Context(), client, &out, request, large); err == nil || !strings.Contains(out.String(), "/amount/value was 30000.00 and is now 30000.01") {
		t.Errorf("%v\n%s", err, &out)
	}
	s.Must(os.WriteFile(large, testkit.Raw(testkit.Order("PO-2", "30000.00")), 0o600))
	s.Must(execute(t.Context(), client, &out, request, large))
}
