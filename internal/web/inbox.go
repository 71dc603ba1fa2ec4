package web

import (
	"cmp"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func inboxRoutes() []route {
	return []route{
		{pattern: "GET /{$}", who: signedIn, serve: showInbox},
		{pattern: "GET /inbox/{id}", who: signedIn, serve: showPreview},
		{pattern: "GET /live", who: anyone, serve: showLive},
	}
}

// inboxRows is how many requests one page of the inbox lists: what a person looks
// through at once, and a first page that is small.
const inboxRows = 20

// recentRows is how many of what was decided last stand where nothing waits.
const recentRows = 3

// inboxView is the page of the inbox.
type inboxView struct {
	Tab     string
	Tabs    []inboxTab
	Rows    []inboxRow
	Recent  []inboxRow // what was decided last, where nothing waits
	Next    string     // address of the page after; "" at the end
	First   string     // address of the first page, where this is another one; "" on the first
	Live    string     // address of the feed of this list; "" where the page does not follow
	Stale   bool       // the page no longer follows, and says so
	Preview *previewView
	Problem *errorView // instead of the preview
	Loading bool       // the preview is on its way
}

// inboxTab is one tab with how many requests it holds.
type inboxTab struct {
	Tab, Path, Count string
	Current          bool
}

// inboxTabs are the tabs in their order on the page.
var inboxTabs = []string{authority.TabYou, authority.TabOthers, authority.TabDecided}

func showInbox(v *visit) error {
	q := authority.InboxQuery{Tab: v.query("tab"), After: v.query("after"), Limit: inboxRows, Recent: recentRows}
	preview, problem := v.previewed()
	shown, err := v.org.InboxView(v.ctx(), *v.session, q, preview)
	if err != nil {
		return err
	}
	page := &shown.InboxPage
	w := inboxView{Tab: page.Tab, Tabs: v.inboxTabs(page), Rows: v.inboxRows(page)}
	if page.Next != "" && countOf(page) > 0 { // where there is nothing, nothing follows
		w.Next = inboxPath(page.Tab) + "&after=" + url.QueryEscape(page.Next)
	}
	if q.After != "" {
		w.First = inboxPath(page.Tab)
	} else {
		w.Live = "/live?tab=" + page.Tab + "&have=" + listSum(page)
	}
	w.Recent = v.inboxRows(&authority.InboxPage{Tab: authority.TabDecided, Items: page.Recent})
	if err := v.choose(&w, shown, cmp.Or(shown.Why, problem)); err != nil {
		return err
	}
	return v.render(view{name: "inbox", title: v.inboxTitle(page.Counts), area: "inbox", data: w})
}

// countOf is how many requests the page's tab holds.
func countOf(page *authority.InboxPage) int {
	switch page.Tab {
	case authority.TabOthers:
		return page.Counts.Others.N
	case authority.TabDecided:
		return page.Counts.Decided.N
	}
	return page.Counts.You.N
}

// inboxPath is where a tab is. It always has a parameter, for more to be added.
func inboxPath(tab string) string { return "/?tab=" + tab }

func (v *visit) inboxTitle(c authority.InboxCounts) string {
	if c.You.N == 0 {
		return v.t("inbox.window")
	}
	return v.t("inbox.window_waiting", "n", countText(c.You))
}

func (v *visit) inboxTabs(page *authority.InboxPage) []inboxTab {
	var out []inboxTab
	for i, c := range []authority.InboxCount{page.Counts.You, page.Counts.Others, page.Counts.Decided} {
		tab := inboxTabs[i]
		out = append(out, inboxTab{Tab: tab, Path: inboxPath(tab), Count: countText(c), Current: tab == page.Tab})
	}
	return out
}

func countText(c authority.InboxCount) string {
	if c.More {
		return strconv.Itoa(c.N) + "+"
	}
	return strconv.Itoa(c.N)
}

// previewed is the request that stands beside the list: the one that the address names, or
// the first. A phone shows the list alone, and is spared it.
func (v *visit) previewed() (id string, problem *countersign.Problem) {
	switch id := v.query("r"); {
	case id != "" && !countersign.IsID(countersign.PrefixRequest, id):
		return "", nothingThere(v)
	case id == "" && strings.Contains(v.r.UserAgent(), "Mobi"):
		return "", nil
	default:
		return cmp.Or(id, authority.PreviewFirst), nil
	}
}

// choose puts the preview beside the list, or why there is none.
func (v *visit) choose(w *inboxView, shown *authority.InboxView, problem *countersign.Problem) (err error) {
	id := v.query("r")
	if problem != nil {
		if id == "" {
			id = w.Rows[0].ID
		}
		e := errorOf(problem, v.t)
		w.Problem = &e
	} else if shown.Preview != nil {
		id = shown.Preview.Approval.ID
		if w.Preview, err = previewOf(v.requestReader(shown.Preview)); err != nil {
			return err
		}
	}
	for i := range w.Rows {
		w.Rows[i].Current = w.Rows[i].ID == id
	}
	return nil
}

// listSum is a short sum of what a list shows: a page that is opened and then followed
// is sent anew only where something has changed in between.
func listSum(page *authority.InboxPage) string {
	h := fnv.New64a()
	for _, i := range page.Items {
		h.Write([]byte(i.ID + " " + string(i.Status) + " " + strconv.Itoa(i.Progress.Have) + i.Needs + "\n"))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// inboxRow is one request as a line of the list.
type inboxRow struct {
	ID      string
	Title   string // what kind of document
	Payee   string
	Number  string // the document's own
	Amount  string
	About   string // the document's subject
	By      string // who asked
	Source  string
	For     string // in whose place the visitor would decide
	Word    string // what the moment is: "due"
	When    Moment
	Soon    bool // the moment is near
	Chips   []chip
	Can     string // keys that do something: "a" approve, "d" reject
	Gone    string // what became of it while the page was open; "" while it belongs here
	New     bool   // came while the page was open
	Current bool   // is the one in the preview
}

func (v *visit) inboxRows(page *authority.InboxPage) []inboxRow {
	rows := make([]inboxRow, len(page.Items))
	for i, item := range page.Items {
		rows[i] = inboxRowOf(v.site.texts, v.format, item, page.Tab, v.now())
	}
	return rows
}

func inboxRowOf(tx *Texts, f Format, i authority.InboxItem, tab string, now time.Time) inboxRow {
	r := inboxRow{ID: i.ID, Title: kindWords(tx, i.Kind), Payee: tame(i.Payee, kindLine), Number: tame(i.Object, kindLine), About: tame(i.Subject, kindLine), By: tame(i.Requester, kindLine), Source: i.Source, Soon: i.Expiring}
	if countersign.InternalKind(i.Kind) { // its number is ours, and says nothing
		r.Number, r.Source = "", ""
	}
	if i.Amount != nil {
		r.Amount = f.Money(*i.Amount)
	}
	if i.ActingFor != nil {
		r.For = tame(i.ActingFor.Name, kindLine)
	}
	word, at := rowTime(i, tab, now)
	if !at.IsZero() {
		r.Word, r.When = tx.T("inbox.when."+word), f.Moment(tx, at, now)
	}
	if tab == authority.TabYou {
		if r.Can = "d"; i.Needs == "" {
			r.Can = "ad"
		}
	}
	r.Chips = rowChips(tx, i, tab)
	return r
}

// rowTime is the time that matters most about a row, and the word for it.
func rowTime(i authority.InboxItem, tab string, now time.Time) (string, time.Time) {
	switch {
	case tab == authority.TabDecided && !i.Decided.IsZero():
		return "decided", i.Decided
	case !i.Ended.IsZero():
		return "ended", i.Ended
	case i.HeldUntil.After(now):
		return "held", i.HeldUntil
	case i.Status == countersign.StatusApproved:
		return "release", i.Due
	}
	return "due", i.Due
}

// rowChips are at most two: the strongest reason why it is here, and how far it is.
func rowChips(tx *Texts, i authority.InboxItem, tab string) []chip {
	var out []chip
	if tab == authority.TabDecided {
		if i.Act != "" {
			out = append(out, chip{Tone: "quiet", Text: tx.T("inbox.you." + string(i.Act))})
		}
		return append(out, statusChip(tx, i.Status))
	}
	if len(i.Reasons) > 0 {
		r := i.Reasons[0]
		text := strings.NewReplacer("-", " ", "_", " ").Replace(tame(r.Rule, kindLine))
		if r.State == countersign.Unknown {
			text = tx.T("inbox.cannot_say", "rule", text)
		}
		out = append(out, chip{Tone: "warn", Text: text})
	}
	switch p := i.Progress; {
	case i.Status == countersign.StatusUnsatisfiable:
		out = append(out, statusChip(tx, i.Status))
	case i.Needs != "":
		out = append(out, chip{Tone: "no", Text: tx.T("inbox.needs." + i.Needs)})
	case p.Have > 0:
		out = append(out, chip{Tone: "ok", Text: tx.T("inbox.progress", "have", p.Have, "need", p.Need)})
	case p.Need > 1:
		out = append(out, chip{Tone: "", Text: tx.N("inbox.people", p.Need)})
	}
	return out
}

func statusChip(tx *Texts, s countersign.Status) chip {
	tone := "quiet"
	switch s {
	case countersign.StatusApproved, countersign.StatusReleased:
		tone = "ok"
	case countersign.StatusDenied, countersign.StatusRevoked, countersign.StatusUnsatisfiable:
		tone = "no"
	}
	return chip{Tone: tone, Text: tx.T("inbox.status." + string(s))}
}
