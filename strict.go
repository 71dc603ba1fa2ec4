package countersign

import (
	"encoding/json"
	"errors"

	"github.com/countersign/countersign/internal/jcs"
)

// SyntaxError says where a JSON text breaks the rules.
type SyntaxError struct {
	Offset int    // bytes from the start
	Line   int    // from 1
	Reason string // what is wrong there
}

func (e *SyntaxError) Error() string { return (*jcs.SyntaxError)(e).Error() }

// Canonical returns the canonical bytes (RFC 8785) of a Go value: its JSON form
// with members sorted by UTF-16 code units, no white space, minimal escapes.
func Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Canonicalize(raw)
}

// Canonicalize returns the canonical bytes (RFC 8785) of one JSON text. It refuses
// what I-JSON (RFC 7493) forbids: duplicate members, invalid UTF-8, lone
// surrogates, numbers that a double cannot hold; and trailing data. The error is a
// [*SyntaxError].
func Canonicalize(data []byte) ([]byte, error) {
	b, err := jcs.Canonicalize(data)
	return b, syntaxError(err)
}

// DecodeStrict reads one JSON text into the struct that v points to. Beyond what
// [Canonicalize] refuses, it refuses unknown members, members in another case, null,
// and values of another type; the error is a [*Problem] that names every place it
// found, as JSON pointers (RFC 6901).
func DecodeStrict(data []byte, v any) error { return ProblemOf(jcs.Decode(data, v)) }

// Compare lists the fields in which two JSON documents differ, by JSON pointer, in
// a fixed order. A field that is only on one side has the other side empty. Nothing
// is left out of the comparison but what goes beyond the first 100 differences.
func Compare(stored, sent []byte) ([]Difference, error) {
	found, err := jcs.Compare(stored, sent)
	if len(found) == 0 {
		return nil, syntaxError(err)
	}
	out := make([]Difference, len(found))
	for i, d := range found {
		out[i] = Difference(d)
	}
	return out, nil
}

// ProblemOf puts what strict reading found wrong in a text into a [*Problem]:
// [CodeMalformed] for what is no JSON text, [CodeInvalid] with its places for one that
// does not fit. Any other error, nil too, is returned as it is.
func ProblemOf(err error) error {
	var syntax *jcs.SyntaxError
	var wrong *jcs.DecodeError
	switch {
	case errors.As(err, &syntax):
		return NewProblem(CodeMalformed, "%s", err)
	case errors.As(err, &wrong):
		fields := make([]FieldError, len(wrong.Fields))
		for i, f := range wrong.Fields {
			fields[i] = FieldError(f)
		}
		return Invalid(fields...)
	}
	return err
}

func syntaxError(err error) error {
	var syntax *jcs.SyntaxError
	if errors.As(err, &syntax) {
		return (*SyntaxError)(syntax)
	}
	return err
}
