package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// requestReader puts one request into words for one visitor.
type requestReader struct {
	r     *authority.RequestView
	f     Format
	tx    *Texts
	now   time.Time
	me    string // per_… of the visitor
	whole bool   // a session for everything, not for this one request
	sees  bool   // the visitor may open the policy and the log
	warns bool   // the visitor may raise an alert
}

func (q *requestReader) view() (requestView, error) {
	a := q.r.Approval
	w := requestView{ID: a.ID, Path: "/r/" + a.ID, Heading: q.heading(), Back: q.whole}
	var err error
	if w.Card, err = q.card(); err != nil {
		return w, err
	}
	w.Chips, w.Notes = q.chips(), q.notes()
	w.Reasons, w.Approvals, w.Timeline = q.reasons(), q.approvals(), q.timeline()
	w.Actions, w.Around = q.actions(), q.around()
	return w, nil
}

// card draws the document from its stored bytes; after an erasure there is none.
func (q *requestReader) card() (*CardView, error) {
	if len(q.r.Canonical) == 0 {
		return nil, nil
	}
	var earlier []byte
	if q.r.Earlier != nil {
		earlier = q.r.Earlier.Canonical
	}
	c, err := Card(q.r.Canonical, earlier, q.f, q.tx)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// heading says what the request is about in a line: its kind and number.
func (q *requestReader) heading() string {
	var d countersign.Document
	if len(q.r.Canonical) == 0 || countersign.DecodeStrict(q.r.Canonical, &d) != nil {
		return q.tx.T("request.erased_heading", "id", q.r.Approval.ID)
	}
	return kindWords(q.tx, d.Kind) + " " + named(d.ID)
}

// moment writes a time of the authority's: a stamp, or "" for none.
func (q *requestReader) moment(stamp string) Moment {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return Moment{}
	}
	return q.f.Moment(q.tx, t, q.now)
}

func (q *requestReader) at(t time.Time) Moment { return q.f.Moment(q.tx, t, q.now) }

// you is a person's name, or the word for the visitor.
func (q *requestReader) you(p countersign.Principal) string {
	if p.ID != "" && p.ID == q.me {
		return q.tx.T("request.you")
	}
	return q.actor(p)
}

// them is a person's name within a sentence, or the word for the visitor there.
func (q *requestReader) them(p countersign.Principal) string {
	if p.ID != "" && p.ID == q.me {
		return q.tx.T("request.you_object")
	}
	return q.actor(p)
}

// actor names whoever did something: a person, a system's key, or ourselves.
func (q *requestReader) actor(p countersign.Principal) string {
	switch {
	case p.Name != "":
		return named(p.Name)
	case p.ID == "system":
		return "Countersign"
	case p.ID == "operator":
		return q.tx.T("request.operator")
	case p.ID == "":
		return q.tx.T("request.somebody")
	}
	return named(p.ID)
}

// requester is who asked, by name.
func (q *requestReader) requester() string { return q.actor(q.r.Requester) }

// chips are where the request stands, in few words.
func (q *requestReader) chips() []chip {
	a := q.r.Approval
	var out []chip
	if a.Founding {
		out = append(out, chip{Tone: "warn", Text: q.tx.T("request.founding")})
	}
	switch a.Status {
	case countersign.StatusPending:
		have, need := q.progress()
		if need > 1 || have > 0 {
			out = append(out, chip{Tone: "warn", Text: q.tx.T("request.progress", "have", q.f.Count(int64(have)), "need", q.f.Count(int64(need)))})
		} else {
			out = append(out, chip{Tone: "warn", Text: q.tx.T("request.status.pending")})
		}
		if m := q.moment(a.DecideBy); m.ISO != "" {
			out = append(out, chip{Text: q.tx.T("request.expires"), When: m})
		}
		return out
	case countersign.StatusApproved, countersign.StatusReleased:
		return append(out, chip{Tone: "ok", Text: q.tx.T("request.status." + string(a.Status))})
	case countersign.StatusDenied, countersign.StatusRevoked:
		if len(q.r.Decisions) == 0 {
			return append(out, chip{Tone: "no", Text: q.tx.T("request.status.refused")})
		}
		return append(out, chip{Tone: "no", Text: q.tx.T("request.status." + string(a.Status))})
	case countersign.StatusUnsatisfiable:
		return append(out, chip{Tone: "warn", Text: q.tx.T("request.status." + string(a.Status))})
	}
	return append(out, chip{Tone: "quiet", Text: q.tx.T("request.status." + string(a.Status))})
}

// waits reports that the request is not decided yet.
func (q *requestReader) waits() bool {
	return q.r.Approval.Status == countersign.StatusPending || q.r.Approval.Status == countersign.StatusUnsatisfiable
}

// progress counts the approvals that are needed, over all clauses.
func (q *requestReader) progress() (have, need int) {
	for _, m := range q.r.Missing {
		have += m.Have
		need += m.Have + m.Lacks
	}
	return have, need
}

// differences writes the fields in which another version differs, by the names that
// the card gives them.
func (q *requestReader) differences(diff []countersign.Difference) []differenceLine {
	var out []differenceLine
	for _, d := range diff {
		l := differenceLine{Field: q.fieldName(d.Pointer), This: sentence(d.Stored), Other: sentence(d.Sent)}
		if strings.HasSuffix(d.Pointer, "amount/value") {
			l.This, l.Other = q.f.Decimal(l.This), q.f.Decimal(l.Other)
		}
		if strings.HasSuffix(d.Pointer, "/account/value") {
			l.This, l.Other = inFours(d.Stored), inFours(d.Sent)
		}
		if l.Field == "" {
			l.Name = sentence(d.Pointer)
		}
		out = append(out, l)
	}
	return out
}

// inFours writes an account's number as the card does.
func inFours(s string) string {
	var b strings.Builder
	for _, p := range plainParts(s, kindAccount) {
		if p.Gap {
			b.WriteByte(' ')
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// fieldName is a field in words; "" where the catalogue has none.
func (q *requestReader) fieldName(pointer string) string {
	name := strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
	for _, key := range []string{"request.field." + name, "card." + name} {
		if q.tx.has(key) {
			return q.tx.T(key)
		}
	}
	return ""
}

// files lists attachments, and links on the card those whose file is here.
func (q *requestReader) files(all []countersign.AttachedFile, card *CardView) []fileLine {
	href := map[countersign.Digest]string{}
	var out []fileLine
	for _, a := range all {
		l := fileLine{Name: named(a.Name)}
		if a.Here {
			l.Href = "/r/" + q.r.Approval.ID + "/attachments/" + strings.TrimPrefix(string(a.Digest), "sha-256:")
			l.Size, l.Type = q.f.Bytes(q.tx, a.Size), fileType(a.MediaType)
			href[a.Digest] = l.Href
		}
		out = append(out, l)
	}
	card.LinkAttachments(func(d countersign.Digest) string { return href[d] })
	return out
}

// fileType is the short name of a kind of file that was found in the file itself.
func fileType(media string) string {
	switch media {
	case "application/pdf":
		return "PDF"
	case "image/png":
		return "PNG"
	case "image/jpeg":
		return "JPEG"
	}
	return ""
}

// thread writes the questions; answering names the one that is being answered.
func (q *requestReader) thread(all []countersign.Question, answering string) threadView {
	t := threadView{Action: "/r/" + q.r.Approval.ID + "/questions", May: q.r.You.Concerned, Most: countersign.MaxQuestionCharacters,
		Full: len(all) >= countersign.MaxQuestions}
	for _, x := range all {
		l := questionLine{ID: x.ID, Name: q.you(x.Person), Text: sentence(x.Text), Asker: x.Asker, Yours: x.Person.ID == q.me, At: q.moment(x.At)}
		if i := slices.IndexFunc(all, func(o countersign.Question) bool { return o.ID == x.Answers }); i >= 0 {
			l.To = q.them(all[i].Person)
		}
		if t.May && !l.Yours && !t.Full {
			l.Answer = "/r/" + q.r.Approval.ID + "?answer=" + x.ID + "#ask"
		}
		if x.ID == answering {
			t.Answers, t.Answering = x.ID, q.them(x.Person)
		}
		t.Items = append(t.Items, l)
	}
	return t
}

// entry is the address of a log entry, where the visitor may open it.
func (q *requestReader) entry(index int64) string {
	if !q.sees || index < 0 {
		return ""
	}
	return "/audit/" + strconv.FormatInt(index, 10)
}
