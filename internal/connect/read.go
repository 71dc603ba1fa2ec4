package connect

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// reading is one file being read.
type reading struct {
	fields   []field    // that the reader knows
	required [][]string // alternatives: of each list one field must have a column
	mapping  Mapping
	options  Options
	tally    *tally
	columns  map[string]column // bound once the header has been read
}

// row gives access to the values of one row by field. The first fault is kept.
type row struct {
	record
	columns map[string]column
	options *Options
	bad     *BadLine
}

// raw is the value of a field without outer spaces; "" where it has no column.
func (r *row) raw(name string) string {
	c := r.columns[name]
	if c.index < 0 {
		return c.constant
	}
	return strings.TrimSpace(r.fields[c.index])
}

// fail keeps the first fault of the row.
func (r *row) fail(name string, f *fault) {
	if r.bad == nil {
		r.bad = &BadLine{Line: r.first, Lines: r.lines, Column: clip(r.columns[name].header), Value: clip(r.raw(name)), Reason: f.reason, Detail: f.detail}
	}
}

func (r *row) text(name string, most int) string {
	s, f := cleanText(r.raw(name), most)
	if f != nil {
		r.fail(name, f)
	}
	return s
}

func (r *row) need(name string, most int) string {
	s := r.text(name, most)
	if s == "" {
		r.fail(name, faultf(ReasonMissing, "the value is missing"))
	}
	return s
}

// each reads the header, binds the columns and calls fn for every row that has the
// right number of them. fn reports a bad row in row.bad.
func (f *reading) each(in io.Reader, fn func(*row) error) (Report, error) {
	if err := f.options.check(); err != nil {
		return f.tally.report, err
	}
	s, err := newScanner(in, f.options)
	if err != nil {
		return f.tally.report, err
	}
	if err := f.header(s); err != nil {
		return f.tally.finish(s), err
	}
	err = f.rows(s, fn)
	return f.tally.finish(s), err
}

func (f *reading) rows(s *scanner, fn func(*row) error) error {
	progress := f.options.Progress
	if progress == nil {
		progress = func(_, _ int64) error { return nil }
	}
	next := int64(progressEvery)
	for {
		rec, err := s.next()
		if errors.Is(err, io.EOF) {
			return progress(s.bytes, s.lines)
		}
		if err != nil {
			return err
		}
		if err := f.row(rec, fn); err != nil {
			return err
		}
		if s.lines >= next {
			next = s.lines + progressEvery
			if err := progress(s.bytes, s.lines); err != nil {
				return err
			}
		}
	}
}

func (f *reading) row(rec record, fn func(*row) error) error {
	tl := f.tally
	if rec.bad != nil {
		f.bad(*rec.bad)
		return nil
	}
	if rec.fields == nil {
		tl.report.BlankLines += int64(rec.lines)
		return nil
	}
	r := &row{record: rec, columns: f.columns, options: &f.options}
	if err := fn(r); err != nil {
		return err
	}
	if r.bad != nil {
		f.bad(*r.bad)
		return nil
	}
	tl.report.Kept++
	tl.report.KeptLines += int64(rec.lines)
	return nil
}

func (f *reading) bad(b BadLine) {
	f.tally.bad(b)
	if f.options.Bad != nil {
		f.options.Bad(b)
	}
}

func (o Options) check() error {
	switch o.Delimiter {
	case 0, ',', ';', '\t':
	default:
		return fmt.Errorf("%w: delimiter %q: want a comma, a semicolon or a tab", ErrFile, o.Delimiter)
	}
	switch o.Thousands {
	case "", ",", ".", " ", "'":
	default:
		return fmt.Errorf("%w: thousands %q: want a comma, a point, a space or an apostrophe", ErrFile, clip(o.Thousands))
	}
	if o.Thousands == "," && o.DecimalComma || o.Thousands == "." && !o.DecimalComma {
		return fmt.Errorf("%w: %q cannot group thousands and stand before the decimals as well", ErrFile, o.Thousands)
	}
	return nil
}

// header finds the delimiter and the header, and binds the columns.
func (f *reading) header(s *scanner) error {
	report := &f.tally.report
	if err := s.findDelimiter(f.options, report); err != nil {
		return err
	}
	report.Delimiter = string(rune(s.delimiter))
	rec, err := s.next()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	if rec.bad != nil {
		return fmt.Errorf("%w: the header cannot be read: %s", ErrFile, rec.bad)
	}
	report.HeaderLines += int64(rec.lines)
	header := rec.fields
	for i, h := range header {
		header[i] = strings.TrimSpace(h)
	}
	s.columns = len(header)
	if f.columns, report.Ignored, err = bind(f.fields, f.mapping, header, f.options); err != nil {
		return err
	}
	for _, alternatives := range f.required {
		if !slices.ContainsFunc(alternatives, func(name string) bool { return f.columns[name].bound }) {
			return fmt.Errorf("%w: no column for %s: the header has %s; name one in the mapping, as %s=Header",
				ErrFile, strings.Join(alternatives, " or "), clipList(header), alternatives[0])
		}
	}
	for name, c := range f.columns {
		switch {
		case c.index >= 0:
			report.Columns[name] = clip(c.header)
		case c.constant != "":
			report.Columns[name] = ":=" + clip(c.constant)
		}
	}
	return nil
}

// findDelimiter looks at the first line that is not blank: "sep=;" as spreadsheets
// write it, or else the candidate that cuts the header into most columns.
func (s *scanner) findDelimiter(o Options, report *Report) error {
	s.delimiter = byte(o.Delimiter)
	for {
		l, err := s.take()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it has no header", ErrFile)
		}
		if err != nil {
			return err
		}
		if bad := check(l); bad != nil {
			return fmt.Errorf("%w: the header cannot be read: %s", ErrFile, bad)
		}
		text := strings.TrimRight(l.text, " \r")
		if strings.Trim(text, " \t,;") == "" {
			report.BlankLines++
			continue
		}
		if sep, ok := strings.CutPrefix(text, "sep="); ok && len(sep) == 1 && strings.Contains(",;\t", sep) && l.number == 1 {
			report.HeaderLines++
			if s.delimiter == 0 {
				s.delimiter = sep[0]
			}
			continue
		}
		s.pending = append([]line{l}, s.pending...)
		if s.delimiter == 0 {
			s.delimiter = mostColumns(l.text)
		}
		return nil
	}
}

// mostColumns counts the candidates outside quotation marks.
func mostColumns(text string) byte {
	var counts [3]int
	inside := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			inside = !inside
		case !inside && strings.IndexByte(",;\t", c) >= 0:
			counts[strings.IndexByte(",;\t", c)]++
		}
	}
	best := 0
	for i := range counts {
		if counts[i] > counts[best] {
			best = i
		}
	}
	return ",;\t"[best]
}
