package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/text/unicode/norm"
)

// questionText is the opening of a question's entry.
type questionText struct {
	Text    string `json:"text"`
	Answers string `json:"answers,omitempty"`
}

// writtenText is a text that a person wrote, in the one form it is kept in (NFC, line
// feeds), or the problem with it.
func writtenText(pointer, s string) (string, error) {
	bad := func(format string, args ...any) error {
		return countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if len(s) > 16*countersign.MaxQuestionCharacters { // no character needs more, however it is composed
		return "", bad("want at most %d characters", countersign.MaxQuestionCharacters)
	}
	if !utf8.ValidString(s) {
		return "", bad("is not UTF-8")
	}
	s = strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(s, "\r\n", "\n"))) // forms send CR LF (HTML, form data set)
	if n := utf8.RuneCountInString(s); n < 1 || n > countersign.MaxQuestionCharacters {
		return "", bad("want 1 to %d characters", countersign.MaxQuestionCharacters)
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || countersign.Invisible(r)) {
			return "", bad("has the character U+%04X, which cannot be seen", r)
		}
	}
	return s, nil
}

// Ask writes a question about an open request into its thread, or an answer: by whoever
// asked for it, may decide on it, has decided, or is a controller. It pauses nothing and
// is part of nothing that is signed. Its text stands in the erasable opening of its entry
// only. The others are told.
func (a *Authority) Ask(ctx context.Context, s Session, request string, body countersign.QuestionBody) (*countersign.Question, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	text, err := writtenText("/text", body.Text)
	if err != nil {
		return nil, err
	}
	body.Text = text
	var out *countersign.Question
	_, err = a.db.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = a.ask(tx, s, request, body)
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	return out, nil
}

func (a *Authority) ask(tx *store.Tx, s Session, request string, body countersign.QuestionBody) (*countersign.Question, error) {
	c, v, err := a.find(tx, Caller{Session: &s}, request)
	if err != nil {
		return nil, err
	}
	if !c.concerns(v) {
		return nil, countersign.NewProblem(countersign.CodeForbidden, "only who asked for it, who may decide on it and controllers write here")
	}
	if c.state.Status.Final() {
		return nil, countersign.NewProblem(countersign.CodeState, "the request is %s: there is nothing left to ask", c.state.Status)
	}
	thread, err := tx.Questions(c.row.ID)
	if err != nil {
		return nil, err
	}
	if len(thread) >= countersign.MaxQuestions {
		return nil, countersign.NewProblem(countersign.CodeState, "the request has %d questions and answers, which is the most", len(thread)).WithHint("talk to each other")
	}
	if body.Answers != "" && !slices.ContainsFunc(thread, func(q store.Question) bool { return q.ID == body.Answers }) {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/answers", Detail: "is no question of this request"})
	}
	value, err := countersign.Canonical(questionText{body.Text, body.Answers})
	if err != nil {
		return nil, err
	}
	row := store.Question{Approval: c.row.ID, ID: countersign.NewID(countersign.PrefixQuestion, tx.Now()), Person: s.Person.ID, Answers: body.Answers, At: tx.Now()}
	facts := map[string]string{"question": row.ID}
	if row.Answers != "" {
		facts["answers"] = row.Answers
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryRequestQuestion, subject: c.row.ID, actor: s.Person.ID, facts: facts,
		openings: map[string][]byte{countersign.OpeningDetail: value}})
	if err != nil {
		return nil, err
	}
	row.EntryID = w.id
	if err := tx.InsertQuestion(row); err != nil {
		return nil, err
	}
	q := c.question(row, s.Person.Name, body.Text)
	return &q, a.tell(tx, w.entry, c.row.ID)
}

func (c *caseFile) question(row store.Question, name, text string) countersign.Question {
	asker := slices.ContainsFunc(c.state.Requesters, func(r approval.Requester) bool { return r.ID == row.Person })
	return countersign.Question{ID: row.ID, Person: countersign.Principal{ID: row.Person, Name: name}, Asker: asker, Text: text, Answers: row.Answers,
		At: stamp(row.At), Entry: row.EntryID}
}

// concerns reports whether the viewer has a part in the request: asked for it, may be
// asked to decide on it, has decided, or is a controller.
func (c *caseFile) concerns(v viewer) bool {
	from, delegated := v.delegators(c.row.Kind)
	switch {
	case v.person == "":
		return false
	case v.person == c.row.Nominated, slices.Contains(from, c.row.Nominated) && c.row.Nominated != "", slices.Contains(v.groups, GroupControllers):
		return true
	case slices.ContainsFunc(c.state.Requesters, func(r approval.Requester) bool { return r.ID == v.person }):
		return true
	case slices.ContainsFunc(c.decisions, func(d store.Decision) bool { return d.Person == v.person }):
		return true
	}
	for _, cl := range c.state.Clauses() {
		for _, g := range cl.From {
			if slices.Contains(v.groups, g) || slices.Contains(delegated, g) {
				return true
			}
		}
	}
	return false
}

// Questions lists the thread on a request in the order it was written, for whoever may
// see the request. Each text is held to the log before it is shown.
func (a *Authority) Questions(ctx context.Context, c Caller, request string) (countersign.Page[countersign.Question], error) {
	page := countersign.Page[countersign.Question]{Items: []countersign.Question{}}
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		page.Items = page.Items[:0]
		f, _, err := a.find(tx, c, request)
		if err != nil {
			return err
		}
		page.Items, err = threadOf(tx, f)
		return err
	})
	return page, fault(err)
}

// threadOf reads the thread on a request.
func threadOf(tx *store.Tx, c *caseFile) ([]countersign.Question, error) {
	out := []countersign.Question{}
	thread, err := tx.Questions(c.row.ID)
	if err != nil || len(thread) == 0 {
		return out, err
	}
	var who []string
	for _, row := range thread {
		who = append(who, row.Person)
	}
	slices.Sort(who)
	who = slices.Compact(who)
	ids := entriesOfThread(thread)
	if err := tx.Ahead(func() {
		tx.EntriesByID(ids)
		tx.OpeningsOfEach(ids)
		tx.PeopleByID(who)
	}); err != nil {
		return nil, err
	}
	entries, err := tx.EntriesByID(ids)
	if err != nil {
		return nil, err
	}
	openings, err := tx.OpeningsOfEach(ids)
	if err != nil {
		return nil, err
	}
	people, err := tx.PeopleByID(who)
	if err != nil {
		return nil, err
	}
	for _, row := range thread {
		leaf, err := leafIn(entries, row.EntryID)
		if err != nil {
			return nil, err
		}
		text, err := questionOf(row, leaf, openings[row.EntryID])
		if err != nil {
			return nil, err
		}
		p, ok := people[row.Person]
		if !ok {
			return nil, store.ErrNotFound
		}
		out = append(out, c.question(row, p.Name, text))
	}
	return out, nil
}

func entriesOfThread(thread []store.Question) []string {
	var ids []string
	for _, row := range thread {
		ids = append(ids, row.EntryID)
	}
	return ids
}

// questionOf reads the text of a question out of its entry, and refuses one that is not
// what was committed to.
func questionOf(row store.Question, leaf countersign.Leaf, openings map[string]countersign.Opening) (string, error) {
	o, ok := openings[countersign.OpeningDetail]
	if !ok {
		return "", tamperedWith("the text of %s is missing from its entry", row.ID)
	}
	sum, err := o.Commitment(countersign.OpeningDetail)
	if err != nil || sum != leaf.Commitments[countersign.OpeningDetail] || leaf.Actor != row.Person || leaf.Facts["question"] != row.ID || leaf.Subject != row.Approval {
		return "", tamperedWith("%s is not what was written: it was changed in the database", row.ID)
	}
	var t questionText
	err = json.Unmarshal([]byte(o.Value), &t)
	return t.Text, err
}
