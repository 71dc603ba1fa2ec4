package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
)

// CardView is the document card: one document as a person reads it, the same wherever
// it is shown. It is made from the canonical bytes alone, and every member of the
// document is on it. The template "document" writes it.
type CardView struct {
	ID       string // of the card's heading in a page: "doc-" and the beginning of the digest
	Kind     Row    // what kind of document, in words; as it is written where nobody gave it words
	Title    Value  // who is paid; without a payee, the document's number
	Identity []Item // what else identifies the payee
	Amount   *Money // nil: no amount
	Rows     []Row
	Lines    *Lines // nil: no lines
	Compared string // how many values differ from the earlier version; "" when nothing was compared
	Signed   string // what the digest is the digest of
	Digest   Value
}

// Row is a term and what stands for it.
type Row struct {
	Label   string // in words; "" where the document's own name says it
	Field   *Value // the name as the document has it: a field that changes, a custom fact
	Entries []Entry
}

// Entry is one thing that stands for a term, with what belongs to it beneath.
type Entry struct {
	Main   Value
	Sub    []Item
	Tag    bool   // stands as a tag
	URL    string // where the file is, for an attachment; set by [CardView.LinkAttachments]
	digest countersign.Digest
}

// Item is a value with a small label.
type Item struct {
	Label string
	Value Value
}

// Money is an amount: its value and its currency are never apart.
type Money struct {
	Currency, Value Value
	Now             string // set when it differs: the word for those who cannot see the mark
	Was             []Was
	Long            bool // so many digits that a narrow screen needs smaller ones
}

// Value is one member of the document.
type Value struct {
	At, Also string // JSON pointers of the members whose text this is; "" for what is no member
	Key      string // pointer of the member whose name, not value, this is
	Class    string
	Parts    []Part
	Rest     []Part // the end of a long text, which folds
	More     string // summary of Rest
	Datetime string // the day, for the machine
	Unit     string // stands after the value
	Now      string // set when it differs: the word for those who cannot see the mark
	Was      []Was
	Empty    string // the word for a member that is there and says nothing
	Diff     *Diff  // instead of Parts, for a text of several lines
}

// Was is what a value was before.
type Was struct {
	Word  string
	At    string // pointer, where the document itself says what was; "" from the earlier version
	Class string
	Parts []Part
}

// shown reports whether there is anything to show.
func (v *Value) shown() bool {
	return len(v.Parts) > 0 || len(v.Was) > 0 || v.Empty != "" || v.Diff != nil
}

// Card makes the card of a document from its canonical bytes. With the canonical bytes
// of an earlier version, what differs is marked and what it was stands beneath; earlier
// may be nil. Bytes that are no document, or not its canonical form, are an error, and
// so would be a member that is not on the card: nobody is shown half of what they sign.
func Card(canonical, earlier []byte, f Format, tx *Texts) (CardView, error) {
	b := &cardBuilder{f: f, tx: tx, on: map[string]string{}}
	var err error
	if b.now, err = readDocument(canonical); err != nil {
		return CardView{}, fmt.Errorf("card: the document: %w", err)
	}
	if earlier != nil {
		if b.was, err = readDocument(earlier); err != nil {
			return CardView{}, fmt.Errorf("card: the earlier version: %w", err)
		}
		b.comparing = true
	}
	digest := countersign.SumBytes(canonical)
	c := CardView{ID: "doc-" + string(digest[len("sha-256:"):][:12]), Signed: tx.T("card.signed"),
		Digest: Value{Class: kindDigest.class(), Parts: plainParts(string(digest), kindDigest)}}
	b.header(&c)
	b.rows(&c)
	c.Lines = b.lines()
	if b.comparing {
		c.Compared = tx.N("card.compared", b.differ, "n", f.Count(int64(b.differ)))
	}
	return c, b.covers(canonical)
}

// LinkAttachments gives every attachment the address where the file with its digest is;
// an empty address leaves it without a link.
func (c *CardView) LinkAttachments(url func(countersign.Digest) string) {
	for i := range c.Rows {
		for j := range c.Rows[i].Entries {
			if e := &c.Rows[i].Entries[j]; e.digest != "" {
				e.URL = url(e.digest)
			}
		}
	}
}

// readDocument decodes a document and makes sure that nothing was lost: encoded again
// it is the same bytes.
func readDocument(canonical []byte) (*countersign.Document, error) {
	d := &countersign.Document{}
	if err := countersign.DecodeStrict(canonical, d); err != nil {
		return nil, err
	}
	again, err := countersign.Canonical(d)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, canonical) {
		return nil, fmt.Errorf("the bytes are not the canonical form of the document")
	}
	return d, nil
}

// covers checks that every member of the document was put on the card as it is.
func (b *cardBuilder) covers(canonical []byte) error {
	dec := json.NewDecoder(bytes.NewReader(canonical))
	dec.UseNumber()
	var whole any
	if err := dec.Decode(&whole); err != nil {
		return fmt.Errorf("card: %w", err)
	}
	return b.covered("", whole)
}

func (b *cardBuilder) covered(at string, node any) error {
	var text string
	switch n := node.(type) {
	case map[string]any:
		for name, member := range n {
			if err := b.covered(at+"/"+pointerToken(name), member); err != nil {
				return err
			}
		}
		if len(n) > 0 {
			return nil
		}
	case []any:
		for i, item := range n {
			if err := b.covered(at+"/"+strconv.Itoa(i), item); err != nil {
				return err
			}
		}
		if len(n) > 0 {
			return nil
		}
	case string:
		text = n
	case json.Number:
		text = n.String()
	default:
		return fmt.Errorf("card: %s: a value that a card cannot show", at)
	}
	if on, ok := b.on[at]; !ok || on != text {
		return fmt.Errorf("card: %s is not on the card", at)
	}
	return nil
}

// pointerToken escapes a name for a JSON pointer (RFC 6901).
func pointerToken(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}
