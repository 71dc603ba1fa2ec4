package api

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// once carries a call out under its Idempotency-Key: the same key with the same
// payload again gets the same status and body. What failed for a reason that passes
// is not kept, and neither is anything that is shown once.
func (c *call) once() (answer, error) {
	key, err := idempotencyKey(c.r.Header["Idempotency-Key"])
	if err != nil {
		return answer{}, err
	}
	id := authority.Call{Caller: c.who, Method: c.r.Method, Path: c.r.URL.Path, Key: key}
	if c.node != nil {
		id.Payload = sha256.Sum256(c.node.Canonical())
	}
	earlier, err := c.org.BeginCall(c.ctx(), id)
	if err != nil {
		return answer{}, err
	}
	if earlier != nil {
		media := valueJSON
		if earlier.Status >= 400 {
			media = valueProblem
		}
		c.w.Header().Set("Idempotent-Replay", "true")
		c.send(earlier.Status, media, earlier.Body)
		return answer{status: written}, nil
	}
	ctx := context.WithoutCancel(c.ctx()) // what was begun is ended, whoever hung up
	done := false
	defer func() {
		if !done { // a panic: nothing is known of what it did
			c.forget(ctx, id)
		}
	}()
	a, err := c.op.run(c)
	done = true
	if err != nil {
		c.keepProblem(ctx, id, err)
		return a, err
	}
	if a.passing {
		c.forget(ctx, id)
		return a, nil
	}
	kept, receipt := a.body, a.receipt
	if a.kept != nil {
		kept = a.kept
	}
	if a.status == 0 {
		a.status = 200
	}
	var body []byte
	if kept != nil {
		body = encode(kept, receipt)
	}
	c.keep(ctx, id, authority.KeptAnswer{Status: a.status, Body: body, Subject: a.subject})
	return a, nil
}

func (c *call) keep(ctx context.Context, id authority.Call, a authority.KeptAnswer) {
	if err := c.org.FinishCall(ctx, id, a); err != nil {
		c.api.cfg.Log.Warn("an answer could not be kept for its repetition", "request", c.id, "error", causes(err))
	}
}

func (c *call) forget(ctx context.Context, id authority.Call) {
	if err := c.org.ForgetCall(ctx, id); err != nil {
		c.api.cfg.Log.Warn("a call could not be forgotten", "request", c.id, "error", causes(err))
	}
}

// keepProblem keeps what the caller did wrong. What may be otherwise next time is
// forgotten: our own faults, limits, and the state of other things.
func (c *call) keepProblem(ctx context.Context, id authority.Call, err error) {
	p, ok := err.(*countersign.Problem) //nolint:errorlint // verbs return problems bare
	if !ok || p.Status >= 500 || p.Status == 429 || p.Status == 401 || p.Status == 403 || p.Status == 404 || p.Status == 409 {
		c.forget(ctx, id)
		return
	}
	out := *p
	out.Instance = "urn:countersign:call:" + c.id
	c.keep(ctx, id, authority.KeptAnswer{Status: out.Status, Body: encode(&out, nil)})
}

// idempotencyKey reads the header: a quoted string (RFC 8941 §3.3.3), or the bare key
// as many clients send it.
func idempotencyKey(values []string) (string, error) {
	bad := countersign.Invalid(countersign.FieldError{Pointer: "Idempotency-Key", Detail: "want one key of 1 to 200 visible ASCII characters, quoted or bare"})
	if len(values) != 1 {
		return "", bad
	}
	s := strings.TrimSpace(values[0])
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		if s, ok = strings.CutSuffix(quoted, `"`); !ok {
			return "", bad
		}
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '"':
				return "", bad
			case s[i] == '\\' && (i+1 == len(s) || (s[i+1] != '"' && s[i+1] != '\\')):
				return "", bad
			case s[i] == '\\':
				i++
			}
			b.WriteByte(s[i])
		}
		s = b.String()
	}
	if s == "" || len(s) > 200 {
		return "", bad
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return "", bad
		}
	}
	return s, nil
}
