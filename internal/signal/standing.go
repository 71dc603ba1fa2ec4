package signal

import (
	"cmp"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
)

var alertSettings = section{
	shape: shape.ObjectOf("which alerts count",
		shape.Optional("severity", shape.OneOf("from this severity on",
			string(SeverityLow), string(SeverityMedium), string(SeverityHigh), string(SeverityCritical))),
	),
	read: func(s *Settings, w Written) {
		s.AlertFrom = Severity(cmp.Or(w.Member("severity").Text(), string(s.AlertFrom)))
	},
}

// openAlert counts alerts from a severity on.
func openAlert(f *Facts, s *Settings) answer {
	if f.Alerts == nil {
		return cannot("alerts")
	}
	from := string(s.AlertFrom) + " or higher"
	var worst *Alert
	for i := range f.Alerts {
		a := &f.Alerts[i]
		if a.Severity.Rank() == 0 { // a severity that is not known counts as the highest
			worst = a
			break
		}
		if a.Severity.Rank() >= s.AlertFrom.Rank() && (worst == nil || a.Severity.Rank() > worst.Severity.Rank()) {
			worst = a
		}
	}
	if worst == nil {
		return say(false, plural(len(f.Alerts), "open alert"), from, "alerts")
	}
	severity := string(worst.Severity)
	if worst.Severity.Rank() == 0 {
		severity = "unranked"
	}
	about := worst.About
	if countersign.IsID(countersign.PrefixRequest, about) {
		about = "this request" // of no other one is an alert weighed here
	}
	return say(true, severity+" alert about "+about+" of "+day(worst.Raised)+f.linesTo(worst.About), from, "alert "+worst.ID)
}

func frozen(f *Facts, _ *Settings) answer {
	if f.Freezes == nil {
		return cannot("freezes")
	}
	var first *Freeze
	var about []string
	for i := range f.Freezes {
		z := &f.Freezes[i]
		if !z.Until.IsZero() && !f.Now.Before(z.Until) {
			continue
		}
		if first == nil {
			first = z
		}
		if !slices.Contains(about, z.About) {
			about = append(about, z.About)
		}
	}
	switch len(about) {
	case 0:
		return say(false, "", "not frozen", "freezes")
	case 1:
		return say(true, first.About+" is frozen"+f.linesTo(about...), "not frozen", "freeze "+first.ID)
	}
	return say(true, few(about)+" are frozen"+f.linesTo(about...), "not frozen", "freeze "+first.ID)
}

func previouslyDenied(f *Facts, _ *Settings) answer {
	if f.Denials == nil {
		return cannot("denials")
	}
	if len(f.Denials) == 0 {
		return say(false, "", "never denied", "requests")
	}
	d := f.Denials[0]
	value := "denied on " + day(d.At)
	if d.By != "" {
		value += " by " + d.By
	}
	if d.Reason != "" {
		value += ": " + d.Reason
	}
	return say(true, value, "never denied", "request "+d.Request)
}
