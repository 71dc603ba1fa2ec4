package signal

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
	return say(true, severity+" alert about "+worst.About+" of "+day(worst.Raised), from, "alert "+worst.ID)
}

func frozen(f *Facts, _ *Settings) answer {
	if f.Freezes == nil {
		return cannot("freezes")
	}
	for _, z := range f.Freezes {
		if z.Until.IsZero() || f.Now.Before(z.Until) {
			return say(true, z.About+" is frozen", "not frozen", "freeze "+z.ID)
		}
	}
	return say(false, "", "not frozen", "freezes")
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
