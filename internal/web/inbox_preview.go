package web

import "github.com/countersign/countersign"

// previewView is one request beside the list: the parts of its own page that say what
// it is, why it needs somebody, and what the visitor can do about it.
type previewView struct {
	requestView
	Long string // instead of a long document: how much there is
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
	if !countersign.IsID(countersign.PrefixRequest, id) {
		return nil, nothingThere(v)
	}
	r, err := v.org.RequestPage(v.ctx(), *v.session, id)
	if err != nil {
		return nil, err
	}
	return previewOf(v.requestReader(r))
}

func nothingThere(v *visit) *countersign.Problem {
	return countersign.NewProblem(countersign.CodeNotFound, "%s", v.t("error.nothing_here"))
}

func previewOf(q *requestReader) (*previewView, error) {
	id := q.r.Approval.ID
	p := &previewView{requestView: requestView{ID: id, Path: "/r/" + id, Heading: q.heading(), Notes: q.notes(), Reasons: q.reasons(), Approvals: q.approvals(), Actions: q.actions()}}
	if n := len(q.r.Canonical); n > previewBytes {
		p.Long = q.tx.T("inbox.long", "size", q.f.Bytes(q.tx, int64(n)))
		return p, nil
	}
	var err error
	p.Card, err = q.card()
	return p, err
}
