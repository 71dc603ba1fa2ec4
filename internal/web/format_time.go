package web

import (
	"fmt"
	"strings"
	"time"
)

// Moment is a point in time as a page shows it: the words, and behind them the exact
// time. The template "moment" writes it.
type Moment struct {
	ISO      string // for the machine: RFC 3339, UTC, to the second
	Title    string // the whole time in the person's zone, with the zone's name
	Text     string // what is read: "in 52 min", "tomorrow 17:00"
	Relative bool   // the text counts from now, and grows old
}

func (f Format) zone() *time.Location {
	if f.Zone == nil {
		return time.UTC
	}
	return f.Zone
}

// Moment writes a time by how far it is from now: minutes and hours while it is near,
// then the day by name, then its date. A time that is nothing is an empty moment.
func (f Format) Moment(tx *Texts, t, now time.Time) Moment {
	if t.IsZero() {
		return Moment{}
	}
	m := Moment{ISO: t.UTC().Format(time.RFC3339), Title: f.DateTime(tx, t) + " " + t.In(f.zone()).Format("MST")}
	m.Text, m.Relative = f.near(tx, t, now)
	if !m.Relative {
		m.Text = f.named(tx, t, now)
	}
	return m
}

// near is the text for what is less than a day away and still today, or less than an
// hour away.
func (f Format) near(tx *Texts, t, now time.Time) (string, bool) {
	d := t.Sub(now)
	ahead := d > 0
	d = d.Abs()
	switch {
	case d < time.Minute:
		return tx.T("format.now"), true
	case d >= time.Hour && f.daysBetween(t, now) != 0:
		return "", false
	}
	if ahead {
		return tx.T("format.in", "time", f.Duration(tx, d)), true
	}
	return tx.T("format.ago", "time", f.Duration(tx, d)), true
}

// named is the text for another day.
func (f Format) named(tx *Texts, t, now time.Time) string {
	clock := f.Clock(t)
	switch days := f.daysBetween(t, now); {
	case days == 0:
		return tx.T("format.today", "time", clock)
	case days == 1:
		return tx.T("format.tomorrow", "time", clock)
	case days == -1:
		return tx.T("format.yesterday", "time", clock)
	case days > 0 && days < 7:
		return tx.T("format.weekday."+fmt.Sprint(int(t.In(f.zone()).Weekday()))) + " " + clock
	}
	return f.Date(tx, t) + ", " + clock
}

// daysBetween counts midnights of the person's zone from now to t. Days are counted by
// the calendar, since a day in which the clocks change has 23 or 25 hours.
func (f Format) daysBetween(t, now time.Time) int {
	day := func(t time.Time) time.Time {
		y, m, d := t.In(f.zone()).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(day(t).Sub(day(now)) / (24 * time.Hour))
}

// Clock is the time of day, by 24 hours.
func (f Format) Clock(t time.Time) string { return t.In(f.zone()).Format("15:04") }

// Date is the day of a time in the person's zone.
func (f Format) Date(tx *Texts, t time.Time) string {
	return f.day(tx, t.In(f.zone()))
}

// DateTime is the day and the time of day in the person's zone.
func (f Format) DateTime(tx *Texts, t time.Time) string { return f.Date(tx, t) + ", " + f.Clock(t) }

// Day writes a calendar day, YYYY-MM-DD, which has no zone. What is no day stays as
// it is.
func (f Format) Day(tx *Texts, s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return f.day(tx, t)
}

func (f Format) day(tx *Texts, t time.Time) string {
	y, month, d := t.Date()
	name := tx.T("format.month." + fmt.Sprint(int(month)))
	switch f.Dates {
	case DatesISO:
		return t.Format(time.DateOnly)
	case DatesMonthDay:
		return fmt.Sprintf("%s%s%d, %04d", name, hardSpace, d, y)
	}
	return fmt.Sprintf("%d%s%s%s%04d", d, hardSpace, name, hardSpace, y)
}

// Duration writes a length of time in its two largest units, rounded down, so that
// nothing is promised to last longer than it does: "4 min", "2 h 5 min", "3 d 4 h".
// Under a minute it is seconds. The sign is left to whoever says in or ago.
func (f Format) Duration(tx *Texts, d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Abs()
	unit := func(n time.Duration, key string) string {
		return f.Count(int64(n)) + hardSpace + tx.T("format."+key)
	}
	switch {
	case d < time.Minute:
		return unit(d/time.Second, "seconds")
	case d < time.Hour:
		return unit(d/time.Minute, "minutes")
	case d < day:
		return twoUnits(unit(d/time.Hour, "hours"), d%time.Hour/time.Minute, unit(d%time.Hour/time.Minute, "minutes"))
	}
	return twoUnits(unit(d/day, "days"), d%day/time.Hour, unit(d%day/time.Hour, "hours"))
}

func twoUnits(large string, n time.Duration, small string) string {
	if n == 0 {
		return large
	}
	return strings.Join([]string{large, small}, " ")
}
