package authority

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
	"golang.org/x/text/unicode/norm"
)

// intake is a document that was read: its form is right, its bytes are canonical.
type intake struct {
	doc       *countersign.Document
	canonical []byte
	digest    countersign.Digest
	sub       *countersign.Submission
}

// readDocument reads a document that came from outside. What it accepts has one
// form only, so that the digest of what was sent is the digest of what is stored:
// nothing is put right silently.
func readDocument(raw json.RawMessage, pointer string, kinds []string) (*intake, error) {
	if len(raw) == 0 {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: "required"})
	}
	node, err := jcs.Parse(raw)
	if err != nil {
		return nil, countersign.NewProblem(countersign.CodeMalformed, "%s: %v", pointer, err)
	}
	return readParsed(node, node.Canonical(), pointer, kinds)
}

// readParsed is readDocument for one that was parsed already, with its canonical bytes.
func readParsed(node *jcs.Node, canonical []byte, pointer string, kinds []string) (*intake, error) {
	in := &intake{doc: new(countersign.Document), canonical: canonical}
	if len(in.canonical) > countersign.MaxDocumentBytes {
		return nil, countersign.NewProblem(countersign.CodeTooLarge, "the document has %d bytes, at most %d", len(in.canonical), countersign.MaxDocumentBytes)
	}
	if err := node.DecodeAt(in.doc, pointer); err != nil {
		return nil, countersign.ProblemOf(err)
	}
	if err := in.doc.Validate(pointer); err != nil {
		return nil, err
	}
	if countersign.InternalKind(in.doc.Kind) {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: pointer + "/kind", Detail: "changes to Countersign itself are not submitted here"})
	}
	if !countersign.BuiltinKind(in.doc.Kind) && !slices.Contains(kinds, in.doc.Kind) {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: pointer + "/kind", Detail: "this kind is not known here; custom kinds are added in the organisation's settings"})
	}
	if !norm.NFC.IsNormal(in.canonical) {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: "has text that is not in Unicode normalisation form C; normalise it before sending, so that equal text has equal bytes"})
	}
	in.digest = countersign.SumBytes(in.canonical)
	if err := oneForm(in, pointer); err != nil {
		return nil, err
	}
	return in, nil
}

// nothings are how canonical bytes write what says nothing. They may also stand in a text:
// where there is none of them, nothing has to be looked at.
var nothings = [][]byte{[]byte(`""`), []byte(`[]`), []byte(`{}`), []byte(`:0,`), []byte(`:0}`)}

// oneForm refuses members that are there and say nothing. A card has no place for them, and
// the same document sent without them would have another digest.
func oneForm(in *intake, pointer string) error {
	if !slices.ContainsFunc(nothings, func(b []byte) bool { return bytes.Contains(in.canonical, b) }) {
		return nil
	}
	again, err := countersign.Canonical(in.doc)
	if err != nil || bytes.Equal(again, in.canonical) {
		return err
	}
	differences, err := countersign.Compare(in.canonical, again)
	if err != nil {
		return err
	}
	errs := make([]countersign.FieldError, 0, len(differences))
	for _, d := range differences {
		errs = append(errs, countersign.FieldError{Pointer: pointer + d.Pointer, Detail: "says nothing: leave out what is empty or 0"})
	}
	return countersign.Invalid(errs...)
}

// Parsed is the body of a submission or an evaluation, parsed where it came in, so that a
// document is parsed and made canonical once.
type Parsed struct {
	countersign.RequestBody           // its document is canonical
	Node                    *jcs.Node // the document; nil where the body is only text yet
}

// ReadBody reads the body that a caller sent.
func ReadBody(body *jcs.Node) (p Parsed, err error) {
	if err := body.Decode(&p.RequestBody); err != nil {
		return p, countersign.ProblemOf(err)
	}
	p.Node = body.Member("document")
	return p, nil
}

// read reads the body of a submission or an evaluation.
func (a *Authority) read(body Parsed, kinds []string) (in *intake, err error) {
	if body.Node != nil {
		in, err = readParsed(body.Node, body.Document, "/document", kinds)
	} else {
		in, err = readDocument(body.Document, "/document", kinds)
	}
	if err != nil {
		return nil, err
	}
	in.sub = body.Submission
	if in.sub == nil {
		in.sub = &countersign.Submission{}
	}
	return in, in.sub.Validate("/submission")
}
