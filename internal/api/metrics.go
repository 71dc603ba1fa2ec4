package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/countersign/countersign"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the API's own figures. Labels are patterns and known methods, never
// what a caller sent: their number is bounded.
type metrics struct {
	calls *prometheus.CounterVec
	took  *prometheus.HistogramVec
	show  http.Handler
}

func newMetrics(r *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "countersign", Name: "http_calls_total",
			Help: "Calls answered, by method, route and status."}, []string{"method", "route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "countersign", Name: "http_call_seconds",
			Help: "Time from a call's first byte to its answer.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"route"}),
		show: promhttp.HandlerFor(r, promhttp.HandlerOpts{}),
	}
	for _, c := range []prometheus.Collector{m.calls, m.took} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) served(method, route string, status int, took time.Duration) {
	m.calls.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// Metrics is the handler of /metrics for a listener of its own.
func (a *API) Metrics() http.Handler { return a.metrics.show }

// showMetrics answers /metrics, for callers on this machine only.
func showMetrics(c *call) (answer, error) {
	if c.api.cfg.HideMetrics || !onThisMachine(c.r) {
		return answer{}, countersign.NewProblem(countersign.CodeNotFound, "there is no such thing here").WithHint("metrics_listen in the configuration serves metrics to others")
	}
	c.api.metrics.show.ServeHTTP(c, c.r)
	return answer{status: written}, nil
}
