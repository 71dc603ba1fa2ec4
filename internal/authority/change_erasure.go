package authority

import (
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindErasure,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  twoPeople,
	proposers: thoseWhoDecide,
	assurance: countersign.AssurancePhishingResistant,
	about:     aboutNobody,
	fields:    noFields,
	from:      nothingToFill,
	still:     byItsCheck,
	names:     noNames,
	check: func(a *Authority, tx *store.Tx, d *countersign.Document) error {
		return a.mayErase(tx, d.ID)
	},
	apply: (*Authority).erase,
})

// mayErase refuses an erasure before its time: of a request that is open, before the
// end of its retention, or under an open alert (ruling 33).
func (a *Authority) mayErase(tx *store.Tx, request string) error {
	bad := func(format string, args ...any) error {
		return countersign.NewProblem(countersign.CodeState, format, args...)
	}
	row, err := tx.Approval(request)
	if errors.Is(err, store.ErrNotFound) {
		return countersign.Invalid(countersign.FieldError{Pointer: "/id", Detail: "is no request here"})
	} else if err != nil {
		return err
	}
	if !row.Status.Final() {
		return bad("%s is %s: only what has ended can be erased", request, row.Status)
	}
	at, err := a.current(tx)
	if err != nil {
		return err
	}
	if until := row.Created.Add(at.settings.retention()); tx.Now().Before(until) {
		return bad("%s must be kept until %s", request, stamp(until))
	}
	about := []string{}
	if row.Vendor != "" {
		about = append(about, store.AboutVendor(row.Vendor))
	}
	if countersign.IsID(countersign.PrefixPerson, row.Requester) {
		about = append(about, row.Requester)
	}
	decisions, err := tx.Decisions(request)
	if err != nil {
		return err
	}
	for _, d := range decisions {
		about = append(about, d.Person)
	}
	open, err := tx.OpenAlerts(about)
	if err != nil {
		return err
	}
	own, err := alertsOn(tx, request)
	if err != nil {
		return err
	}
	for _, al := range own {
		if al.Closed.IsZero() && al.Expires.After(tx.Now()) {
			open = append(open, al)
		}
	}
	if len(open) > 0 {
		return bad("%s cannot be erased while the alert %s is open", request, open[0].ID)
	}
	return nil
}

// erase clears what is known of a request: the openings of its entries, its rows, its
// copies in the outbox and among the answers kept for repetition. The entries stay,
// so that inclusion and every other receipt stay provable.
func (a *Authority) erase(tx *store.Tx, g agreed) error {
	request := g.doc.ID
	if err := a.mayErase(tx, request); err != nil {
		return err
	}
	row, err := tx.Approval(request)
	if err != nil {
		return err
	}
	if err := tx.EraseOpeningsAbout(request); err != nil {
		return err
	}
	if err := eraseAlerts(tx, request); err != nil { // before the decisions that their ids name
		return err
	}
	state, err := stateOf(row)
	if err != nil && !errors.Is(err, errTampered) {
		return err
	}
	bare := approval.State{ID: state.ID, Org: state.Org, Source: state.Source, Kind: state.Kind, Status: state.Status, Version: state.Version,
		PolicyDigest: state.PolicyDigest, CreatedAt: state.CreatedAt, EndedAt: state.EndedAt}
	if err := a.put(&row, bare); err != nil {
		return err
	}
	if err := tx.EraseApproval(row); err != nil {
		return err
	}
	if err := eraseAround(tx, request); err != nil {
		return err
	}
	if _, err := tx.EraseJobs(request); err != nil {
		return err
	}
	if _, err := tx.EraseCalls(request); err != nil {
		return err
	}
	_, err = appendEntry(tx, entry{typ: countersign.EntryErased, subject: request, actor: g.actor, facts: g.facts()})
	return err
}

// erasedTitle is what the alerts about a request say once it is erased.
const erasedTitle = "about a request that was erased"

// alertsOn lists the alerts about a request: what people raised about it, and what came
// of it by itself (the refusal of somebody who did not expect it, a lapsed release, that
// nobody can decide on it, that it was changed in the database).
func alertsOn(tx *store.Tx, request string) ([]store.Alert, error) {
	own := []string{alertLease + request, alertUnsatisfiable + request, alertTampered + request}
	decisions, err := tx.Decisions(request)
	if err != nil {
		return nil, err
	}
	for _, d := range decisions {
		own = append(own, alertUnexpected+d.ID)
	}
	return tx.AlertsOn(request, own)
}

// eraseAlerts clears what the alerts about a request say of it: their titles name its
// object, and who refused it. What they are about, and that they were, stays.
func eraseAlerts(tx *store.Tx, request string) error {
	alerts, err := alertsOn(tx, request)
	if err != nil {
		return err
	}
	for _, al := range alerts {
		if err := tx.EraseAlert(al.ID, erasedTitle); err != nil {
			return err
		}
		if err := tx.EraseOpeningsAbout(al.ID); err != nil {
			return err
		}
	}
	return nil
}

// eraseAround clears the thread on a request and its files; the openings of their
// entries, which are about the request, are gone with the others.
func eraseAround(tx *store.Tx, request string) error {
	if err := tx.EraseQuestions(request); err != nil {
		return err
	}
	return tx.EraseAttachments(request)
}
