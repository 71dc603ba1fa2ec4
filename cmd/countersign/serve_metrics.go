package main

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/store"
	"github.com/prometheus/client_golang/prometheus"
)

// storeMetrics are the figures of the database and of each organisation's outbox and
// log, read when they are asked for.
type storeMetrics struct {
	in                       *installation
	commits, jobs, retries   *prometheus.Desc
	failed, largest, waiting *prometheus.Desc
	outbox, dead, oldest     *prometheus.Desc
	entries, signed          *prometheus.Desc
}

func newStoreMetrics(in *installation) *storeMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("countersign_"+name, help, labels, nil)
	}
	return &storeMetrics{in: in,
		commits: desc("store_commits_total", "Transactions that reached the disk."),
		jobs:    desc("store_writes_total", "Writes that were committed in them."),
		retries: desc("store_retries_total", "Writes that ran again after a collision."),
		failed:  desc("store_failed_total", "Writes that ended in an error."),
		largest: desc("store_largest_commit", "Most writes in one commit."),
		waiting: desc("store_waiting", "Writes that wait now."),
		outbox:  desc("outbox_waiting", "Events that are still to be told.", "organisation"),
		dead:    desc("outbox_dead", "Events that were given up.", "organisation"),
		oldest:  desc("outbox_oldest_seconds", "Age of the event that waits longest.", "organisation"),
		entries: desc("log_entries", "Entries of the log that have their place.", "organisation"),
		signed:  desc("log_signed_entries", "Entries of the log that a recorded checkpoint covers.", "organisation"),
	}
}

// Describe lists the figures.
func (m *storeMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.commits, m.jobs, m.retries, m.failed, m.largest, m.waiting, m.outbox, m.dead, m.oldest, m.entries, m.signed} {
		ch <- d
	}
}

// Collect reads the figures. What cannot be read now is left out.
func (m *storeMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.in.db.Stats()
	count := func(d *prometheus.Desc, n int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count(m.commits, s.Commits)
	count(m.jobs, s.Jobs)
	count(m.retries, s.Retries)
	count(m.failed, s.Failed)
	gauge(m.largest, float64(s.Largest))
	gauge(m.waiting, float64(s.Waiting))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, a := range m.in.authorities {
		var counts store.OutboxCounts
		var head store.Head
		var now time.Time
		err := m.in.db.For(a.Org()).Read(ctx, func(tx *store.Tx) (err error) {
			now = tx.Now()
			if head, err = tx.Head(); err != nil {
				return err
			}
			counts, err = tx.OutboxCounts()
			return err
		})
		if err != nil {
			continue
		}
		gauge(m.outbox, float64(counts.Waiting), a.Org())
		gauge(m.dead, float64(counts.Dead), a.Org())
		age := 0.0
		if !counts.Oldest.IsZero() {
			age = now.Sub(counts.Oldest).Seconds()
		}
		gauge(m.oldest, age, a.Org())
		gauge(m.entries, float64(head.Size), a.Org())
		gauge(m.signed, float64(head.SignedSize), a.Org())
	}
}
