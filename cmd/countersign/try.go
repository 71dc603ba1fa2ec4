package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/backtest"
	csvfile "github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
)

// fileOptions say how a CSV file is written.
type fileOptions struct {
	Map          string   `placeholder:"FIELD=HEADER,…" help:"Where the fields stand: amount=Betrag,date=Datum@DD.MM.YYYY,entity:=DE01."`
	Delimiter    string   `placeholder:"CHAR" help:"Comma, semicolon or tab; found by itself otherwise."`
	Encoding     string   `placeholder:"NAME" help:"utf-8 (default) or windows-1252."`
	DecimalComma bool     `help:"1,50 is one and a half."`
	Thousands    string   `placeholder:"CHAR" help:"What groups thousands: , . space or '."`
	Dates        []string `sep:"none" placeholder:"LAYOUT" help:"Layout of dates, as DD.MM.YYYY."`
}

func (o *fileOptions) options() (csvfile.Mapping, csvfile.Options, error) {
	m, err := csvfile.ParseMapping(o.Map)
	if err != nil {
		return nil, csvfile.Options{}, usageError{err: err}
	}
	c := csvfile.Options{Encoding: o.Encoding, DecimalComma: o.DecimalComma, Thousands: o.Thousands, DateLayouts: o.Dates}
	switch o.Thousands {
	case "space":
		c.Thousands = " "
	}
	switch o.Delimiter {
	case "":
	case "tab", `\t`:
		c.Delimiter = '\t'
	default:
		r := []rune(o.Delimiter)
		if len(r) != 1 {
			return nil, c, usage("--delimiter %q: want one character", o.Delimiter)
		}
		c.Delimiter = r[0]
	}
	return m, c, nil
}

type tryCmd struct {
	policyOptions
	fileOptions
	File     string   `arg:"" help:"Purchases as CSV: amount, date, currency and vendor, and what else is known. - reads the input."`
	Policy   string   `placeholder:"FILE" help:"The policy to try; the pack that ships by default."`
	Kind     string   `placeholder:"KIND" help:"Take every row as this kind. Otherwise the file's column counts, or invoice."`
	Currency string   `placeholder:"CODE" help:"Take every amount in this currency, as GBP. Otherwise the file's column counts."`
	Rates    string   `placeholder:"FILE" help:"Dated rates as CSV: date, currency, rate (units of the policy's currency for one unit)."`
	Rate     []string `sep:"none" placeholder:"GBP=1.17" help:"One rate for the whole time."`
	WarmUp   int      `default:"90" placeholder:"DAYS" help:"Days at the beginning that make history and are not counted (${default})."`
	Top      int      `default:"10" placeholder:"N" help:"How many departments and people are listed (${default})."`
	JSON     bool     `name:"json" help:"Write JSON."`
}

func (c *tryCmd) Run(ctx context.Context, p *process) error {
	if c.WarmUp < 0 || c.WarmUp > 36500 || c.Top < 1 {
		return usage("--warm-up wants 0 or more days, --top 1 or more")
	}
	v, err := c.load(p, c.Policy)
	if err != nil {
		return err
	}
	rates, err := c.rates(p, v)
	if err != nil {
		return err
	}
	book, report, err := c.purchases(ctx, p)
	if err != nil {
		return err
	}
	shown := p.progress("weighing")
	result, err := backtest.Try(book, backtest.Options{Policy: v, Rates: rates, WarmUp: c.WarmUp, Top: c.Top, Report: &report,
		Progress: func(done, total int) error {
			shown.show(int64(done), int64(total))
			return ctx.Err()
		}})
	shown.end()
	if err != nil {
		return err
	}
	if c.JSON {
		err = p.json(result)
	} else {
		err = result.WriteText(p.out)
	}
	c.advise(p, v, result)
	return err
}

// purchases reads the file.
func (c *tryCmd) purchases(ctx context.Context, p *process) (*backtest.Book, csvfile.Report, error) {
	m, o, err := c.options()
	if err != nil {
		return nil, csvfile.Report{}, err
	}
	in, err := p.open(c.File)
	if err != nil {
		return nil, csvfile.Report{}, err
	}
	defer in.Close()
	shown := p.progress("reading")
	o.Progress = shown.ofFile(ctx, in)
	book, report, err := backtest.Read(io.Reader(in), backtest.File{Mapping: m, Options: o, Kind: c.Kind, Currency: strings.ToUpper(c.Currency)})
	shown.end()
	if errors.Is(err, csvfile.ErrFile) {
		err = fmt.Errorf("%s: %w", c.File, err)
		if strings.Contains(err.Error(), "no column for currency") {
			err = withHint(err, "--currency EUR takes every amount in one currency")
		}
	}
	return book, report, err
}

func (c *tryCmd) rates(p *process, v *policy.Version) (*backtest.Rates, error) {
	rates := &backtest.Rates{}
	if c.Rates != "" {
		in, err := p.open(c.Rates)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		if rates, err = backtest.ReadRates(in, c.Rates, v.Currency()); err != nil {
			return nil, err
		}
	}
	for _, text := range c.Rate {
		currency, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usage("--rate %q: want it as GBP=1.17", text)
		}
		err := rates.Add(signal.Rate{Currency: strings.ToUpper(currency), Base: v.Currency(), Value: value, Source: "--rate",
			Date: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			return nil, usageError{err: fmt.Errorf("--rate: %w", err)}
		}
	}
	return rates, nil
}

// advise says the next step where the result cannot say much.
func (c *tryCmd) advise(p *process, v *policy.Version, r *backtest.Result) {
	switch {
	case r.History.Rows > 0 && r.Requests == 0:
		fmt.Fprintf(p.err, "hint: --warm-up 0 counts from the first day on\n")
	case r.History.WithoutRate > 0:
		fmt.Fprintf(p.err, "hint: --rates FILE gives dated rates into %s, --rate GBP=1.17 one for the whole time\n", v.Currency())
	}
}
