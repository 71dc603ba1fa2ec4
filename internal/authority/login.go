package authority

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/text/unicode/norm"
)

// maxLogin is the most bytes of a name that is typed to sign in.
const maxLogin = 200

// foldLogin is the one form of a name in the directory: what is recorded, what is
// looked up and what failures are counted under are the same, however it was typed.
func foldLogin(s string) string { return norm.NFC.String(folder.String(norm.NFC.String(s))) }

// typedLogin folds a name that somebody typed. One that is too long for a name is
// refused before anything is looked up or counted.
func typedLogin(s string) (string, error) {
	if len(s) > maxLogin {
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/login", Detail: "want at most 200 bytes"})
	}
	return foldLogin(s), nil
}

// throttled is what the failures of a name's password are counted under. It is a hash,
// so that what people type into the field for the name, often a password, is not kept.
func throttled(name string) string {
	sum := sha256.Sum256([]byte(name))
	return throttledPassword + hex.EncodeToString(sum[:])
}

const throttledPassword = "password:"

// throttleDays is how long failures are remembered after the last one.
const throttleDays = 30

// sweepThrottles forgets failures that are over. A lock that still lasts, and one that
// is for good, stay: forgetting them would give the guesses back. Failures under names
// that nobody bears guard nobody, and go: otherwise strangers could fill the table with
// locks that last for ever.
func sweepThrottles(tx *store.Tx) error {
	var bearers map[string]bool
	const page, most = 1000, 10_000
	for after, dropped := "", 0; dropped < most; {
		rows, err := tx.StaleThrottles(tx.Now().AddDate(0, 0, -throttleDays), after, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.Subject
			var t authn.Throttle
			if err := json.Unmarshal([]byte(row.State), &t); err != nil {
				return err
			}
			if t.Check(tx.Now()) != nil {
				if bearers == nil {
					if bearers, err = throttledPeople(tx); err != nil {
						return err
					}
				}
				if bearers[row.Subject] || !strings.HasPrefix(row.Subject, throttledPassword) {
					continue
				}
			}
			if err := tx.DropThrottle(row); err != nil {
				return err
			}
			dropped++
		}
		if len(rows) < page {
			return nil
		}
	}
	return nil
}

// throttledPeople are the subjects under which failures of those are counted who are
// on record.
func throttledPeople(tx *store.Tx) (map[string]bool, error) {
	all := map[string]bool{}
	const page = 1000
	for after := ""; ; {
		people, err := tx.People(after, page)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			all[throttled(p.ID)] = true
			after = p.ID
		}
		if len(people) < page {
			return all, nil
		}
	}
}
