package web

import (
	"math"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ numbers, in, want string }{
		{"", "0", "0"}, {"", "999", "999"}, {"", "1000", "1\u202f000"}, {"", "-1000", "\u22121\u202f000"}, {"", "-100.5", "\u2212100.5"}, {"", "123456789012.00", "123\u202f456\u202f789\u202f012.00"},
		{NumbersCommaPoint, "1234567.891", "1,234,567.891"}, {NumbersPointComma, "1234.50", "1.234,50"}, {NumbersSpaceComma, "1234.50", "1\u202f234,50"}, {NumbersApostrophePoint, "1234.50", "1’234.50"},
		{"nonsense", "1234.5", "1\u202f234.5"},
		{"", "abc", "abc"}, {"", "", ""}, {"", "1e5", "1e5"}, {"", "01", "01"}, {"", "-0", "-0"},
	} {
		if got := (Format{Numbers: c.numbers}).Decimal(c.in); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.numbers, c.in, got, c.want)
		}
	}
	f := Format{}
	if got := f.Count(math.MinInt64); got != "\u22129\u202f223\u202f372\u202f036\u202f854\u202f775\u202f808" {
		t.Error(got)
	}
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{{4820000, "EUR", "EUR\u00a048\u202f200.00"}, {0, "EUR", "EUR\u00a00.00"}, {-5, "USD", "USD\u00a0\u22120.05"}, {1200, "JPY", "JPY\u00a01\u202f200"}, {0, "JPY", "JPY\u00a00"}, {1234567, "BHD", "BHD\u00a01\u202f234.567"}} {
		if got := f.Minor(c.minor, c.currency); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if !ValidNumbers("") || !ValidNumbers(NumbersPointComma) || ValidNumbers("x") || !ValidDates(DatesISO) || ValidDates("x") {
		t.Error("which formats there are")
	}
	// An amount never wraps: nothing in it is a place to break a line.
	for _, r := range f.Money(countersign.Amount{Value: "-123456789012.00", Currency: "EUR"}) {
		if r == ' ' || r == '-' || r == '\u2009' {
			t.Errorf("%q may wrap", r)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		decimals    int
		want        string
	}{
		{0, 0, 0, "–"}, {1, 0, 1, "–"}, {0, 5, 1, "0.0\u00a0%"}, {1, 3, 0, "33\u00a0%"}, {2, 3, 1, "66.6\u00a0%"}, {9996, 10000, 1, "99.9\u00a0%"}, {5, 5, 0, "100\u00a0%"}, {-1, 3, 1, "\u221233.3\u00a0%"},
		{1, 1000, 0, "0\u00a0%"}, {50, 2, 0, "2\u202f500\u00a0%"}, {math.MaxInt64, math.MaxInt64, 2, "100.00\u00a0%"}, {1, 3, 9, "33.3333\u00a0%"},
	} {
		if got := (Format{}).Percent(c.part, c.whole, c.decimals); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}

func TestBytes(t *testing.T) {
	tx := english(t)
	for _, c := range []struct {
		n    int64
		want string
	}{{-1, "0\u00a0bytes"}, {0, "0\u00a0bytes"}, {999, "999\u00a0bytes"}, {1000, "1.0\u00a0KB"}, {1001, "1.1\u00a0KB"}, {9901, "10\u00a0KB"}, {188416, "189\u00a0KB"}, {999001, "1.0\u00a0MB"}, {5_000_000, "5.0\u00a0MB"}, {2_500_000_000, "2.5\u00a0GB"}, {math.MaxInt64, "9\u202f224\u00a0PB"}} {
		if got := (Format{}).Bytes(tx, c.n); got != c.want {
			t.Errorf("%d: %q, want %q", c.n, got, c.want)
		}
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("no time zone data here: %v", err)
	}
	return z
}

func TestDuration(t *testing.T) {
	tx := english(t)
	for _, c := range []struct {
		d    time.Duration
		want string
	}{{0, "0\u00a0s"}, {59 * time.Second, "59\u00a0s"}, {-90 * time.Second, "1\u00a0min"}, {time.Hour, "1\u00a0h"}, {125 * time.Minute, "2\u00a0h 5\u00a0min"}, {24 * time.Hour, "1\u00a0d"}, {76 * time.Hour, "3\u00a0d 4\u00a0h"}, {math.MinInt64, "106\u202f751\u00a0d 23\u00a0h"}} {
		if got := (Format{}).Duration(tx, c.d); got != c.want {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
	}
}

// TestMoments tells times apart as a person does who looks at a calendar: also on days
// of 23 and 25 hours, over the new year, and in another zone than the server's.
func TestMoments(t *testing.T) {
	tx, berlin := english(t), zone(t, "Europe/Berlin")
	for _, c := range []struct{ name, now, at, want string }{
		{"this minute", "2026-11-24T10:00:00Z", "2026-11-24T10:00:59Z", "now"},
		{"soon", "2026-11-24T10:00:00Z", "2026-11-24T10:52:30Z", "in 52\u00a0min"},
		{"rounded down", "2026-11-24T10:00:00Z", "2026-11-24T11:59:59Z", "in 1\u00a0h 59\u00a0min"},
		{"ago", "2026-11-24T10:00:00Z", "2026-11-24T08:00:00Z", "2\u00a0h ago"},
		{"over midnight, but near", "2026-11-24T22:50:00Z", "2026-11-24T23:10:00Z", "in 20\u00a0min"},
		{"tomorrow", "2026-11-24T10:00:00Z", "2026-11-25T16:00:00Z", "tomorrow 17:00"},
		{"tomorrow in the zone, today in UTC", "2026-11-24T18:00:00Z", "2026-11-24T23:30:00Z", "tomorrow 00:30"},
		{"yesterday", "2026-11-24T10:00:00Z", "2026-11-23T07:05:00Z", "yesterday 08:05"},
		{"in a week's days", "2026-11-24T10:00:00Z", "2026-11-28T16:00:00Z", "Sat 17:00"},
		{"a week", "2026-11-24T10:00:00Z", "2026-12-01T16:00:00Z", "1\u00a0Dec\u00a02026, 17:00"},
		{"past days have their date", "2026-11-24T10:00:00Z", "2026-11-20T16:00:00Z", "20\u00a0Nov\u00a02026, 17:00"},
		{"new year", "2026-12-31T10:00:00Z", "2027-01-01T10:00:00Z", "tomorrow 11:00"},
		{"new year in the zone", "2026-12-31T22:30:00Z", "2026-12-31T23:15:00Z", "in 45\u00a0min"},
		{"day of 23 hours", "2026-03-28T23:30:00Z", "2026-03-29T21:30:00Z", "in 22\u00a0h"},
		{"the day after it", "2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z", "tomorrow 00:00"},
		{"day of 25 hours", "2026-10-24T22:00:00Z", "2026-10-25T22:59:00Z", "in 1\u00a0d"},
		{"the same clock twice", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "in 1\u00a0h"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		m := (Format{Zone: berlin}).Moment(tx, at, now)
		if m.Text != c.want || m.ISO != c.at {
			t.Errorf("%s: %q (%s), want %q", c.name, m.Text, m.ISO, c.want)
		}
	}
	m := (Format{Zone: berlin, Dates: DatesISO}).Moment(tx, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	if m.Title != "2026-07-01, 14:00 CEST" || m.Relative {
		t.Errorf("%+v", m)
	}
	if m := (Format{}).Moment(tx, time.Time{}, time.Now()); m != (Moment{}) {
		t.Errorf("no time: %+v", m)
	}
}

func TestDays(t *testing.T) {
	tx := english(t)
	for _, c := range []struct{ dates, in, want string }{
		{"", "2026-11-24", "24\u00a0Nov\u00a02026"}, {DatesMonthDay, "2026-01-02", "Jan\u00a02, 2026"}, {DatesISO, "2026-11-24", "2026-11-24"}, {"", "0001-01-01", "1\u00a0Jan\u00a00001"},
		{"", "2026-02-30", "2026-02-30"}, {"", "soon", "soon"}, {"", "", ""}, {"", "2024-02-29", "29\u00a0Feb\u00a02024"},
	} {
		// A day has no zone: it is the same day everywhere.
		if got := (Format{Dates: c.dates, Zone: time.FixedZone("far", -11*3600)}).Day(tx, c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
