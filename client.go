package countersign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls a Countersign server with an API key. It is safe for concurrent use.
//
// What the server refuses is a [*Problem]. Calls that are the same when they are
// repeated are repeated, with growing pauses, when the server could not be reached or
// said that it is not available: all of the client's are, because the server
// recognises the same document, execution, alert and facts again.
type Client struct {
	BaseURL string       // as https://approvals.example.com
	Key     string       // API key
	HTTP    *http.Client // default: one with a timeout of 30 s
	Retries int          // after the first attempt; default 3, below zero none
}

// Bounds of what is read of an answer, in bytes.
const (
	maxAnswer  = 16 << 20
	maxProblem = 1 << 20
)

var defaultHTTP = &http.Client{Timeout: 30 * time.Second}

// Submit asks whether a document may be approved. The answer is approved with a
// receipt, pending with what is missing and where to send the approver, or denied
// with reasons.
func (c *Client) Submit(ctx context.Context, body RequestBody) (*Approval, error) {
	out := new(Approval)
	return out, c.call(ctx, http.MethodPost, "/v1/requests", body, out)
}

// Get reads one request.
func (c *Client) Get(ctx context.Context, request string) (*Approval, error) {
	out := new(Approval)
	return out, c.call(ctx, http.MethodGet, "/v1/requests/"+url.PathEscape(request), nil, out)
}

// ListOptions narrow a list of requests; empty members do not narrow.
type ListOptions struct {
	Kind, Object, Vendor, Requester string
	Statuses                        []Status
	From, Until                     time.Time // of submission
	After                           string    // the Next of the page before
	Limit                           int       // 1 to 200; default 50
}

func (o ListOptions) query() string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("kind", o.Kind)
	set("object", o.Object)
	set("vendor", o.Vendor)
	set("requester", o.Requester)
	set("after", o.After)
	for _, s := range o.Statuses {
		v.Add("status", string(s))
	}
	if !o.From.IsZero() {
		v.Set("from", o.From.UTC().Format(time.RFC3339Nano))
	}
	if !o.Until.IsZero() {
		v.Set("until", o.Until.UTC().Format(time.RFC3339Nano))
	}
	if o.Limit > 0 {
		v.Set("limit", strconv.Itoa(o.Limit))
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// List lists requests, newest first, a page at a time. They come without receipts.
func (c *Client) List(ctx context.Context, o ListOptions) (*Page[Approval], error) {
	out := new(Page[Approval])
	return out, c.call(ctx, http.MethodGet, "/v1/requests"+o.query(), nil, out)
}

// Wait asks for a request until it is neither pending nor unsatisfiable, with growing
// pauses of up to 10 seconds. When the context ends first, the last answer comes with
// the context's error.
func (c *Client) Wait(ctx context.Context, request string) (*Approval, error) {
	pause := 250 * time.Millisecond
	for {
		a, err := c.Get(ctx, request)
		if err != nil {
			return nil, err
		}
		if a.Status != StatusPending && a.Status != StatusUnsatisfiable {
			return a, nil
		}
		if err := sleep(ctx, jitter(pause)); err != nil {
			return a, err
		}
		pause = min(pause*3/2, 10*time.Second)
	}
}

// Cancel withdraws a request that was not released, whether it waits or is approved.
func (c *Client) Cancel(ctx context.Context, request string) (*Approval, error) {
	out := new(Approval)
	return out, c.call(ctx, http.MethodPost, "/v1/requests/"+url.PathEscape(request)+"/cancel", nil, out)
}

// Questions reads the questions and answers that people wrote about a request.
func (c *Client) Questions(ctx context.Context, request string) (*Page[Question], error) {
	out := new(Page[Question])
	return out, c.call(ctx, http.MethodGet, "/v1/requests/"+url.PathEscape(request)+"/questions", nil, out)
}

// UploadAttachment sends a file that the document of a request names, so that approvers
// can open it. Its digest is computed here; a file that the document does not name is
// refused. Sending it again changes nothing.
func (c *Client) UploadAttachment(ctx context.Context, request string, file []byte) (*AttachedFile, error) {
	out := new(AttachedFile)
	digest := strings.TrimPrefix(string(SumBytes(file)), "sha-256:")
	if file == nil {
		file = []byte{}
	}
	return out, c.call(ctx, http.MethodPost, "/v1/requests/"+url.PathEscape(request)+"/attachments/"+digest, rawBody(file), out)
}

// Attachments lists the attachments that the document of a request names, and says of
// which the file was uploaded.
func (c *Client) Attachments(ctx context.Context, request string) (*Page[AttachedFile], error) {
	out := new(Page[AttachedFile])
	return out, c.call(ctx, http.MethodGet, "/v1/requests/"+url.PathEscape(request)+"/attachments", nil, out)
}

// rawBody is a body that is sent as it is, and not as JSON.
type rawBody []byte

// Receipt reads the receipt of a request as its one encoding, for
// Receipt of the package verify.
func (c *Client) Receipt(ctx context.Context, request string) ([]byte, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodGet, "/v1/requests/"+url.PathEscape(request)+"/receipt", nil, &out)
}

// Evaluate asks what would happen to a document. It changes nothing.
func (c *Client) Evaluate(ctx context.Context, body RequestBody) (*Evaluation, error) {
	out := new(Evaluation)
	return out, c.call(ctx, http.MethodPost, "/v1/evaluate", body, out)
}

// Check asks what a release would say now. It changes nothing.
func (c *Client) Check(ctx context.Context, request string, document json.RawMessage) (*CheckAnswer, error) {
	out := new(CheckAnswer)
	return out, c.call(ctx, http.MethodPost, "/v1/check", ReleaseBody{Request: request, Document: document}, out)
}

// Release asks whether the document, as it stands now, may be executed. Only a nil
// error means yes. The same execution id again gets the same answer.
func (c *Client) Release(ctx context.Context, body ReleaseBody) (*ReleaseAnswer, error) {
	out := new(ReleaseAnswer)
	return out, c.call(ctx, http.MethodPost, "/v1/release", body, out)
}

// Confirm says that what was released was executed.
func (c *Client) Confirm(ctx context.Context, request, execution string) (*ReleaseAnswer, error) {
	return c.settle(ctx, request, execution, "/confirm")
}

// Abandon says that what was released was not executed, and will not be.
func (c *Client) Abandon(ctx context.Context, request, execution string) (*ReleaseAnswer, error) {
	return c.settle(ctx, request, execution, "/abandon")
}

func (c *Client) settle(ctx context.Context, request, execution, how string) (*ReleaseAnswer, error) {
	out := new(ReleaseAnswer)
	body := struct {
		Execution string `json:"execution"`
	}{execution}
	return out, c.call(ctx, http.MethodPost, "/v1/requests/"+url.PathEscape(request)+how, body, out)
}

// Facts says what is known of vendors, purchases, rates and people.
func (c *Client) Facts(ctx context.Context, body FactsBody) (*FactsAnswer, error) {
	out := new(FactsAnswer)
	return out, c.call(ctx, http.MethodPost, "/v1/facts", body, out)
}

// Alert raises an alert.
func (c *Client) Alert(ctx context.Context, body AlertBody) (*Alert, error) {
	out := new(Alert)
	return out, c.call(ctx, http.MethodPost, "/v1/alerts", body, out)
}

// call sends one call, again where that is worth it, and reads the answer into out.
func (c *Client) call(ctx context.Context, method, path string, body, out any) error {
	var data []byte
	media := "application/json"
	if raw, ok := body.(rawBody); ok {
		data, media = raw, "application/octet-stream"
	} else if body != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(body); err != nil {
			return fmt.Errorf("countersign: write the body: %w", err)
		}
		data = b.Bytes()
	}
	retries := c.Retries
	if retries == 0 {
		retries = 3
	}
	pause := 200 * time.Millisecond
	for attempt := 0; ; attempt++ {
		err := c.once(ctx, sending{method, path, media, data}, out)
		wait, again := worthRepeating(err)
		if !again || attempt >= retries || ctx.Err() != nil {
			return err
		}
		if sleep(ctx, max(wait, jitter(pause))) != nil {
			return err
		}
		pause *= 2
	}
}

// longestPause bounds how long a server may ask the client to wait before an attempt.
const longestPause = 30 * time.Second

// worthRepeating reports whether a call may go better the next time: the server was
// not reached, or said so. A key that is in progress elsewhere is such a case too.
func worthRepeating(err error) (wait time.Duration, again bool) {
	var p *Problem
	var lost *url.Error
	switch {
	case err == nil:
		return 0, false
	case errors.As(err, &p):
		wait = time.Duration(p.RetryAfterSeconds) * time.Second
		return wait, (p.Code == CodeUnavailable || p.Code == CodeRateLimited || p.Status == http.StatusBadGateway || p.Status == http.StatusServiceUnavailable) && wait <= longestPause
	case errors.As(err, &lost):
		return 0, true
	}
	return 0, errors.Is(err, io.ErrUnexpectedEOF)
}

// sending is one attempt's content; without a body, media says nothing.
type sending struct {
	method, path, media string
	body                []byte
}

func (c *Client) once(ctx context.Context, s sending, out any) error {
	var r io.Reader
	if s.body != nil {
		r = bytes.NewReader(s.body)
	}
	req, err := http.NewRequestWithContext(ctx, s.method, strings.TrimSuffix(c.BaseURL, "/")+s.path, r)
	if err != nil {
		return fmt.Errorf("countersign: %w", err)
	}
	if s.body != nil {
		req.Header.Set("Content-Type", s.media)
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	req.Header.Set("Accept", "application/json, application/problem+json")
	client := c.HTTP
	if client == nil {
		client = defaultHTTP
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("countersign: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return problemOf(res)
	}
	data, err := readAtMost(res.Body, maxAnswer)
	if err != nil {
		return fmt.Errorf("countersign: read the answer: %w", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("countersign: the answer is not as expected: %w", err)
	}
	return nil
}

// problemOf reads the problem of an answer. What is none, such as the page of a proxy
// in between, becomes one.
func problemOf(res *http.Response) error {
	data, err := readAtMost(res.Body, maxProblem)
	p := new(Problem)
	if err == nil && strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(data, p) == nil && p.Code != "" {
		p.Status = res.StatusCode
		return p
	}
	code := CodeInternal
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		code = CodeUnavailable
	case http.StatusTooManyRequests:
		code = CodeRateLimited
	case http.StatusNotFound:
		code = CodeNotFound
	}
	p = NewProblem(code, "the server answered %s, without a problem that could be read", res.Status).WithHint("check the base URL, and what stands between here and the server")
	p.Status = res.StatusCode
	return p
}

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return data, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// jitter spreads pauses, so that many clients do not come back at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
