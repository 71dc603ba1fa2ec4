package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// A page that follows what happens does so over one answer that stays open: a stream
// of server-sent events (WHATWG HTML §9.2), each a part of the page.
const (
	liveBeat   = 20 * time.Second       // something is written at least so often
	liveSettle = 150 * time.Millisecond // changes that come together are shown together
	livePause  = time.Second            // between two looks at the inbox
	liveWrite  = 10 * time.Second       // to write one event; who is slower is let go
	liveLasts  = 30 * time.Minute       // then the browser asks again
	liveEach   = 6                      // streams of one person
	liveAll    = 5000                   // streams of one server
	liveGone   = 50                     // rows that a page keeps of what is gone
)

// liveCount bounds how many streams are open. Its zero value is ready.
type liveCount struct {
	mu  sync.Mutex
	by  map[string]int // person
	all int
}

func (c *liveCount) enter(person string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= liveAll || c.by[person] >= liveEach {
		return false
	}
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.by[person]++
	c.all++
	return true
}

func (c *liveCount) leave(person string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.by[person]--; c.by[person] == 0 {
		delete(c.by, person)
	}
}

// stream is one open answer.
type stream struct {
	v   *visit
	out *http.ResponseController
	err error // the browser is gone
}

// showLive follows the inbox.
func showLive(v *visit) error { return v.stream((*stream).followInbox) }

// stream opens a stream and has it follow something. Whoever may not is told so in the
// stream itself, once, since a browser would ask for ever.
func (v *visit) stream(follow func(*stream, context.Context) error) error {
	s := &stream{v: v, out: http.NewResponseController(v.w)}
	// The server's own bounds are for answers that end.
	if err := s.out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	v.status = http.StatusOK
	if v.session == nil {
		return s.over("inbox.over.session")
	}
	person := v.session.Person.ID
	if !v.site.live.enter(person) {
		return s.over("inbox.over.many")
	}
	defer v.site.live.leave(person)
	ctx, cancel := context.WithTimeout(v.ctx(), liveLasts)
	defer cancel()
	return follow(s, ctx)
}

// write sends bytes at once.
func (s *stream) write(b []byte) {
	if s.err != nil {
		return
	}
	if err := s.out.SetWriteDeadline(s.v.now().Add(liveWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.err = err
		return
	}
	if _, s.err = s.v.w.Write(b); s.err == nil {
		s.err = s.out.Flush()
	}
}

// event sends an event; without a name it is a part of the page.
func (s *stream) event(name string, data []byte) {
	var b bytes.Buffer
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	for line := range bytes.Lines(bytes.ReplaceAll(data, []byte("\r"), nil)) { // which would end a line, too
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\n"))
		b.WriteByte('\n')
	}
	if len(data) == 0 {
		b.WriteString("data\n")
	}
	b.WriteByte('\n')
	s.write(b.Bytes())
}

// part sends a named template of the inbox page.
func (s *stream) part(define string, data any) error {
	b, err := s.v.site.execute("inbox", define, data)
	if err != nil {
		return err
	}
	s.event("", b.Bytes())
	return nil
}

// over says that the page no longer follows, and why, and that asking again is no use.
func (s *stream) over(key string) error {
	err := s.part("live-over", struct{ Text string }{s.v.t(key)})
	s.event("over", nil)
	return err
}

// follow waits for changes and hands them on in handfuls, until the browser is gone,
// the session is over, or the server stops. What was missed is handed on as a change
// with Resync.
func (s *stream) follow(ctx context.Context, seen func([]authority.Change) error) error {
	for {
		changes, err := s.v.org.Watch(ctx, *s.v.session)
		if err != nil {
			return s.over("inbox.over.session")
		}
		again, err := s.watch(ctx, changes, seen)
		if err != nil || !again {
			return err
		}
	}
}

// watch is follow over one channel; again says that it was too slow and shall be asked
// for anew.
func (s *stream) watch(ctx context.Context, changes <-chan authority.Change, seen func([]authority.Change) error) (again bool, err error) {
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	var handful []authority.Change
	var settled <-chan time.Time
	var last time.Time
	for s.err == nil {
		select {
		case <-ctx.Done():
			return false, nil
		case <-s.v.site.stopped:
			return false, nil
		case <-beat.C:
			s.write([]byte(":\n\n"))
		case <-settled:
			if err := seen(handful); err != nil {
				return false, err
			}
			handful, settled, last = nil, nil, time.Now()
		case c, open := <-changes:
			switch {
			case !open && ctx.Err() != nil:
				return false, nil
			case !open:
				return false, s.over("inbox.over.session")
			case c.Resync:
				return true, seen([]authority.Change{c})
			}
			handful = append(handful, c)
			if settled == nil {
				settled = time.After(max(liveSettle, livePause-time.Since(last)))
			}
		}
	}
	return false, nil
}

// liveView is one event of the inbox.
type liveView struct {
	List  bool // the list is in it, not only the counts
	Rows  []inboxRow
	Tabs  []inboxTab
	Said  string // for whoever listens
	Title string
}

// liveList is the list as the browser has it.
type liveList struct {
	s    *stream
	tab  string
	rows []inboxRow
	more bool // there are more than it has
}

// followInbox keeps one tab of the inbox as it is now.
func (s *stream) followInbox(ctx context.Context) error {
	if s.v.who.Kind != "normal" {
		return s.over("inbox.over.session")
	}
	l := &liveList{s: s, tab: s.v.query("tab")}
	page, err := s.v.org.Inbox(ctx, *s.v.session, authority.InboxQuery{Tab: l.tab, Limit: inboxRows})
	if err != nil {
		return s.over("inbox.over.session")
	}
	l.tab, l.rows, l.more = page.Tab, s.v.inboxRows(page), page.Next != ""
	// A browser that comes back says so by the id that it was given.
	back := s.v.r.Header.Get("Last-Event-Id") != ""
	s.write([]byte("id: 1\n\n"))
	if err := l.send(page, back || s.v.query("have") != listSum(page), ""); err != nil {
		return err
	}
	return s.follow(ctx, func(changes []authority.Change) error { return l.look(ctx, changes) })
}

func (l *liveList) send(page *authority.InboxPage, list bool, said string) error {
	w := liveView{List: list, Tabs: l.s.v.inboxTabs(page), Said: said, Title: l.s.v.inboxTitle(page.Counts) + " · " + l.s.v.org.Organisation().Name}
	if list {
		w.Rows = l.rows
	}
	return l.s.part("live", w)
}

// look reads the inbox again and shows what is different: what came, in its place; what
// went, where it was, and with the name of who decided.
func (l *liveList) look(ctx context.Context, changes []authority.Change) error {
	v := l.s.v
	here := slices.DeleteFunc(slices.Clone(l.rows), func(r inboxRow) bool { return r.Gone != "" })
	page, err := v.org.Inbox(ctx, *v.session, authority.InboxQuery{Tab: l.tab, Limit: min(100, max(len(here), inboxRows)+inboxRows)})
	if err != nil {
		return err
	}
	now := l.within(v.inboxRows(page), here)
	var came []inboxRow
	for i := range now {
		if at := slices.IndexFunc(here, func(r inboxRow) bool { return r.ID == now[i].ID }); at >= 0 {
			now[i].New = here[at].New
		} else {
			now[i].New = true
			came = append(came, now[i])
		}
	}
	l.rows, err = l.withGone(ctx, now, page.Next != "")
	if err != nil {
		return err
	}
	if err := l.send(page, true, said(v.site.texts, l.tab, came)); err != nil {
		return err
	}
	for _, c := range changes {
		if c.Request != "" {
			l.s.event("request", []byte(c.Request))
		}
	}
	return nil
}

// within cuts the list that is now to what the browser shows: what stands after its
// last row is on the next page, as it was.
func (l *liveList) within(now, here []inboxRow) []inboxRow {
	if !l.more {
		return now
	}
	for i := len(now) - 1; i >= 0; i-- {
		if slices.ContainsFunc(here, func(r inboxRow) bool { return r.ID == now[i].ID }) {
			return now[:i+1]
		}
	}
	return now[:min(len(now), inboxRows)]
}

// withGone puts what is gone back where it stood, and says what became of it.
func (l *liveList) withGone(ctx context.Context, now []inboxRow, full bool) ([]inboxRow, error) {
	out, kept, after := slices.Clone(now), 0, -1
	for _, r := range l.rows {
		if at := slices.IndexFunc(out, func(o inboxRow) bool { return o.ID == r.ID }); at >= 0 {
			after = at
			continue
		}
		if r.Gone == "" {
			r.Gone, r.Can, r.New = l.became(ctx, r.ID, full), "", false
		}
		if kept++; r.Gone == "" || kept > liveGone {
			continue
		}
		after++
		out = slices.Insert(out, min(after, len(out)), r)
	}
	return out, nil
}

// became says what became of a request that is no longer in the list; "" for one that
// only stands further down now.
func (l *liveList) became(ctx context.Context, id string, full bool) string {
	v := l.s.v
	a, err := v.org.Get(ctx, v.caller(), id)
	if err != nil {
		return v.t("inbox.gone.unseen")
	}
	for _, d := range slices.Backward(a.Decisions) {
		if d.Person.ID == v.session.Person.ID {
			return v.t("inbox.you." + string(d.Act))
		}
		if verdict := map[countersign.Status]countersign.Act{countersign.StatusApproved: countersign.ActApprove, countersign.StatusReleased: countersign.ActApprove,
			countersign.StatusDenied: countersign.ActDeny, countersign.StatusRevoked: countersign.ActRevoke}[a.Status]; verdict == d.Act {
			return v.t("inbox.by."+string(d.Act), "name", named(d.Person.Name))
		}
	}
	if a.Status != countersign.StatusPending {
		return v.t("inbox.status." + string(a.Status))
	}
	if full {
		return ""
	}
	return v.t("inbox.gone.elsewhere")
}

// said is what is read out of what came.
func said(tx *Texts, tab string, came []inboxRow) string {
	switch len(came) {
	case 0:
		return ""
	case 1:
		r := came[0]
		return tx.T("inbox.came."+tab, "what", strings.TrimSpace(r.Title+" "+r.Payee+" "+r.Amount))
	}
	return tx.N("inbox.came_many", len(came))
}
