package signal

import (
	"cmp"
	"slices"

	countersign "github.com/countersign/countersign"
)

// Readiness counts, over many requests, how often each signal could be answered
// and which facts were missing when it could not: what an organisation's data is
// ready for, and what to send next. The zero value is ready to use; it is not
// safe for concurrent use.
type Readiness struct{ signals []SignalReadiness }

// SignalReadiness is the count for one signal.
type SignalReadiness struct {
	Signal  string  `json:"signal"`
	True    int     `json:"true"`
	False   int     `json:"false"`
	Unknown int     `json:"unknown"`
	Missing []Count `json:"missing,omitempty"` // most often missing first
}

// Count is how often one fact was missing.
type Count struct {
	Field string `json:"field"`
	Times int    `json:"times"`
}

// Add counts the findings of one request.
func (r *Readiness) Add(findings []countersign.Finding) {
	for _, f := range findings {
		s := r.of(f.Signal)
		switch f.State {
		case countersign.True:
			s.True++
		case countersign.False:
			s.False++
		default:
			s.Unknown++
			for _, field := range f.Missing {
				s.miss(field)
			}
		}
	}
}

func (r *Readiness) of(name string) *SignalReadiness {
	for i := range r.signals {
		if r.signals[i].Signal == name {
			return &r.signals[i]
		}
	}
	r.signals = append(r.signals, SignalReadiness{Signal: name})
	return &r.signals[len(r.signals)-1]
}

func (s *SignalReadiness) miss(field string) {
	for i := range s.Missing {
		if s.Missing[i].Field == field {
			s.Missing[i].Times++
			return
		}
	}
	s.Missing = append(s.Missing, Count{field, 1})
}

// Signals returns the counts, signals in the order in which they were added.
func (r *Readiness) Signals() []SignalReadiness {
	out := slices.Clone(r.signals)
	for i := range out {
		m := slices.Clone(out[i].Missing)
		slices.SortStableFunc(m, func(a, b Count) int {
			return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Field, b.Field))
		})
		out[i].Missing = m
	}
	return out
}
