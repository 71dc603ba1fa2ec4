package authority

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// Overview is what waits for somebody's attention.
type Overview struct {
	Administrators int        // active members of that group
	Unconfirmed    InboxCount // enrolments that wait for a second person; counted for administrators alone
	ToReview       int        // uses of break-glass without a review
	Alerts         InboxCount // that are open
	Freezes        int        // in force
	Stuck          InboxCount // requests that nobody could decide
	Keys           []KeyView
	Changes        []OpenChange // to Countersign itself, newest first
	MoreChanges    bool
}

// mostAlerts is as far as open alerts are counted.
const mostAlerts = 200

// Overview reads the overview of the administration, for those who may read the register.
func (a *Authority) Overview(ctx context.Context, s Session) (*Overview, error) {
	return look(ctx, a, s, (*reading).overview)
}

func (r *reading) overview() (*Overview, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	out := &Overview{}
	members, err := r.tx.Memberships()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Group == GroupAdministrators {
			out.Administrators++
		}
	}
	if err := r.waiting(out); err != nil {
		return nil, err
	}

	f := store.ApprovalFilter{Statuses: []countersign.Status{countersign.StatusUnsatisfiable}}
	stuck, more, err := r.open(f)
	if err != nil {
		return nil, err
	}
	out.Stuck = InboxCount{N: len(stuck), More: more}
	out.Changes, out.MoreChanges, err = r.openChanges("")
	return out, err
}

// waiting adds what waits beside the requests.
func (r *reading) waiting(out *Overview) error {
	if r.administrator() == nil {
		enrolments, err := r.unconfirmed()
		if err != nil {
			return err
		}
		n := len(enrolments.Items)
		out.Unconfirmed = InboxCount{N: n, More: n >= mostUnconfirmed}
	}
	uses, err := r.toReview()
	if err != nil {
		return err
	}
	alerts, err := r.alerts(true, "", mostAlerts)
	if err != nil {
		return err
	}
	freezes, err := r.freezes()
	if err != nil {
		return err
	}
	keys, err := r.apiKeys()
	if err != nil {
		return err
	}
	out.ToReview, out.Freezes, out.Keys = len(uses.Items), len(freezes.Items), keys.Items
	out.Alerts = InboxCount{N: len(alerts.Items), More: alerts.Next != ""}
	return nil
}

// SettingsPage is the organisation's settings, with the changes of them that wait.
type SettingsPage struct {
	SettingsView
	Changes []OpenChange
}

// SettingsPage reads it, for those who may read the register.
func (a *Authority) SettingsPage(ctx context.Context, s Session) (*SettingsPage, error) {
	return look(ctx, a, s, func(r *reading) (*SettingsPage, error) {
		all, err := r.allSettings()
		if err != nil {
			return nil, err
		}
		changes, _, err := r.openChanges("settings")
		return &SettingsPage{*all, changes}, err
	})
}

// BreakGlassReview is the uses that wait for a review, and what whoever reviews one
// proves themself with.
type BreakGlassReview struct {
	BreakGlassUses
	Means Means
}

// BreakGlassReview reads it, for those who may read the register.
func (a *Authority) BreakGlassReview(ctx context.Context, s Session) (*BreakGlassReview, error) {
	return look(ctx, a, s, func(r *reading) (*BreakGlassReview, error) {
		uses, err := r.toReview()
		if err != nil {
			return nil, err
		}
		means, err := r.means()
		if err != nil {
			return nil, err
		}
		return &BreakGlassReview{*uses, *means}, nil
	})
}

// KeysPage is the API keys, oldest first, with the names of who made them.
type KeysPage struct {
	KeysView
	Names Names
}

// KeysPage reads it, for those who may read the register.
func (a *Authority) KeysPage(ctx context.Context, s Session) (*KeysPage, error) {
	return look(ctx, a, s, (*reading).keysPage)
}

func (r *reading) keysPage() (*KeysPage, error) {
	all, err := r.apiKeys()
	if err != nil {
		return nil, err
	}
	var by []string
	for _, k := range all.Items {
		by = append(by, k.CreatedBy)
	}
	names, err := r.names(by...)
	return &KeysPage{*all, names}, err
}

// KeyPage is an API key that was not ended, with the name of who made it.
type KeyPage struct {
	KeyView
	Names Names
	Means Means // of who looks
}

// KeyPage reads one, for administrators.
func (a *Authority) KeyPage(ctx context.Context, s Session, id string) (*KeyPage, error) {
	return look(ctx, a, s, func(r *reading) (*KeyPage, error) {
		if err := r.administrator(); err != nil {
			return nil, err
		}
		all, err := r.keysPage()
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all.Items, func(k KeyView) bool { return k.ID == id && k.RevokedAt == "" })
		if at < 0 {
			return nil, notFound()
		}
		means, err := r.means()
		if err != nil {
			return nil, err
		}
		return &KeyPage{all.Items[at], all.Names, *means}, nil
	})
}

// AlertsPage is a page of alerts, newest first, with the names of whom and what they name.
type AlertsPage struct {
	countersign.Page[countersign.Alert]
	Names Names
}

// AlertsPage reads one, for people whose groups look after alerts.
func (a *Authority) AlertsPage(ctx context.Context, s Session, openOnly bool, before string, limit int) (*AlertsPage, error) {
	return look(ctx, a, s, func(r *reading) (*AlertsPage, error) {
		page, err := r.alerts(openOnly, before, limit)
		if err != nil {
			return nil, err
		}
		names, err := r.namesOfAlerts(page.Items)
		return &AlertsPage{page, names}, err
	})
}

// OpenAlert reads one alert that is open, as a page of alerts shows it.
func (a *Authority) OpenAlert(ctx context.Context, s Session, id string) (*AlertsPage, error) {
	return look(ctx, a, s, func(r *reading) (*AlertsPage, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		row, err := r.tx.Alert(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !(row.Closed.IsZero() && row.Expires.After(r.tx.Now())) {
			return nil, notFound()
		} else if err != nil {
			return nil, err
		}
		out := &AlertsPage{}
		out.Items = []countersign.Alert{alertView(row)}
		out.Names, err = r.namesOfAlerts(out.Items)
		return out, err
	})
}

func (r *reading) namesOfAlerts(alerts []countersign.Alert) (Names, error) {
	var ids []string
	for _, a := range alerts {
		ids = append(ids, a.About.Person, a.ClosedBy, a.Source, a.Owner) // those of people have names
		if a.About.Vendor != "" {
			ids = append(ids, store.AboutVendor(a.About.Vendor))
		}
	}
	return r.names(ids...)
}

// AlertForm is what an alert can be raised about, and who can look after it.
type AlertForm struct {
	Groups   []Group
	Name     string // of the person or the vendor that was chosen; "" of a vendor that is not on record
	Document []byte // of the request that was chosen; empty where it was erased
}

// AlertForm reads it for the subject that was chosen, if one was.
func (a *Authority) AlertForm(ctx context.Context, s Session, about countersign.AlertSubject) (*AlertForm, error) {
	return look(ctx, a, s, func(r *reading) (*AlertForm, error) {
		groups, err := r.allGroups()
		if err != nil {
			return nil, err
		}
		out := &AlertForm{Groups: groups}
		if about.Request != "" {
			c, _, err := a.find(r.tx, Caller{Session: &s}, about.Request)
			if err != nil {
				return nil, err
			}
			out.Document = c.row.Document
			return out, nil
		}
		out.Name, err = r.subject(about.Person, about.Vendor)
		return out, err
	})
}

// subject names the person or the vendor that something is to be about. A person must be
// on record, a vendor need not be.
func (r *reading) subject(person, vendor string) (string, error) {
	if person == "" && vendor == "" {
		return "", nil
	}
	about := person
	if person == "" {
		about = store.AboutVendor(vendor)
	}
	known, err := r.names(about)
	if err == nil && person != "" && known[person] == "" {
		_, err = r.tx.Person(person)
	}
	return known[about], err
}

// FreezesPage is the freezes in force, with the names of whom and what they name.
type FreezesPage struct {
	FreezesView
	Names Names
}

// FreezesPage reads it, for those who may read the register.
func (a *Authority) FreezesPage(ctx context.Context, s Session) (*FreezesPage, error) {
	return look(ctx, a, s, func(r *reading) (*FreezesPage, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		all, err := r.freezes()
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, f := range all.Items {
			ids = append(ids, f.Person, f.PlacedBy)
			if f.Vendor != "" {
				ids = append(ids, store.AboutVendor(f.Vendor))
			}
		}
		names, err := r.names(ids...)
		return &FreezesPage{*all, names}, err
	})
}

// FreezeForm is what is to be frozen by name, and what whoever freezes it proves themself
// with.
type FreezeForm struct {
	Name  string // "" of a vendor that is not on record
	Means Means
}

// FreezeForm reads it for the person or the vendor that was chosen, if one was.
func (a *Authority) FreezeForm(ctx context.Context, s Session, person, vendor string) (*FreezeForm, error) {
	return look(ctx, a, s, func(r *reading) (*FreezeForm, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		name, err := r.subject(person, vendor)
		if err != nil {
			return nil, err
		}
		means, err := r.means()
		if err != nil {
			return nil, err
		}
		return &FreezeForm{name, *means}, nil
	})
}
