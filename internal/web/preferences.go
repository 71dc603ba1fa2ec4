package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func preferenceRoutes() []route {
	return []route{
		{pattern: "GET /preferences", who: signedIn, serve: showPreferences},
		{pattern: "POST /preferences", who: signedIn, serve: setPreferences},
		{pattern: "GET /preferences/example", who: signedIn, serve: showExample},
	}
}

// settings is what a person has chosen for how pages show numbers and times.
type settings struct {
	Zone    string `json:"time_zone"`
	Numbers string `json:"number_format"`
	Dates   string `json:"date_format"`
}

// formatOf reads how a person wants numbers and times shown. What cannot be read is
// the organisation's own way: a page is shown in any case.
func formatOf(text string) Format {
	f := Format{Zone: time.UTC}
	var s settings
	if text == "" || json.Unmarshal([]byte(text), &s) != nil {
		return f
	}
	if z, err := authority.TimeZone(s.Zone); err == nil && s.Zone != "" {
		f.Zone = z
	}
	if ValidNumbers(s.Numbers) {
		f.Numbers = s.Numbers
	}
	if ValidDates(s.Dates) {
		f.Dates = s.Dates
	}
	return f
}

// preferencesView is the page on which a person chooses how they read times and numbers.
type preferencesView struct {
	Zone    string
	Zones   []string // that are offered while one types
	Numbers []formChoice
	Dates   []formChoice
	Example exampleView
	Said    bool
	Problem *errorView
}

// formChoice is one way of writing, shown by an example of itself.
type formChoice struct {
	Name, Example string
	Chosen        bool
}

// exampleView shows what has been chosen.
type exampleView struct {
	Now, Amount, Ago string
	Zone             string
	Unknown          bool // the zone is none
}

// offeredZones are those that are offered; every other IANA name can be typed.
var offeredZones = []string{"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Argentina/Buenos_Aires", "America/Bogota", "America/Chicago", "America/Denver",
	"America/Halifax", "America/Lima", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Santiago", "America/Sao_Paulo", "America/Toronto", "America/Vancouver",
	"Asia/Bangkok", "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Manila", "Asia/Riyadh", "Asia/Seoul",
	"Asia/Shanghai", "Asia/Singapore", "Asia/Taipei", "Asia/Tokyo", "Atlantic/Reykjavik", "Australia/Melbourne", "Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens",
	"Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Budapest", "Europe/Copenhagen", "Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon",
	"Europe/London", "Europe/Madrid", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Riga", "Europe/Rome", "Europe/Sofia", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw",
	"Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu"}

func showPreferences(v *visit) error {
	p, err := v.org.GetPreferences(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	return v.preferencesPage(http.StatusOK, *p, nil)
}

func (v *visit) preferencesPage(status int, p countersign.Preferences, problem *errorView) error {
	w := preferencesOf(v.site.texts, p, v.now())
	w.Said, w.Problem = v.query("said") == "kept", problem
	return v.render(view{name: "preferences", title: v.t("preferences.heading"), status: status, data: w})
}

func preferencesOf(tx *Texts, p countersign.Preferences, now time.Time) preferencesView {
	w := preferencesView{Zone: p.TimeZone, Zones: offeredZones, Example: exampleOf(tx, p, now)}
	for _, name := range authority.NumberFormats {
		w.Numbers = append(w.Numbers, formChoice{name, Format{Numbers: name}.Decimal("1234567.89"), name == p.NumberFormat})
	}
	for _, name := range authority.DateFormats {
		w.Dates = append(w.Dates, formChoice{name, Format{Dates: name}.Date(tx, now), name == p.DateFormat})
	}
	return w
}

func exampleOf(tx *Texts, p countersign.Preferences, now time.Time) exampleView {
	f := Format{Numbers: p.NumberFormat, Dates: p.DateFormat}
	zone, err := authority.TimeZone(p.TimeZone)
	if err != nil || p.TimeZone == "" {
		return exampleView{Unknown: true}
	}
	f.Zone = zone
	return exampleView{Now: f.DateTime(tx, now), Zone: now.In(zone).Format("MST"), Amount: f.Money(countersign.Amount{Value: "1234567.89", Currency: "EUR"}),
		Ago: f.Moment(tx, now.Add(-26*time.Hour), now).Text}
}

// chosen reads the form, from the body or, for the example, from the address.
func (v *visit) chosen() countersign.Preferences {
	return countersign.Preferences{TimeZone: v.r.FormValue("zone"), NumberFormat: v.r.FormValue("numbers"), DateFormat: v.r.FormValue("dates")}
}

// showExample is what the choice would look like, before it is kept.
func showExample(v *visit) error {
	p := v.chosen()
	if !slices.Contains(authority.NumberFormats, p.NumberFormat) || !slices.Contains(authority.DateFormats, p.DateFormat) {
		return nothingHere(v)
	}
	return v.part("preferences", "preferences-example", exampleOf(v.site.texts, p, v.now()))
}

func setPreferences(v *visit) error {
	p := v.chosen()
	if _, err := v.org.SetPreferences(v.ctx(), *v.session, p); err != nil {
		if e, ok := v.shown(err); ok {
			return v.preferencesPage(e.Status, p, e)
		}
		return err
	}
	return v.redirect("/preferences?said=kept")
}
