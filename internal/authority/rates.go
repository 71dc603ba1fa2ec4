package authority

import (
	"errors"
	"math/big"
	"strconv"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// rateDays is how old a rate may be. What is older is no rate: whoever wants an
// amount to look small need only let the rates of its currency run dry. A rate for
// the first of each month is fresh enough all month.
const rateDays = 30

// rateLeap is by how much a rate may differ from the last one of its pair before
// somebody has to stand for it.
const rateLeap = 2

// rateNow reads the rate of a currency that counts now; nil where there is none.
func rateNow(tx *store.Tx, base, currency string) (*signal.Rate, error) {
	r, err := tx.RateOn(base, currency, tx.Now().Format(time.DateOnly))
	if errors.Is(err, store.ErrNotFound) || err == nil && r.Day < tx.Now().AddDate(0, 0, -rateDays).Format(time.DateOnly) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	day, err := time.Parse(time.DateOnly, r.Day)
	if err != nil {
		return nil, err
	}
	return &signal.Rate{Currency: r.Currency, Base: r.Base, Value: r.Value, Date: day, Source: r.Source}, nil
}

// putRate records the rate at an index of the body. One that leaps away from the last
// one known of its pair is refused: a slipped decimal point, or somebody who makes
// large amounts small. A key that provisions people, or the operator, may say it.
func (r *recorder) putRate(i int, rate countersign.RateFact) error {
	if !r.trusted {
		last, err := r.tx.RateOn(rate.Base, rate.Currency, rate.Day)
		if errors.Is(err, store.ErrNotFound) { // the first day of all, or a day before it
			last, err = r.tx.RateOn(rate.Base, rate.Currency, "9999-12-31")
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && leaps(last.Value, rate.Rate) {
			return countersign.Invalid(countersign.FieldError{Pointer: "/rates/" + strconv.Itoa(i) + "/rate",
				Detail: rate.Rate + " is more than " + strconv.Itoa(rateLeap) + " times away from " + last.Value + ", the rate of " + last.Day +
					"; if it is right, send it with a key that has the scope " + string(authn.ScopeProvisioning)})
		}
	}
	changed, err := r.tx.PutRate(store.Rate{Base: rate.Base, Currency: rate.Currency, Day: rate.Day, Value: rate.Rate, Source: r.source})
	if err != nil {
		return err
	}
	r.count(changed, changed)
	return nil
}

// leaps reports whether one rate is more than [rateLeap] times the other. What is no
// positive number leaps.
func leaps(from, to string) bool {
	a, ok := new(big.Rat).SetString(from)
	b, fine := new(big.Rat).SetString(to)
	if !ok || !fine || a.Sign() <= 0 || b.Sign() <= 0 {
		return true
	}
	most := big.NewRat(rateLeap, 1)
	return b.Cmp(new(big.Rat).Mul(a, most)) > 0 || a.Cmp(new(big.Rat).Mul(b, most)) > 0
}
