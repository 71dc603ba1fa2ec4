package authority

import (
	"context"
	"slices"

	"github.com/countersign/countersign"
)

// PeoplePage is a page of people by name, and the groups that it can be narrowed to.
type PeoplePage struct {
	countersign.Page[PersonView]
	Groups []Group
}

// PeoplePage reads it, for those who may read the register.
func (a *Authority) PeoplePage(ctx context.Context, s Session, q PeopleQuery) (*PeoplePage, error) {
	return look(ctx, a, s, func(r *reading) (*PeoplePage, error) {
		groups, err := r.allGroups()
		if err != nil {
			return nil, err
		}
		page, err := r.searchPeople(q.bounded())
		return &PeoplePage{page, groups}, err
	})
}

// PersonPage is a person's record, with the changes of it that wait.
type PersonPage struct {
	PersonRecord
	Changes []OpenChange
}

// PersonPage reads it, for those who may read the register.
func (a *Authority) PersonPage(ctx context.Context, s Session, id string) (*PersonPage, error) {
	return look(ctx, a, s, func(r *reading) (*PersonPage, error) {
		record, err := r.personRecord(id)
		if err != nil {
			return nil, err
		}
		changes, _, err := r.openChanges(id)
		return &PersonPage{*record, changes}, err
	})
}

// PersonForm is what a change of somebody's rights is proposed from.
type PersonForm struct {
	Person PersonView
	Groups []Group
	Kinds  []string // of documents, that the organisation has of its own
}

// PersonForm reads it, for those who may read the register.
func (a *Authority) PersonForm(ctx context.Context, s Session, id string) (*PersonForm, error) {
	return look(ctx, a, s, func(r *reading) (*PersonForm, error) {
		groups, err := r.allGroups()
		if err != nil {
			return nil, err
		}
		p, err := r.person(id)
		if err != nil {
			return nil, err
		}
		at, err := r.settings()
		if err != nil {
			return nil, err
		}
		return &PersonForm{*p, groups, slices.Clone(at.settings.Kinds)}, nil
	})
}

// InviteForm is whom somebody invites, and what they prove themself with.
type InviteForm struct {
	Person PersonView
	Means  Means
}

// InviteForm reads it, for administrators.
func (a *Authority) InviteForm(ctx context.Context, s Session, id string) (*InviteForm, error) {
	return look(ctx, a, s, func(r *reading) (*InviteForm, error) {
		if err := r.administrator(); err != nil {
			return nil, err
		}
		p, err := r.person(id)
		if err != nil {
			return nil, err
		}
		means, err := r.means()
		if err != nil {
			return nil, err
		}
		return &InviteForm{*p, *means}, nil
	})
}

// DelegationsPage is a page of delegations, and whom the person can name in one.
type DelegationsPage struct {
	countersign.Page[DelegationView]
	Colleagues
}

// DelegationsPage reads it: see [Authority.Delegations] for who sees what.
func (a *Authority) DelegationsPage(ctx context.Context, s Session, q DelegationQuery) (*DelegationsPage, error) {
	return look(ctx, a, s, func(r *reading) (*DelegationsPage, error) {
		page, err := r.delegations(q)
		if err != nil {
			return nil, err
		}
		colleagues, err := r.colleagues()
		if err != nil {
			return nil, err
		}
		return &DelegationsPage{page, *colleagues}, nil
	})
}

// DelegationForm is what a delegation can say, and what whoever makes it proves themself
// with.
type DelegationForm struct {
	Colleagues
	Kinds []string // of documents, that the organisation has of its own
	Means Means
}

// DelegationForm reads it.
func (a *Authority) DelegationForm(ctx context.Context, s Session) (*DelegationForm, error) {
	return look(ctx, a, s, func(r *reading) (*DelegationForm, error) {
		colleagues, err := r.colleagues()
		if err != nil {
			return nil, err
		}
		at, err := r.settings()
		if err != nil {
			return nil, err
		}
		means, err := r.means()
		if err != nil {
			return nil, err
		}
		return &DelegationForm{*colleagues, slices.Clone(at.settings.Kinds), *means}, nil
	})
}

// FactorsPage is what a person proves themself with, when each was used last, and how
// many enrolments of others wait for them.
type FactorsPage struct {
	MyAuthenticators
	Waiting int // of others; counted for administrators alone
}

// FactorsPage reads it.
func (a *Authority) FactorsPage(ctx context.Context, s Session) (*FactorsPage, error) {
	return look(ctx, a, s, func(r *reading) (*FactorsPage, error) {
		have, err := r.authenticatorsUsed()
		if err != nil {
			return nil, err
		}
		out := &FactorsPage{MyAuthenticators: *have}
		if r.administrator() != nil {
			return out, nil
		}
		enrolments, err := r.unconfirmed()
		if err != nil {
			return nil, err
		}
		for _, e := range enrolments.Items {
			if e.Person != s.Person.ID {
				out.Waiting++
			}
		}
		return out, nil
	})
}

// ConfirmForm is the enrolments that wait for a second person, and what whoever confirms
// one proves themself with.
type ConfirmForm struct {
	Unconfirmed
	Means Means
}

// ConfirmForm reads it, for administrators.
func (a *Authority) ConfirmForm(ctx context.Context, s Session) (*ConfirmForm, error) {
	return look(ctx, a, s, func(r *reading) (*ConfirmForm, error) {
		enrolments, err := r.unconfirmed()
		if err != nil {
			return nil, err
		}
		means, err := r.means()
		if err != nil {
			return nil, err
		}
		return &ConfirmForm{*enrolments, *means}, nil
	})
}
