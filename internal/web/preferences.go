package web

import (
	"encoding/json"
	"time"
)

func preferenceRoutes() []route { return nil }

func preferenceSpecimens(s *Site) []specimen { return nil }

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
	if z, err := time.LoadLocation(s.Zone); err == nil && s.Zone != "" {
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
