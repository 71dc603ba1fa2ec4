package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/terminal"
)

// fact is one row of a file as it is told to the server. Exactly one member is set
// beside the line.
type fact struct {
	line     int64
	note     string // what of the row is left out, and why
	vendor   *countersign.VendorFact
	person   *countersign.PersonFact
	purchase *countersign.PurchaseFact
	rate     *countersign.RateFact
}

// size is about how many bytes the fact takes in a body.
func (f *fact) size() int {
	const members = 260
	switch {
	case f.purchase != nil:
		return members + len(f.purchase.ID) + len(f.purchase.Department) + len(f.purchase.Category) + len(f.purchase.Requester) + len(f.purchase.Approver)
	case f.vendor != nil:
		return members + len(f.vendor.Name) + 200*len(f.vendor.Accounts)
	case f.person != nil:
		return 2*members + 60*len(f.person.Groups)
	}
	return members
}

// Bounds of one body: the server takes 5,000 facts and, unless it is told otherwise,
// one MiB.
const (
	mostFacts = 1000
	mostBytes = 600 << 10
)

// sender sends facts in bodies. A bad fact refuses a whole body, so that nothing is
// half known: the sender finds which it was, reports its line, and sends the rest.
type sender struct {
	ctx    context.Context
	client *countersign.Client
	p      *process
	from   int64
	dry    bool

	batch  []fact
	bytes  int
	sent   imported
	last   int64 // line up to which everything was sent
	report *bufio.Writer
	file   *os.File
	why    map[string]int // refusals by their sentence
}

func (c *importFlags) sender(to *server) (*sender, error) {
	s := &sender{ctx: to.ctx, p: to.process, from: c.FromLine, dry: c.DryRun, report: bufio.NewWriter(to.err), why: map[string]int{}}
	s.sent.DryRun = c.DryRun
	if !c.DryRun {
		conn, err := c.systemFlags.connect(to.process)
		if err != nil {
			return nil, err
		}
		s.client = &countersign.Client{BaseURL: conn.base, Key: conn.token, HTTP: conn.http, Retries: 5}
	}
	if c.Report != "" {
		f, err := os.Create(c.Report)
		if err != nil {
			return nil, err
		}
		s.file, s.report = f, bufio.NewWriter(f)
	}
	return s, nil
}

// close writes the report out. It may be called twice.
func (s *sender) close() error {
	if s.report == nil {
		return nil
	}
	err := s.report.Flush()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	s.report, s.file = nil, nil
	return err
}

// bad reports a row that is not kept.
func (s *sender) bad(line int64, text string) {
	if line < s.from {
		return
	}
	s.sent.NotKept++
	fmt.Fprintln(s.report, terminal.Printable(text))
}

func (s *sender) refuse(f fact, detail string) {
	s.bad(f.line, fmt.Sprintf("line %d: %s", f.line, detail))
}

// send takes one fact in.
func (s *sender) send(f fact) error {
	if f.line < s.from {
		s.sent.Skipped++
		return nil
	}
	if f.purchase != nil && f.purchase.Vendor == "" {
		s.refuse(f, "names no vendor: it is nobody's history")
		return nil
	}
	if len(s.batch) >= mostFacts || s.bytes+f.size() > mostBytes {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if f.note != "" {
		s.sent.InPart++
		fmt.Fprintf(s.report, "line %d: %s\n", f.line, f.note)
	}
	s.batch, s.bytes = append(s.batch, f), s.bytes+f.size()
	return nil
}

func (s *sender) flush() error {
	batch := s.batch
	s.batch, s.bytes = nil, 0
	if len(batch) == 0 {
		return nil
	}
	if err := s.try(batch); err != nil {
		return err
	}
	s.last = max(s.last, batch[len(batch)-1].line)
	return nil
}

// body puts a batch into one body, and remembers which fact stands where.
func body(batch []fact) (b countersign.FactsBody, where map[string][]int) {
	where = map[string][]int{}
	for i, f := range batch {
		switch {
		case f.vendor != nil:
			b.Vendors = append(b.Vendors, *f.vendor)
			where["vendors"] = append(where["vendors"], i)
		case f.person != nil:
			b.People = append(b.People, *f.person)
			where["people"] = append(where["people"], i)
		case f.purchase != nil:
			b.Purchases = append(b.Purchases, *f.purchase)
			where["purchases"] = append(where["purchases"], i)
		case f.rate != nil:
			b.Rates = append(b.Rates, *f.rate)
			where["rates"] = append(where["rates"], i)
		}
	}
	return b, where
}

// try sends a batch. When something in it is refused, that is taken out and the rest
// is tried again.
func (s *sender) try(batch []fact) error {
	for len(batch) > 0 {
		b, where := body(batch)
		err := countersign.ValidateFacts(&b) // as the server will, without going there
		if err == nil && s.dry {
			s.sent.Unchanged += len(batch)
			return nil
		}
		if err == nil {
			var answer *countersign.FactsAnswer
			if answer, err = s.client.Facts(s.ctx, b); err == nil {
				s.took(answer)
				return nil
			}
		}
		var p *countersign.Problem
		if !errors.As(err, &p) || !itsOwnFault(p) {
			return err
		}
		named := pointed(p, where)
		if len(named) == 0 {
			return s.split(batch, p)
		}
		rest := batch[:0:0]
		for i, f := range batch {
			if detail, bad := named[i]; bad {
				s.refuse(f, detail)
			} else {
				rest = append(rest, f)
			}
		}
		batch = rest
	}
	return nil
}

func (s *sender) took(a *countersign.FactsAnswer) {
	s.sent.New += a.New
	s.sent.Changed += a.Changed
	s.sent.Unchanged += a.Unchanged
	s.sent.SettlesAt = max(s.sent.SettlesAt, a.SettlesAt)
}

// itsOwnFault reports whether a refusal is about what was sent: without it, the rest
// may pass.
func itsOwnFault(p *countersign.Problem) bool {
	switch p.Code {
	case countersign.CodeInvalid, countersign.CodeConflict, countersign.CodeForbidden, countersign.CodeTooLarge:
		return true
	}
	return false
}

// pointed finds the facts that a problem points at, with what is wrong.
func pointed(p *countersign.Problem, where map[string][]int) map[int]string {
	named := map[int]string{}
	for _, e := range p.Errors {
		part := strings.SplitN(strings.TrimPrefix(e.Pointer, "/"), "/", 3)
		if len(part) < 2 {
			continue
		}
		n, err := strconv.Atoi(part[1])
		if at := where[part[0]]; err == nil && n >= 0 && n < len(at) {
			text := e.Detail
			if len(part) == 3 {
				text = part[2] + ": " + text
			}
			if before := named[at[n]]; before != "" {
				text = before + "; " + text
			}
			named[at[n]] = text
		}
	}
	return named
}

// hopeless is how many facts may be refused for the same reason, with none accepted,
// before the reason is taken for one that holds for all.
const hopeless = 10

// split finds a fact that is refused without being pointed at, by halves.
func (s *sender) split(batch []fact, p *countersign.Problem) error {
	if len(batch) == 1 {
		if s.why[p.Detail]++; s.why[p.Detail] >= hopeless && s.sent.Total() == 0 {
			return p
		}
		s.refuse(batch[0], p.Detail)
		return nil
	}
	middle := len(batch) / 2
	if err := s.try(batch[:middle]); err != nil {
		return err
	}
	return s.try(batch[middle:])
}

// goOn says from which line on the rest stands.
func (s *sender) goOn() string {
	if s.last == 0 {
		return ""
	}
	return fmt.Sprintf(", and --from-line %d saves sending it", s.last+1)
}

func (s *sender) print() {
	if s.dry {
		s.p.printf("%d facts would be sent\n", s.sent.Unchanged)
		return
	}
	s.p.printf("%d new, %d changed, %d known already\n", s.sent.New, s.sent.Changed, s.sent.Unchanged)
	if s.sent.Skipped > 0 {
		s.p.printf("%d before line %d were not sent\n", s.sent.Skipped, s.from)
	}
	if s.sent.SettlesAt != "" {
		s.p.printf("counts as history from %s on, or once a second person confirms it\n", terminal.Minute(s.sent.SettlesAt))
	}
}
