package web

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// previewView is one request beside the list: what it is, why it needs somebody, and
// what the visitor can do about it.
type previewView struct {
	ID       string
	Title    string
	Card     *CardView // nil where the document is too long for a preview, or erased
	Long     string    // says so, and how much there is
	Erased   bool
	Status   chip // where it stands; Text is "" while it waits
	Reasons  []previewReason
	Rules    string // "policy version 14"
	Missing  []string
	Approve  bool
	Reject   bool
	WhyNot   []string
	Acting   string // in whose place the visitor would decide
	Progress string
}

// previewReason is one reason with the rule that it stands in.
type previewReason struct {
	Sentence, Rule string
	Unknown        bool
}

// previewBytes is the longest document that is shown whole beside the list. A longer
// one, such as a payment file, is read on its own page.
const previewBytes = 6 << 10

func showPreview(v *visit) error {
	id := v.path("id")
	if !v.fragment() { // the address of a part, opened by itself
		return v.redirect("/r/" + id)
	}
	p, err := v.preview(id)
	if err != nil {
		return err
	}
	return v.part("inbox", "preview", p)
}

func (v *visit) preview(id string) (*previewView, error) {
	page, err := v.org.RequestPage(v.ctx(), *v.session, id)
	if err != nil {
		return nil, err
	}
	return previewOf(v.site.texts, v.format, page)
}

func previewOf(tx *Texts, f Format, page *authority.RequestView) (*previewView, error) {
	a := page.Approval
	p := &previewView{ID: a.ID, Missing: a.Missing, Rules: tx.T("inbox.policy", "n", a.PolicyVersion)}
	if a.Status != countersign.StatusPending {
		p.Status = statusChip(tx, a.Status)
	}
	switch {
	case len(page.Canonical) == 0:
		p.Erased = true
	case len(page.Canonical) > previewBytes:
		p.Long = tx.T("inbox.long", "size", f.Bytes(tx, int64(len(page.Canonical))))
	default:
		var earlier []byte
		if page.Earlier != nil {
			earlier = page.Earlier.Canonical
		}
		card, err := Card(page.Canonical, earlier, f, tx)
		if err != nil {
			return nil, err
		}
		p.Card = &card
	}
	for _, r := range a.Reasons {
		if r.Silenced == "" && !r.Recorded {
			p.Reasons = append(p.Reasons, previewReason{Sentence: visible(r.Sentence), Rule: visible(r.Rule), Unknown: r.State == countersign.Unknown})
		}
	}
	p.may(tx, page.You)
	return p, nil
}

// may says what the visitor can do, for themself or in another's place.
func (p *previewView) may(tx *Texts, you authority.YourPart) {
	p.Approve, p.Reject = slices.Contains(you.Acts, authority.CanApprove), slices.Contains(you.Acts, authority.CanDeny)
	for _, from := range you.ActingFor {
		approve, deny := slices.Contains(from.Acts, authority.CanApprove), slices.Contains(from.Acts, authority.CanDeny)
		if (approve && !p.Approve) || (deny && !p.Reject) {
			p.Acting = tx.T("inbox.acting", "name", visible(from.Person.Name))
		}
		p.Approve, p.Reject = p.Approve || approve, p.Reject || deny
	}
	if !p.Approve {
		for _, w := range you.WhyNot {
			p.WhyNot = append(p.WhyNot, visible(w.Sentence))
		}
	}
}
