package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
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
	DocumentGone               bool // the document was erased
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

// loggedEntry reads the entry that the address names.
func (v *visit) loggedEntry() (*authority.LoggedEntry, error) {
	s := v.path("index")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return nil, nothingHere(v)
	}
	page, err := v.org.LogEntries(v.ctx(), v.caller(), n, 1)
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 || page.Items[0].Index != n {
		return nil, nothingHere(v)
	}
	return &page.Items[0], nil
}

func showEntry(v *visit) error {
	e, err := v.loggedEntry()
	if err != nil {
		return err
	}
	leaf, err := countersign.ParseLeaf([]byte(e.Leaf))
	if err != nil {
		return err
	}
	w, err := v.auditPage(v.auditFilter(), e)
	if err != nil {
		return err
	}
	if w.Entry, err = v.entry(e, leaf, w.Log.Keys); err != nil {
		return err
	}
	w.Proof = fmt.Sprintf("/audit/%d/proof.json", e.Index)
	return v.render(view{name: "audit", title: v.t("audit.entry", "n", w.Entry.Number), area: "audit", data: w})
}

func (v *visit) entry(e *authority.LoggedEntry, leaf countersign.Leaf, keys []string) (*entryView, error) {
	w := &entryView{Number: v.format.Count(e.Index), What: v.entryWhat(leaf.Type, leaf.Facts), Leaf: e.Leaf, Checks: v.site.unchecked(), Facts: factsOf(leaf), Openings: v.openings(leaf, e.Openings)}
	if at, err := time.Parse(countersign.TimeFormat, leaf.Time); err == nil {
		w.At = v.format.Moment(v.site.texts, at, v.now())
	}
	w.Who = v.actorName(countersign.Principal{ID: leaf.Actor, Name: v.nameOf(leaf.Actor)})
	if strings.HasPrefix(leaf.Actor, countersign.PrefixPerson+"_") {
		w.WhoPath = auditFilter{Person: leaf.Actor}.address("/audit", "")
	}
	if err := v.drawPath(w, e.Index); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(leaf.Subject, countersign.PrefixRequest+"_") {
		w.Command = "countersign audit verify log/ --key " + quoted(lastOf(keys))
		return w, nil
	}
	return w, v.aboutRequest(w, leaf.Subject, keys)
}

// aboutRequest adds what belongs to an entry about a request: the document as it was
// submitted, and the receipt.
func (v *visit) aboutRequest(w *entryView, request string, keys []string) error {
	w.Request = "/r/" + request
	w.Command = "countersign audit verify log/ --key " + quoted(lastOf(keys))
	if _, err := v.org.Receipt(v.ctx(), v.caller(), request); err == nil { // nothing decided, or erased: there is none
		w.Receipt = strings.TrimSuffix(v.r.URL.Path, "/") + "/receipt"
		w.Command = "countersign audit verify " + request + ".receipt.json --key " + quoted(lastOf(keys))
	}
	submitted, err := v.org.LogAbout(v.ctx(), v.caller(), request, countersign.EntryRequestSubmitted)
	if err != nil || len(submitted) == 0 {
		return err
	}
	o, ok := submitted[0].Openings[countersign.OpeningDocument]
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

// nameOf is a person's name, where there is one on record.
func (v *visit) nameOf(id string) string {
	if !strings.HasPrefix(id, countersign.PrefixPerson+"_") {
		return ""
	}
	p, err := v.org.Person(v.ctx(), *v.session, id)
	if err != nil {
		return ""
	}
	return p.Name
}

func (v *visit) drawPath(w *entryView, index int64) error {
	text, err := v.org.LogProof(v.ctx(), v.caller(), index)
	if err != nil {
		return err
	}
	return w.draw(v.site.texts, v.format, text)
}

// draw reads a proof and draws its path.
func (w *entryView) draw(tx *Texts, f Format, text string) error {
	proof, err := countersign.ParseProof([]byte(text))
	if err != nil {
		return err
	}
	body, _, _ := strings.Cut(string(proof.Checkpoint), "\n\n")
	head, err := countersign.ParseCheckpoint(body + "\n")
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
func (s *Site) unchecked() []checkView {
	var all []checkView
	for _, name := range []string{"included", "signed", "witnessed"} {
		c := checkView{Name: name, Title: s.texts.T("audit." + name), Text: s.texts.T("audit.not_checked"), Verdict: s.texts.T("audit.check.verdict_wait")}
		if name == "witnessed" {
			c.State, c.Text, c.Verdict = "none", s.texts.T("audit.check.no_witness"), s.texts.T("audit.check.verdict_none")
		}
		all = append(all, c)
	}
	return all
}

// entryReceipt hands out the receipt of the request that an entry is about, as a file.
func entryReceipt(v *visit) error {
	e, err := v.loggedEntry()
	if err != nil {
		return err
	}
	var leaf struct {
		Subject string `json:"subject"`
	}
	if err := json.Unmarshal([]byte(e.Leaf), &leaf); err != nil {
		return err
	}
	receipt, err := v.org.Receipt(v.ctx(), v.caller(), leaf.Subject)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="`+cmp.Or(leaf.Subject, "receipt")+`.receipt.json"`)
	v.status = http.StatusOK
	v.w.Write(receipt) // whoever hung up does not read it
	return nil
}
