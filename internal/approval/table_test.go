package approval

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

// in returns a state in the status, reached by the verbs where one leads there.
func in(t *testing.T, status countersign.Status) State {
	t.Helper()
	waiting := needs(clause(2, "finance"))
	at := noon.Add(time.Hour)
	var s State
	var err error
	switch status {
	case countersign.StatusPending:
		s = opened(t, waiting)
	case countersign.StatusApproved:
		s = decided(t, opened(t, waiting), ann, bob)
	case countersign.StatusDenied:
		s = opened(t, waiting)
		s, err = Decide(s, act(s, ann, countersign.ActDeny, at))
	case countersign.StatusExpired:
		s, err = Expire(opened(t, waiting), noon.Add(DefaultDecideWithin))
	case countersign.StatusCancelled:
		s, err = Cancel(opened(t, waiting), By{Source: "erp"}, at)
	case countersign.StatusSuperseded:
		s, err = Supersede(opened(t, waiting), Superseding{Source: "erp", By: "req_2", Version: 1, Now: at})
	case countersign.StatusUnsatisfiable:
		s = opened(t, needs(clause(5, "finance")))
	case countersign.StatusReleased:
		s = released(t)
	case countersign.StatusRevoked:
		s = decided(t, opened(t, waiting), ann, bob)
		s, err = Revoke(s, act(s, ann, countersign.ActRevoke, at))
	}
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, s, status)
	return s
}

func do(s State, e Event) (State, error) {
	at := noon.Add(2 * time.Hour)
	switch e {
	case EventApprove:
		return Decide(s, act(s, ann, countersign.ActApprove, at))
	case EventDeny:
		return Decide(s, act(s, ann, countersign.ActDeny, at))
	case EventCancel:
		return Cancel(s, By{Source: "erp"}, at)
	case EventReassign:
		return Reassign(s, Reassigning{From: Candidate{Person: bob}, To: Candidate{Person: ann}, Now: at})
	case EventSupersede:
		return Supersede(s, Superseding{Source: "erp", By: "req_9", Version: s.Version, Now: at})
	case EventExpire, EventLapse:
		return Expire(s, noon.Add(1000*24*time.Hour))
	case EventReweigh:
		return Reweigh(s, Weighing{Requirement: needs(clause(1, "treasury")), PolicyDigest: newPol, Candidates: people(ann, bob, cleo), Why: "a stricter policy", Now: at})
	case EventRevoke:
		return Revoke(s, act(s, ctl, countersign.ActRevoke, at))
	case EventRelease:
		return Release(s, releasing(s, "run-1", at.Add(-time.Hour+time.Minute)))
	case EventConfirm:
		return Confirm(s, Settling{Source: "erp", Execution: "run-1", Now: at})
	case EventAbandon:
		return Abandon(s, Settling{Source: "erp", Execution: "run-1", Now: at})
	}
	panic("unknown event " + e)
}

// TestEveryStatusAndEvent goes through every pair. The expectation is written out
// here, not derived from the machine's own table: the status that the event leads
// to, "=" where nothing changes, "-" where it is refused as not possible.
func TestEveryStatusAndEvent(t *testing.T) {
	const table = `
event     pending     approved   denied expired cancelled superseded unsatisfiable released revoked
approve   pending     -          -      -       -         -          -             -        -
deny      denied      -          -      -       -         -          -             -        -
cancel    cancelled   cancelled  -      -       -         -          cancelled     -        -
reassign  pending     -          -      -       -         -          -             -        -
supersede superseded  superseded -      -       -         -          superseded    -        -
expire    expired     expired    =      =       =         =          expired       released =
lapse     expired     expired    =      =       =         =          expired       released =
reweigh   pending     pending    -      -       -         -          unsatisfiable -        -
revoke    -           revoked    -      -       -         -          -             -        -
release   -           released   -      -       -         -          -             =        -
confirm   -           -          -      -       -         -          -             released -
abandon   -           -          -      -       -         -          -             released -`
	lines := strings.Split(strings.TrimSpace(table), "\n")
	statuses := strings.Fields(lines[0])[1:]
	seen := 0
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		for i, want := range cells[1:] {
			event, status := Event(cells[0]), countersign.Status(statuses[i])
			t.Run(string(status)+"/"+string(event), func(t *testing.T) {
				seen++
				before := in(t, status)
				after, err := do(before, event)
				switch want {
				case "-":
					wantCode(t, err, countersign.CodeState)
					wantStatus(t, after, status)
				case "=":
					wantCode(t, err, "")
					wantStatus(t, after, status)
				default:
					wantCode(t, err, "")
					wantStatus(t, after, countersign.Status(want))
				}
				risen := after.Version - before.Version
				if wantRisen := int64(1); (want == "-" || want == "=") && risen != 0 || want != "-" && want != "=" && risen != wantRisen {
					t.Errorf("the version rose by %d", risen)
				}
				if after.Status.Final() == after.EndedAt.IsZero() {
					t.Errorf("%s ended at %v", after.Status, after.EndedAt)
				}
			})
		}
	}
	if seen != 9*12 {
		t.Errorf("%d pairs, want all %d", seen, 9*12)
	}
}

// TestFinalStatusesHaveNoWayOut holds the table to the vocabulary.
func TestFinalStatusesHaveNoWayOut(t *testing.T) {
	for status, events := range transitions {
		for event, to := range events {
			for _, next := range to {
				if status.Final() && next != status {
					t.Errorf("%s is final, but %s leads to %s", status, event, next)
				}
			}
		}
	}
}

func TestChartMatchesTheTable(t *testing.T) {
	data, err := os.ReadFile("states.mmd")
	if err != nil {
		t.Fatal(err)
	}
	var drawn, listed []string
	for _, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, "-->") {
			drawn = append(drawn, strings.TrimSpace(line))
		}
	}
	for from, events := range transitions {
		if from == "" {
			from = "[*]"
		}
		for event, to := range events {
			for _, next := range to {
				listed = append(listed, string(from)+" --> "+string(next)+": "+string(event))
			}
		}
	}
	slices.Sort(drawn)
	slices.Sort(listed)
	if !slices.Equal(drawn, listed) {
		t.Errorf("the chart has\n%s\nthe table\n%s", strings.Join(drawn, "\n"), strings.Join(listed, "\n"))
	}
}

// TestVerbsLeaveTheirInputAlone: values in, values out.
func TestVerbsLeaveTheirInputAlone(t *testing.T) {
	for _, status := range []countersign.Status{countersign.StatusPending, countersign.StatusApproved, countersign.StatusReleased, countersign.StatusUnsatisfiable} {
		for _, e := range []Event{EventApprove, EventDeny, EventCancel, EventSupersede, EventExpire, EventReweigh, EventRevoke, EventRelease, EventConfirm, EventAbandon, EventReassign} {
			s := in(t, status)
			before := dump(t, s)
			do(s, e)
			if after := dump(t, s); before != after {
				t.Errorf("%s of %s changed its input from %s to %s", e, status, before, after)
			}
		}
	}
}

func dump(t *testing.T, s State) string {
	t.Helper()
	b, err := countersign.Canonical(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
