package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/web"
)

// opened is a page as the test opens it. What a session is and what its frame shows is one
// look-up before the page; what is counted here comes after it.
type opened struct {
	as   string // login
	path string // with {name} for what the organisation has
	most int64  // snapshots, where it is not one
	why  string // it is not one, grows, or is not opened at all
	skip bool
	each bool // what it shows is judged one by one, up to a bound, and costs as much
}

// pagesOpened says of every page by whom it is opened. A page that is not here fails the
// test.
var pagesOpened = map[string]opened{
	"GET /{$}":         {as: "marta", path: "/", each: true, why: "each row that is shown is judged: up to twenty"},
	"GET /inbox/{id}":  {skip: true, why: "a part of the inbox: the page of a request reads the same"},
	"GET /live":        {skip: true, why: "a stream: each message is a snapshot"},
	"GET /r/{id}/live": {skip: true, why: "a stream: each message is a snapshot"},

	"GET /admin":                              {as: "samuel", path: "/admin"},
	"GET /proposed/{request}":                 {as: "samuel", path: "/proposed/{proposed}"},
	"GET /admin/break-glass":                  {as: "samuel", path: "/admin/break-glass"},
	"GET /admin/break-glass/{request}/review": {as: "samuel", path: "/admin/break-glass/{order}/review"},
	"GET /admin/settings":                     {as: "samuel", path: "/admin/settings"},
	"GET /admin/settings/{setting}":           {as: "samuel", path: "/admin/settings/kinds"},
	"GET /admin/alerts":                       {as: "claire", path: "/admin/alerts"},
	"GET /admin/alerts/new":                   {as: "claire", path: "/admin/alerts/new?vendor=V-1"},
	"GET /admin/alerts/{alert}/close":         {as: "claire", path: "/admin/alerts/{alert}/close"},
	"GET /admin/delegations":                  {as: "noor", path: "/admin/delegations"},
	"GET /admin/freezes":                      {as: "noor", path: "/admin/freezes"},
	"GET /admin/freezes/new":                  {as: "claire", path: "/admin/freezes/new?person={member}"},
	"GET /admin/freezes/{freeze}/extend":      {as: "claire", path: "/admin/freezes/{freeze}/extend"},
	"GET /admin/freezes/{freeze}/lift":        {as: "claire", path: "/admin/freezes/{freeze}/lift"},
	"GET /admin/keys":                         {as: "samuel", path: "/admin/keys"},
	"GET /admin/keys/new":                     {as: "samuel", path: "/admin/keys/new"},
	"GET /admin/keys/{key}/revoke":            {as: "samuel", path: "/admin/keys/{key}/revoke"},
	"GET /admin/keys/{key}/confirm":           {as: "samuel", path: "/admin/keys/{key}/confirm"},
	"GET /admin/rotate/{kind}":                {as: "samuel", path: "/admin/rotate/log"},
	"GET /admin/people":                       {as: "samuel", path: "/admin/people"},
	"GET /admin/people/new":                   {as: "samuel", path: "/admin/people/new"},
	"GET /admin/people/{person}":              {as: "samuel", path: "/admin/people/{member}"},
	"GET /admin/people/{person}/change":       {as: "samuel", path: "/admin/people/{member}/change"},
	"GET /admin/people/{person}/invite":       {as: "samuel", path: "/admin/people/{member}/invite"},
	"GET /admin/people/{person}/reset":        {as: "samuel", path: "/admin/people/{member}/reset"},
	"GET /admin/people/{person}/sign-out":     {as: "samuel", path: "/admin/people/{member}/sign-out"},
	"GET /admin/people/{person}/break-glass":  {as: "samuel", path: "/admin/people/{member}/break-glass"},

	"GET /delegations":                  {as: "marta", path: "/delegations"},
	"GET /delegations/new":              {as: "marta", path: "/delegations/new"},
	"GET /delegations/propose":          {as: "samuel", path: "/delegations/propose"},
	"GET /delegations/{delegation}/end": {as: "samuel", path: "/delegations/{delegation}/end"},

	"GET /factors":                  {as: "samuel", path: "/factors"},
	"GET /factors/add":              {as: "marta", path: "/factors/add"},
	"GET /factors/codes":            {as: "marta", path: "/factors/codes"},
	"GET /factors/confirm":          {as: "samuel", path: "/factors/confirm"},
	"GET /factors/{factor}/confirm": {as: "samuel", path: "/factors/{unconfirmed}/confirm"},
	"GET /factors/{factor}/lost":    {as: "marta", path: "/factors/{factor}/lost"},
	"GET /factors/{factor}/remove":  {as: "marta", path: "/factors/{factor}/remove"},
	"GET /welcome":                  {as: "marta", path: "/welcome"},
	"GET /preferences":              {as: "marta", path: "/preferences"},
	"GET /preferences/example":      {as: "marta", path: "/preferences/example?zone=UTC&numbers=space-point&dates=iso"},

	"GET /policy":            {as: "noor", path: "/policy"},
	"GET /policy/difference": {as: "noor", path: "/policy/difference"},
	"GET /policy/draft":      {as: "claire", path: "/policy/draft"},

	"GET /audit":                    {as: "noor", path: "/audit"},
	"GET /audit/proof.json":         {as: "noor", path: "/audit/proof.json?since=3"},
	"GET /audit/{index}":            {as: "noor", path: "/audit/{decision}"},
	"GET /audit/{index}/proof.json": {as: "noor", path: "/audit/{decision}/proof.json?since=3"},
	"GET /audit/{index}/receipt":    {as: "noor", path: "/audit/{decision}/receipt", most: 3, why: "a file: the request, and then what proves it, which no longer changes"},

	"GET /requests":      {as: "noor", path: "/requests"},
	"GET /decisions":     {as: "noor", path: "/decisions"},
	"GET /holds":         {as: "noor", path: "/holds"},
	"GET /requests.csv":  {as: "noor", path: "/requests.csv", most: 2, why: "a snapshot for each 200 rows: one for all would last as long as the slowest reader"},
	"GET /decisions.csv": {as: "noor", path: "/decisions.csv", most: 2, why: "as /requests.csv"},

	"GET /r/{id}":                      {as: "marta", path: "/r/{open}"},
	"GET /r/{id}/approve":              {as: "marta", path: "/r/{open}/approve"},
	"GET /r/{id}/reject":               {as: "marta", path: "/r/{open}/reject"},
	"GET /r/{id}/freeze":               {as: "claire", path: "/r/{open}/freeze"},
	"GET /r/{id}/withdraw":             {as: "samuel", path: "/r/{proposed}/withdraw"},
	"GET /r/{id}/reassign":             {as: "marta", path: "/r/{open}/reassign", each: true},
	"GET /r/{id}/revoke":               {as: "marta", path: "/r/{order}/revoke", most: 2, why: "a receipt goes with what is approved"},
	"GET /r/{id}/receipt":              {as: "marta", path: "/r/{order}/receipt", most: 3, why: "a receipt, and where to go on to"},
	"GET /r/{id}/receipt.json":         {as: "marta", path: "/r/{order}/receipt.json", most: 2, why: "a file: the request, and then what proves it, which no longer changes"},
	"GET /r/{id}/continue":             {skip: true, why: "leads elsewhere"},
	"GET /r/{id}/attachments/{sha256}": {skip: true, why: "a file"},

	"GET /log.key":                {as: "marta", path: "/log.key"},
	"GET /sign-in":                {skip: true, why: "shows nothing of the organisation's"},
	"GET /recover":                {skip: true, why: "shows nothing of the organisation's"},
	"GET /enrol":                  {skip: true, why: "shows nothing of the organisation's"},
	"GET /enrol/new":              {skip: true, why: "the session of an enrolment"},
	"GET /enrol/done":             {skip: true, why: "reads a cookie"},
	"GET /h":                      {skip: true, why: "shows nothing of the organisation's"},
	"GET /demo":                   {skip: true, why: "the demo's alone"},
	"GET /demo/app":               {skip: true, why: "the demo's alone"},
	"GET /gallery":                {skip: true, why: "reads nothing"},
	"GET /gallery/{page}/{state}": {skip: true, why: "reads nothing"},
}

// mostMore is by how many round trips a page may cost more with more people and history:
// what is remembered between two pages may have to be read again.
const mostMore = 3

// TestOneSnapshotPerPage opens every page, with five of everything and with two hundred.
// What a page shows comes out of one snapshot, and costs as many round trips with many as
// with few.
func TestOneSnapshotPerPage(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		var now atomic.Pointer[store.TripCounter]
		counted := func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c := now.Load(); c != nil {
					r = r.WithContext(store.CountTrips(r.Context(), c))
				}
				h.ServeHTTP(w, r)
			})
		}
		s := testkit.Start(t, cfg, testkit.Options{Handler: counted})
		s.Settle()
		for v := range 200 {
			s.Vendor(fmt.Sprint("V-", v), fmt.Sprint("Vendor ", v), 0, nil)
		}
		few := map[string]int64{}
		for _, size := range []int{5, 200} {
			names := populate(t, s, size)
			for _, pattern := range web.PagePatterns(s.Site) {
				p, ok := pagesOpened[pattern]
				if !ok {
					t.Fatalf("%s: say in this test by whom the page is opened, or why it is not", pattern)
				}
				if p.skip {
					continue
				}
				path := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllStringFunc(p.path, func(name string) string { return names[name[1:len(name)-1]] })
				browser := callerOf(t, s, s.Person(p.as).Token)
				browser.get("/log.key") // the session's use is noted
				session := tripsOf(&now, func() { browser.get("/log.key") })
				var page shown
				got := tripsOf(&now, func() { page = browser.get(path) })
				if page.Status != 200 {
					t.Errorf("%s: %s as %s: %d %s", pattern, path, p.as, page.Status, page.text())
					continue
				}
				snapshots, trips := got.Reads-session.Reads, got.Statements-session.Statements
				t.Logf("%3d: %-42s %d snapshots, %2d round trips, after %d for the session", size, pattern, snapshots, trips, session.Statements)
				if most := max(p.most, 1); snapshots > most {
					t.Errorf("%s: %d snapshots with %d of everything, more than %d", pattern, snapshots, size, most)
				}
				if before, ok := few[pattern]; !ok {
					few[pattern] = trips
				} else if !p.each && trips > before+mostMore {
					t.Errorf("%s: %d round trips with %d of everything, and %d with five", pattern, trips, size, before)
				}
			}
		}
	})
}

func tripsOf(now *atomic.Pointer[store.TripCounter], do func()) store.Trips {
	var c store.TripCounter
	now.Store(&c)
	do()
	now.Store(nil)
	return c.Trips()
}

// populate adds so many of everything that pages list, and names one of each.
func populate(t *testing.T, s *testkit.Server, n int) map[string]string {
	samuel, claire, marta := s.Person("samuel"), s.Person("claire"), s.Person("marta")
	s.Person("noor")
	names := map[string]string{}
	order := s.Submit(testkit.Order(fmt.Sprint("PO-DONE-", n), "30000.00"))
	if _, problem := marta.ByPasskey(order.ID, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	names["order"] = order.ID
	for i := range min(n, 60) {
		a := s.Submit(testkit.Order(fmt.Sprint("PO-", n, "-", i), "30000.00", func(d *countersign.Document) {
			d.Payee = &countersign.Payee{ID: fmt.Sprint("V-", i), Name: fmt.Sprint("Vendor ", i)}
		}))
		names["open"] = a.ID
	}
	var members []string
	_, err := s.DB.Write(t.Context(), func(tx *store.Tx) (err error) {
		members, err = fill(tx, n, claire.ID, marta.ID, order.ID, names)
		return err
	})
	s.Must(err)
	browser := callerOf(t, s, samuel.Token)
	for _, member := range members[:min(n, 15)] {
		names["proposed"], _ = browser.proposed(browser.post("/admin/people/"+member+"/reset", "reason", "Lost it"))
	}
	list := callerOf(t, s, s.Person("noor").Token).get("/audit?type=" + string(countersign.EntryDecisionMade))
	names["decision"] = strings.TrimPrefix(regexp.MustCompile(`/audit/[0-9]+`).FindString(list.Body), "/audit/")
	have, err := ownFactors(s, marta.ID)
	s.Must(err)
	names["factor"] = have[0].ID
	return names
}

func ownFactors(s *testkit.Server, person string) (have []store.Authenticator, err error) {
	err = s.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		have, err = tx.Authenticators(person)
		return err
	})
	return have, err
}

// fill writes rows as they would stand after much was done.
func fill(tx *store.Tx, n int, claire, marta, order string, names map[string]string) (members []string, err error) {
	row, err := tx.Person(marta)
	if err != nil {
		return nil, err
	}
	factors, err := tx.Authenticators(marta)
	if err != nil {
		return nil, err
	}
	now, id := tx.Now(), countersign.NewID
	for i := range n {
		p := row
		p.ID, p.Name, p.Manager = id(countersign.PrefixPerson, now), fmt.Sprint("Member ", n, " ", i), marta
		p.Email, p.Handle = fmt.Sprintf("member%d-%d@example.com", n, i), []byte(p.ID)
		f := factors[0]
		f.ID, f.Person, f.CredentialID, f.Created = id(countersign.PrefixAuthenticator, now), p.ID, p.ID, now.Add(time.Duration(i)*time.Millisecond)
		var standing authn.Standing
		if err := json.Unmarshal([]byte(f.Standing), &standing); err != nil {
			return nil, err
		}
		standing.Person, standing.NeedsConfirmation, standing.ConfirmedBy, standing.InvitedBy = p.ID, true, "", claire
		text, err := json.Marshal(standing)
		if err != nil {
			return nil, err
		}
		f.Standing = string(text)
		key := store.APIKey{ID: id(countersign.PrefixKey, now), Name: fmt.Sprint("Key ", i), Source: "erp", Scopes: `["submit"]`, Hash: p.ID, Returns: `[]`,
			Created: now, CreatedBy: p.ID, Expires: now.AddDate(1, 0, 0), Waits: true}
		vendor := fmt.Sprint("V-", i)
		alert := store.Alert{ID: id(countersign.PrefixAlert, now), Source: "erp", External: p.ID, Title: "Odd", Severity: "high", About: p.ID,
			Raised: now, Expires: now.AddDate(0, 0, 9), Owner: claire}
		d := store.Delegation{ID: id(countersign.PrefixDelegation, now), From: marta, To: p.ID, Kinds: `[]`, Starts: now, Ends: now.AddDate(0, 0, 9), Created: now, CreatedBy: marta}
		freeze := store.Freeze{ID: id(countersign.PrefixFreeze, now), About: store.AboutVendor(vendor + "-frozen"), Reason: "Odd", PlacedBy: p.ID,
			Placed: now, Expires: now.AddDate(0, 0, 3)}
		for _, err := range []error{tx.InsertPerson(p), tx.InsertAuthenticator(f), tx.InsertAPIKey(key), inserted(tx.InsertAlert(alert)), tx.InsertDelegation(d), tx.InsertFreeze(freeze),
			inserted(tx.AddMembership("approvers", p.ID)), inserted(tx.PutLimit(store.PersonLimit{Person: p.ID, Currency: "EUR", Minor: 1})), tx.PutBreakGlassName(p.ID, now)} {
			if err != nil {
				return nil, err
			}
		}
		members = append(members, p.ID)
		if i == 0 { // the oldest stand on the first page of every list
			names["member"], names["unconfirmed"], names["key"], names["alert"], names["delegation"], names["freeze"] = p.ID, f.ID, key.ID, alert.ID, d.ID, freeze.ID
		}
	}
	if err := tx.InsertBreakGlassUse(store.BreakGlassUse{Approval: order, Used: now.Add(-time.Hour)}); err != nil {
		return nil, err
	}
	return members, tx.FactsChanged()
}

func inserted(_ bool, err error) error { return err }
