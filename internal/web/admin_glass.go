package web

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func glassRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /admin/break-glass", who: signedIn, serve: register(showGlass)},
	}, askRoutes("/admin/break-glass/{request}/review", askReviewGlass))
}

// glassView is what is arranged for emergencies, and what of it waits.
type glassView struct {
	Tabs    []adminTab
	On      bool
	Most    string // for one use
	Month   string // uses in a month
	Names   []glassName
	Uses    []glassUse
	Blocked Moment // when the oldest use without a review blocks the next, or since when
	Blocks  bool   // it blocks now
	Reviews bool   // the visitor may review
	Changes bool   // the visitor may propose changes
	Said    string
}

type glassName struct {
	ID, Name string
	From     Moment
	Waits    bool // it does not count yet
}

type glassUse struct {
	Request, Path string
	Amount        string
	At            Moment
}

func showGlass(v *visit) error {
	state, err := v.org.BreakGlassState(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := glassView{Tabs: adminTabs(v.t, "break-glass"), On: state.Amount != nil, Month: v.format.Count(int64(state.PerMonth)),
		Blocked: v.format.Moment(v.site.texts, state.BlockedFrom, v.now()), Blocks: !state.BlockedFrom.IsZero() && !state.BlockedFrom.After(v.now()),
		Reviews: v.member(authority.GroupAdministrators, authority.GroupControllers), Changes: v.mayPropose(countersign.KindBreakGlassNames)}
	if state.Amount != nil {
		w.Most = v.format.Money(*state.Amount)
	}
	for _, n := range state.Names {
		w.Names = append(w.Names, glassName{n.Person.ID, n.Person.Name, v.format.Moment(v.site.texts, n.Effective, v.now()), n.Effective.After(v.now())})
	}
	for _, u := range state.ToReview {
		w.Uses = append(w.Uses, v.glassUse(u))
	}
	if v.query("said") == "reviewed" {
		w.Said = v.t("glass.said.reviewed")
	}
	return v.render(view{name: "admin-break-glass", title: v.t("glass.heading"), area: "admin", data: w})
}

func (v *visit) glassUse(u authority.BreakGlassUse) glassUse {
	row := glassUse{Request: u.Request, Path: "/r/" + u.Request, At: v.moment(u.UsedAt)}
	if u.Amount != nil {
		row.Amount = v.format.Money(*u.Amount)
	}
	return row
}

// askReviewGlass records that the visitor has looked at a use.
func askReviewGlass(v *visit) (*asked, error) {
	if !v.member(authority.GroupAdministrators, authority.GroupControllers) {
		return nil, nothingHere(v)
	}
	uses, err := v.org.BreakGlassReview(v.ctx(), *v.session)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(uses.Items, func(u authority.BreakGlassUse) bool { return u.Request == v.path("request") })
	if at < 0 {
		return nil, nothingHere(v)
	}
	u := v.glassUse(uses.Items[at])
	q := &asked{means: &uses.Means, verb: v.t("glass.review.verb"), subject: "review:" + u.Request,
		view: askView{Heading: v.t("glass.review.heading"), Lead: v.t("glass.review.lead"), Does: []string{v.t("glass.review.does"), v.t("glass.review.part")},
			Facts:   []askFact{{Label: v.t("glass.request"), Text: u.Request, Mono: true}, {Label: v.t("glass.amount"), Text: u.Amount}, {Label: v.t("glass.used"), At: u.At}},
			Decides: v.t("admin.decides.alone_proven"), Back: "/admin/break-glass"}}
	q.do = func(proof authority.StepUpBody) (string, error) {
		return "/admin/break-glass?said=reviewed", v.org.ReviewBreakGlass(v.ctx(), *v.session, u.Request, proof)
	}
	return q, nil
}
