package authority

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// ReturnURL is where a person is sent back to when they are done with a request: the
// return URL that its submission named, with the status that the request has now,
// signed by the log's key (see [countersign.VerifyReturn]). It is "" where there is
// none. The result is evidence, never permission; a status that allows something is in
// it only when its log entry is published (ruling 29).
func (a *Authority) ReturnURL(ctx context.Context, s Session, request string) (string, error) {
	var f *caseFile
	var v viewer
	to := ""
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		if f, v, err = a.find(tx, Caller{Session: &s}, request); err != nil {
			return err
		}
		to, err = f.returnURL(tx)
		return err
	})
	if err != nil || to == "" {
		return "", fault(err)
	}
	out, err := a.answer(ctx, f, store.Committed{}, v)
	if err != nil {
		return "", fault(err)
	}
	head, err := a.publisher.Last()
	if err != nil {
		return "", fault(err)
	}
	signers, err := a.publisher.Chain.Signers(head.Tree.N, head.Tree.N)
	if err != nil {
		return "", fault(err)
	}
	now := a.db.Now()
	signed, err := countersign.Return{Org: a.org.ID, Request: out.ID, Digest: out.Digest, Status: out.Status,
		At: stamp(now), Expires: stamp(now.Add(countersign.ReturnLifetime)), URL: to}.Sign(signers[0])
	return signed, fault(err)
}

// returnURL is the return URL of the submission as it was logged, if it leads where the
// key that submitted may send people. Both are looked at again: whoever could change the
// stored submission must not be able to send people elsewhere.
func (c *caseFile) returnURL(tx *store.Tx) (string, error) {
	openings, err := tx.Openings(c.row.EntryID)
	if err != nil {
		return "", err
	}
	o, ok := openings[countersign.OpeningSubmission]
	if !ok {
		return "", nil // erased, or a change to Countersign itself
	}
	leaf, err := leafOf(tx, c.row.EntryID)
	if err != nil {
		return "", err
	}
	if sum, err := o.Commitment(countersign.OpeningSubmission); err != nil || sum != leaf.Commitments[countersign.OpeningSubmission] {
		return "", tamperedWith("the submission of %s is not the one that was logged: it was changed in the database", c.row.ID)
	}
	var sub countersign.Submission
	if err := json.Unmarshal([]byte(o.Value), &sub); err != nil || sub.ReturnURL == "" {
		return "", err
	}
	row, err := tx.APIKey(leaf.Actor)
	if err != nil {
		return "", err
	}
	key, err := keyOf(row)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(sub.ReturnURL)
	if err != nil || !slices.Contains(key.Returns, u.Scheme+"://"+u.Host) {
		return "", countersign.NewProblem(countersign.CodeForbidden, "the return URL of %s is not one that its key may send people to", c.row.ID)
	}
	return sub.ReturnURL, nil
}
