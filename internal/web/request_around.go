package web

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// openAttachment gives the file of an attachment, whose bytes are hashed again before:
// as a download, which no browser runs, whatever is in it.
func openAttachment(v *visit) error {
	f, err := v.org.OpenAttachment(v.ctx(), *v.session, v.path("id"), v.path("sha256"))
	if hasCode(err, countersign.CodeChanged) {
		return countersign.NewProblem(countersign.CodeChanged, "%s", v.t("request.files.wrong")).WithHint("%s", v.t("request.files.wrong_hint")).WithCause(err)
	}
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", f.MediaType)
	h.Set("Content-Disposition", attachmentDisposition(f.Name))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	v.status = http.StatusOK
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method != http.MethodHead {
		io.Copy(v.w, f.Content) // whoever hung up does not read it
	}
	return nil
}

// attachmentDisposition names the file that is saved: the document's name for it,
// without what a file system or a header would read otherwise (RFC 6266, RFC 2231).
func attachmentDisposition(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) || countersign.Invisible(r) {
			return '_'
		}
		return r
	}, name)
	if safe = strings.Trim(safe, ". "); safe == "" {
		safe = "attachment"
	}
	for len(safe) > 180 {
		safe = safe[:len(safe)-1]
	}
	out := mime.FormatMediaType("attachment", map[string]string{"filename": strings.ToValidUTF8(safe, "")})
	if out == "" {
		return "attachment"
	}
	return out
}

// ask writes a question or an answer into the thread.
func ask(v *visit) error {
	id := v.path("id")
	q, err := v.org.Ask(v.ctx(), *v.session, id, countersign.QuestionBody{Text: v.form("text"), Answers: v.form("answers")})
	if err == nil {
		return v.redirect("/r/" + id + "#" + q.ID)
	}
	p, e, ok := v.refused(err)
	if !ok {
		return err
	}
	return v.requestPage(p.Status, &e, v.form("text"))
}

// aroundView is the page of an act around a request that is no decision.
type aroundView struct {
	aboutRequest
	Card   *CardView
	May    bool
	People []option // to whom it can be handed over
	Text   string
	Most   int
}

func (v *visit) aroundView(r *authority.RequestView, title, act string) (aroundView, error) {
	q := v.requestReader(r)
	w := aroundView{aboutRequest: q.about(title), May: may(r, act), Text: v.form("reason"), Most: countersign.MaxQuestionCharacters}
	var err error
	w.Card, err = q.card()
	return w, err
}

func showWithdraw(v *visit) error { return v.withdrawPage(http.StatusOK, nil) }

func (v *visit) withdrawPage(status int, problem *errorView) error {
	r, err := v.org.RequestPage(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	w, err := v.aroundView(r, "withdraw.title", authority.CanWithdraw)
	if err != nil {
		return err
	}
	w.Problem = problem
	return v.render(view{name: "withdraw", title: w.Title, area: "inbox", status: status, data: w})
}

func withdraw(v *visit) error {
	id := v.path("id")
	_, err := v.org.Withdraw(v.ctx(), v.caller(), id, strings.TrimSpace(v.form("reason")))
	if err == nil {
		return v.redirect("/r/" + id)
	}
	p, e, ok := v.refused(err)
	if !ok {
		return err
	}
	return v.withdrawPage(p.Status, &e)
}

func showReassign(v *visit) error { return v.reassignPage(http.StatusOK, nil) }

func (v *visit) reassignPage(status int, problem *errorView) error {
	r, err := v.org.ReassignForm(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	w, err := v.aroundView(r, "reassign.title", authority.CanReassign)
	if err != nil {
		return err
	}
	w.Problem = problem
	w.People = choices(r.HandTo, v.form("to"))
	return v.render(view{name: "reassign", title: w.Title, area: "inbox", status: status, data: w})
}

// choices are people to choose from. Two of one name are told apart by their ids.
func choices(people []countersign.Principal, chosen string) []option {
	count := map[string]int{}
	for _, p := range people {
		count[p.Name]++
	}
	var out []option
	for _, p := range people {
		text := named(p.Name)
		if count[p.Name] > 1 {
			text = fmt.Sprintf("%s (%s)", text, p.ID)
		}
		out = append(out, option{Value: p.ID, Text: text, Chosen: p.ID == chosen})
	}
	return out
}

func reassign(v *visit) error {
	id := v.path("id")
	_, err := v.org.Reassign(v.ctx(), *v.session, id, countersign.ReassignBody{To: v.form("to"), Reason: v.form("reason")})
	if err == nil {
		to := "/r/" + id
		if _, err := v.org.Get(v.ctx(), v.caller(), id); hasCode(err, countersign.CodeNotFound) {
			to = "/" // it is another's now, and no longer the visitor's to see
		}
		return v.redirect(to)
	}
	p, e, ok := v.refused(err)
	if !ok {
		return err
	}
	return v.reassignPage(p.Status, &e)
}
