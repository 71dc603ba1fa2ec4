package web

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func adminRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /admin", who: signedIn, serve: register(showAdmin)},
		{pattern: "GET /proposed/{request}", who: signedIn, serve: showProposed},
	}, peopleRoutes(), keyRoutes(), alertRoutes(), freezeRoutes(), glassRoutes(), settingRoutes(), delegationRoutes())
}

// register lets those to a page who may read the register. To everybody else there is
// nothing.
func register(serve func(*visit) error) func(*visit) error {
	return forGroups(serve, authority.GroupAdministrators, authority.GroupControllers, authority.GroupAuditors)
}

// administrators lets administrators to a page, and nobody else.
func administrators(serve func(*visit) error) func(*visit) error {
	return forGroups(serve, authority.GroupAdministrators)
}

func forGroups(serve func(*visit) error, groups ...string) func(*visit) error {
	return func(v *visit) error {
		if !v.member(groups...) {
			return nothingHere(v)
		}
		return serve(v)
	}
}

// adminTab is a link between the pages of the administration.
type adminTab struct {
	Path, Text string
	Current    bool
}

// adminTabs are the pages of the administration, the one that is open marked.
func adminTabs(t func(string, ...any) string, current string) []adminTab {
	var all []adminTab
	for _, name := range []string{"overview", "people", "delegations", "keys", "alerts", "freezes", "break-glass", "settings"} {
		path := "/admin/" + name
		if name == "overview" {
			path = "/admin"
		}
		all = append(all, adminTab{Path: path, Text: t("admin.tab." + name), Current: name == current})
	}
	return all
}

// moment writes a time of the authority's; "" is no moment.
func (v *visit) moment(stamp string) Moment {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return Moment{}
	}
	return v.format.Moment(v.site.texts, t, v.now())
}

// nameBook is what people and vendors are called.
type nameBook authority.Names

// of is the name of an id, or the id.
func (n nameBook) of(id string) string {
	if name := n[id]; name != "" {
		return name
	}
	return id
}

// adminView is what waits for somebody's attention.
type adminView struct {
	Tabs     []adminTab
	Founding bool
	Alone    int         // administrators, while the organisation is founding
	Tiles    []adminTile // in the order of weight
	Changes  []changeRow // to Countersign itself, that wait for a decision
	More     bool
	Quiet    bool // nothing waits at all
}

// adminTile is one number with where it leads.
type adminTile struct {
	Number string
	Text   string
	Path   string
	Loud   bool // somebody should look
}

// changeRow is a proposed change.
type changeRow struct {
	Path, Kind, Subject, By string
	At, Due                 Moment
}

func showAdmin(v *visit) error {
	o, err := v.org.Overview(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := adminView{Tabs: adminTabs(v.t, "overview"), Founding: v.who.Founding, Alone: o.Administrators, Tiles: v.adminTiles(o),
		Changes: v.changeRows(o.Changes), More: o.MoreChanges}
	w.Quiet = len(w.Changes) == 0 && !slices.ContainsFunc(w.Tiles, func(t adminTile) bool { return t.Loud })
	return v.render(view{name: "admin", title: v.t("admin.heading"), area: "admin", data: w})
}

func (v *visit) changeRows(changes []authority.OpenChange) (rows []changeRow) {
	for _, c := range changes {
		rows = append(rows, changeRow{Path: "/r/" + c.Request, Kind: kindWords(v.site.texts, c.Kind), Subject: c.Subject, By: c.By,
			At: v.moment(c.CreatedAt), Due: v.moment(c.DecideBy)})
	}
	return rows
}

// adminTiles counts what waits. Each number is bounded: what is more is said as more.
func (v *visit) adminTiles(o *authority.Overview) []adminTile {
	var tiles []adminTile
	add := func(key, path string, c authority.InboxCount) {
		number := v.format.Count(int64(c.N))
		if c.More {
			number = v.t("admin.at_least", "n", number)
		}
		tiles = append(tiles, adminTile{Number: number, Text: v.site.texts.N("admin.tile."+key, c.N), Path: path, Loud: c.N > 0})
	}
	exactly := func(n int) authority.InboxCount { return authority.InboxCount{N: n} }
	if v.member(authority.GroupAdministrators) {
		add("confirm", "/factors/confirm", o.Unconfirmed)
	}
	add("review", "/admin/break-glass", exactly(o.ToReview))
	add("alerts", "/admin/alerts", o.Alerts)
	add("freezes", "/admin/freezes", exactly(o.Freezes))
	add("stuck", "/requests?status=unsatisfiable", o.Stuck)
	add("waiting_keys", "/admin/keys", exactly(countKeys(o.Keys, "waits", v.now())))
	add("keys", "/admin/keys", exactly(countKeys(o.Keys, "soon", v.now())))
	return tiles
}

// soon is how long before its end a key is said to end soon.
const soon = 30 * 24 * time.Hour

func countKeys(keys []authority.KeyView, state string, now time.Time) (n int) {
	for _, k := range keys {
		if keyState(k, now) == state {
			n++
		}
	}
	return n
}

// proposedView is what somebody sees who has proposed a change: what they proposed, and
// what happens next.
type proposedView struct {
	Heading, Lead string
	Done          bool
	Card          *CardView
	Missing       []string
	Sign          string // address: whoever proposed may sign as one of two
	Request, Back string
}

// propose sends a change off to whoever decides on it, and says where that can be seen.
func (v *visit) propose(p authority.Proposal) (string, error) {
	if p.Subject = strings.TrimSpace(p.Subject); p.Subject == "" {
		return "", countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("admin.why_missing"))
	}
	a, err := v.org.Propose(v.ctx(), *v.session, p)
	if err != nil {
		return "", err
	}
	return "/proposed/" + a.ID, nil
}

func showProposed(v *visit) error {
	a, err := v.org.Get(v.ctx(), v.caller(), v.path("request"))
	if err != nil {
		return err
	}
	doc, err := readDocument(a.Document)
	if err != nil {
		return err
	}
	if !countersign.InternalKind(doc.Kind) {
		return nothingHere(v)
	}
	card, err := Card(a.Document, nil, v.format, v.site.texts)
	if err != nil {
		return err
	}
	w := proposedOf(v.t, a.Status, doc)
	w.Card, w.Missing, w.Request, w.Back = &card, a.Missing, "/r/"+a.ID, changedFrom(doc)
	if w.Sign != "" {
		w.Sign = "/r/" + a.ID + "/approve"
	}
	return v.render(view{name: "admin-proposed", title: w.Heading, area: "admin", data: w})
}

// proposedOf is the words for how far a proposal has come.
func proposedOf(t func(string, ...any) string, status countersign.Status, doc *countersign.Document) proposedView {
	switch status {
	case countersign.StatusApproved, countersign.StatusReleased:
		return proposedView{Heading: t("admin.proposed.done"), Lead: t("admin.proposed.done_lead"), Done: true}
	case countersign.StatusPending:
		w := proposedView{Heading: t("admin.proposed.heading"), Lead: t("admin.proposed.lead")}
		if doc.Custom["proposed_by"] != "" {
			w.Lead, w.Sign = t("admin.proposed.two"), "sign"
		}
		return w
	case countersign.StatusUnsatisfiable:
		return proposedView{Heading: t("admin.proposed.heading"), Lead: t("admin.proposed.nobody")}
	}
	return proposedView{Heading: t("admin.proposed.over"), Lead: t("admin.proposed.over_lead")}
}
