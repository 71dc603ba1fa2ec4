package authority

import (
	"context"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// Who is who is signed in, and with what kind of session.
type Who struct {
	Person       countersign.Principal `json:"person"`
	Session      string                `json:"session"` // ses_…
	Kind         string                `json:"kind"`    // "normal", "enrolment", "hand_over"
	Request      string                `json:"request,omitempty"`
	Groups       []string              `json:"groups"`
	Organisation string                `json:"organisation"`
	Founding     bool                  `json:"founding,omitempty"`
}

// WhoAmI says who is signed in.
func (a *Authority) WhoAmI(ctx context.Context, s Session) (*Who, error) {
	return look(ctx, a, s, (*reading).who)
}

func (r *reading) who() (*Who, error) {
	s := r.s
	at, err := r.settings()
	if err != nil {
		return nil, err
	}
	groups, err := r.mine()
	return &Who{Person: countersign.Principal{ID: s.Person.ID, Name: s.Person.Name}, Session: s.ID(), Kind: string(s.live.Kind()), Request: s.Request(),
		Groups: groups, Organisation: r.a.org.Name, Founding: at.founding}, err
}

// OrganisationView is what everybody who is known here may know of the organisation.
type OrganisationView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	PublicURL string   `json:"public_url"`
	RPID      string   `json:"rp_id"`
	Founding  bool     `json:"founding,omitempty"`
	Demo      bool     `json:"demo,omitempty"`
	Origin    string   `json:"log_origin"`
	Keys      []string `json:"log_keys"` // public, as name+hash+base64, newest last
	Kinds     []string `json:"kinds"`    // custom kinds of documents
}

// Describe says what organisation this is, and by which keys its log is verified.
func (a *Authority) Describe(ctx context.Context, c Caller) (*OrganisationView, error) {
	out := &OrganisationView{}
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		if _, err := a.viewerFor(tx, c); err != nil {
			return err
		}
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		*out = OrganisationView{ID: a.org.ID, Name: a.org.Name, Host: a.org.Host, PublicURL: a.org.PublicURL, RPID: a.org.RPID, Founding: at.founding,
			Demo: a.org.Demo, Origin: a.org.Origin, Keys: a.Verifiers(), Kinds: []string{}}
		out.Kinds = append(out.Kinds, at.settings.Kinds...)
		return nil
	})
	return out, fault(err)
}

// PersonView is a person as those see them who may read the register.
type PersonView struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Email      string              `json:"email,omitempty"`
	Active     bool                `json:"active"`
	Privileged bool                `json:"privileged"`
	Manager    string              `json:"manager,omitempty"`
	Groups     []string            `json:"groups"`
	Limits     []LimitView         `json:"limits"`
	Identities []countersign.Alias `json:"identities"`
}

// LimitView is the most that a person may approve; without a kind it is for every
// kind that has no limit of its own.
type LimitView struct {
	Kind   string             `json:"kind,omitempty"`
	Amount countersign.Amount `json:"amount"`
}

// People lists people by id, a page at a time.
func (a *Authority) People(ctx context.Context, s Session, after string, limit int) (countersign.Page[PersonView], error) {
	return look(ctx, a, s, func(r *reading) (countersign.Page[PersonView], error) {
		page := countersign.Page[PersonView]{Items: []PersonView{}}
		if err := r.register(); err != nil {
			return page, err
		}
		rows, err := r.tx.People(after, limit+1)
		if err != nil {
			return page, err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			page.Next = rows[limit-1].ID
		}
		page.Items, err = viewPeople(r.tx, rows)
		return page, err
	})
}

// Person reads one person: oneself, or anybody for those who may read the register.
func (a *Authority) Person(ctx context.Context, s Session, id string) (*PersonView, error) {
	return look(ctx, a, s, func(r *reading) (*PersonView, error) { return r.person(id) })
}

func (r *reading) person(id string) (*PersonView, error) {
	if err := r.s.browse(); err != nil {
		return nil, err
	}
	if id != r.s.Person.ID {
		if err := r.register(); err != nil {
			return nil, err
		}
	}
	row, err := r.tx.Person(id)
	if err != nil {
		return nil, err
	}
	v, err := viewPerson(r.tx, row)
	return &v, err
}

func viewPerson(tx *store.Tx, row store.Person) (PersonView, error) {
	all, err := viewPeople(tx, []store.Person{row})
	if err != nil {
		return PersonView{}, err
	}
	return all[0], nil
}

// viewPeople writes people with what they are in, what they may and who else they are.
func viewPeople(tx *store.Tx, rows []store.Person) ([]PersonView, error) {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	groups, err := tx.GroupsOfEach(ids)
	if err != nil {
		return nil, err
	}
	limits, err := tx.LimitsOfEach(ids)
	if err != nil {
		return nil, err
	}
	identities, err := tx.IdentitiesOfEach(ids)
	if err != nil {
		return nil, err
	}
	out := make([]PersonView, len(rows))
	for i, row := range rows {
		v := PersonView{ID: row.ID, Name: row.Name, Email: row.Email, Active: row.Active, Privileged: row.Privileged, Manager: row.Manager,
			Groups: []string{}, Limits: []LimitView{}, Identities: []countersign.Alias{}}
		for _, g := range groups[row.ID] {
			v.Groups = append(v.Groups, g.Group)
		}
		for _, l := range limits[row.ID] {
			v.Limits = append(v.Limits, LimitView{l.Kind, countersign.Amount{Value: countersign.FormatMinor(l.Minor, l.Currency), Currency: l.Currency}})
		}
		for _, id := range identities[row.ID] {
			v.Identities = append(v.Identities, countersign.Alias{Source: id.Source, Subject: id.Subject})
		}
		out[i] = v
	}
	return out, nil
}

// KeyView is an API key, without the key.
type KeyView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Source    string   `json:"source"`
	Scopes    []string `json:"scopes"`
	Returns   []string `json:"return_origins"`
	CreatedAt string   `json:"created_at"`
	CreatedBy string   `json:"created_by"` // per_… or "operator"
	ExpiresAt string   `json:"expires_at,omitempty"`
	RevokedAt string   `json:"revoked_at,omitempty"`
	// Waits says that it works only once a second administrator has confirmed it.
	Waits       bool   `json:"needs_confirmation,omitempty"`
	ConfirmedBy string `json:"confirmed_by,omitempty"` // per_… or "operator", where somebody had to
}

// KeysView lists API keys, oldest first.
type KeysView struct {
	Items []KeyView `json:"items"`
}

// APIKeys lists the API keys.
func (a *Authority) APIKeys(ctx context.Context, s Session) (*KeysView, error) {
	return look(ctx, a, s, (*reading).apiKeys)
}

func (r *reading) apiKeys() (*KeysView, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	rows, err := r.tx.APIKeys()
	if err != nil {
		return nil, err
	}
	out := &KeysView{Items: []KeyView{}}
	for _, row := range rows {
		k, err := keyOf(row)
		if err != nil {
			return nil, err
		}
		v := KeyView{ID: k.ID, Name: k.Name, Source: k.Source, Scopes: []string{}, Returns: []string{}, CreatedAt: stamp(row.Created), CreatedBy: row.CreatedBy,
			ExpiresAt: stamp(row.Expires), RevokedAt: stamp(row.Revoked), Waits: row.Waits, ConfirmedBy: row.ConfirmedBy}
		for _, sc := range k.Scopes {
			v.Scopes = append(v.Scopes, string(sc))
		}
		v.Returns = append(v.Returns, k.Returns...)
		out.Items = append(out.Items, v)
	}
	return out, nil
}

// PolicyView is one version of the policy. Text and lists are left out in lists of
// versions.
type PolicyView struct {
	Version     int64             `json:"version"`
	Digest      string            `json:"digest"`
	Text        string            `json:"text,omitempty"`
	Lists       map[string]string `json:"lists,omitempty"`
	PublishedAt string            `json:"published_at"`
	PublishedBy string            `json:"published_by"` // per_… or "operator"
	Entry       string            `json:"entry"`        // of the log
}

// PoliciesView lists versions of the policy, newest first.
type PoliciesView struct {
	Items []PolicyView `json:"items"`
}

func viewPolicy(p store.Policy) PolicyView {
	return PolicyView{Version: p.Version, Digest: p.Digest, PublishedAt: stamp(p.Published), PublishedBy: p.PublishedBy, Entry: p.EntryID}
}

// mostVersions bounds the list of versions.
const mostVersions = 200

// Policies lists the versions of the policy.
func (a *Authority) Policies(ctx context.Context, s Session) (*PoliciesView, error) {
	return look(ctx, a, s, (*reading).policies)
}

func (r *reading) policies() (*PoliciesView, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	out := &PoliciesView{Items: []PolicyView{}}
	rows, err := r.tx.Policies(mostVersions)
	for _, row := range rows {
		out.Items = append(out.Items, viewPolicy(row))
	}
	return out, err
}

// Policy reads one version of the policy with its text; 0 is the one in force.
func (a *Authority) Policy(ctx context.Context, s Session, version int64) (*PolicyView, error) {
	return look(ctx, a, s, func(r *reading) (*PolicyView, error) { return r.policy(version) })
}

func (r *reading) policy(version int64) (*PolicyView, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	row, err := r.tx.CurrentPolicy()
	if version > 0 && err == nil && version != row.Version {
		row, err = r.tx.PolicyVersion(version)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, countersign.NewProblem(countersign.CodeNotFound, "there is no such version of the policy")
	} else if err != nil {
		return nil, err
	}
	src, err := parseBody(row.Body)
	if err != nil {
		return nil, err
	}
	out := viewPolicy(row)
	out.Text, out.Lists = string(src.Text), src.Lists
	return &out, nil
}

// FreezeView is a freeze of a vendor or a person.
type FreezeView struct {
	ID        string `json:"id"`
	Vendor    string `json:"vendor,omitempty"`
	Person    string `json:"person,omitempty"`
	Reason    string `json:"reason"`
	PlacedBy  string `json:"placed_by"`
	PlacedAt  string `json:"placed_at"`
	ExpiresAt string `json:"expires_at"`
}

// FreezesView lists freezes.
type FreezesView struct {
	Items []FreezeView `json:"items"`
}

// ViewFreeze writes a freeze as it goes over the wire.
func ViewFreeze(f store.Freeze) FreezeView {
	v := FreezeView{ID: f.ID, Reason: f.Reason, PlacedBy: f.PlacedBy, PlacedAt: stamp(f.Placed), ExpiresAt: stamp(f.Expires)}
	if vendor, ok := vendorOf(f.About); ok {
		v.Vendor = vendor
	} else {
		v.Person = f.About
	}
	return v
}

// Freezes lists the freezes in force.
func (a *Authority) Freezes(ctx context.Context, s Session) (*FreezesView, error) {
	return look(ctx, a, s, (*reading).freezes)
}

func (r *reading) freezes() (*FreezesView, error) {
	if err := r.s.browse(); err != nil {
		return nil, err
	}
	out := &FreezesView{Items: []FreezeView{}}
	rows, err := r.tx.OpenFreezes()
	for _, row := range rows {
		out.Items = append(out.Items, ViewFreeze(row))
	}
	return out, err
}
