package authority

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// reading is one snapshot of the database, and who looks at it. What a page shows is read
// through one, so that no two parts of the page can contradict each other. It writes
// nothing.
type reading struct {
	a  *Authority
	tx *store.Tx
	s  Session

	at     *settingsAt // nil until it was asked for
	groups []string    // of who looks; nil until they were asked for
	inbox  *inboxOf    // nil until it was asked for
}

// look answers from one snapshot. The function may run again, and so begins anew each time.
func look[V any](ctx context.Context, a *Authority, s Session, read func(*reading) (V, error)) (V, error) {
	var out V
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = read(&reading{a: a, tx: tx, s: s})
		return err
	})
	return out, fault(err)
}

// settings are the organisation's settings in this snapshot.
func (r *reading) settings() (at *settingsAt, err error) {
	if r.at == nil {
		r.at, err = r.a.current(r.tx)
	}
	return r.at, err
}

// mine are the groups of who looks.
func (r *reading) mine() (groups []string, err error) {
	if r.groups == nil {
		if groups, err = groupNames(r.tx, r.s.Person.ID); err != nil {
			return nil, err
		}
		r.groups = append([]string{}, groups...)
	}
	return r.groups, nil
}

// requests reads requests as the inbox and the tables show them.
func (r *reading) requests() (_ *inboxOf, err error) {
	if r.inbox == nil {
		r.inbox, err = r.a.inboxOf(r.tx, r.s)
	}
	return r.inbox, err
}

// member refuses whoever is in none of the groups.
func (r *reading) member(groups ...string) error {
	if err := r.s.browse(); err != nil {
		return err
	}
	have, err := r.mine()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(have, func(g string) bool { return slices.Contains(groups, g) }) {
		return countersign.NewProblem(countersign.CodeForbidden, "only members of %s may do this", strings.Join(groups, " or "))
	}
	return nil
}

// register refuses whoever may not read who there is and what they may.
func (r *reading) register() error {
	return r.member(GroupAuditors, GroupControllers, GroupAdministrators)
}

func (r *reading) administrator() error { return r.member(GroupAdministrators) }

// Names are what people and vendors are called: people by their ids, vendors by their
// numbers as "vendor:4711". Who is not known is not among them.
type Names map[string]string

// names reads what ids stand for, whatever else there is among them.
func (r *reading) names(ids ...string) (Names, error) {
	var people, vendors []string
	for _, id := range unique(ids) {
		if vendor, ok := vendorOf(id); ok {
			vendors = append(vendors, vendor)
		} else if countersign.IsID(countersign.PrefixPerson, id) {
			people = append(people, id)
		}
	}
	persons, err := r.tx.PeopleByID(people)
	if err != nil {
		return nil, err
	}
	known, err := r.tx.VendorsByID(vendors)
	if err != nil {
		return nil, err
	}
	out := Names{}
	for id, p := range persons {
		out[id] = p.Name
	}
	for id, v := range known {
		out[store.AboutVendor(id)] = v.Name
	}
	return out, nil
}

// principals reads people by name, in the order of their ids' list. Who is not there is
// an error: a row that names them holds them.
func principals(tx *store.Tx, ids []string) (map[string]countersign.Principal, error) {
	people, err := tx.PeopleByID(unique(ids))
	if err != nil {
		return nil, err
	}
	out := make(map[string]countersign.Principal, len(people))
	for _, id := range ids {
		p, ok := people[id]
		if !ok {
			return nil, store.ErrNotFound
		}
		out[id] = countersign.Principal{ID: p.ID, Name: p.Name}
	}
	return out, nil
}

// Means are what a person can prove themself with where a page asks for it.
type Means struct {
	Authenticators []AuthenticatorView // oldest first
	Login          string              // what they sign in with beside a password; "" for whom no directory knows
}

// Means reads them.
func (a *Authority) Means(ctx context.Context, s Session) (*Means, error) {
	return look(ctx, a, s, (*reading).means)
}

func (r *reading) means() (*Means, error) {
	have, err := r.authenticators()
	if err != nil {
		return nil, err
	}
	login, err := loginName(r.tx, r.s.Person.ID)
	return &Means{have.Items, login}, err
}

// AdministratorMeans are the means of an administrator, for the pages that are theirs.
func (a *Authority) AdministratorMeans(ctx context.Context, s Session) (*Means, error) {
	return look(ctx, a, s, func(r *reading) (*Means, error) {
		if err := r.administrator(); err != nil {
			return nil, err
		}
		return r.means()
	})
}

// OpenChange is a change to Countersign itself that waits for a decision.
type OpenChange struct {
	Request, Kind, Subject string
	By                     string // name of who proposed it
	CreatedAt, DecideBy    string
}

// mostShown bounds lists that lead to a longer one.
const mostShown = 20

// openChanges reads the changes that wait, newest first: about an object, or about any
// where it is "".
func (r *reading) openChanges(object string) (out []OpenChange, more bool, err error) {
	internal := true
	f := store.ApprovalFilter{Internal: &internal, Object: object, Statuses: []countersign.Status{countersign.StatusPending, countersign.StatusUnsatisfiable}}
	cases, more, err := r.open(f)
	if err != nil {
		return nil, false, err
	}
	var by []string
	for _, c := range cases {
		ch := OpenChange{Request: c.row.ID, Kind: c.row.Kind, CreatedAt: stamp(c.state.CreatedAt), DecideBy: stamp(c.state.DecideBy)}
		proposer := ""
		if len(c.row.Document) > 0 {
			var d countersign.Document
			if err := countersign.DecodeStrict(c.row.Document, &d); err != nil {
				return nil, false, err
			}
			ch.Subject, proposer = d.Subject, d.Custom["proposed_by"]
			if d.Requester != nil && proposer == "" {
				ch.By = d.Requester.Name
			}
		}
		by = append(by, proposer)
		out = append(out, ch)
	}
	known, err := r.names(by...)
	for i := range out {
		if by[i] == "" {
			continue
		}
		if out[i].By = known[by[i]]; out[i].By == "" {
			out[i].By = by[i]
		}
	}
	return out, more, err
}

// open reads up to [mostShown] requests that are in one of the filter's statuses as of
// now, newest first, and whether there are more. One that was changed in the database is
// shown on its own page alone.
func (r *reading) open(f store.ApprovalFilter) (out []*caseFile, more bool, err error) {
	for before, scanned := "", 0; ; {
		rows, err := r.tx.Approvals(f, before, mostShown+1)
		if err != nil {
			return nil, false, err
		}
		for _, row := range rows {
			before = row.ID
			c, err := light(row)
			if errors.Is(err, errTampered) {
				continue
			} else if err != nil {
				return nil, false, err
			}
			if c.asOf(r.tx.Now()); !slices.Contains(f.Statuses, c.state.Status) {
				continue
			}
			if len(out) == mostShown {
				return out, true, nil
			}
			out = append(out, c)
		}
		if scanned += len(rows); len(rows) <= mostShown {
			return out, false, nil
		}
		if scanned >= 20*mostShown {
			return out, true, nil
		}
	}
}
