package api

import (
	_ "embed"
	"net/http"

	"github.com/countersign/countersign/internal/authority"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the description of the API (OpenAPI 3.1).
func OpenAPI() []byte { return openAPI }

func serviceOperations() []operation {
	return []operation{
		{method: get, path: "/openapi.json", id: "getOpenAPI", tag: "service", who: anyone, summary: "Read this description", media: "application/json", run: func(*call) (answer, error) {
			return answer{raw: OpenAPI(), media: "application/json"}, nil
		}},
		{method: get, path: "/healthz", id: "health", tag: "service", who: anyone, summary: "Ask whether the process runs", out: Health{}, run: func(*call) (answer, error) {
			return answer{body: Health{Status: "ok"}}, nil
		}},
		{method: get, path: "/readyz", id: "ready", tag: "service", who: anyone, summary: "Ask whether everything is there that a decision needs",
			detail: "The clock, the database, a log that was signed lately, the guard. 503 names what is missing.", out: Health{}, status: []int{200, 503}, run: ready},
		{method: get, path: "/metrics", id: "metrics", tag: "service", who: anyone, summary: "Read figures for Prometheus", detail: "For callers on the same machine, or on a listener of its own.",
			media: mediaText, run: showMetrics},
	}
}

// Health says how the service is.
type Health struct {
	Status string            `json:"status"` // "ok" or "unavailable"
	Checks []authority.Check `json:"checks,omitempty"`
}

func ready(c *call) (answer, error) {
	out := Health{Status: "ok"}
	status := http.StatusOK
	for _, a := range c.api.cfg.Authorities {
		for _, check := range a.Ready(c.ctx()) {
			out.Checks = append(out.Checks, check)
			if !check.OK {
				out.Status, status = "unavailable", http.StatusServiceUnavailable
			}
		}
	}
	return answer{status: status, body: out}, nil
}
