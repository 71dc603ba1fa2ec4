package web

import (
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// notes say what became of the request, the most telling first, and what it has to do
// with other versions.
func (q *requestReader) notes() []note {
	var out []note
	if n := q.stateNote(); n.Title != "" {
		out = append(out, n)
	}
	if len(q.r.Canonical) == 0 {
		out = append(out, note{Tone: "warn", Icon: "trash", Title: q.tx.T("request.note.erased"), Lines: []string{q.tx.T("request.note.erased_text")}})
	}
	for _, f := range q.r.Frozen {
		who := q.payee()
		if !f.Vendor {
			who = sentence(f.Person.Name)
		} else if who == "" {
			who = named(q.r.Vendor)
		}
		out = append(out, note{Tone: "warn", Icon: "snow", Title: q.tx.T("request.note.frozen", "name", who, "time", q.f.Moment(q.tx, f.Until, q.now).Title),
			Lines: []string{q.tx.T("request.note.frozen_text")}})
	}
	return append(out, q.lineage()...)
}

// stateNote says where the request stands, and what follows from it.
func (q *requestReader) stateNote() note {
	a := q.r.Approval
	switch a.Status {
	case countersign.StatusApproved:
		return q.approvedNote()
	case countersign.StatusReleased:
		return note{Tone: "ok", Icon: "check", Title: q.tx.T("request.note.released"), When: q.moment(a.EndedAt), Lines: []string{q.tx.T("request.note.released_text", "source", named(a.Source))}}
	case countersign.StatusDenied:
		return q.endedBy(countersign.ActDeny, note{Tone: "no", Icon: "x", Title: q.tx.T("request.note.denied_by_policy"),
			Lines: []string{q.tx.T("request.note.denied_by_policy_text")}})
	case countersign.StatusRevoked:
		return q.endedBy(countersign.ActRevoke, note{Tone: "no", Icon: "undo", Title: q.tx.T("request.note.revoked")})
	case countersign.StatusExpired:
		text := "request.note.expired_undecided"
		if len(q.r.Decisions) > 0 && a.NotBefore != "" {
			text = "request.note.expired_unreleased"
		}
		return note{Tone: "warn", Icon: "hourglass", Title: q.tx.T("request.note.expired"), When: q.moment(a.EndedAt), Lines: []string{q.tx.T(text)}}
	case countersign.StatusCancelled:
		return note{Icon: "undo", Title: upperFirst(q.tx.T("request.note.cancelled", "name", q.whoDid(countersign.EntryRequestCancelled))), When: q.moment(a.EndedAt),
			Lines: []string{q.tx.T("request.note.cancelled_text")}}
	case countersign.StatusSuperseded:
		return note{Tone: "warn", Icon: "scroll", Title: q.tx.T("request.note.superseded"), When: q.moment(a.EndedAt), Lines: []string{q.tx.T("request.note.superseded_text")},
			Links: []button{{Href: "/r/" + q.r.Links.SupersededBy, Text: q.tx.T("request.note.to_newer")}}}
	case countersign.StatusUnsatisfiable:
		return note{Tone: "warn", Icon: "users", Title: q.tx.T("request.note.unsatisfiable"), Lines: []string{q.tx.T("request.note.unsatisfiable_text")}}
	}
	return note{}
}

// approvedNote says until when a hold lasts and how to stop it, or by when to release.
func (q *requestReader) approvedNote() note {
	a := q.r.Approval
	receipt := button{Href: "/r/" + a.ID + "/receipt", Text: q.tx.T("request.receipt")}
	if h := q.r.Hold; h != nil && h.Until.After(q.now) {
		n := note{Tone: "warn", Icon: "hourglass", Title: q.tx.T("request.note.held"), When: q.at(h.Until), Lines: []string{q.tx.T("request.note.held_text")}, Links: []button{receipt}}
		if len(h.Watchers) > 0 {
			n.Lines = append(n.Lines, q.tx.T("request.note.held_watchers", "groups", groupNames(h.Watchers, q.tx.T("request.and"))))
		}
		if may(q.r, authority.CanRevoke) {
			n.Lines = append(n.Lines, q.tx.T("request.note.held_stop"))
		}
		return n
	}
	n := note{Tone: "ok", Icon: "check", Title: q.tx.T("request.note.approved"), Links: []button{receipt}}
	if len(q.r.Decisions) == 0 {
		n.Title = q.tx.T("request.note.allowed", "version", strconv.FormatInt(a.PolicyVersion, 10))
	}
	if m := q.moment(a.ReleaseBy); m.ISO != "" {
		key := "request.note.approved_until"
		if len(q.r.Decisions) == 0 {
			key = "request.note.allowed_until"
		}
		n.Lines = []string{q.tx.T(key, "time", m.Text)}
	}
	return n
}

// endedBy says who ended the request by an act, and why; where nobody did, the other
// note stands.
func (q *requestReader) endedBy(act countersign.Act, otherwise note) note {
	n := otherwise
	n.When = q.moment(q.r.Approval.EndedAt)
	for _, d := range q.r.Decisions {
		if d.Act != act {
			continue
		}
		n.Title = q.tx.T("request.note.by."+string(act), "name", q.you(d.Person))
		n.Lines = nil
		if d.Reason != "" {
			n.Lines = append(n.Lines, sentence(d.Reason))
		}
		if d.Unexpected {
			n.Lines = append(n.Lines, q.tx.T("request.note.unexpected"))
		}
		if act == countersign.ActDeny && q.whole {
			n.Lines = append(n.Lines, q.tx.T("request.note.denied_next"))
		}
	}
	return n
}

// whoDid names whoever is behind the last entry of a type.
func (q *requestReader) whoDid(t countersign.EntryType) string {
	name := q.tx.T("request.somebody")
	for _, e := range q.r.Timeline {
		if e.Type == t {
			name = q.you(e.Actor)
		}
	}
	return name
}

// lineage says what the request has to do with earlier ones for the same object.
func (q *requestReader) lineage() []note {
	e := q.r.Earlier
	if e == nil || q.r.Approval.Status == countersign.StatusSuperseded {
		return nil
	}
	n := note{Icon: "scroll", Title: q.tx.T("request.note.earlier."+e.Why, "revision", named(e.Revision)), Lines: []string{q.tx.T("request.note.earlier_text")},
		Links: []button{{Href: "/r/" + e.Request, Text: q.tx.T("request.note.to_earlier")}}}
	if !q.whole {
		n.Links = nil
	}
	return []note{n}
}
