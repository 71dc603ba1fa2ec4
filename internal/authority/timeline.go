package authority

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// RequestView is all that the page of a request shows.
type RequestView struct {
	Approval  *countersign.Approval // as Get gives it
	Canonical []byte                // the document's stored bytes, exactly; empty after an erasure
	Earlier   *EarlierVersion       // what to hold it against; nil where there is nothing
	You       YourPart
	Missing   []MissingClause
	Decisions []DecisionLine
	Timeline  []TimelineEvent
	Links     RequestLinks
	Hold      *Hold // nil without one
	Vendor    string
	Requester countersign.Principal // ID "" where it is nobody on record here
	Nominated *countersign.Principal
	Frozen    []FrozenNow // for those who may freeze

	// Of the whole page only, see [Authority.RequestPageWhole].
	Files  []countersign.AttachedFile
	Thread []countersign.Question
	Newer  *NewerVersion // nil where nothing took its place, or what the person may not see

	Means  *Means                  // of a form only, see [Authority.RequestForm]
	HandTo []countersign.Principal // see [Authority.ReassignForm]
}

// NewerVersion is the stored document of the request that took this one's place.
type NewerVersion struct{ Canonical []byte }

// FrozenNow is a freeze in force of the request's vendor or of whoever asked.
type FrozenNow struct {
	Vendor bool                  // else the person who asked
	Person countersign.Principal // with Vendor unset
	Until  time.Time
}

// EarlierVersion is a stored document that this one is compared with.
type EarlierVersion struct {
	Request   string // req_…
	Revision  string
	Canonical []byte
	Why       string // one of the Earlier constants
}

// Why an earlier document is held beside a request's.
const (
	EarlierSupersedes = "supersedes"     // it is the revision that this one replaces
	EarlierFollows    = "follows"        // it was released or denied, for the same object
	EarlierAccount    = "former_account" // it is the released document that brought the vendor's account before
)

// RequestLinks are the requests around this one for the same object.
type RequestLinks struct {
	Supersedes, SupersededBy, Follows string // req_…; "" for none
}

// Hold is the time before which nothing is released.
type Hold struct {
	Seconds  int       // that the requirement asks for
	Until    time.Time // zero before the last needed decision
	Watchers []string  // groups that are told and may stop it
}

// YourPart is what the person who looks may do here.
type YourPart struct {
	Acts       []string             // open to them now, for themself: the Can constants
	WhyNot     []WhyNot             // why they may not approve, most telling first; empty where they may
	Clauses    []countersign.Clause // in which their approval would count
	ActingFor  []ActingFor
	Need       countersign.Assurance // of their act of approving
	MaxAge     time.Duration         // of the oldest factor that counts; zero for none
	Asked      Asked
	Factors    []OwnFactor
	BreakGlass bool // they may sign in place of a group
	Watching   bool // by a group that watches the hold
	Concerned  bool // they may write into the thread of questions
}

// Asked is what a person must say when they approve: what the request's requirement
// asks of everybody, and what the policy asks of them.
type Asked struct {
	Attestations []countersign.Attestation // without answers
	Reason       bool
}

// What may be open to a person on a request.
const (
	CanApprove  = "approve"
	CanDeny     = "deny"
	CanRevoke   = "revoke"   // take an approval back before release
	CanWithdraw = "withdraw" // take back what they asked for
	CanReassign = "reassign" // hand it over
	CanFreeze   = "freeze"   // the vendor, or a person, with a step-up
)

// WhyNot is one reason why a person may not approve. Code is one of the approval
// package's Obstacle codes, or WhyFrozen; Args are what a sentence in any language is
// built from.
type WhyNot struct {
	Code     string
	Sentence string
	Args     map[string]string // "by", "groups", "assurance", "until", "limit", "status": those that apply
	Passing  bool              // ends by itself or by the person's own doing
}

// WhyFrozen is the code of a person who is frozen.
const WhyFrozen = "frozen"

// ActingFor is somebody in whose place the person could decide now.
type ActingFor struct {
	Person  countersign.Principal
	Acts    []string             // CanApprove, CanDeny
	Clauses []countersign.Clause // in which that approval would count
	WhyNot  []WhyNot
	EndsAt  time.Time // of the delegation
	Asked   Asked
}

// OwnFactor is one of the person's factors, and whether it would do.
type OwnFactor struct {
	ID, Type, Name string // Type is "passkey" or "totp"
	Would          bool
	CountsFrom     time.Time // end of the cool-off; zero where it counts already
}

// MissingClause is a clause of the requirement with what it still needs.
type MissingClause struct {
	Clause countersign.Clause
	Have   int
	Lacks  int
	// Who could decide, by name, where they are at most MaxNamed; Eligible is how many.
	// Where a clause has more than maxJudged members, they are counted and not judged.
	Who      []countersign.Principal
	Eligible int
}

// IsOneOf reports whether the clause is among others, whatever their counts.
func (m *MissingClause) IsOneOf(all []countersign.Clause) bool {
	return slices.ContainsFunc(all, func(c countersign.Clause) bool {
		return c.OutsideChain == m.Clause.OutsideChain && slices.Equal(c.From, m.Clause.From)
	})
}

// MaxNamed is the most people that a clause names.
const MaxNamed = 10

// DecisionLine is a decision as a line of the page.
type DecisionLine struct {
	ID         string // dec_…
	Person     countersign.Principal
	ActingFor  *countersign.Principal
	Act        countersign.Act
	Factor     string // store.FactorPasskey, store.FactorTOTP, or FactorSession
	Assurance  countersign.Assurance
	Simulated  bool   // by the demo's software authenticator
	BreakGlass bool   //
	Unexpected bool   // "I did not expect this"
	Reason     string //
	At         time.Time
	Void       string // why it no longer counts; "" while it does
	Entry      string // ent_…
	Index      int64  // of the log entry; -1 before it has its place
	Yours      bool
}

// FactorSession says that a live session was enough.
const FactorSession = "session"

// TimelineEvent is one log entry about the request.
type TimelineEvent struct {
	Entry     string // ent_…
	Index     int64
	Published bool // under a checkpoint that was published
	Type      countersign.EntryType
	At        time.Time
	Actor     countersign.Principal // a person, a key, or "system" or "operator" by ID without a name
	Facts     map[string]string
}

// pageReader reads what stands around one request, in one transaction.
type pageReader struct {
	a         *Authority
	tx        *store.Tx
	c         *caseFile
	v         viewer
	s         Session
	of        *dossier
	published int64             // entries under the last published checkpoint
	names     map[string]string // of people and keys, by id
}

func (r *pageReader) read() (*RequestView, error) {
	st := r.c.state
	out := &RequestView{Canonical: r.c.row.Document, Vendor: r.c.row.Vendor,
		Links: RequestLinks{Supersedes: st.Supersedes, SupersededBy: st.SupersededBy, Follows: st.Follows}}
	if st.Requirement.Hold > 0 || !st.NotBefore.IsZero() {
		out.Hold = &Hold{Seconds: st.Requirement.Hold, Until: st.NotBefore, Watchers: st.Requirement.Watchers}
	}
	var err error
	if out.Requester, err = r.requester(); err != nil {
		return nil, err
	}
	if st.Nominated != "" {
		p, err := r.principal(st.Nominated)
		if err != nil {
			return nil, err
		}
		out.Nominated = &p
	}
	if out.Earlier, err = r.earlier(); err != nil {
		return nil, err
	}
	if out.Timeline, err = r.timeline(); err != nil {
		return nil, err
	}
	if out.Decisions, err = r.decisions(out.Timeline); err != nil {
		return nil, err
	}
	if len(r.c.row.Document) == 0 { // erased: nothing is left to decide on
		return out, nil
	}
	if out.Missing, err = r.missing(); err != nil {
		return nil, err
	}
	if out.Frozen, err = r.inForce(out.Requester); err != nil {
		return nil, err
	}
	if out.You, err = r.you(); err == nil && !r.freezable(out) {
		out.You.Acts = slices.DeleteFunc(out.You.Acts, func(act string) bool { return act == CanFreeze })
	}
	return out, err
}

// rest reads what only the whole page shows.
func (r *pageReader) rest(out *RequestView) (err error) {
	if len(r.c.row.Document) > 0 {
		if out.Files, err = r.c.files(r.tx); err != nil {
			return err
		}
	}
	if out.Thread, err = threadOf(r.tx, r.c); err != nil {
		return err
	}
	id := out.Links.SupersededBy
	if id == "" || r.s.live.MaySee(id) != nil {
		return nil
	}
	next, _, err := r.a.find(r.tx, Caller{Session: &r.s}, id)
	var p *countersign.Problem
	if errors.As(err, &p) && p.Code == countersign.CodeNotFound {
		return nil
	} else if err != nil {
		return err
	}
	out.Newer = &NewerVersion{next.row.Document}
	return nil
}

// inForce reads the freezes in force that stop this request, for people who could place
// one.
func (r *pageReader) inForce(requester countersign.Principal) ([]FrozenNow, error) {
	if len(r.v.groups) == 0 || r.v.only != "" {
		return nil, nil
	}
	vendor := store.AboutVendor(r.c.row.Vendor)
	rows, err := r.tx.Freezes([]string{vendor, requester.ID})
	var out []FrozenNow
	for _, f := range rows {
		n := FrozenNow{Vendor: f.About == vendor, Until: f.Expires}
		if !n.Vendor {
			n.Person = requester
		}
		out = append(out, n)
	}
	return out, err
}

// freezable says whether something of this request could be frozen that is not: whoever
// looks cannot freeze themself.
func (r *pageReader) freezable(v *RequestView) bool {
	vendor := r.c.row.Vendor != ""
	person := v.Requester.ID != "" && v.Requester.ID != r.v.person
	for _, f := range v.Frozen {
		vendor = vendor && !f.Vendor
		person = person && f.Vendor
	}
	return vendor || person
}

// principal names a person or a key. Nobody of that id is shown by the id alone.
func (r *pageReader) principal(id string) (countersign.Principal, error) {
	if name, ok := r.names[id]; ok {
		return countersign.Principal{ID: id, Name: name}, nil
	}
	name := ""
	var err error
	switch {
	case countersign.IsID(countersign.PrefixPerson, id):
		var p store.Person
		p, err = r.tx.Person(id)
		name = p.Name
	case countersign.IsID(countersign.PrefixKey, id):
		var k store.APIKey
		k, err = r.tx.APIKey(id)
		name = k.Name
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return countersign.Principal{}, err
	}
	r.names[id] = name
	return countersign.Principal{ID: id, Name: name}, nil
}

// requester is who asked: on record here, or as the document names them.
func (r *pageReader) requester() (countersign.Principal, error) {
	for _, q := range r.c.state.Requesters {
		if !q.Owner {
			return countersign.Principal{ID: q.ID, Name: q.Name}, nil
		}
	}
	if len(r.c.row.Document) == 0 {
		return countersign.Principal{}, nil
	}
	var d summary
	if err := json.Unmarshal(r.c.row.Document, &d); err != nil || d.Requester == nil {
		return countersign.Principal{}, err
	}
	return countersign.Principal{Name: cmp.Or(d.Requester.Name, d.Requester.ID)}, nil
}

// earlier finds the stored document that this one is held against. What the person may
// not see by itself they see only where it is an earlier state of this very object.
func (r *pageReader) earlier() (*EarlierVersion, error) {
	if len(r.c.row.Document) == 0 {
		return nil, nil
	}
	st := r.c.state
	for _, link := range []struct{ id, why string }{{st.Supersedes, EarlierSupersedes}, {st.Follows, EarlierFollows}} {
		if link.id == "" {
			continue
		}
		row, err := r.tx.Approval(link.id)
		if err != nil || len(row.Document) == 0 {
			return nil, err
		}
		if _, err := stateOf(row); err != nil {
			return nil, r.a.tampered(r.tx, row, err)
		}
		return &EarlierVersion{Request: row.ID, Revision: row.Revision, Canonical: row.Document, Why: link.why}, nil
	}
	if r.c.row.Kind != countersign.KindVendorBankChange || r.c.row.Vendor == "" {
		return nil, nil
	}
	row, err := r.tx.LastAccountDocument(r.c.row.Vendor, r.c.row.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	other, err := light(row)
	if errors.Is(err, errTampered) {
		return nil, nil // its own page says so
	}
	if err != nil || len(row.Document) == 0 || !other.sees(r.v) {
		return nil, err
	}
	return &EarlierVersion{Request: row.ID, Revision: row.Revision, Canonical: row.Document, Why: EarlierAccount}, nil
}

// maxTimeline bounds the entries that one page shows: the newest.
const maxTimeline = 500

func (r *pageReader) timeline() ([]TimelineEvent, error) {
	entries, err := r.tx.EntriesAbout(r.c.row.ID, maxTimeline)
	if err != nil {
		return nil, err
	}
	people, keys, err := actorsOf(entries)
	if err != nil {
		return nil, err
	}
	if err := r.know(people, keys); err != nil {
		return nil, err
	}
	out := make([]TimelineEvent, 0, len(entries))
	for _, e := range entries {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(countersign.TimeFormat, leaf.Time)
		if err != nil {
			return nil, err
		}
		who, err := r.principal(leaf.Actor)
		if err != nil {
			return nil, err
		}
		out = append(out, TimelineEvent{Entry: e.ID, Index: e.Index, Published: e.Index >= 0 && e.Index < r.published, Type: leaf.Type, At: at, Actor: who, Facts: leaf.Facts})
	}
	return out, nil
}

// actorsOf are the people and the keys that wrote entries, each once.
func actorsOf(entries []store.Entry) (people, keys []string, err error) {
	for _, e := range entries {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case slices.Contains(people, leaf.Actor), slices.Contains(keys, leaf.Actor):
		case countersign.IsID(countersign.PrefixPerson, leaf.Actor):
			people = append(people, leaf.Actor)
		case countersign.IsID(countersign.PrefixKey, leaf.Actor):
			keys = append(keys, leaf.Actor)
		}
	}
	return people, keys, nil
}

// know reads the names of people and keys. Nobody of an id has none.
func (r *pageReader) know(people, keys []string) error {
	persons, err := r.tx.PeopleByID(people)
	if err != nil {
		return err
	}
	known, err := r.tx.KeysByID(keys)
	if err != nil {
		return err
	}
	for _, id := range people {
		r.names[id] = persons[id].Name
	}
	for _, id := range keys {
		r.names[id] = known[id].Name
	}
	return nil
}

func (r *pageReader) decisions(timeline []TimelineEvent) ([]DecisionLine, error) {
	index := map[string]int64{}
	for _, e := range timeline {
		index[e.Entry] = e.Index
	}
	out := []DecisionLine{}
	for _, d := range r.c.decisions {
		line, err := decisionLine(d)
		if err != nil {
			return nil, err
		}
		line.Index, line.Yours = store.Unplaced, d.Person == r.v.person
		if i, ok := index[d.EntryID]; ok {
			line.Index = i
		}
		for _, s := range r.c.state.Decisions {
			if s.ID == d.ID {
				line.Void = s.Void
			}
		}
		out = append(out, line)
	}
	return out, nil
}

// decisionLine reads a stored decision.
func decisionLine(row store.Decision) (DecisionLine, error) {
	var d countersign.Decision
	if err := json.Unmarshal([]byte(row.Body), &d); err != nil {
		return DecisionLine{}, err
	}
	factor := FactorSession
	switch {
	case d.Evidence.Passkey != nil:
		factor = store.FactorPasskey
	case d.Evidence.TOTP != nil:
		factor = store.FactorTOTP
	}
	return DecisionLine{ID: d.ID, Person: d.Person, ActingFor: d.ActingFor, Act: d.Act, Factor: factor, Assurance: d.Evidence.Assurance,
		Simulated:  d.Evidence.Passkey != nil && d.Evidence.Passkey.Simulated,
		BreakGlass: d.BreakGlass, Unexpected: d.Unexpected, Reason: d.Reason, At: row.At, Entry: row.EntryID}, nil
}
