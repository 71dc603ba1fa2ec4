package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	countersign "github.com/countersign/countersign"
)

// importRatesCmd brings in dated rates. They have a form of their own, so that none of
// the mappings of documents applies.
type importRatesCmd struct {
	systemFlags
	File     string `arg:"" help:"CSV with the columns date, currency and rate, and base where it is not --base. - reads the input."`
	Base     string `default:"EUR" placeholder:"CODE" help:"The currency that rates are given in: what one unit of the other is worth (${default})."`
	Report   string `placeholder:"FILE" help:"Write the lines that were not kept to a file, instead of to the error output."`
	AllowBad bool   `help:"Exit with 0 although lines were not kept."`
	DryRun   bool   `help:"Read and check everything, and send nothing."`
	figuresFlag
}

// connect leaves it to the sender: who only tries a file needs no server.
func (c *importRatesCmd) connect(*process) (*connection, error) { return nil, nil }

func (c *importRatesCmd) do(s *server) (answer, error) {
	in, err := s.open(c.File)
	if err != nil {
		return answer{}, err
	}
	defer in.Close()
	flags := importFlags{systemFlags: c.systemFlags, File: c.File, Report: c.Report, AllowBad: c.AllowBad, DryRun: c.DryRun, figuresFlag: c.figuresFlag}
	to, err := flags.sender(s)
	if err != nil {
		return answer{}, err
	}
	defer to.close()

	if err = c.read(in, to); err == nil {
		err = to.flush()
	}
	if err != nil {
		return answer{}, flags.broken(to, err)
	}

	return answer{}, flags.finish(to, nil)
}

func (c *importRatesCmd) read(in io.Reader, s *sender) error {
	r := csv.NewReader(in)
	r.TrimLeadingSpace, r.FieldsPerRecord = true, -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: no header: want the columns date, currency and rate", c.File)
	} else if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.ToLower(strings.Trim(h, " \ufeff"))] = i
	}
	for _, name := range [...]string{"date", "currency", "rate"} {
		if _, ok := at[name]; !ok {
			return fmt.Errorf("%s: no column %s: want the columns date, currency and rate", c.File, name)
		}
	}
	for {
		fields, err := r.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			s.bad(int64(wrong.StartLine), fmt.Sprintf("line %d: %v", wrong.StartLine, wrong.Err))
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", c.File, err)
		}
		line, _ := r.FieldPos(0)
		if len(fields) != len(header) {
			s.bad(int64(line), fmt.Sprintf("line %d: %d columns, the header has %d", line, len(fields), len(header)))
			continue
		}
		get := func(name string) string { return strings.TrimSpace(fields[at[name]]) }
		f := countersign.RateFact{Base: strings.ToUpper(c.Base), Currency: strings.ToUpper(get("currency")), Day: get("date"), Rate: get("rate")}
		if _, ok := at["base"]; ok {
			f.Base = strings.ToUpper(get("base"))
		}
		if err := s.send(fact{line: int64(line), rate: &f}); err != nil {
			return err
		}
	}
}
