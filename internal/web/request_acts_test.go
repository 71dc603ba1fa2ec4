package web

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// TestCoolingFactorIsNotAskedForAgain: whoever has enrolled what is needed, and only
// waits until it counts, is not told to enrol it.
func TestCoolingFactorIsNotAskedForAgain(t *testing.T) {
	later := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		factor authority.OwnFactor
		need   countersign.Assurance
		want   bool
	}{
		{authority.OwnFactor{Type: "passkey", CountsFrom: later}, countersign.AssurancePhishingResistant, true},
		{authority.OwnFactor{Type: "totp", CountsFrom: later}, countersign.AssurancePhishingResistant, false},
		{authority.OwnFactor{Type: "totp", CountsFrom: later}, countersign.AssuranceMFA, true},
		{authority.OwnFactor{Type: "passkey", CountsFrom: later}, countersign.AssuranceHardware, false},
		{authority.OwnFactor{Type: "passkey"}, countersign.AssurancePhishingResistant, false},
	} {
		r := &authority.RequestView{}
		r.You.Factors = []authority.OwnFactor{c.factor}
		q := &requestReader{r: r}
		if got := q.cooling(string(c.need)); got != c.want {
			t.Errorf("%+v for %s: cooling is %v, not %v", c.factor, c.need, got, c.want)
		}
	}
}
