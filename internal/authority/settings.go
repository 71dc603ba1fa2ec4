package authority

import (
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

// Settings are an organisation's own, stored with it and changed only by a logged
// act. Durations are whole seconds. The zero value of each means its default.
type Settings struct {
	Kinds            []string            `json:"kinds,omitempty"`                      // custom kinds of documents
	CoolOff          *int                `json:"cool_off_seconds,omitempty"`           // after a new factor, before it counts for decisions; default 24 h
	HistorySettling  *int                `json:"history_settling_seconds,omitempty"`   // before pushed history counts; default 72 h
	SessionIdle      int                 `json:"session_idle_seconds,omitempty"`       // default 1 h
	SessionAbsolute  int                 `json:"session_absolute_seconds,omitempty"`   // default 12 h
	Lease            int                 `json:"lease_seconds,omitempty"`              // from release to confirm; default 15 min
	ObjectsPerHour   int                 `json:"revisions_per_object_hour,omitempty"`  // requests for one object in an hour; default 20
	ChallengeExpires int                 `json:"challenge_expires_seconds,omitempty"`  // default 5 min
	Invitation       int                 `json:"invitation_expires_seconds,omitempty"` // default 72 h
	RetentionDays    int                 `json:"retention_days,omitempty"`             // before erasure is possible; default 3650
	BreakGlassAmount *countersign.Amount `json:"break_glass_amount,omitempty"`         // most per use; none: break-glass is off
	BreakGlassMonth  int                 `json:"break_glass_per_month,omitempty"`      // uses in 30 days; default 2
}

func seconds(n, fallback int) time.Duration {
	if n <= 0 {
		n = fallback
	}
	return time.Duration(n) * time.Second
}

func optional(n *int, fallback int) time.Duration {
	if n == nil {
		return time.Duration(fallback) * time.Second
	}
	return time.Duration(max(*n, 0)) * time.Second
}

const hour = 3600

func (s *Settings) coolOff() time.Duration         { return optional(s.CoolOff, 24*hour) }
func (s *Settings) historySettling() time.Duration { return optional(s.HistorySettling, 72*hour) }
func (s *Settings) sessionLimits() authn.SessionLimits {
	return authn.SessionLimits{Absolute: seconds(s.SessionAbsolute, 12*hour), Idle: seconds(s.SessionIdle, hour)}
}
func (s *Settings) lease() time.Duration { return seconds(s.Lease, 900) }
func (s *Settings) challengeExpires() time.Duration {
	return seconds(s.ChallengeExpires, 300)
}
func (s *Settings) invitationExpires() time.Duration { return seconds(s.Invitation, 72*hour) }
func (s *Settings) retention() time.Duration {
	return seconds(s.RetentionDays*24*hour, 3650*24*hour)
}

func (s *Settings) objectsPerHour() int {
	if s.ObjectsPerHour <= 0 {
		return 20
	}
	return s.ObjectsPerHour
}

func (s *Settings) breakGlassPerMonth() int {
	if s.BreakGlassMonth <= 0 {
		return 2
	}
	return s.BreakGlassMonth
}
