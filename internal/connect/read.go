package connect

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// target is what one reader makes of rows.
type target struct {
	fields []field
	// required holds alternatives: of each list one field must have a column.
	required [][]string
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

// eachRow reads the header, binds the columns and calls fn for every row that has
// the right number of them. fn reports a bad row in row.bad.
func eachRow(in io.Reader, m Mapping, o Options, t target, tl *tally, fn func(*row) error) (Report, error) {
	if err := o.check(); err != nil {
		return tl.report, err
	}
	s, err := newScanner(in, o)
	if err != nil {
		return tl.report, err
	}
	columns, err := readHeader(s, m, o, t, tl)
	if err != nil {
		return tl.finish(s), err
	}
	next := int64(progressEvery)
	for {
		rec, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return tl.finish(s), err
		}
		if err := oneRow(rec, columns, &o, tl, fn); err != nil {
			return tl.finish(s), err
		}
		if o.Progress != nil && s.lines >= next {
			next = s.lines + progressEvery
			if err := o.Progress(s.bytes, s.lines); err != nil {
				return tl.finish(s), err
			}
		}
	}
	if o.Progress != nil {
		if err := o.Progress(s.bytes, s.lines); err != nil {
			return tl.finish(s), err
		}
	}
	return tl.finish(s), nil
}

func oneRow(rec record, columns map[string]column, o *Options, tl *tally, fn func(*row) error) error {
	if rec.bad != nil {
		tl.bad(*rec.bad)
		return nil
	}
	if rec.fields == nil {
		tl.report.BlankLines += int64(rec.lines)
		return nil
	}
	r := &row{record: rec, columns: columns, options: o}
	if err := fn(r); err != nil {
		return err
	}
	if r.bad != nil {
		tl.bad(*r.bad)
		return nil
	}
	tl.report.Kept++
	tl.report.KeptLines += int64(rec.lines)
	return nil
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

// readHeader finds the delimiter and the header, and binds the columns.
func readHeader(s *scanner, m Mapping, o Options, t target, tl *tally) (map[string]column, error) {
	if err := s.findDelimiter(o, &tl.report); err != nil {
		return nil, err
	}
	tl.report.Delimiter = string(rune(s.delimiter))
	rec, err := s.next()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if rec.bad != nil {
		return nil, fmt.Errorf("%w: the header cannot be read: %s", ErrFile, rec.bad)
	}
	tl.report.HeaderLines += int64(rec.lines)
	header := rec.fields
	for i, h := range header {
		header[i] = strings.TrimSpace(h)
	}
	s.columns = len(header)
	columns, ignored, err := bind(t.fields, m, header, o)
	if err != nil {
		return nil, err
	}
	for _, alternatives := range t.required {
		found := false
		for _, name := range alternatives {
			found = found || columns[name].bound
		}
		if !found {
			return nil, fmt.Errorf("%w: no column for %s: the header has %s; name one in the mapping, as %s=Header", ErrFile, strings.Join(alternatives, " or "), clipList(header), alternatives[0])
		}
	}
	for name, c := range columns {
		switch {
		case c.index >= 0:
			tl.report.Columns[name] = clip(c.header)
		case c.constant != "":
			tl.report.Columns[name] = ":=" + clip(c.constant)
		}
	}
	tl.report.Ignored = ignored
	return columns, nil
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
