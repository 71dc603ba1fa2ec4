package demo

import (
	"testing"

	"github.com/countersign/countersign"
)

// TestTheDayAndItsTricks plays the day into the inbox, and each trick: it is carried
// out for real, and caught by the part that it is said to be caught by.
func TestTheDayAndItsTricks(t *testing.T) {
	h, err := Build(t.Context(), Config{Dir: t.TempDir() + "/demo", URL: "http://localhost:18099"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	ended := make(chan struct{})
	go func() { defer close(ended); h.Authority.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	l, err := h.GoLive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]countersign.Status{"small-order": "released", "large-order": "pending", "new-vendor-invoice": "pending", "bank-change": "pending",
		"payment-to-new-account": "denied", "payment-to-old-account": "pending", "agent-order": "pending", "split-4": "pending"} {
		if got, _ := l.Status(t.Context(), name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	before := l.Request("large-order")
	p, err := l.Play(t.Context(), TrickRevision)
	if err != nil || p.Request != before || p.Replacement == before || p.Was == p.Is {
		t.Errorf("revision: %+v %v", p, err)
	}
	p, err = l.Play(t.Context(), TrickRow)
	if err != nil || p.Problem == nil || p.Problem.Code != countersign.CodeChanged {
		t.Errorf("row: %+v %v", p, err)
	}
	if s, _ := l.Status(t.Context(), "new-vendor-invoice"); s != "pending" {
		t.Errorf("the row was not put back: %q", s)
	}
	p, err = l.Play(t.Context(), TrickReplay)
	if err != nil || p.Problem == nil || p.Problem.Code != countersign.CodeReleased {
		t.Errorf("replay: %+v %v", p, err)
	}
	if p, err = l.Play(t.Context(), TrickReplay); err != nil || p.Problem.Code != countersign.CodeReleased {
		t.Errorf("replay again: %+v %v", p, err)
	}
	if err := l.Run(t.Context(), 0); err != nil {
		t.Fatalf("the day anew: %v", err)
	}
}
