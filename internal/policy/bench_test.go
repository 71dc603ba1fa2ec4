package policy

import (
	"fmt"
	"testing"

	countersign "github.com/countersign/countersign"
)

// BenchmarkEvaluate weighs loaded facts with the shipped pack, and with policies
// of 12 and 120 rules.
func BenchmarkEvaluate(b *testing.B) {
	silent := completeFacts()
	silent.Document.Kind = countersign.KindPurchaseOrder
	asked := completeFacts()
	setAmount(asked, "40000.00", "EUR")
	pack := procurement(b)
	if r := pack.Evaluate(silent, StageSubmit); r.Outcome != countersign.OutcomeAllow {
		b.Fatalf("not silent: %v", rules(r))
	}
	b.Run("pack/silent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pack.Evaluate(silent, StageSubmit)
		}
	})
	b.Run("pack/step_up", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pack.Evaluate(asked, StageSubmit)
		}
	})
	for _, n := range []int{12, 120} {
		v := load(b, manyRules(n))
		b.Run(fmt.Sprintf("rules-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Evaluate(silent, StageSubmit)
			}
		})
	}
}

func BenchmarkLoad120Rules(b *testing.B) {
	text := manyRules(120)
	for b.Loop() {
		load(b, text)
	}
}

// TestSilentPathAllocates little: a silent approval is the common case.
func TestSilentPathAllocates(t *testing.T) {
	f := completeFacts()
	f.Document.Kind = countersign.KindPurchaseOrder
	v := procurement(t)
	if n := testing.AllocsPerRun(200, func() { v.Evaluate(f, StageSubmit) }); n > 100 {
		t.Errorf("%v allocations on the silent path, want at most 100", n)
	}
}
