package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the authority's own figures; [Authority.Collectors] hands them to
// whoever serves them.
type metrics struct {
	requests    *prometheus.CounterVec
	decisions   *prometheus.CounterVec
	releases    *prometheus.CounterVec
	checkpoints prometheus.Counter
	attempts    *prometheus.CounterVec
	witnesses   *prometheus.CounterVec
	cosigned    *prometheus.GaugeVec
	overdue     *prometheus.GaugeVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "countersign", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "countersign", Name: name, Help: help}, labels)
	}
	return &metrics{
		requests:    counter("requests_total", "Requests submitted, by the status they were answered with.", "status"),
		decisions:   counter("decisions_total", "Decisions made, by act and assurance.", "act", "assurance"),
		releases:    counter("releases_total", "Releases asked for, by answer.", "answer"),
		checkpoints: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "countersign", Name: "checkpoints_total", Help: "Checkpoints published."}),
		attempts:    counter("authentications_total", "Attempts to prove something, by method and result.", "method", "result"),
		witnesses:   counter("witness_answers_total", "Times that a witness was asked to cosign, by result.", "witness", "result"),
		cosigned:    gauge("witness_cosigned_entries", "Entries of the log that a witness has cosigned.", "witness"),
		overdue:     gauge("witness_overdue", "1 where a witness has cosigned nothing for over an hour while there is something new.", "witness"),
	}
}

// Collectors are the authority's figures for a registry.
func (a *Authority) Collectors() []prometheus.Collector {
	m := a.metrics
	return []prometheus.Collector{m.requests, m.decisions, m.releases, m.checkpoints, m.attempts, m.witnesses, m.cosigned, m.overdue}
}

// witnessAnswered counts an answer of a witness.
func (m *metrics) witnessAnswered(w checkpoint.WitnessState, err error) {
	if err != nil {
		m.witnesses.WithLabelValues(w.Witness, "refused").Inc()
		return
	}
	m.witnesses.WithLabelValues(w.Witness, "cosigned").Inc()
	m.cosigned.WithLabelValues(w.Witness).Set(float64(w.Cosigned))
}

func (m *metrics) witnessOverdue(id string, overdue bool) {
	n := 0.0
	if overdue {
		n = 1
	}
	m.overdue.WithLabelValues(id).Set(n)
}

func (m *metrics) submitted(s countersign.Status, created bool) {
	if created {
		m.requests.WithLabelValues(string(s)).Inc()
	}
}

func (m *metrics) attempt(method string, err error) {
	result := "accepted"
	if err != nil {
		result = "refused"
	}
	m.attempts.WithLabelValues(method, result).Inc()
}
