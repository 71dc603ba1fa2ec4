package authority

import (
	"context"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// RequestsPage is a page of requests, with what it can be narrowed to.
type RequestsPage struct {
	RequestTable
	Choices TableChoices
	Eye     *Eye // nil where it was not asked for
}

// Eye is the figures that a control owner keeps an eye on.
type Eye struct {
	Founding *FoundingState
	Holds    InboxCount // that run
	Freezes  int        // in force
	ToReview int        // uses of break-glass without a review
}

// RequestsPage reads it for controllers, auditors and administrators; with the figures
// where they are asked for.
func (a *Authority) RequestsPage(ctx context.Context, s Session, f TableFilter, p TablePage, eye bool) (*RequestsPage, error) {
	return look(ctx, a, s, func(r *reading) (*RequestsPage, error) {
		table, err := r.requestTable(f, p)
		if err != nil {
			return nil, err
		}
		choices, err := r.choices(f)
		if err != nil {
			return nil, err
		}
		out := &RequestsPage{RequestTable: *table, Choices: *choices}
		if eye {
			out.Eye, err = r.eye()
		}
		return out, err
	})
}

// mostHolds is as far as the holds are counted.
const mostHolds = 100

func (r *reading) eye() (*Eye, error) {
	founding, err := r.founding()
	if err != nil {
		return nil, err
	}
	after, id, err := splitAfter("", countersign.PrefixRequest)
	if err != nil {
		return nil, err
	}
	holds, err := r.tx.HeldNow(after, id, mostHolds+1)
	if err != nil {
		return nil, err
	}
	freezes, err := r.freezes()
	if err != nil {
		return nil, err
	}
	uses, err := r.toReview()
	if err != nil {
		return nil, err
	}
	return &Eye{Founding: founding, Holds: InboxCount{N: min(len(holds), mostHolds), More: len(holds) > mostHolds},
		Freezes: len(freezes.Items), ToReview: len(uses.Items)}, nil
}

// DecisionsPage is a page of decisions, with what it can be narrowed to.
type DecisionsPage struct {
	DecisionTable
	Choices TableChoices
}

// DecisionsPage reads it for controllers, auditors and administrators.
func (a *Authority) DecisionsPage(ctx context.Context, s Session, f TableFilter, p TablePage) (*DecisionsPage, error) {
	return look(ctx, a, s, func(r *reading) (*DecisionsPage, error) {
		table, err := r.decisionTable(f, p)
		if err != nil {
			return nil, err
		}
		choices, err := r.choices(f)
		if err != nil {
			return nil, err
		}
		return &DecisionsPage{*table, *choices}, nil
	})
}

// PolicyPage is one version of the policy with its history, how often its rules counted,
// and the proposals of another that wait.
type PolicyPage struct {
	Policy   PolicyView   // with its text
	Versions []PolicyView // newest first, without their texts
	Figures  RuleFigures
	Waiting  []RequestRow
	Names    Names // of who published them
}

// mostProposals bounds the proposals that a page of the policy points to.
const mostProposals = 3

// PolicyPage reads a version, 0 for the one in force, for those who may read the register.
func (a *Authority) PolicyPage(ctx context.Context, s Session, version int64) (*PolicyPage, error) {
	return look(ctx, a, s, func(r *reading) (*PolicyPage, error) {
		p, err := r.policy(version)
		if err != nil {
			return nil, err
		}
		versions, err := r.policies()
		if err != nil {
			return nil, err
		}
		figures, err := r.ruleFigures()
		if err != nil {
			return nil, err
		}
		f := TableFilter{Kind: countersign.KindPolicyPublish, Status: countersign.StatusPending}
		waiting, err := r.requestTable(f, TablePage{Limit: mostProposals})
		if err != nil {
			return nil, err
		}
		by := []string{p.PublishedBy}
		for _, v := range versions.Items {
			by = append(by, v.PublishedBy)
		}
		names, err := r.names(by...)
		return &PolicyPage{*p, versions.Items, *figures, waiting.Items, names}, err
	})
}

// PolicyDifference is two versions of the policy with their texts, and all that there are.
type PolicyDifference struct {
	Was, Now PolicyView
	Versions []PolicyView // newest first, without their texts
}

// PolicyDifference reads two versions: 0 as the second is the one in force, and as the
// first the one before the second.
func (a *Authority) PolicyDifference(ctx context.Context, s Session, from, to int64) (*PolicyDifference, error) {
	return look(ctx, a, s, func(r *reading) (*PolicyDifference, error) {
		versions, err := r.policies()
		if err != nil {
			return nil, err
		}
		if len(versions.Items) == 0 {
			return nil, store.ErrNotFound
		}
		if to == 0 {
			to = versions.Items[0].Version
		}
		if from == 0 {
			from = max(to-1, 1)
		}
		was, err := r.policy(from)
		if err != nil {
			return nil, err
		}
		now, err := r.policy(to)
		if err != nil {
			return nil, err
		}
		return &PolicyDifference{*was, *now, versions.Items}, nil
	})
}
