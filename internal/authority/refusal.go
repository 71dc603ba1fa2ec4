package authority

import (
	"context"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// refusalReason names why a release was refused, where an auditor would want to know
// of it: another document, another execution, too early, something new against it, or
// a request that was denied or revoked. That a caller asks before anybody has decided
// is everyday, and "" is the answer.
func refusalReason(err error, status countersign.Status) string {
	var p *countersign.Problem
	if !errors.As(err, &p) || errors.Is(err, errTampered) { // which raises an alert
		return ""
	}
	switch p.Code {
	case countersign.CodeChanged:
		return "document"
	case countersign.CodeReleased:
		return "execution"
	case countersign.CodeNotReleasable:
		if len(p.Reasons) > 0 {
			return p.Reasons[0].Rule
		}
	case countersign.CodeState:
		if status == countersign.StatusDenied || status == countersign.StatusRevoked {
			return string(status)
		}
	}
	return ""
}

// recordRefusal writes that a release was refused, once for each request, reason and
// hour: a caller that asks again and again does not fill the log. That it could not
// be written changes nothing for the caller, who was refused.
func (a *Authority) recordRefusal(ctx context.Context, r *releasing, refused error) {
	reason := refusalReason(refused, r.state.Status)
	if reason == "" {
		return
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		return a.writeRefusal(tx, r, reason)
	})
	if err != nil && !errors.Is(err, store.ErrConflict) { // somebody else wrote it
		a.log.Error("a refused release could not be logged", "request", r.row.ID, "reason", reason, "error", err)
	}
}

func (a *Authority) writeRefusal(tx *store.Tx, r *releasing, reason string) error {
	once, err := tx.Throttle("refused:" + r.row.ID + ":" + reason + ":" + tx.Now().UTC().Format("2006-01-02T15"))
	if err != nil || once.Version > 0 {
		return err
	}
	once.State = "{}" // nothing is locked: it is swept like any other
	if err := tx.SetThrottle(once); err != nil {
		return err
	}
	detail, err := countersign.Canonical(map[string]string{"execution": r.body.Execution, "digest": string(r.digest)})
	if err != nil {
		return err
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryReleaseRefused, subject: r.row.ID, actor: r.key.ID, facts: map[string]string{"reason": reason},
		openings: map[string][]byte{countersign.OpeningDetail: detail}})
	if err != nil {
		return err
	}
	return a.tell(tx, w.entry, r.row.ID)
}
