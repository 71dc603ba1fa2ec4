package web

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// receiptView is the card that says what was recorded, and how anybody can verify it.
type receiptView struct {
	ID, Object string
	Heading    string
	Lead       string
	Status     string // in words
	Tone       string // class of the status's tag
	Digest     []Part
	Decisions  []receiptLine
	Missing    []string
	Held       *Moment
	Watchers   string
	Silent     bool // approved by the policy: nobody was asked
	Founding   bool
	File       string // address of the receipt, where there is one
	Name       string // that a saved receipt has
	Command    string // that verifies it offline
	Back       string // the request's page
	Inbox      bool
	Host       string // that the visitor came from; "" where they came from nowhere
}

// receiptLine is one decision with its entry in the log.
type receiptLine struct {
	What   string // "You approved", "Ruth Adler approved"
	How    string
	Reason string
	At     Moment
	Entry  string // ent_…
	Index  string // number of the log entry; "" before it has its place
	Link   string // to the entry, for those who may see it
	Yours  bool
	Void   string
}

func showReceipt(v *visit) error {
	r, err := v.org.RequestPage(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	w := v.receiptView(r)
	to, err := v.org.ReturnURL(v.ctx(), *v.session, r.Approval.ID)
	if err != nil && !hasCode(err, countersign.CodeForbidden) {
		return err
	}
	if u, err := url.Parse(to); err == nil {
		w.Host = u.Host
	}
	return v.render(view{name: "receipt", title: w.Heading, plain: true, data: w})
}

func (v *visit) receiptView(r *authority.RequestView) receiptView {
	a := r.Approval
	w := receiptView{ID: a.ID, Status: v.t("receipt.status." + string(a.Status)), Tone: receiptTone(a.Status), Digest: plainParts(string(a.Digest), kindDigest), Missing: asSentences(a.Missing), Founding: a.Founding,
		Silent: a.Outcome == countersign.OutcomeAllow && len(r.Decisions) == 0 && (a.Status == countersign.StatusApproved || a.Status == countersign.StatusReleased)}
	if v.who.Kind == "normal" {
		w.Back, w.Inbox = "/r/"+a.ID, true
	}
	if a.Status != countersign.StatusPending && a.Status != countersign.StatusUnsatisfiable {
		w.File, w.Name = "/r/"+a.ID+"/receipt.json", receiptName(a.ID)
		w.Command = verifyCommand(w.Name)
	}
	if a.Status == countersign.StatusApproved && r.Hold != nil && r.Hold.Until.After(v.now()) {
		until := v.format.Moment(v.site.texts, r.Hold.Until, v.now())
		w.Held, w.Watchers = &until, groupNames(r.Hold.Watchers, v.t("receipt.or"))
	}
	yours := -1
	for i, d := range r.Decisions {
		w.Decisions = append(w.Decisions, v.receiptLine(d))
		if d.Yours && d.Void == "" {
			yours = i
		}
	}
	w.Heading, w.Lead = v.t("receipt.heading"), v.t("receipt.lead")
	if yours >= 0 {
		w.Heading = v.t("receipt.recorded." + string(r.Decisions[yours].Act))
		w.Lead = v.t("receipt.recorded_lead")
	}
	return w
}

func (v *visit) receiptLine(d authority.DecisionLine) receiptLine {
	who := "other."
	if d.Yours {
		who = "you."
	}
	l := receiptLine{What: v.t("receipt."+who+string(d.Act), "name", named(d.Person.Name)), How: v.t("receipt.factor." + d.Factor), Reason: sentence(d.Reason),
		At: exactly(v.format.Moment(v.site.texts, d.At, v.now())), Entry: d.Entry, Yours: d.Yours, Void: asSentence(d.Void)}
	if d.ActingFor != nil {
		l.What += " " + v.t("receipt.in_place_of", "name", named(d.ActingFor.Name))
	}
	if d.BreakGlass {
		l.How += ", " + v.t("receipt.break_glass")
	}
	if d.Simulated {
		l.How += ", " + v.t("receipt.simulated")
	}
	if d.Index >= 0 {
		l.Index = v.format.Count(d.Index)
		if v.who.Kind == "normal" && v.member(authority.GroupControllers, authority.GroupAuditors, authority.GroupAdministrators) {
			l.Link = "/audit/" + strconv.FormatInt(d.Index, 10)
		}
	}
	return l
}

// exactly shows a time whole: a receipt is read later, and elsewhere.
func exactly(m Moment) Moment {
	m.Text, m.Relative = m.Title, false
	return m
}

// receiptTone is how a status is marked; its word stands beside it in any case.
func receiptTone(s countersign.Status) string {
	switch {
	case s == countersign.StatusApproved, s == countersign.StatusReleased:
		return "ok"
	case slices.Contains([]countersign.Status{countersign.StatusDenied, countersign.StatusRevoked, countersign.StatusExpired}, s):
		return "no"
	case s == countersign.StatusPending, s == countersign.StatusUnsatisfiable:
		return "warn"
	}
	return "quiet"
}

// receiptName is the file name of a saved receipt. It is made from an identifier of
// ours, so that it says nothing of anybody and breaks no shell.
func receiptName(id string) string { return "receipt-" + id + ".json" }

// verifyCommand is what anybody can verify a saved receipt with, offline.
func verifyCommand(file string) string { return "countersign audit verify " + file + " --key log.key" }

// downloadReceipt gives the receipt as its one encoding, byte by byte.
func downloadReceipt(v *visit) error {
	b, err := v.org.Receipt(v.ctx(), v.caller(), v.path("id"))
	if err != nil {
		return err
	}
	v.file("application/json", receiptName(v.path("id")), b)
	return nil
}

// downloadLogKey gives the public keys that receipts are verified with, as the command
// reads them.
func downloadLogKey(v *visit) error {
	v.file("text/plain; charset=utf-8", "log.key", []byte(strings.Join(v.org.Verifiers(), "\n")+"\n"))
	return nil
}

// file answers with something to be saved.
func (v *visit) file(media, name string, b []byte) {
	v.w.Header().Set("Content-Type", media)
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	v.write(http.StatusOK, bytes.NewBuffer(b))
}
