package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/terminal"
)

func (p *play) prologue() {
	c := &p.h.Company
	p.title(c.Name)
	p.text(fmt.Sprintf("A sample company with a year behind it: %d people, %d vendors, %d purchases, and its cases of today. The ERP asks Countersign over HTTP before it executes anything; people prove who they are only when it matters. Everybody here signs with a software passkey that only a demo accepts: everything it signs is stamped “simulated”.",
		len(c.People), len(c.Vendors), len(c.Purchases)))
}

func (p *play) smallOrder() {
	const name = "small-order"
	a := p.submit(name)
	p.proves(a.Receipt, name)
	p.executes(name, "order-run-1", true)
}

func (p *play) largeOrder() {
	const name = "large-order"
	p.submit(name)
	p.refusedTo(p.who(buyer)+", who asked for it, tries to approve it", buyer, name, byPasskey(), countersign.CodeForbidden)
	code := p.code(headMaking, 0)
	a := p.decides(headMaking, name, byCode(code), countersign.StatusApproved)
	p.proves(a.Receipt, name)

	p.open["agent-order"] = p.quietly("agent-order")
	p.refusedTo("The same code on another request, in the same half minute", headMaking, "agent-order", byCode(code), countersign.CodeUnauthenticated)

	changed := p.cases[name].Document
	amount := *changed.Amount
	amount.Value = "30000.01"
	changed.Amount = &amount
	raw, _ := json.Marshal(changed) // it marshalled before
	err := p.call(p.h.Info.Key, http.MethodPost, "/v1/release", countersign.ReleaseBody{Request: p.open[name].ID, Document: raw, Execution: "order-run-2"}, nil)
	p.refuses("The ERP wants to execute it with one cent changed", err, countersign.CodeChanged)
	first := p.executes(name, "order-run-2", false)
	again := p.release(name, "order-run-2")
	if p.failed == nil && (again.Lease != first.Lease || again.Lease == "") {
		p.fail("%s: the same execution got another lease", name)
	}
	p.item("again", "The same execution asks once more, and gets the same answer")
	err = p.call(p.h.Info.Key, http.MethodPost, "/v1/release", countersign.ReleaseBody{Request: p.open[name].ID, Document: p.document(name), Execution: "order-run-3"}, nil)
	p.refuses("Another execution of the same order", err, countersign.CodeReleased)
	p.erp(http.MethodPost, "/v1/requests/"+p.open[name].ID+"/confirm", map[string]string{"execution": "order-run-2"}, nil)
	p.item("ERP", "confirms that the order went out")
}

func (p *play) newVendor() {
	const name = "new-vendor-invoice"
	p.submit(name)
	p.refusedTo(p.who(controller)+" tries with password and code", controller, name, byCode(p.code(controller, 0)), countersign.CodeUnauthenticated, countersign.CodeForbidden)
	p.refusedTo(p.who(payables)+", who asked for it, tries to approve it", payables, name, byPasskey(), countersign.CodeForbidden)
	p.decides(controller, name, byPasskey(), countersign.StatusPending)
	p.refusedTo(p.who(controller)+" tries to be the second person too", controller, name, byPasskey(), countersign.CodeForbidden)
	a := p.decides(chiefFinance, name, byPasskey(), countersign.StatusApproved)
	p.proves(a.Receipt, name)
	p.executes(name, "invoice-run-1", true)
}

// bankChange is the fraud in progress. Two deceived treasurers are genuine: no factor
// finds that. The hold is what gives the truth time to arrive.
func (p *play) bankChange() {
	const name = "bank-change"
	p.submit(name)
	p.submit("payment-to-new-account")
	p.submit("payment-to-old-account")
	p.decides(chiefFinance, "payment-to-old-account", byPasskey(), countersign.StatusApproved)
	p.executes("payment-to-old-account", "payment-run-1", true)

	p.heading("The change itself goes on: two treasurers are deceived")
	p.text("Both call, but the number in the forged mail. They are genuine, and no factor finds that out. Time does.")
	const called = "yes, they confirm the new account"
	p.decides(treasurer, name, byPasskey().answering(called), countersign.StatusPending)
	a := p.decides(treasurer2, name, byPasskey().answering(called), countersign.StatusApproved)
	p.proves(a.Receipt, name)
	body := countersign.ReleaseBody{Request: p.open[name].ID, Document: p.document(name)}
	err := p.call(p.h.Info.Key, http.MethodPost, "/v1/check", body, nil)
	p.refuses("The ERP asks whether it may change the account now", err, countersign.CodeNotReleasable)
	if p.failed == nil {
		p.item("held", "releasable from "+terminal.Minute(a.NotBefore)+" on, and its watchers were told")
	}
	p.stopped(name)
}

// stopped plays the end of the fraud: an alarm on the vendor takes the approval back,
// and a treasurer denies it.
func (p *play) stopped(name string) {
	vendor := p.cases[name].Document.Payee
	p.erp(http.MethodPost, "/v1/alerts", countersign.AlertBody{ID: "phone-1", Severity: "high", About: countersign.AlertSubject{Vendor: vendor.ID},
		Title: vendor.Name + " rings: they have not changed their bank"}, nil)
	p.item("alarm", vendor.Name+" rings the purchasing desk: they have not changed their bank. The ERP raises an alarm.")
	body := countersign.ReleaseBody{Request: p.open[name].ID, Document: p.document(name), Execution: "master-data-1"}
	err := p.call(p.h.Info.Key, http.MethodPost, "/v1/release", body, nil)
	p.refuses("The ERP wants to change the account all the same", err, countersign.CodeNotReleasable)
	p.refresh(name, countersign.StatusPending)
	p.item("now", "PENDING again: what was signed before the alarm no longer counts")
	p.decides(chiefFinance, name, denial("not asked for by the vendor: a fraud").didNotExpect(), countersign.StatusDenied)
	p.item("", "“I did not expect this” also raises an alarm with an owner and an end.")
}

func (p *play) split() {
	for _, name := range []string{"split-1", "split-2", "split-3"} {
		p.submit(name)
	}
	const name = "split-4"
	p.submit(name)
	v := byPasskey().with("one fit-out in four parts; the whole was budgeted")
	for i := range 5 {
		wrong := v
		wrong.code = p.wrongCode(headSystems)
		if i < 4 {
			if _, err := p.try(headSystems, name, wrong); err == nil {
				p.fail("a wrong code was accepted")
			}
			continue
		}
		p.refusedTo("Somebody guesses codes of "+p.who(headSystems)+", five in a row", headSystems, name, wrong, countersign.CodeLocked)
	}
	right := v
	right.code = p.code(headSystems, 0)
	p.refusedTo("The right code now", headSystems, name, right, countersign.CodeLocked)
	a := p.decides(headSystems, name, v, countersign.StatusApproved)
	p.item("", "Only the app is locked: nobody can lock a person out.")
	p.proves(a.Receipt, name)
}

func (p *play) agent() {
	const name = "agent-order"
	p.submit(name)
	p.refusedTo(p.who(buyer)+", who answers for the agent, tries to approve it", buyer, name, byPasskey(), countersign.CodeForbidden)
	a := p.decides(headMaking, name, byPasskey(), countersign.StatusApproved)
	p.proves(a.Receipt, name)
}

func (p *play) epilogue() {
	p.title("The day in figures")
	p.text(fmt.Sprintf("%d requests passed without anybody noticing, %d asked for people, %d was denied at once, %d attempts were refused on the way, and %d receipts were verified offline with nothing but the log's public key.",
		p.counts.silent, p.counts.asked, p.counts.denied, p.counts.refused, p.counts.proven))
	p.text("")
	p.lines("Next:",
		"  countersign demo               be these people yourself",
		"  countersign demo --csv year    their year as files, for:",
		"  countersign policy try year/purchases.csv")
}

func (p *play) who(login string) string { return p.person(login).Name }

// code is what a person's app shows, steps of half a minute away from now.
func (p *play) code(login string, steps int) string {
	code, err := Code(p.person(login).TOTPSecret, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		p.fail("code of %s: %w", login, err)
	}
	return code
}

// wrongCode is none of the codes that would be accepted now.
func (p *play) wrongCode(login string) string {
	right := map[string]bool{}
	for steps := -2; steps <= 2; steps++ {
		right[p.code(login, steps)] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !right[code] {
			return code
		}
	}
}

// quietly submits a case without a word: it comes up later.
func (p *play) quietly(name string) *countersign.Approval {
	c := p.cases[name]
	var a countersign.Approval
	p.erp(http.MethodPost, "/v1/requests", countersign.RequestBody{Document: p.document(name), Submission: &countersign.Submission{Approver: c.Approver, Channel: c.Channel}}, &a)
	return &a
}

func (p *play) refresh(name string, want countersign.Status) {
	if p.failed != nil {
		return
	}
	var a countersign.Approval
	p.erp(http.MethodGet, "/v1/requests/"+p.open[name].ID, nil, &a)
	if p.open[name] = &a; p.failed == nil && a.Status != want {
		p.fail("%s is %q, it should be %q", name, a.Status, want)
	}
}

func (p *play) release(name, execution string) *countersign.ReleaseAnswer {
	var r countersign.ReleaseAnswer
	if p.failed == nil {
		p.erp(http.MethodPost, "/v1/release", countersign.ReleaseBody{Request: p.open[name].ID, Document: p.document(name), Execution: execution}, &r)
	}
	return &r
}

// executes lets the ERP release a document as it stands, and say that it is done.
func (p *play) executes(name, execution string, confirm bool) *countersign.ReleaseAnswer {
	r := p.release(name, execution)
	if p.failed != nil {
		return r
	}
	if r.Status != countersign.StatusReleased {
		p.fail("%s is %q after its release", name, r.Status)
		return r
	}
	p.item("ERP", "asks to execute the document as it stands now: RELEASED, once, as "+execution)
	if confirm {
		p.erp(http.MethodPost, "/v1/requests/"+p.open[name].ID+"/confirm", map[string]string{"execution": execution}, nil)
	}
	return r
}
