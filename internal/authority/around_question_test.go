package authority_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func (d *dweller) ask(request, text, answers string) (*countersign.Question, error) {
	return d.h.a.Ask(d.h.ctx, d.session, request, countersign.QuestionBody{Text: text, Answers: answers})
}

func (h *house) thread(c authority.Caller, request string) []countersign.Question {
	h.t.Helper()
	page, err := h.a.Questions(h.ctx, c, request)
	h.must(err)
	return page.Items
}

// TestQuestionStory: Marta asks, Elif answers, and the order is approved meanwhile: a
// question pauses nothing. Everybody who may see the request reads the thread.
func TestQuestionStory(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		marta, elif := h.who["marta"], h.who["elif"]
		before := h.get(id)
		q, err := marta.ask(id, "Why is this not\r\nin the budget of 2027?", "")
		h.must(err)
		if q.Text != "Why is this not\nin the budget of 2027?" || q.Asker || q.Person.Name != "Marta Silva" {
			h.t.Errorf("%+v", q)
		}
		answer, err := elif.ask(id, "It replaces the press that broke.", q.ID)
		h.must(err)
		if !answer.Asker || answer.Answers != q.ID {
			h.t.Errorf("%+v", answer)
		}
		_, err = h.who["rosa"].ask(id, "Has the works council agreed?", "") // a controller
		h.must(err)
		if got := h.told(id, countersign.EntryRequestQuestion); got != 3 {
			h.t.Errorf("%d doorbells", got)
		}
		for _, c := range []authority.Caller{marta.caller(), elif.caller(), {Key: &h.key}, h.who["samuel"].caller()} {
			if have := h.thread(c, id); len(have) != 3 || have[0] != *q || have[1] != *answer {
				h.t.Errorf("the thread is %+v", have)
			}
		}
		if after := h.get(id); after.Version != before.Version || after.Status != countersign.StatusPending {
			h.t.Error("a question changed the request")
		}
		_, err = h.who["tomas"].ask(id, "May I?", "") // does not see it
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Questions(h.ctx, h.who["tomas"].caller(), id)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.who["samuel"].ask(id, "May I?", "") // sees it as an administrator, and has no part in it
		h.refused(err, countersign.CodeForbidden)
		_, err = marta.ask(id, "To what?", "qst_00000000000000000000000000")
		h.refused(err, countersign.CodeInvalid)
		marta.approve(id)
		_, err = elif.ask(id, "Thank you", "") // approved, and not over
		h.must(err)
		_, err = h.a.Cancel(h.ctx, elif.caller(), id)
		h.must(err)
		_, err = elif.ask(id, "And now?", "")
		h.refused(err, countersign.CodeState)
	})
}

func TestQuestionsAreBounded(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	id := h.submit(order("PO-1", "30000.00")).ID
	marta := h.who["marta"]
	for _, text := range []string{"", " \n ", strings.Repeat("ä", countersign.MaxQuestionCharacters+1), "a\x00b", "a\tb", "a\rb", "pay \u202edrawkcab", "zero\u200bwidth", "\xff"} {
		_, err := marta.ask(id, text, "")
		h.refused(err, countersign.CodeInvalid)
	}
	long, err := marta.ask(id, strings.Repeat("a\u0308", countersign.MaxQuestionCharacters), "") // NFC: as many ä
	h.must(err)
	if long.Text != strings.Repeat("ä", countersign.MaxQuestionCharacters) {
		t.Error("the text is not in NFC")
	}
	for range countersign.MaxQuestions - 1 {
		_, err := marta.ask(id, "<script>alert(1)</script> ?", "")
		h.must(err)
	}
	_, err = marta.ask(id, "one more", "")
	h.refused(err, countersign.CodeState)
	if n := len(h.thread(marta.caller(), id)); n != countersign.MaxQuestions {
		t.Errorf("%d in the thread", n)
	}
}

// TestTrapQuestionChangedInTheDatabase: what is shown as somebody's words is held to the
// log.
func TestTrapQuestionChangedInTheDatabase(t *testing.T) {
	for name, change := range map[string]string{
		"its text":   `UPDATE audit_opening SET value = $2 WHERE org_id = $1 AND entry_id = $3`,
		"who did it": `UPDATE question SET person_id = $2 WHERE org_id = $1 AND entry_id = $3`,
	} {
		t.Run(name, func(t *testing.T) {
			h := onSQLite(t)
			h.broken = true
			h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
			id := h.submit(order("PO-1", "30000.00")).ID
			q, err := h.who["marta"].ask(id, "Is this right?", "")
			h.must(err)
			h.write(func(tx *store.Tx) error {
				var to any = h.who["daniel"].id
				if name == "its text" {
					to = []byte(`{"text":"This is right."}`)
				}
				_, err := tx.Exec(change, to, q.Entry)
				return err
			})
			_, err = h.a.Questions(h.ctx, h.who["marta"].caller(), id)
			h.refused(err, countersign.CodeChanged)
		})
	}
}
