package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
)

// witnessAt is a configured witness.
type witnessAt struct {
	Key string // name+hash+base64
	URL string // what add-checkpoint is appended to, without a slash at the end
}

// readWitness reads a witness from its words: the key and the address.
func readWitness(text string) (w witnessAt, err error) {
	words := strings.Fields(text)
	if len(words) != 2 {
		return w, errors.New("want the witness's public key and its address, as witness.example/w1+1a2b3c4d+BASE64 https://witness.example")
	}
	if _, err := verify.WitnessVerifier(words[0]); err != nil {
		return w, err
	}
	u, err := url.Parse(words[1])
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return w, fmt.Errorf("%q is no address of a witness: want https://witness.example", words[1])
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return w, fmt.Errorf("the address %s://%s has more than a host and a path", u.Scheme, u.Host)
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return w, fmt.Errorf("%s: want https: only a witness on this machine may be asked without", words[1])
	}
	return witnessAt{words[0], strings.TrimSuffix(words[1], "/")}, nil
}

func (w witnessAt) name() string {
	name, _, _ := strings.Cut(w.Key, "+")
	return name
}

// witnesses holds the configured witnesses against each other.
func (l *configLoader) witnesses() {
	if n := len(l.c.Witnesses); n > checkpoint.MaxWitnesses {
		l.wrong("witnesses", "", "%d of them: at most %d", n, checkpoint.MaxWitnesses)
	}
	keys, addresses := map[string]bool{}, map[string]bool{}
	for _, w := range l.c.Witnesses {
		if keys[w.Key] || addresses[w.URL] {
			l.wrong("witnesses", "two witnesses are worth more than one only where two people run them", "%s stands twice", w.name())
		}
		keys[w.Key], addresses[w.URL] = true, true
	}
}

// witnessClient never follows anywhere: what a witness is asked goes to its address
// alone.
var witnessClient = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask posts to the witness's add-checkpoint (C2SP tlog-witness).
func (w witnessAt) ask(ctx context.Context, request []byte) (status int, contentType string, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/add-checkpoint", bytes.NewReader(request))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("User-Agent", "countersign")
	res, err := witnessClient.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, audit.MaxWitnessAnswer+1))
	if err == nil && len(answer) > audit.MaxWitnessAnswer {
		err = fmt.Errorf("the witness answers with more than %d bytes", audit.MaxWitnessAnswer)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), answer, err
}

// witnessesOf are the witnesses that the authority is to ask.
func witnessesOf(c *Config) []checkpoint.Witness {
	var all []checkpoint.Witness
	for _, w := range c.Witnesses {
		all = append(all, checkpoint.Witness{Key: w.Key, Ask: w.ask})
	}
	return all
}

// witnesses asks each witness, as the server does, for the last published checkpoint,
// and compares what it knows with what is published. It keeps nothing.
func (x *examination) witnesses(ctx context.Context, db *store.DB, suffix string) {
	if len(x.config.Witnesses) == 0 {
		return
	}
	head, err := db.Head(ctx)
	if err != nil || head.Checkpoint == nil {
		return // said, or nothing is published yet
	}
	kept, _ := db.Cosigned(ctx)
	for _, w := range x.config.Witnesses {
		x.witness(ctx, db, head, kept, w, suffix)
	}
}

func (x *examination) witness(ctx context.Context, db *store.DB, head store.Head, kept store.Cosigned, w witnessAt, suffix string) {
	name := "witness" + suffix
	v, err := verify.WitnessVerifier(w.Key)
	plain, plainErr := audit.Uncosigned(head.Checkpoint)
	if err != nil || plainErr != nil {
		x.add(name, checkBad, "", "%s: %v", w.name(), errors.Join(err, plainErr))
		return
	}
	last := "nothing yet that is kept here"
	if by, err := audit.Cosigners(kept.Checkpoint, v); err == nil && len(by) > 0 {
		last = fmt.Sprintf("%d of %d entries", kept.Size, head.SignedSize)
	}
	// From the size of the checkpoint itself: a witness that knows less answers with what
	// it knows, so that looking moves nothing.
	request, err := audit.WitnessRequest(head.SignedSize, nil, plain)
	if err != nil {
		x.add(name, checkBad, "", "%s: %v", w.name(), err)
		return
	}
	status, kind, answer, err := w.ask(ctx, request)
	if err != nil {
		x.add(name, checkWarn, "decisions go on without it; an alert follows after an hour", "%s cannot be reached: %v; it has cosigned %s", w.name(), err, last)
		return
	}
	switch known, sizeErr := audit.WitnessSize(kind, answer); {
	case status == http.StatusOK:
		if _, err := audit.Cosign(plain, answer, v, db.Now()); err != nil {
			x.add(name, checkBad, "compare the key with the one that whoever runs it gave you", "%s answers with another key, or another checkpoint: %v", w.name(), err)
			return
		}
		x.add(name, checkOK, "", "%s is there and has its key; it has cosigned all %d published entries", w.name(), head.SignedSize)
	case status == http.StatusConflict && sizeErr == nil && known > head.SignedSize:
		x.add(name, checkWarn, "look again: a running server may just have published them. If it stays so, this database is older than the log that the witness saw: countersign audit recover",
			"%s has cosigned %d entries, and %d are recorded as published", w.name(), known, head.SignedSize)
	case status == http.StatusConflict && sizeErr == nil:
		x.add(name, checkOK, "", "%s is there and knows %d of %d published entries; it has cosigned %s", w.name(), known, head.SignedSize, last)
	case status == http.StatusUnprocessableEntity:
		x.add(name, checkBad, "countersign audit recover", "%s has cosigned another log of %d entries", w.name(), head.SignedSize)
	case status == http.StatusNotFound:
		x.add(name, checkBad, "give whoever runs it the log's name and public key (countersign audit keys)", "%s does not follow %s", w.name(), head.Origin)
	case status == http.StatusForbidden:
		x.add(name, checkBad, "give whoever runs it the log's present public key (countersign audit keys)", "%s does not accept the log's signature", w.name())
	default:
		x.add(name, checkWarn, "ask whoever runs it", "%s answers with status %d; it has cosigned %s", w.name(), status, last)
	}
}
