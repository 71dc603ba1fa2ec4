package connect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// line is one line of the file, decoded, without its end.
type line struct {
	number  int64
	text    string
	tooLong bool // text holds only the beginning
}

// scanner splits a file into rows (RFC 4180, with other delimiters). What it adds
// is recovery: when a quoted value does not end as it should, only the line where
// it began is given up, and reading resumes on the very next line.
type scanner struct {
	in        *bufio.Reader
	decoder   *encoding.Decoder // nil for UTF-8
	maxLine   int
	delimiter byte
	columns   int // of the header; 0 while it is being read

	pending []line // read already, to be taken again
	bytes   int64
	lines   int64
	ended   bool
}

// record is one row, good or bad. A blank one has neither fields nor a bad line.
type record struct {
	first  int64 // number of its first line
	lines  int
	fields []string
	bad    *BadLine
}

func newScanner(r io.Reader, o Options) (*scanner, error) {
	s := &scanner{in: bufio.NewReaderSize(r, 64<<10), maxLine: o.MaxLine}
	switch {
	case s.maxLine == 0:
		s.maxLine = defaultMaxLine
	case s.maxLine < 0 || s.maxLine > highestMaxLine:
		return nil, fmt.Errorf("%w: longest line %d: want 1 to %d bytes", ErrFile, o.MaxLine, highestMaxLine)
	}
	switch strings.ToLower(o.Encoding) {
	case "", "utf-8", "utf8":
	case "windows-1252", "cp1252":
		s.decoder = charmap.Windows1252.NewDecoder()
	default:
		return nil, fmt.Errorf("%w: encoding %q is not known: use utf-8 or windows-1252", ErrFile, clip(o.Encoding))
	}
	return s, s.skipMark()
}

// skipMark steps over a UTF-8 byte order mark and refuses UTF-16, whose every
// other byte would otherwise be reported as an invisible character.
func (s *scanner) skipMark() error {
	head, err := s.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	switch {
	case len(head) == 3 && head[0] == 0xEF && head[1] == 0xBB && head[2] == 0xBF:
		s.in.Discard(3) // they are in the buffer: cannot fail
		s.bytes += 3
	case len(head) >= 2 && (head[0] == 0xFF && head[1] == 0xFE || head[0] == 0xFE && head[1] == 0xFF || head[0] == 0 || head[1] == 0):
		return fmt.Errorf("%w: it is written in UTF-16: save it as UTF-8", ErrFile)
	}
	return nil
}

// take returns the next line; io.EOF after the last one.
func (s *scanner) take() (line, error) {
	if n := len(s.pending); n > 0 {
		l := s.pending[0]
		s.pending = s.pending[1:]
		return l, nil
	}
	if s.ended {
		return line{}, io.EOF
	}
	var raw []byte
	l := line{}
	for {
		part, err := s.in.ReadSlice('\n')
		s.bytes += int64(len(part))
		if room := s.maxLine + 2 - len(raw); len(part) > room {
			l.tooLong = true
			part = part[:max(room, 0)]
		}
		raw = append(raw, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) {
			s.ended = true
			if len(raw) == 0 {
				return line{}, io.EOF
			}
		} else if err != nil {
			return line{}, fmt.Errorf("%w: after line %d: %w", ErrFile, s.lines, err)
		}
		break
	}
	s.lines++
	l.number = s.lines
	if !l.tooLong {
		raw = trimEnd(raw)
		l.tooLong = len(raw) > s.maxLine
	}
	l.text = s.decode(raw)
	return l, nil
}

func trimEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}

// decode turns Windows-1252 into UTF-8; line ends are the same bytes in both, so
// that lines may be cut before.
func (s *scanner) decode(raw []byte) string {
	if s.decoder == nil {
		return string(raw)
	}
	text, err := s.decoder.Bytes(raw)
	if err != nil { // a one-byte table has a character for every byte
		return string(raw)
	}
	return string(text)
}

// next returns the next row; io.EOF after the last one.
func (s *scanner) next() (record, error) {
	first, err := s.take()
	if err != nil {
		return record{}, err
	}
	rec := record{first: first.number, lines: 1}
	if rec.bad = check(first); rec.bad != nil {
		return rec, nil
	}
	if strings.Trim(first.text, " \t\r"+string(rune(s.delimiter))) == "" {
		return rec, nil // blank, or nothing but delimiters, as spreadsheets leave them
	}
	q := splitter{delimiter: s.delimiter, fields: make([]string, 0, s.columns)}
	taken := []line{first}
	size := len(first.text)
	state, why := q.feed(first.text)
	for state == unfinished {
		l, err := s.take()
		if err != nil && !errors.Is(err, io.EOF) {
			return record{}, err
		}
		if err != nil || len(taken) == maxRowLines {
			if err == nil {
				taken = append(taken, l)
			}
			state, why = broken, fmt.Sprintf("a quotation mark opens in column %d and is not closed", len(q.fields)+1)
			break
		}
		taken = append(taken, l)
		if size += len(l.text) + 1; check(l) != nil || size > s.maxLine {
			state, why = broken, fmt.Sprintf("a quotation mark opens in column %d and is not closed before line %d", len(q.fields)+1, l.number)
			break
		}
		state, why = q.feed(l.text)
	}
	return s.finish(rec, taken, &q, state, why), nil
}

// finish makes the row of the lines taken, or gives up the first of them alone.
func (s *scanner) finish(rec record, taken []line, q *splitter, state splitState, why string) record {
	reason := ReasonQuote
	if n := len(q.fields); state == complete && (s.columns > 0 && n != s.columns || n > maxColumns) {
		reason = ReasonColumns
		why = fmt.Sprintf("the row has %s, the header has %d", count(n, "column"), s.columns)
		if n > maxColumns {
			why = fmt.Sprintf("the row has %d columns, at most %d", n, maxColumns)
		}
		if len(taken) > 1 { // most likely a quotation mark that should not be there
			reason = ReasonQuote
			why += ": a quoted value runs over the end of its line"
		}
		state = broken
	}
	if state == complete {
		rec.fields, rec.lines = q.fields, len(taken)
		return rec
	}
	s.pending = append(taken[1:len(taken):len(taken)], s.pending...)
	rec.bad = &BadLine{Line: rec.first, Lines: 1, Value: clip(taken[0].text), Reason: reason, Detail: why}
	return rec
}

// check finds what makes a line unreadable whatever stands in it.
func check(l line) *BadLine {
	switch {
	case l.tooLong:
		return &BadLine{Line: l.number, Lines: 1, Value: clip(l.text), Reason: ReasonTooLong, Detail: "the line is longer than allowed"}
	case !utf8.ValidString(l.text):
		return &BadLine{Line: l.number, Lines: 1, Value: clip(l.text), Reason: ReasonEncoding, Detail: "not valid UTF-8: perhaps the file is windows-1252"}
	}
	return nil
}

type splitState int

const (
	complete   splitState = iota
	unfinished            // inside a quoted value at the end of the line
	broken
)

// splitter cuts one row into its values; it is fed line by line.
type splitter struct {
	delimiter byte
	fields    []string
	value     strings.Builder // the quoted value so far
	inside    bool
}

func (q *splitter) feed(text string) (splitState, string) {
	if q.inside {
		q.value.WriteByte('\n')
	}
	for {
		if !q.inside {
			if !strings.HasPrefix(text, `"`) {
				end := strings.IndexByte(text, q.delimiter)
				value := text
				if end >= 0 {
					value = text[:end]
				}
				if strings.Contains(value, `"`) {
					return broken, fmt.Sprintf("a quotation mark stands inside column %d, which does not begin with one", len(q.fields)+1)
				}
				q.fields = append(q.fields, value)
				if end < 0 {
					return complete, ""
				}
				text = text[end+1:]
				continue
			}
			q.inside = true
			q.value.Reset()
			text = text[1:]
		}
		end := strings.IndexByte(text, '"')
		if end < 0 {
			q.value.WriteString(text)
			return unfinished, ""
		}
		q.value.WriteString(text[:end])
		text = text[end+1:]
		if strings.HasPrefix(text, `"`) { // a doubled mark is one mark
			q.value.WriteByte('"')
			text = text[1:]
			continue
		}
		q.inside = false
		q.fields = append(q.fields, q.value.String())
		if text == "" {
			return complete, ""
		}
		if text[0] != q.delimiter {
			return broken, fmt.Sprintf("after the closing quotation mark of column %d stands more text", len(q.fields))
		}
		text = text[1:]
	}
}
