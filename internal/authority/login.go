package authority

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

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
	return "password:" + hex.EncodeToString(sum[:])
}

// throttleDays is how long failures are remembered after the last one.
const throttleDays = 30

// sweepThrottles forgets failures that are over. A lock that still lasts, and one that
// is for good, stay: forgetting them would give the guesses back.
func sweepThrottles(tx *store.Tx) error {
	rows, err := tx.StaleThrottles(tx.Now().AddDate(0, 0, -throttleDays), 10_000)
	if err != nil {
		return err
	}
	for _, row := range rows {
		var t authn.Throttle
		if err := json.Unmarshal([]byte(row.State), &t); err != nil {
			return err
		}
		if t.Check(tx.Now()) != nil {
			continue
		}
		if err := tx.DropThrottle(row); err != nil {
			return err
		}
	}
	return nil
}
