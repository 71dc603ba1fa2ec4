package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/countersign/countersign"
)

// format is how a person reads numbers and times.
type format struct {
	zone         *time.Location
	group, point string
	dates        string
}

// hardSpace stands inside what should not break.
const hardSpace = "\u00a0"

// numbers gives each way of writing numbers its group and its decimal separator.
var numbers = map[string][2]string{"space-point": {hardSpace, "."}, "space-comma": {hardSpace, ","}, "comma-point": {",", "."},
	"point-comma": {".", ","}, "apostrophe-point": {"’", "."}}

// formatOf reads a person's settings. What is not there, or cannot be understood, is
// the default: a mail is sent whatever stands there.
func formatOf(settings string) format {
	var p countersign.Preferences
	_ = json.Unmarshal([]byte(settings), &p)
	f := format{zone: time.UTC, dates: p.DateFormat}
	if zone, err := time.LoadLocation(p.TimeZone); err == nil {
		f.zone = zone
	}
	form, ok := numbers[p.NumberFormat]
	if !ok {
		form = numbers["space-point"]
	}
	f.group, f.point = form[0], form[1]
	return f
}

// money writes an amount with its currency's code. Every digit stays.
func (f format) money(a countersign.Amount) string {
	if !countersign.IsDecimal(a.Value) {
		return line(a.Currency+hardSpace+a.Value, maxNameShown)
	}
	digits, negative := strings.CutPrefix(a.Value, "-")
	whole, decimals, has := strings.Cut(digits, ".")
	var b strings.Builder
	b.WriteString(a.Currency + hardSpace)
	if negative {
		b.WriteString("\u2212")
	}
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(f.group)
		}
		b.WriteByte(whole[i])
	}
	if has {
		b.WriteString(f.point + decimals)
	}
	return b.String()
}

// moment writes a time with its day, and the zone that it is read in: a mail is read
// later, and elsewhere, so nothing in it counts from now. "" for no time.
func (f format) moment(t *texts, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.In(f.zone)
	year, month, day := at.Date()
	name := t.t("month." + fmt.Sprint(int(month)))
	date := fmt.Sprintf("%d%s%s%s%04d", day, hardSpace, name, hardSpace, year)
	switch f.dates {
	case "iso":
		date = at.Format(time.DateOnly)
	case "month-day":
		date = fmt.Sprintf("%s%s%d, %04d", name, hardSpace, day, year)
	}
	return date + ", " + at.Format("15:04") + hardSpace + at.Format("MST")
}

// How much of a name or title is shown, in characters: it is a doorbell, and the page
// shows all of it.
const (
	maxNameShown    = 80
	maxTitleShown   = 200
	maxSubjectShown = 160
)

// line makes any text one line that cannot reach beyond its own place: no control
// character ends a header or a line, no invisible one hides anything, and no mark of
// direction turns around what follows. What is written from right to left stays so
// inside an isolate of its own.
func line(s string, most int) string {
	var b strings.Builder
	n, rightToLeft := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			r = ' '
		case r == '\u200d': // joins emoji and letters of some scripts
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs), r == unicode.ReplacementChar:
			continue
		case unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko):
			rightToLeft = true
		}
		if n++; n > most {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
	}
	out := strings.Join(strings.Fields(b.String()), " ")
	if rightToLeft {
		out = "\u2068" + out + "\u2069"
	}
	return out
}
