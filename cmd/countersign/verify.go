package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
)

// verifyCmd needs no server, no configuration and no network: what it is given, and
// the public key, which must come from somewhere else than the receipt.
type verifyCmd struct {
	What string   `arg:"" name:"receipt|folder" help:"A receipt, the folder of an exported log, or - for a receipt on the input."`
	Key  []string `required:"" sep:"none" placeholder:"KEY|FILE" help:"Public key of the log, as name+hash+base64, or a file of such lines. May be repeated: the keys before and after a rotation."`

	Document    string `placeholder:"FILE" help:"Receipt: the document as you know it; it must be the one that was decided on."`
	Since       string `placeholder:"FILE" help:"A signed checkpoint that you kept: the log must continue it."`
	Consistency string `placeholder:"FILE" help:"Receipt: the proof between that checkpoint and the receipt's, as a JSON list or a hash on each line."`
	AllowErased bool   `help:"Receipt: accept one from which contents were erased; what can no longer be shown is listed."`

	Witness   []string `sep:"none" placeholder:"KEY|FILE" help:"Receipt: public key of a witness. May be repeated."`
	Witnesses int      `default:"-1" placeholder:"N" help:"Receipt: how many of them must have cosigned; all of them by default."`

	Org    string   `placeholder:"ORG" help:"Receipt: the organisation that you expect."`
	Origin string   `placeholder:"NAME" help:"The log that you expect."`
	RPID   string   `name:"rp-id" placeholder:"HOST" help:"WebAuthn relying party that you expect."`
	Site   []string `sep:"none" placeholder:"URL" help:"Web origin that you expect, as https://approve.example. May be repeated."`

	JSON bool `name:"json" help:"Write JSON."`
}

const (
	maxReceipt   = 16 << 20 // the verifier has a bound of its own, and says so
	maxSmallFile = 1 << 20
)

func (c *verifyCmd) Run(ctx context.Context, p *process) error {
	keys, err := keysOf(p, c.Key)
	if err != nil {
		return err
	}
	var earlier []byte
	if c.Since != "" {
		if earlier, err = p.read(c.Since, maxSmallFile); err != nil {
			return err
		}
	}
	if c.What != "-" {
		info, err := os.Stat(c.What)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return c.export(ctx, p, audit.ExportOptions{Keys: keys, Origin: c.Origin, Earlier: earlier, RPID: c.RPID, Origins: c.Site})
		}
	}
	return c.receipt(p, verify.Options{Keys: keys, Earlier: earlier, Org: c.Org, Origin: c.Origin, RPID: c.RPID,
		Origins: c.Site, AllowErased: c.AllowErased})
}

// keysOf reads public keys, each given itself or as a file of lines.
func keysOf(p *process, given []string) ([]string, error) {
	var keys []string
	for _, g := range given {
		if strings.Count(g, "+") >= 2 {
			keys = append(keys, g)
			continue
		}
		data, err := p.read(g, maxSmallFile)
		if err != nil {
			return nil, withHint(fmt.Errorf("key: %w", err), "a key is written as name+hash+base64, or stands in a file")
		}
		before := len(keys)
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				keys = append(keys, line)
			}
		}
		if len(keys) == before {
			return nil, fmt.Errorf("key: %s holds none", g)
		}
	}
	return keys, nil
}

func (c *verifyCmd) receipt(p *process, o verify.Options) error {
	receipt, err := p.read(c.What, maxReceipt)
	if err != nil {
		return err
	}
	if c.Document != "" {
		if o.Document, err = p.read(c.Document, maxReceipt); err != nil {
			return err
		}
	}
	if c.Consistency != "" {
		if c.Since == "" {
			return usage("--consistency is the proof between --since and the receipt: name both")
		}
		if err := c.proof(p, &o); err != nil {
			return err
		}
	}
	if o.Witnesses, err = keysOf(p, c.Witness); err != nil {
		return err
	}
	if o.WitnessesNeeded = c.Witnesses; c.Witnesses < 0 {
		o.WitnessesNeeded = len(o.Witnesses)
	}
	v, err := verify.Receipt(receipt, o)
	var failed *verify.Error
	if err != nil && !errors.As(err, &failed) {
		return err // the options cannot be used
	}
	if c.JSON {
		if err := p.json(v); err != nil {
			return err
		}
	} else {
		p.printf("%s", verified(v))
	}
	if failed == nil {
		return nil
	}
	if c.JSON {
		return errSaid
	}
	return receiptHint(failed, receipt, c.Since != "")
}

// proof reads the hashes between the two checkpoints.
func (c *verifyCmd) proof(p *process, o *verify.Options) error {
	data, err := p.read(c.Consistency, maxSmallFile)
	if err != nil {
		return err
	}
	if text := bytes.TrimSpace(data); !bytes.HasPrefix(text, []byte("[")) {
		if data, err = json.Marshal(strings.Fields(string(text))); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(data, &o.Consistency); err != nil {
		return fmt.Errorf("%s: no proof: want hashes of 32 bytes in base64: %w", c.Consistency, err)
	}
	return nil
}

// receiptHint says what the step that failed often means.
func receiptHint(failed *verify.Error, receipt []byte, since bool) error {
	err := fmt.Errorf("the receipt does not verify: step %q: %s", failed.Step, failed.Detail)
	switch {
	case failed.Step == verify.StepEncoding && bytes.HasSuffix(receipt, []byte("\n")):
		return withHint(err, "the file ends with a line break that a receipt does not have: it was saved by an editor, or printed by a command")
	case failed.Step == verify.StepCheckpoint:
		return withHint(err, "the key must be that of the log that made the receipt; get it from the organisation itself")
	case failed.Step == verify.StepConsistency && since:
		return withHint(err, "ask the log for its consistency proof between the two sizes, and give it with --consistency")
	case failed.Step == verify.StepOpenings:
		return withHint(err, "--allow-erased shows what can still be proven")
	}
	return err
}

// verified writes a verification for people: every step that was taken, and who
// answers for each claim.
func verified(v *verify.Result) string {
	var b strings.Builder
	wide := 0
	for _, s := range v.Steps {
		wide = max(wide, len(s.Name))
	}
	for _, s := range v.Steps {
		state := "ok    "
		if !s.OK {
			state = "FAILED"
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%s  %-*s  %s", state, wide, s.Name, s.Detail), " ") + "\n")
	}
	if !v.OK {
		return b.String()
	}
	b.WriteString("\n")
	wide = 0
	for _, c := range v.Claims {
		wide = max(wide, utf8.RuneCountInString(answersFor(c.By)))
	}
	for _, c := range v.Claims {
		fmt.Fprintf(&b, "%-*s  %s\n", wide, answersFor(c.By), c.Text)
	}
	b.WriteString("\n")
	if v.Founding {
		b.WriteString("made while the organisation had fewer than two administrators\n")
	}
	if v.Simulated {
		b.WriteString("a passkey was simulated: no proof that a person was there\n")
	}
	fmt.Fprintf(&b, "verified: %s of %s is %s; the receipt is evidence, never permission\n", v.Request, v.Org, v.Status)
	return b.String()
}

// answersFor says who answers for a claim.
func answersFor(by string) string {
	who, id, _ := strings.Cut(by, " ")
	switch who {
	case "person":
		return "signed by the person " + id
	case "caller":
		return "stated by the caller " + id
	case verify.ByServer:
		return "stated by the server"
	case verify.ByNobody:
		return "shown by nobody"
	}
	return by
}

// export verifies the folder of an exported log.
func (c *verifyCmd) export(ctx context.Context, p *process, o audit.ExportOptions) error {
	if c.Document != "" || c.Consistency != "" || c.AllowErased || len(c.Witness) > 0 || c.Org != "" {
		return usage("--document, --consistency, --allow-erased, --witness and --org are for receipts, and %s is a folder", c.What)
	}
	shown := p.progress("verifying entries")
	o.Progress, o.Stop = shown.show, ctx.Err
	r, err := audit.VerifyExport(os.DirFS(c.What), o)
	shown.end()
	var failed *audit.ExportError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if c.JSON {
		if err := p.json(r); err != nil {
			return err
		}
		if failed != nil {
			return errSaid
		}
		return nil
	}
	p.printf("%s", exported(r))
	if failed == nil {
		return nil
	}
	at := ""
	if failed.Entry >= 0 {
		at = fmt.Sprintf(", entry %d", failed.Entry)
	}
	return fmt.Errorf("the log does not verify: step %q%s: %s", failed.Step, at, failed.Detail)
}

// numbered is a number with its noun: "1 request", "2 requests".
func numbered[N int | int64](n N, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// exported writes the report on an export for people.
func exported(r *audit.ExportReport) string {
	var b strings.Builder
	if r.Checkpoint.Origin != "" {
		fmt.Fprintf(&b, "log         %s\nsize        %d entries, root %v\n", r.Checkpoint.Origin, r.Checkpoint.Size, r.Checkpoint.Root)
	}
	fmt.Fprintf(&b, "verified    %s, %s opened, %d no longer shown\n", numbered(r.Entries, "entry", "entries"), numbered(r.Openings, "content", "contents"), r.Erased)
	fmt.Fprintf(&b, "in it       %s, %s, %s, %d still open\n", numbered(r.Requests, "request", "requests"), numbered(r.Decisions, "decision", "decisions"),
		numbered(r.Releases, "release", "releases"), r.Open)
	if r.Unresolved > 0 {
		fmt.Fprintf(&b, "unresolved  %d entries are about requests of a log before a recovery\n", r.Unresolved)
	}
	for _, k := range r.NewKeys {
		fmt.Fprintf(&b, "new key     %s\n", k)
	}
	for _, x := range r.Recoveries {
		fmt.Fprintf(&b, "recovery    at entry %d: the log %s of %d entries is not continued\n", x.Index, x.OldOrigin, x.OldSize)
	}
	if r.Simulated > 0 {
		fmt.Fprintf(&b, "simulated   %d decisions with a software authenticator: no proof that a person was there\n", r.Simulated)
	}
	if r.OK {
		b.WriteString("the log is whole: every entry is the one that was signed\n")
	}
	return b.String()
}
