package authority

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindSettingsChange,
	groups:    []string{GroupAdministrators},
	deciders:  secondPerson,
	proposers: thoseWhoDecide,
	assurance: countersign.AssurancePhishingResistant,
	about:     aboutNobody,
	fields:    byItsCheck,
	from:      byItsCheck,
	still:     byItsCheck,
	names:     noNames,
	check: func(a *Authority, tx *store.Tx, d *countersign.Document) error {
		if d.ID != settingsObject {
			return badChange("/id", "want %q", settingsObject)
		}
		_, err := a.proposedSettings(tx, d)
		return err
	},
	apply: (*Authority).changeSettings,
})

// settingsObject is the one thing that a change of settings can be about.
const settingsObject = "settings"

// setting is one of the organisation's settings: as a person reads it in the document
// that changes it, and within which bounds it may be.
type setting struct {
	name        string // its JSON name in [Settings]
	meaning     string
	least, most int // of a number; both 0: it is no number
	get         func(*Settings) string
	set         func(*Settings, string) error
}

// settingsTable lists every setting. The bounds keep out what would stop the
// organisation's work, and what no organisation could mean: they do not say what is
// wise. A day is the longest that a session may last before people prove themselves
// anew (NIST SP 800-63B-4 §2.2.3).
var settingsTable = []setting{
	{name: "kinds", meaning: "custom kinds of documents, with commas between", get: func(s *Settings) string { return strings.Join(s.Kinds, ",") }, set: setKinds},
	number("cool_off_seconds", "after a new factor, before it counts for decisions", 0, 30*24*hour, func(s *Settings) int { return whole(s.coolOff()) },
		func(s *Settings, n int) { s.CoolOff = &n }),
	number("history_settling_seconds", "before pushed history counts", 0, 90*24*hour, func(s *Settings) int { return whole(s.historySettling()) },
		func(s *Settings, n int) { s.HistorySettling = &n }),
	number("session_idle_seconds", "a session ends after so long without use", 60, 24*hour, func(s *Settings) int { return whole(s.sessionLimits().Idle) },
		func(s *Settings, n int) { s.SessionIdle = n }),
	number("session_absolute_seconds", "and after so long at the latest", 300, 24*hour, func(s *Settings) int { return whole(s.sessionLimits().Absolute) },
		func(s *Settings, n int) { s.SessionAbsolute = n }),
	number("lease_seconds", "from release to confirmation", 30, 24*hour, func(s *Settings) int { return whole(s.lease()) },
		func(s *Settings, n int) { s.Lease = n }),
	number("revisions_per_object_hour", "requests for one object in an hour", 1, 1000, func(s *Settings) int { return s.objectsPerHour() },
		func(s *Settings, n int) { s.ObjectsPerHour = n }),
	number("challenge_expires_seconds", "a challenge lives", 30, hour/4, func(s *Settings) int { return whole(s.challengeExpires()) },
		func(s *Settings, n int) { s.ChallengeExpires = n }),
	number("invitation_expires_seconds", "an invitation lives", 600, 14*24*hour, func(s *Settings) int { return whole(s.invitationExpires()) },
		func(s *Settings, n int) { s.Invitation = n }),
	number("retention_days", "before erasure is possible", 30, 36500, func(s *Settings) int { return int(s.retention() / (24 * time.Hour)) },
		func(s *Settings, n int) { s.RetentionDays = n }),
	{name: "break_glass_amount", meaning: "most for one use of break-glass, as 40000.00 EUR; nothing: it is off", get: breakGlassText, set: setBreakGlass},
	number("break_glass_per_month", "uses of break-glass in a month", 1, 31, func(s *Settings) int { return s.breakGlassPerMonth() },
		func(s *Settings, n int) { s.BreakGlassMonth = n }),
}

// whole is a duration in whole seconds.
func whole(d time.Duration) int { return int(d / time.Second) }

func number(name, meaning string, least, most int, get func(*Settings) int, put func(*Settings, int)) setting {
	return setting{name: name, meaning: meaning, least: least, most: most,
		get: func(s *Settings) string { return strconv.Itoa(get(s)) },
		set: func(s *Settings, text string) error {
			n, err := strconv.Atoi(text)
			if err != nil || strconv.Itoa(n) != text || n < least || n > most {
				return fmt.Errorf("want a whole number from %d to %d", least, most)
			}
			put(s, n)
			return nil
		}}
}

const mostKinds = 50

func setKinds(s *Settings, text string) error {
	s.Kinds = nil
	if text == "" {
		return nil
	}
	kinds := strings.Split(text, ",")
	if len(kinds) > mostKinds {
		return fmt.Errorf("want at most %d kinds", mostKinds)
	}
	for i, k := range kinds {
		switch {
		case !countersign.ValidKind(k):
			return fmt.Errorf("%q is no name of a kind: want lower-case letters, digits and underscores, with commas between", clipText(k))
		case countersign.BuiltinKind(k):
			return fmt.Errorf("%q is built in", k)
		case slices.Contains(kinds[:i], k):
			return fmt.Errorf("%q stands twice", k)
		}
	}
	s.Kinds = kinds
	return nil
}

func breakGlassText(s *Settings) string {
	if s.BreakGlassAmount == nil {
		return ""
	}
	return amountText(*s.BreakGlassAmount)
}

func amountText(a countersign.Amount) string { return a.Value + " " + a.Currency }

func setBreakGlass(s *Settings, text string) error {
	s.BreakGlassAmount = nil
	if text == "" {
		return nil
	}
	minor, currency, err := parseLimit(text)
	if err != nil {
		return fmt.Errorf("want an amount, as 40000.00 EUR, or nothing: %w", err)
	}
	// What a month allows is a multiple of it, and must stay a number.
	if minor <= 0 || minor > math.MaxInt64/100 {
		return fmt.Errorf("want an amount above zero")
	}
	s.BreakGlassAmount = &countersign.Amount{Value: countersign.FormatMinor(minor, currency), Currency: currency}
	return nil
}

func clipText(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// SettingView is one of the organisation's settings.
type SettingView struct {
	Name    string `json:"name"`    // as the field of a change
	Value   string `json:"value"`   // as the from or to of a change; empty where it is off
	Default string `json:"default"` // where the organisation sets nothing
	Least   int    `json:"least"`   // of a number
	Most    int    `json:"most"`    // of a number; 0 where it is none
	Meaning string `json:"meaning"`
}

// SettingsView lists every setting.
type SettingsView struct {
	Items []SettingView `json:"items"`
}

// Settings reads the organisation's settings, for auditors, controllers and
// administrators. They are changed by a proposal of kind countersign.settings_change
// about "settings", with one change for each setting: its name, from the value that
// stands here to another.
func (a *Authority) Settings(ctx context.Context, s Session) (*SettingsView, error) {
	return look(ctx, a, s, (*reading).allSettings)
}

func (r *reading) allSettings() (*SettingsView, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	at, err := r.settings()
	if err != nil {
		return nil, err
	}
	out := &SettingsView{Items: make([]SettingView, len(settingsTable))}
	for i, f := range settingsTable {
		out.Items[i] = SettingView{Name: f.name, Value: f.get(&at.settings), Default: f.get(&Settings{}), Least: f.least, Most: f.most, Meaning: f.meaning}
	}
	return out, nil
}

func changePointer(i int) string { return "/changes/" + strconv.Itoa(i) }

// changed returns the settings after the changes. Each must still be what its change
// says it was: what a person signs is what happens, or nothing does.
func (s Settings) changed(changes []countersign.Change) (Settings, error) {
	var errs []countersign.FieldError
	bad := func(i int, format string, args ...any) {
		errs = append(errs, countersign.FieldError{Pointer: changePointer(i), Detail: fmt.Sprintf(format, args...)})
	}
	if len(changes) == 0 {
		return s, countersign.Invalid(countersign.FieldError{Pointer: "/changes", Detail: "want at least one"})
	}
	was := s
	for i, ch := range changes {
		at := slices.IndexFunc(settingsTable, func(f setting) bool { return f.name == ch.Field })
		switch {
		case at < 0:
			bad(i, "%q is no setting that is known", clipText(ch.Field))
			continue
		case slices.ContainsFunc(changes[:i], func(o countersign.Change) bool { return o.Field == ch.Field }):
			bad(i, "%s stands twice", ch.Field)
			continue
		}
		f := settingsTable[at]
		if have := f.get(&was); have != ch.From {
			return s, countersign.NewProblem(countersign.CodeConflict, "%s is %q now, and the change was made from %q", f.name, have, clipText(ch.From)).
				WithHint("look at the settings as they are, and propose it anew")
		}
		if err := f.set(&s, ch.To); err != nil {
			bad(i, "%s: %v", f.name, err)
		} else if f.get(&s) == ch.From {
			bad(i, "%s: is %q already", f.name, ch.From)
		}
	}
	if len(errs) == 0 && s.sessionLimits().Idle > s.sessionLimits().Absolute {
		errs = append(errs, countersign.FieldError{Pointer: "/changes", Detail: "session_idle_seconds: must not be longer than session_absolute_seconds"})
	}
	if len(errs) > 0 {
		return s, countersign.Invalid(errs...)
	}
	return s, nil
}

// proposedSettings are the settings as a proposal would have them now, held against
// the policy in force: its currency, and the kinds that it names.
func (a *Authority) proposedSettings(tx *store.Tx, d *countersign.Document) (Settings, error) {
	at, err := a.current(tx)
	if err != nil {
		return Settings{}, err
	}
	next, err := at.settings.changed(d.Changes)
	if err != nil {
		return next, err
	}
	stored, v, err := a.policyNow(tx, at)
	if err != nil {
		return next, err
	}
	if g := next.BreakGlassAmount; g != nil && g.Currency != v.Currency() {
		return next, countersign.Invalid(countersign.FieldError{Pointer: "/changes", Detail: "break_glass_amount: want it in " + v.Currency() + ", in which the policy compares amounts"})
	}
	gone := slices.DeleteFunc(slices.Clone(at.settings.Kinds), func(k string) bool { return slices.Contains(next.Kinds, k) })
	if len(gone) == 0 {
		return next, nil
	}
	return next, a.mayGo(tx, stored, next.Kinds, gone)
}

// mayGo refuses to take kinds away that the policy names, or of which a request is
// open: neither could be read any more.
func (a *Authority) mayGo(tx *store.Tx, stored store.Policy, left, gone []string) error {
	src, err := parseBody(stored.Body)
	if err != nil {
		return err
	}
	src.File, src.Options = "policy", a.optionsFor(left)
	if _, err := policy.Load(src); err != nil {
		return countersign.NewProblem(countersign.CodeState, "kinds: the policy in force needs what would be taken away: %v", err).
			WithHint("publish a policy without it first")
	}
	for _, k := range gone {
		open, err := tx.Approvals(store.ApprovalFilter{Kind: k, Statuses: []countersign.Status{countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusApproved}}, "", 1)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return countersign.NewProblem(countersign.CodeState, "kinds: a request of the kind %s is open: %s", k, open[0].ID).
				WithHint("wait until it has ended")
		}
	}
	return nil
}

// changeSettings puts the settings into force that a second administrator agreed to.
func (a *Authority) changeSettings(tx *store.Tx, g agreed) error {
	next, err := a.proposedSettings(tx, g.doc)
	if err != nil {
		return err
	}
	text, err := countersign.Canonical(next)
	if err != nil {
		return err
	}
	if err := tx.SetSettings(string(text)); err != nil {
		return err
	}
	_, err = appendEntry(tx, entry{typ: countersign.EntrySettingsChanged, subject: tx.Org(), actor: g.actor, facts: g.facts()})
	return err
}
