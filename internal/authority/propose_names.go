package authority

import (
	"errors"
	"strings"
	"unicode"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/text/unicode/norm"
)

// spellOut names in a proposed document what stands there by its id only: whose
// rights, which alert, what is frozen and why. Whoever decides reads what they sign.
// What is not on record is left out, and refused afterwards.
func (k *change) spellOut(tx *store.Tx, d *countersign.Document, proposer string) error {
	add := func(name, text string) {
		if text = readable(text); text != "" {
			if d.Custom == nil {
				d.Custom = map[string]string{}
			}
			d.Custom[name] = text
		}
	}
	if d.Custom["proposed_by"] != "" {
		add("proposed_by_name", proposer)
	}
	if err := k.names(tx, d, add); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// subjectNamed adds what an alert or a freeze is about: a person, a vendor with its
// number, or a request by its id.
func subjectNamed(tx *store.Tx, about, name string, add func(name, text string)) error {
	if vendor, ok := vendorOf(about); ok {
		v, err := tx.Vendor(vendor)
		add(name, strings.TrimSpace(v.Name+" ("+vendor+")"))
		return err
	}
	if countersign.IsID(countersign.PrefixRequest, about) {
		add(name, about)
		return nil
	}
	p, err := tx.Person(about)
	add(name, p.Name)
	return err
}

// readable is a text that came from elsewhere as a document may have it: in one line,
// without what cannot be seen, and not too long to be read.
func readable(s string) string {
	const most = 500 // bytes
	s = strings.Join(strings.FieldsFunc(norm.NFC.String(strings.ToValidUTF8(s, "\ufffd")), func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || countersign.Invisible(r) }), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
