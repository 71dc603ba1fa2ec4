package authority

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// The tabs of the inbox.
const (
	TabYou     = "you"     // the person could decide now, for themself or in another's place
	TabOthers  = "others"  // open, and in other hands: they asked for it, watch it, decided already, or see it by their group
	TabDecided = "decided" // what they decided or asked for, and that is over or no longer open
)

// InboxQuery asks for one page of one tab.
type InboxQuery struct {
	Tab   string // one of the Tab constants; "" is TabYou
	After string // InboxPage.Next of the page before; "" for the first
	Limit int    // 1 to 100; 0 is 25
	// Recent asks for so many of what was finished last, where nothing waits for the person.
	Recent int
}

// InboxPage is one page of the inbox. A page may have fewer items than were asked for
// and still a next one: what is looked at for one page is bounded.
type InboxPage struct {
	Tab    string
	Items  []InboxItem
	Recent []InboxItem // see InboxQuery.Recent
	Next   string      // what to give as After for the next page; "" at the end
	Counts InboxCounts
}

// InboxCounts says how many requests each tab holds.
type InboxCounts struct{ You, Others, Decided InboxCount }

// InboxCount is a number up to MaxInboxCount. You is exact while all of it fits one
// page; beyond, it counts whom the requirement asks, before each is judged.
type InboxCount struct {
	N    int
	More bool // there are more than N
}

// MaxInboxCount is the most that is counted for a tab.
const MaxInboxCount = 999

// InboxItem is one request as a row of the inbox.
type InboxItem struct {
	ID        string // req_…
	Kind      string
	Object    string              // the document's id
	Revision  string              //
	Subject   string              // the document's subject; may be empty
	Amount    *countersign.Amount // nil where the document has none
	Payee     string              // name; "" where nobody is paid
	Requester string              // name of who asked
	Source    string              // the system that submitted it
	Status    countersign.Status
	Created   time.Time
	Due       time.Time // decide-by while it is open, release-by once approved; zero when over
	HeldUntil time.Time // a release before is refused; zero without a hold
	Ended     time.Time // zero while it is open
	Decided   time.Time // when the person decided; zero where they did not
	Act       countersign.Act
	Progress  Progress
	Reasons   []countersign.Reason // the strongest, at most two
	// ActingFor is whom the person would decide for, where they could not for themself.
	ActingFor *countersign.Principal
	// Needs is what the person has to do or wait for before they can approve, as an
	// obstacle's code ("factor", "cool_off"): denying is open to them at once.
	Needs    string
	Expiring bool // due within ExpiringWithin
}

// ExpiringWithin is how near a deadline must be for the request to stand first.
const ExpiringWithin = 4 * time.Hour

// Progress is how many of the approvals that are needed there are.
type Progress struct{ Have, Need int }

// Inbox reads one page of a person's inbox. "you" is ordered by what expires first,
// then by the weight of the findings, then by age; the others newest first, but that in
// "others" what asks the person and is not for them comes last.
func (a *Authority) Inbox(ctx context.Context, s Session, q InboxQuery) (*InboxPage, error) {
	return look(ctx, a, s, func(r *reading) (*InboxPage, error) { return r.inboxPage(q) })
}

func (r *reading) inboxPage(q InboxQuery) (*InboxPage, error) {
	if err := r.s.browse(); err != nil {
		return nil, err
	}
	if q.Limit <= 0 || q.Limit > 100 {
		q.Limit = 25
	}
	if q.Tab == "" {
		q.Tab = TabYou
	}
	b, err := r.requests()
	if err != nil {
		return nil, err
	}
	return b.page(q)
}

func (b *inboxOf) page(q InboxQuery) (*InboxPage, error) {
	out := &InboxPage{Tab: q.Tab}
	first, asked, err := b.first(q) // also what the counts rest on
	if err != nil {
		return nil, err
	}
	switch q.Tab {
	case TabYou:
		found := first
		if q.After != "" {
			found, err = b.you(q.After, q.Limit)
		}
		if err == nil {
			out.Items, err = b.items(found.rows)
		}
		out.Next = found.next
	case TabOthers:
		out.Items, out.Next, err = b.inOtherHands(q)
	case TabDecided:
		out.Items, out.Next, err = b.finished(q)
	default:
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/tab", Detail: `want "you", "others" or "decided"`})
	}
	if err != nil {
		return nil, err
	}
	if q.Recent > 0 && q.Tab == TabYou && len(out.Items) == 0 {
		if out.Recent, _, err = b.finished(InboxQuery{Limit: q.Recent}); err != nil {
			return nil, err
		}
	}
	out.Counts, err = b.counts(first, asked)
	return out, err
}

// mostCounted is as far as anything is counted.
const mostCounted = MaxInboxCount + 1

// first is the first page of what waits for the person, and how much there is where it
// is more than that; where it is more than is counted, it is judged only to be shown.
func (b *inboxOf) first(q InboxQuery) (page found, asked int, err error) {
	count := func() (int, error) {
		return b.tx.CountAsked(store.AskedQuery{Who: b.asked(), Person: b.viewer.person}, mostCounted)
	}
	if q.Tab != TabYou || q.After != "" {
		if asked, err = count(); err != nil || asked >= mostCounted {
			return page, asked, err
		}
	}
	if page, err = b.you("", q.Limit); err == nil && page.next != "" && asked == 0 {
		asked, err = count()
	}
	return page, asked, err
}

// counts counts the tabs, each up to MaxInboxCount.
func (b *inboxOf) counts(you found, asked int) (c InboxCounts, err error) {
	n := len(you.rows)
	switch {
	case asked >= mostCounted:
		n, you = asked, found{}
	case you.next != "":
		n = asked - you.rejected
	}
	c.You = counted(n)
	if n, err = b.tx.CountConcerning(b.concerned(), b.viewer.person, b.viewer.seesAll(), mostCounted); err != nil {
		return c, err
	}
	c.Others = counted(n + you.rejected - you.unseen)
	n, err = b.tx.CountFinishedOf(b.viewer.person, mostCounted)
	c.Decided = counted(n)
	return c, err
}

func counted(n int) InboxCount { return InboxCount{N: min(n, MaxInboxCount), More: n > MaxInboxCount} }

// found is a part of what waits for the person.
type found struct {
	rows     []inboxRow
	rejected int // looked at, and does not wait for them after all
	unseen   int // of those: not theirs to see either
	next     string
}

// inboxRow is one request in the person's inbox.
type inboxRow struct {
	*caseFile
	waiting  *waiting // nil where it does not wait for them
	expiring bool
	finished store.Finished
}

// sweepPages bounds what is looked at for one page: so many times the page.
const sweepPages = 8

// you finds what waits for the person, from a cursor on.
func (b *inboxOf) you(after string, limit int) (found, error) {
	at, err := readCursor(after, b.tx.Now().Add(ExpiringWithin))
	if err != nil {
		return found{}, err
	}
	q := store.AskedQuery{Who: b.asked(), Person: b.viewer.person, Soon: at.soon, Limit: limit + 1}
	var out found
	for looked := 0; ; {
		q.After = at.place
		list := b.tx.AskedSoon
		if at.later {
			list = b.tx.AskedByWeight
		}
		places, err := list(q)
		if err != nil {
			return out, err
		}
		ids := make([]string, len(places))
		for i, p := range places {
			ids[i] = p.ID
		}
		files, err := b.files(ids)
		if err != nil {
			return out, err
		}
		if err := b.expect(files); err != nil {
			return out, err
		}
		byID := map[string]*caseFile{}
		for _, c := range files {
			byID[c.row.ID] = c
		}
		for _, p := range places {
			if len(out.rows) == limit || looked >= sweepPages*limit {
				out.next = at.text()
				return out, nil
			}
			looked++
			at.place = p
			c := byID[p.ID]
			if c == nil {
				continue
			}
			w, err := b.waits(c)
			if err != nil {
				return out, err
			}
			if w == nil {
				out.rejected++
				if !c.sees(b.viewer) {
					out.unseen++
				}
				continue
			}
			out.rows = append(out.rows, inboxRow{caseFile: c, waiting: w, expiring: !at.later})
		}
		if len(places) == q.Limit {
			continue
		}
		if at.later {
			return out, nil
		}
		at.later, at.place = true, store.Place{First: math.MinInt64}
	}
}

// cursor is where a page of what waits ended: what was expiring when the first page was
// made stands first, by its deadline; then the rest by weight and age.
type cursor struct {
	soon  time.Time
	later bool
	place store.Place
}

func (c cursor) text() string {
	phase := 0
	if c.later {
		phase = 1
	}
	return fmt.Sprintf("%d.%d.%d.%d.%s", store.Micros(c.soon), phase, c.place.First, c.place.Second, c.place.ID)
}

func readCursor(s string, soon time.Time) (cursor, error) {
	if s == "" {
		return cursor{soon: soon, place: store.Place{First: math.MinInt64}}, nil
	}
	bad := countersign.Invalid(countersign.FieldError{Pointer: "/after", Detail: "want what the page before gave as the next"})
	parts := strings.Split(s, ".")
	if len(parts) != 5 || (parts[4] != "" && !countersign.IsID(countersign.PrefixRequest, parts[4])) {
		return cursor{}, bad
	}
	var n [4]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(parts[i], 10, 64); err != nil {
			return cursor{}, bad
		}
	}
	return cursor{soon: store.Time(n[0]), later: n[1] == 1, place: store.Place{First: n[2], Second: n[3], ID: parts[4]}}, nil
}
