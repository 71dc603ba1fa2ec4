package backtest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// Rates are dated rates into one currency. The zero value has none.
type Rates struct {
	by map[string][]signal.Rate // by currency, oldest first
}

// Add adds one rate. A second one of the same day takes the place of the first. The
// error says that it is no rate.
func (r *Rates) Add(rate signal.Rate) error {
	if _, ok := countersign.Exponent(rate.Currency); !ok {
		return fmt.Errorf("currency %q: %w", rate.Currency, countersign.ErrCurrency)
	}
	// Converting one unit finds everything that can be wrong with the number.
	exp, _ := countersign.Exponent(rate.Currency)
	one := int64(1)
	for range exp {
		one *= 10
	}
	if _, err := rate.Convert(signal.Money{Minor: one, Currency: rate.Currency}); err != nil {
		return err
	}
	if r.by == nil {
		r.by = map[string][]signal.Rate{}
	}
	list := r.by[rate.Currency]
	at, found := slices.BinarySearchFunc(list, rate, byDate)
	if found {
		list[at] = rate
		return nil
	}
	r.by[rate.Currency] = slices.Insert(list, at, rate)
	return nil
}

func byDate(a, b signal.Rate) int { return a.Date.Compare(b.Date) }

// On returns the latest rate of a currency on or before a day.
func (r *Rates) On(currency string, day time.Time) (signal.Rate, bool) {
	list := r.by[currency]
	at, found := slices.BinarySearchFunc(list, signal.Rate{Date: day}, byDate)
	switch {
	case found:
		return list[at], true
	case at == 0:
		return signal.Rate{}, false
	}
	return list[at-1], true
}

// Currencies returns the currencies that have a rate, sorted.
func (r *Rates) Currencies() []string {
	out := make([]string, 0, len(r.by))
	for c := range r.by {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}

// ReadRates reads dated rates from CSV with the columns date (YYYY-MM-DD), currency
// and rate: how many units of base one unit of the currency is worth, from that day
// on. A column base, where there is one, must say base in every row. source is the
// name that decisions show. The error names the line.
func ReadRates(in io.Reader, source, base string) (*Rates, error) {
	c := csv.NewReader(in)
	c.TrimLeadingSpace = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: no header: want the columns date, currency and rate", source)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.ToLower(strings.Trim(h, " \ufeff"))] = i
	}
	for _, name := range []string{"date", "currency", "rate"} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("%s:1: no column %s: want the columns date, currency and rate", source, name)
		}
	}
	rates := &Rates{}
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rates, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		line, _ := c.FieldPos(0)
		if err := rates.row(fields, at, source, base); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", source, line, err)
		}
	}
}

func (r *Rates) row(fields []string, at map[string]int, source, base string) error {
	get := func(name string) string { return strings.TrimSpace(fields[at[name]]) }
	date, err := time.Parse(time.DateOnly, get("date"))
	if err != nil {
		return fmt.Errorf("date %q: want a day as 2026-11-24", get("date"))
	}
	if _, ok := at["base"]; ok && get("base") != base {
		return fmt.Errorf("a rate into %q, and the policy's currency is %s", get("base"), base)
	}
	return r.Add(signal.Rate{Currency: strings.ToUpper(get("currency")), Base: base, Value: get("rate"), Date: date, Source: source})
}
