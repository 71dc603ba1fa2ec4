package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/connect"
)

// importCmd brings in what other systems know, out of CSV files, through the running
// server. A file can be imported again: what is known already changes nothing, so that
// an import that was broken off is simply repeated.
type importCmd struct {
	Vendors   importVendorsCmd   `cmd:"" help:"Vendors with their bank accounts."`
	People    importPeopleCmd    `cmd:"" help:"People with their groups, managers and limits. Needs a key with the scope provisioning."`
	Purchases importPurchasesCmd `cmd:"" help:"What was bought before: orders, invoices, payments."`
	Rates     importRatesCmd     `cmd:"" help:"Dated exchange rates: date, currency, rate, and base where it is not --base."`
}

// importFlags are those of every import.
type importFlags struct {
	systemFlags
	fileOptions
	File     string `arg:"" help:"The file. - reads the input."`
	Report   string `placeholder:"FILE" help:"Write the lines that were not kept to a file, instead of to the error output."`
	AllowBad bool   `help:"Exit with 0 although lines were not kept."`
	FromLine int64  `placeholder:"N" help:"Send nothing that stands before this line, to go on where an import was broken off."`
	DryRun   bool   `help:"Read and check everything, and send nothing."`
	figuresFlag
}

// figuresFlag is jsonFlag for figures.
type figuresFlag struct {
	JSON bool `name:"json" help:"Write the figures as JSON."`
}

func (f figuresFlag) wantsJSON() bool { return f.JSON }

// connect leaves it to the sender: who only tries a file needs no server.
func (c *importFlags) connect(*process) (*connection, error) { return nil, nil }

type importVendorsCmd struct{ importFlags }

// do gathers the file by vendor first: one with several accounts has several rows,
// and an account that came later would count as changed.
func (c *importVendorsCmd) do(s *server) (answer, error) {
	return answer{}, c.run(s, func(in io.Reader, m connect.Mapping, o connect.Options, send func(fact) error) (connect.Report, error) {
		at := map[string]int{}
		var all []fact
		report, err := connect.ReadVendors(in, m, o, func(v connect.Vendor) error {
			i, known := at[v.ID]
			if !known {
				i = len(all)
				at[v.ID] = i
				all = append(all, fact{line: v.Row, vendor: &countersign.VendorFact{ID: v.ID, Name: v.Name, Country: v.Country, TaxID: v.TaxID,
					Status: strings.ToLower(v.Status), CreatedAt: moment(v.CreatedAt), CreatedBy: v.CreatedBy}})
			}
			if v.Account != nil {
				all[i].vendor.Accounts = append(all[i].vendor.Accounts, countersign.AccountFact{Account: *v.Account, ChangedAt: moment(v.AccountSince)})
			}
			return nil
		})
		return report, sendAll(err, all, send)
	})
}

func moment(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

func sendAll(err error, all []fact, send func(fact) error) error {
	for _, f := range all {
		if err != nil {
			return err
		}
		err = send(f)
	}
	return err
}

type importPeopleCmd struct {
	importFlags
	Login string `enum:"subject,email,none" default:"subject" help:"What people sign in with: subject (the identifier in the file), email or none (${default})."`
}

// do sends managers before whoever reports to them.
func (c *importPeopleCmd) do(s *server) (answer, error) {
	return answer{}, c.run(s, func(in io.Reader, m connect.Mapping, o connect.Options, send func(fact) error) (connect.Report, error) {
		var all []connect.Person
		report, err := connect.ReadPeople(in, m, o, func(v connect.Person) error {
			all = append(all, v)
			return nil
		})
		var facts []fact
		for _, v := range managersFirst(all) {
			f := fact{line: v.Row, person: c.fact(v)}
			f.person.Groups, f.note = ordinary(v.Groups)
			facts = append(facts, f)
		}
		return report, sendAll(err, facts, send)
	})
}

// ordinary leaves out the groups that change Countersign itself, which no system
// sets: the person is brought in without them, and that is said.
func ordinary(groups []string) (kept []string, note string) {
	var guarded []string
	for _, g := range groups {
		switch g {
		case authority.GroupAdministrators, authority.GroupControllers, authority.GroupAuditors:
			guarded = append(guarded, g)
		default:
			kept = append(kept, g)
		}
	}
	if len(guarded) > 0 {
		note = "kept without " + strings.Join(guarded, " and ") + ": two administrators decide who is in there"
	}
	return kept, note
}

func (c *importPeopleCmd) fact(v connect.Person) *countersign.PersonFact {
	f := &countersign.PersonFact{Subject: v.Subject, Name: v.Name, Email: v.Email, Manager: v.Manager, Privileged: v.Privileged}
	switch login := map[string]string{"subject": v.Subject, "email": v.Email}[c.Login]; login {
	case "":
	default:
		f.Aliases = []countersign.Alias{{Source: authority.Directory, Subject: login}}
	}
	if v.Limit != nil {
		f.Limits = []countersign.LimitFact{{Amount: *v.Limit}}
	}
	return f
}

// managersFirst orders people so that each comes after their manager. Whoever stands
// in a ring of managers keeps their place.
func managersFirst(all []connect.Person) []connect.Person {
	at := map[string]int{}
	for i, v := range all {
		at[v.Subject] = i
	}
	out := make([]connect.Person, 0, len(all))
	seen := make([]bool, len(all))
	var visit func(int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		if m, ok := at[all[i].Manager]; ok {
			visit(m)
		}
		out = append(out, all[i])
	}
	for i := range all {
		visit(i)
	}
	return out
}

type importPurchasesCmd struct {
	importFlags
	WithVendors bool `help:"Record the vendors as well, by the id and the name that the rows give, where there is no file of vendors."`
}

func (c *importPurchasesCmd) do(s *server) (answer, error) {
	return answer{}, c.run(s, func(in io.Reader, m connect.Mapping, o connect.Options, send func(fact) error) (connect.Report, error) {
		known := map[string]bool{}
		return connect.ReadPurchases(in, m, o, func(v connect.Purchase) error {
			f := &countersign.PurchaseFact{Kind: v.Kind, ID: v.ID, Line: v.Line, Vendor: v.VendorID, Amount: v.Amount, Date: v.Date.Format(time.DateOnly),
				Account: v.Account, Requester: v.Requester, Approver: v.Approver, Department: v.Department, Category: v.Category}
			if c.WithVendors && v.VendorID != "" && v.VendorName != "" && !known[v.VendorID] {
				known[v.VendorID] = true
				if err := send(fact{line: v.Row, vendor: &countersign.VendorFact{ID: v.VendorID, Name: v.VendorName}}); err != nil {
					return err
				}
			}
			return send(fact{line: v.Row, purchase: f})
		})
	})
}

// read is how one sort of file is read: every good row becomes a fact.
type read func(in io.Reader, m connect.Mapping, o connect.Options, send func(fact) error) (connect.Report, error)

// run reads the file, sends what it says and accounts for every line.
func (c *importFlags) run(s *server, read read) error {
	m, o, err := c.options()
	if err != nil {
		return err
	}
	in, err := s.open(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	to, err := c.sender(s)
	if err != nil {
		return err
	}
	defer to.close()

	bar := s.progress("importing")
	o.Progress = bar.ofFile(s.ctx, in)
	o.Bad = func(b connect.BadLine) { to.bad(b.Line, b.String()) }
	report, err := read(in, m, o, to.send)
	if err == nil {
		err = to.flush()
	}
	bar.end()
	if err != nil {
		return c.broken(to, err)
	}

	return c.finish(to, &report)
}

// broken says how to go on after an import that did not come to its end.
func (c *importFlags) broken(s *sender, err error) error {
	if errors.Is(err, connect.ErrFile) {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if s.sent.Total() == 0 {
		return err
	}
	return fmt.Errorf("broken off after %d facts; run it again, what is known already changes nothing%s: %w", s.sent.Total(), s.goOn(), err)
}

// imported are the figures of an import.
type imported struct {
	DryRun    bool            `json:"dry_run,omitempty"`
	New       int             `json:"new"`
	Changed   int             `json:"changed"`
	Unchanged int             `json:"unchanged"`
	NotKept   int             `json:"not_kept"`          // rows that could not be read, or that the server refused
	InPart    int             `json:"in_part,omitempty"` // rows that were kept without something
	Skipped   int             `json:"skipped,omitempty"`
	SettlesAt string          `json:"settles_at,omitempty"`
	File      *connect.Report `json:"file,omitempty"`
}

// Total is how many facts were taken in.
func (i *imported) Total() int { return i.New + i.Changed + i.Unchanged }

// finish shows the figures. Rates have no report, and no line that is left out of it.
func (c *importFlags) finish(s *sender, report *connect.Report) error {
	s.sent.File = report
	err := s.p.show(answer{value: s.sent, text: func() {
		if report != nil {
			s.p.printf("%s", report.Summary())
		}
		s.print()
	}}, c.JSON)
	if err != nil {
		return err
	}
	if err := s.close(); err != nil {
		return err
	}

	if s.sent.NotKept > 0 && !c.AllowBad {
		hint := "--allow-bad takes that for success"
		if c.Report == "" && report != nil {
			hint += ", --report FILE keeps them"
		}
		return withHint(fmt.Errorf("%d rows were not kept; all others were", s.sent.NotKept), "%s", hint)
	}
	return nil
}
