package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/verify"
)

// entryView is one entry with what proves it.
type entryView struct {
	Number, What, Who, WhoPath string
	At                         Moment
	Facts                      []choice // name and value
	Leaf                       string   // exact bytes
	Openings                   []openingView
	Checks                     []checkView
	Tree                       string // in words: size of the tree
	Path                       Chart
	Request                    string // address of the request's page; "" for none
	Receipt                    string // address of its receipt; "" for none
	Command                    string // the command line that verifies it
	Document                   *CardView
	DocumentGone               bool   // the document was erased
	Tampered                   bool   // what the database has of the request was changed
	ObjectPath                 string // address of all entries about the same document
}

// openingView is one commitment, and what opens it.
type openingView struct {
	Name, Title string
	Salt, Value string
	Erased      bool
}

// checkView is one of the statements about an entry. Without the script they are
// unchecked, and say so.
type checkView struct {
	Name, Title, Text, Verdict string
	State                      string // "", "ok", "no", "none"
}

// entryNumber is the entry that the address names.
func (v *visit) entryNumber() (int64, error) {
	s := v.path("index")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, nothingHere(v)
	}
	return n, nil
}

func showEntry(v *visit) error {
	n, err := v.entryNumber()
	if err != nil {
		return err
	}
	w, page, err := v.auditPage(v.auditFilter(), &n)
	if err != nil {
		return err
	}
	if w.Entry, err = v.entry(page.Entry, page.Submitted); err != nil {
		return err
	}
	w.Proof = fmt.Sprintf("/audit/%d/proof.json", n)
	return v.render(view{name: "audit", title: v.t("audit.entry", "n", w.Entry.Number), area: "audit", data: w})
}

func (v *visit) entry(e *authority.EntryView, submitted *authority.LoggedEntry) (*entryView, error) {
	leaf, err := countersign.ParseLeaf(e.Leaf)
	if err != nil {
		return nil, err
	}
	w := &entryView{Number: v.format.Count(e.Index), What: v.entryWhat(leaf.Type, leaf.Facts), Who: v.actorName(e.Actor), At: v.format.Moment(v.site.texts, e.At, v.now()),
		Leaf: string(e.Leaf), Checks: v.site.unchecked(len(v.org.WitnessKeys()) > 0), Facts: factsOf(leaf), Openings: v.openings(leaf, e.Openings)}
	if countersign.IsID(countersign.PrefixPerson, leaf.Actor) {
		w.WhoPath = auditFilter{Person: leaf.Actor}.address("/audit", "")
	}
	w.Command = "countersign audit verify log/ --key " + quoted(lastOf(e.Verifiers))
	if err := w.draw(v.site.texts, v.format, e.Proof); err != nil || e.Request == nil {
		return w, err
	}
	q := e.Request
	w.Request, w.Tampered = "/r/"+q.ID, q.Tampered
	if q.Object != "" {
		w.ObjectPath = auditFilter{Kind: q.Kind, Object: q.Object}.address("/audit", "")
	}
	if e.Receipt {
		w.Receipt = fmt.Sprintf("/audit/%d/receipt", e.Index)
		w.Command = "countersign audit verify " + q.ID + ".receipt.json --key " + quoted(lastOf(e.Verifiers))
	}
	return w, v.asSubmitted(w, submitted)
}

// asSubmitted adds the document of a request as the log holds it.
func (v *visit) asSubmitted(w *entryView, submitted *authority.LoggedEntry) error {
	if submitted == nil {
		return nil
	}
	o, ok := submitted.Openings[countersign.OpeningDocument]
	if !ok {
		w.DocumentGone = true
		return nil
	}
	card, err := Card([]byte(o.Value), nil, v.format, v.site.texts)
	if err != nil {
		return err
	}
	w.Document = &card
	return nil
}

// draw reads a proof and draws its path.
func (w *entryView) draw(tx *Texts, f Format, text string) error {
	proof, err := verify.ParseProof([]byte(text))
	if err != nil {
		return err
	}
	body, _, _ := strings.Cut(string(proof.Checkpoint), "\n\n")
	head, err := verify.ParseCheckpoint(body + "\n")
	if err != nil {
		return err
	}
	w.Tree = tx.T("audit.tree", "size", f.Count(head.Size))
	w.Path = Path(merklePath{Label: tx.N("audit.path", len(proof.Path), "entry", w.Number), Leaf: tx.T("audit.entry", "n", w.Number), Root: tx.T("audit.root"),
		Siblings: siblingsOf(head.Size, proof.Index, proof.Path), Head: []string{tx.T("audit.path_step"), tx.T("audit.path_side"), tx.T("audit.path_hash")},
		Left: tx.T("audit.left"), Right: tx.T("audit.right")})
	return nil
}

// factsOf lists what an entry says, in the order of its names.
func factsOf(l countersign.Leaf) []choice {
	all := []choice{{Value: "id", Text: l.ID}, {Value: "type", Text: string(l.Type)}, {Value: "time", Text: l.Time}, {Value: "subject", Text: l.Subject}, {Value: "actor", Text: l.Actor}}
	for _, name := range slices.Sorted(maps.Keys(l.Facts)) {
		all = append(all, choice{Value: name, Text: l.Facts[name]})
	}
	return all
}

func (v *visit) openings(l countersign.Leaf, open map[string]countersign.Opening) []openingView {
	var all []openingView
	for _, name := range slices.Sorted(maps.Keys(l.Commitments)) {
		o, there := open[name]
		title := name
		if key := "audit.opening." + name; v.site.texts.has(key) {
			title = v.t(key)
		}
		all = append(all, openingView{Name: name, Title: title, Salt: o.Salt, Value: o.Value, Erased: !there})
	}
	return all
}

// unchecked are the statements about an entry before anything was computed.
func (s *Site) unchecked(witnessed bool) []checkView {
	var all []checkView
	for _, name := range []string{"included", "signed", "witnessed"} {
		c := checkView{Name: name, Title: s.texts.T("audit." + name), Text: s.texts.T("audit.not_checked"), Verdict: s.texts.T("audit.check.verdict_wait")}
		if name == "witnessed" && !witnessed {
			c.State, c.Text, c.Verdict = "none", s.texts.T("audit.check.no_witness"), s.texts.T("audit.check.verdict_none")
		}
		all = append(all, c)
	}
	return all
}

// entryReceipt hands out the receipt of the request that an entry is about, as a file.
func entryReceipt(v *visit) error {
	n, err := v.entryNumber()
	if err != nil {
		return err
	}
	e, err := v.org.Entry(v.ctx(), *v.session, n)
	if err != nil {
		return err
	}
	if e.Request == nil {
		return nothingHere(v)
	}
	receipt, err := v.org.Receipt(v.ctx(), v.caller(), e.Request.ID)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="`+e.Request.ID+`.receipt.json"`)
	v.status = http.StatusOK
	v.w.Write(receipt) // whoever hung up does not read it
	return nil
}
