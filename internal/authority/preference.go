package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// Ways of writing numbers and days, and languages, that a person may choose. The first
// of each is the default.
var (
	NumberFormats = []string{"space-point", "space-comma", "comma-point", "point-comma", "apostrophe-point"}
	DateFormats   = []string{"day-month", "month-day", "iso"}
	Languages     = []string{"en"}
)

// defaultZone is the time zone of whoever has chosen none.
const defaultZone = "UTC"

// GetPreferences reads how the person reads times and numbers.
func (a *Authority) GetPreferences(ctx context.Context, s Session) (*countersign.Preferences, error) {
	return look(ctx, a, s, func(r *reading) (*countersign.Preferences, error) {
		row, err := r.tx.Person(s.Person.ID)
		if err != nil {
			return nil, err
		}
		p, err := preferencesOf(row)
		return &p, err
	})
}

// preferencesOf reads a person's settings, completed with the defaults.
func preferencesOf(row store.Person) (countersign.Preferences, error) {
	var p countersign.Preferences
	if row.Settings != "" {
		if err := json.Unmarshal([]byte(row.Settings), &p); err != nil {
			return p, err
		}
	}
	for _, f := range []struct {
		member   *string
		fallback string
	}{{&p.TimeZone, defaultZone}, {&p.NumberFormat, NumberFormats[0]}, {&p.DateFormat, DateFormats[0]}, {&p.Language, Languages[0]}} {
		if *f.member == "" {
			*f.member = f.fallback
		}
	}
	return p, nil
}

// SetPreferences replaces how the person reads times and numbers; a member that is
// empty becomes the default. It is for oneself only, changes nothing that anybody is
// held to, and so needs no step-up and leaves no entry.
func (a *Authority) SetPreferences(ctx context.Context, s Session, p countersign.Preferences) (*countersign.Preferences, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	if err := checkPreferences(p); err != nil {
		return nil, err
	}
	text, err := countersign.Canonical(p)
	if err != nil {
		return nil, fault(err)
	}
	var out countersign.Preferences
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Person(s.Person.ID)
		if err != nil {
			return err
		}
		row.Settings = string(text)
		if out, err = preferencesOf(row); err != nil {
			return err
		}
		return tx.UpdatePerson(row)
	})
	if err != nil {
		return nil, fault(err)
	}
	return &out, nil
}

func checkPreferences(p countersign.Preferences) error {
	var errs []countersign.FieldError
	choose := func(pointer, value string, from []string) {
		if value != "" && !slices.Contains(from, value) {
			errs = append(errs, countersign.FieldError{Pointer: pointer, Detail: "want one of " + strings.Join(from, ", ")})
		}
	}
	if _, err := TimeZone(p.TimeZone); err != nil {
		errs = append(errs, countersign.FieldError{Pointer: "/time_zone", Detail: "want a time zone by its IANA name, as Europe/Berlin"})
	}
	choose("/number_format", p.NumberFormat, NumberFormats)
	choose("/date_format", p.DateFormat, DateFormats)
	choose("/language", p.Language, Languages)
	if len(errs) > 0 {
		return countersign.Invalid(errs...)
	}
	return nil
}

// TimeZone returns the zone of a name of the IANA time zone database, as "Europe/Berlin".
// "" and "UTC" are UTC.
func TimeZone(name string) (*time.Location, error) {
	// Names of the database begin with a capital. "Local", "localtime", "posix/…" and
	// "right/…" are of this machine, and nobody's.
	if name == "Local" || name != "" && (name[0] < 'A' || name[0] > 'Z') {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	return time.LoadLocation(name)
}
