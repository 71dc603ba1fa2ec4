package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func explorerRoutes() []route {
	return []route{
		{pattern: "GET /audit", who: signedIn, serve: audited(showAudit)},
		{pattern: "GET /audit/proof.json", who: signedIn, serve: audited(proveLog)},
		{pattern: "GET /audit/{index}", who: signedIn, serve: audited(showEntry)},
		{pattern: "GET /audit/{index}/proof.json", who: signedIn, serve: audited(proveEntry)},
		{pattern: "GET /audit/{index}/receipt", who: signedIn, serve: audited(entryReceipt)},
	}
}

// audited keeps a page for those who may read the log. For everybody else it is not
// there.
func audited(serve func(*visit) error) func(*visit) error { return register(serve) }

// auditView is the page of the log: its entries, and beside them one entry, or the log
// as a whole.
type auditView struct {
	Filter   auditFilter
	Filtered bool
	Types    []choice
	People   []choice
	Rows     []auditRow
	Older    string // address of the next page; "" at the end
	Newest   string // address of the first page; "" where this is it
	Size     string
	Back     string // address of the list
	Grown    checkView
	Group    string // what stands between groups of three digits
	Proof    string // where the script reads its data; "": nothing is read
	Log      logView
	Entry    *entryView
	Words    []choice // of the script: what it says, by name
}

// choice is one of several values, with its words.
type choice struct {
	Value, Text string
	Chosen      bool
}

// auditFilter are the filter's fields as they stand in the address.
type auditFilter struct{ Number, Type, Person, Vendor, Kind, Object, Since, Until, After string }

// auditRow is one entry of the list.
type auditRow struct {
	Path, Number, What, About string
	At                        Moment
	Current                   bool
}

// logView is the log as a whole.
type logView struct {
	Origin, Checkpoint string
	Keys               []string
	Export             string // the command line
	Time               Moment
}

func (v *visit) auditFilter() auditFilter {
	return auditFilter{Number: strings.TrimSpace(v.query("number")), Type: v.query("type"), Person: strings.TrimSpace(v.query("person")), Vendor: strings.TrimSpace(v.query("vendor")),
		Kind: strings.TrimSpace(v.query("kind")), Object: strings.TrimSpace(v.query("object")), Since: v.query("since"), Until: v.query("until"), After: v.query("after")}
}

func (f auditFilter) pairs() [][2]string {
	return [][2]string{{"number", f.Number}, {"type", f.Type}, {"person", f.Person}, {"vendor", f.Vendor}, {"kind", f.Kind}, {"object", f.Object}, {"since", f.Since}, {"until", f.Until}}
}

// narrows reports whether the filter leaves anything out.
func (f auditFilter) narrows() bool {
	return slices.ContainsFunc(f.pairs(), func(p [2]string) bool { return p[1] != "" })
}

// address is the path with the filter behind it, at a page of the list.
func (f auditFilter) address(path, after string) string {
	q := url.Values{}
	for _, p := range append(f.pairs(), [2]string{"after", after}) {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// read makes the authority's filter of it. What cannot be read is named.
func (f auditFilter) read(zone *time.Location) (authority.EntryFilter, error) {
	out := authority.EntryFilter{Person: f.Person, Vendor: f.Vendor, Kind: f.Kind, Object: f.Object}
	var wrong []countersign.FieldError
	if f.Number != "" {
		n, err := entryNumber(f.Number)
		if err != nil {
			wrong = append(wrong, countersign.FieldError{Pointer: "/number", Detail: "want the number of an entry, as 48212"})
		}
		out.Number = &n
	}
	if f.Type != "" {
		out.Types = []countersign.EntryType{countersign.EntryType(f.Type)}
	}
	for _, d := range []struct {
		name, text string
		days       int
		into       *time.Time
	}{{"since", f.Since, 0, &out.Since}, {"until", f.Until, 1, &out.Until}} {
		if d.text == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, d.text, zone)
		if err != nil {
			wrong = append(wrong, countersign.FieldError{Pointer: "/" + d.name, Detail: "want a day, as 2026-11-24"})
		}
		*d.into = t.AddDate(0, 0, d.days)
	}
	if wrong != nil {
		return out, countersign.Invalid(wrong...)
	}
	return out, nil
}

// entryNumber reads a number as people write it: with spaces between groups.
func entryNumber(s string) (int64, error) {
	s = strings.NewReplacer(" ", "", thinSpace, "", hardSpace, "").Replace(s)
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return n, err
}

// entriesOfPage is how many entries the list shows at once.
const entriesOfPage = 40

func showAudit(v *visit) error {
	w, _, err := v.auditPage(v.auditFilter(), nil)
	if err != nil {
		return err
	}
	w.Proof = "/audit/proof.json"
	return v.render(view{name: "audit", title: v.t("audit.title"), area: "audit", data: w})
}

// auditPage reads the list, and the entry that was chosen, if one was.
func (v *visit) auditPage(f auditFilter, entry *int64) (*auditView, *authority.AuditPage, error) {
	filter, err := f.read(v.format.zone())
	if err != nil {
		return nil, nil, err
	}
	table, err := v.org.AuditPage(v.ctx(), *v.session, filter, authority.TablePage{After: f.After, Limit: entriesOfPage}, entry)
	if err != nil {
		return nil, nil, err
	}
	if table.Checkpoint == nil {
		return nil, nil, nothingHere(v)
	}
	w := &auditView{Filter: f, Filtered: f.narrows(), Types: v.entryTypes(f.Type), Size: v.format.Count(table.Size), Words: v.site.verdicts(),
		Back: f.address("/audit", f.After), Grown: v.site.notGrown()}
	for _, p := range table.People {
		w.People = append(w.People, choice{Value: p.ID, Text: p.Name})
	}
	for _, e := range table.Items {
		row := v.auditRow(e)
		row.Path = f.address("/audit/"+strconv.FormatInt(e.Index, 10), f.After)
		row.Current = entry != nil && *entry == e.Index
		w.Rows = append(w.Rows, row)
	}
	if table.Next != "" {
		w.Older = f.address("/audit", table.Next)
	}
	if f.After != "" {
		w.Newest = f.address("/audit", "")
	}
	w.Group, _ = v.format.separators()
	w.Log = v.logCard(table.Checkpoint)
	return w, table, nil
}

func (v *visit) logCard(checkpoint []byte) logView {
	l := logView{Checkpoint: string(checkpoint), Keys: v.org.Verifiers()}
	l.Origin, _, _ = strings.Cut(l.Checkpoint, "\n")
	l.Export = "countersign audit export log/\ncountersign audit verify log/ --key " + quoted(lastOf(l.Keys))
	return l
}

func lastOf(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// quoted writes one argument of a command line.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (v *visit) auditRow(e authority.EntryRow) auditRow {
	r := auditRow{Number: v.format.Count(e.Index), What: v.entryWhat(e.Type, e.Facts), At: v.format.Moment(v.site.texts, e.At, v.now())}
	about := []string{v.actorName(e.Actor)}
	if q := e.Request; q != nil && q.Tampered {
		about = append(about, v.t("audit.tampered"))
	} else if q != nil {
		about = append(about, cmp.Or(q.Payee, q.Subject), q.Object)
	} else if e.Subject != e.Actor.ID {
		about = append(about, e.Facts["group"])
	}
	about = slices.DeleteFunc(about, func(s string) bool { return s == "" })
	r.About = strings.Join(about, " · ")
	return r
}

// entryWhat says in words what an entry records.
func (v *visit) entryWhat(t countersign.EntryType, facts map[string]string) string {
	if act := "audit.act." + facts["act"]; t == countersign.EntryDecisionMade && v.site.texts.has(act) {
		return v.t(act)
	}
	if outcome := "audit.outcome." + facts["outcome"]; t == countersign.EntryRequestSubmitted && v.site.texts.has(outcome) {
		return v.t(outcome)
	}
	if key := "audit.type." + string(t); v.site.texts.has(key) {
		return v.t(key)
	}
	return string(t)
}

// actorName is who did something, in words; an id where nobody has a name for it.
func (v *visit) actorName(p countersign.Principal) string {
	if key := "audit.actor." + p.ID; v.site.texts.has(key) {
		return v.t(key)
	}
	return cmp.Or(p.Name, p.ID)
}

// entryTypes are the choices of the filter, by their words.
func (v *visit) entryTypes(chosen string) []choice { return v.site.texts.under("audit.type.", chosen) }

// verdicts are the words of the script.
func (s *Site) verdicts() []choice { return s.texts.under("audit.check.", "") }

// notGrown is the check against the last visit before it was made.
func (s *Site) notGrown() checkView {
	return checkView{Text: s.texts.T("audit.grown_wait"), Verdict: s.texts.T("audit.check.verdict_wait")}
}

// under lists the texts whose keys begin with a prefix, sorted by what they say.
func (t *Texts) under(prefix, chosen string) []choice {
	var all []choice
	for key, text := range t.texts {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			all = append(all, choice{Value: name, Text: text, Chosen: name == chosen})
		}
	}
	slices.SortFunc(all, func(a, b choice) int {
		return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(a.Value, b.Value))
	})
	return all
}
