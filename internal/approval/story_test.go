package approval

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/countersign/countersign"
)

// TestStories plays testdata/*.txtar. A story has three parts: people (a name, its
// groups, key=value facts), request (one thing required per line), and story: the
// time since noon, an event, "=>", the status after it, and the code of the error.
// A line "says TEXT" holds what was said last to a text.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d stories: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			st := &story{t: t, people: map[string]Person{}, answers: map[string]string{}}
			each(parts["people"], st.person)
			each(parts["request"], st.require)
			lines := 0
			each(parts["story"], func(line string) { lines++; st.line(line) })
			if lines == 0 {
				t.Error("nothing happens")
			}
		})
	}
}

func each(text string, do func(string)) {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			do(line)
		}
	}
}

type story struct {
	t       *testing.T
	people  map[string]Person
	order   []string
	in      Submitted
	answers map[string]string // question by id
	s       State
	before  State // the version before, for a person who looks at an old page
	against Standing
	said    string
	n       int
}

func (st *story) person(line string) {
	f := strings.Fields(line)
	p := person(f[0])
	for _, word := range f[1:] {
		key, value, pair := strings.Cut(word, "=")
		switch {
		case !pair:
			p.Groups = strings.Split(word, ",")
		case key == "managers":
			p.Managers = strings.Split(value, ",")
		case key == "limit":
			p.Limit = eur(value)
		case key == "controller":
			p.Controller = true
		default:
			st.t.Fatalf("people: %q", line)
		}
	}
	st.people[p.ID] = p
	if !slices.Contains(st.order, p.ID) {
		st.order = append(st.order, p.ID)
	}
}

func (st *story) require(line string) {
	f := strings.Fields(line)
	r := &st.in.Requirement
	switch f[0] {
	case "allow", "step_up", "deny":
		r.Outcome = countersign.Outcome(f[0])
	case "assurance":
		r.Assurance = countersign.Assurance(f[1])
	case "clause":
		c := countersign.Clause{From: strings.Split(f[2], "|"), OutsideChain: slices.Contains(f, "outside")}
		fmt.Sscan(f[1], &c.Count)
		r.Clauses = append(r.Clauses, c)
	case "hold":
		r.Hold = int(st.duration(f[1]).Seconds())
	case "decide_within":
		r.DecideWithin = int(st.duration(f[1]).Seconds())
	case "release_within":
		r.ReleaseWithin = int(st.duration(f[1]).Seconds())
	case "watchers":
		r.Watchers = f[1:]
	case "reason":
		r.Reason = true
	case "attest":
		st.answers[f[1]] = strings.Join(f[2:], " ")
		r.Attestations = append(r.Attestations, countersign.Attestation{ID: f[1], Question: st.answers[f[1]]})
	case "requester", "owner":
		q := Requester{ID: f[1], Name: person(f[1]).Name, Owner: f[0] == "owner"}
		if len(f) > 2 {
			q.Manager = strings.TrimPrefix(f[2], "manager=")
		}
		st.in.Requesters = append(st.in.Requesters, q)
	case "nominated":
		st.in.Nominated = f[1]
	case "amount":
		st.in.Amount = eur(f[1])
	case "kind":
		st.in.Kind = f[1]
	default:
		st.t.Fatalf("request: %q", line)
	}
}

func (st *story) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		st.t.Fatal(err)
	}
	return d
}

func (st *story) candidates() []Candidate {
	var out []Candidate
	for _, id := range st.order {
		out = append(out, Candidate{Person: st.people[id]})
	}
	return out
}

var expectation = regexp.MustCompile(`^(.*?)\s*=>\s*(\S+)(?:\s+(\S+))?$`)

func (st *story) line(line string) {
	if text, ok := strings.CutPrefix(line, "says "); ok {
		if !strings.Contains(st.said, text) {
			st.t.Fatalf("said %q, not %q", st.said, text)
		}
		return
	}
	m := expectation.FindStringSubmatch(line)
	if m == nil {
		st.t.Fatalf("story: %q", line)
	}
	f := strings.Fields(m[1])
	at := noon.Add(st.duration(f[0]))
	was := st.s
	next, err := st.event(f[1], f[2:], at)
	if next.Version != was.Version {
		st.before = was
	}
	st.s = next
	if err != nil {
		st.said = err.Error()
	}
	if string(next.Status) != m[2] || string(code(err)) != m[3] {
		st.t.Fatalf("%s\ngot %s %s (%v)", line, next.Status, code(err), err)
	}
}

func (st *story) event(verb string, args []string, at time.Time) (State, error) {
	s := st.s
	o := options(args)
	switch verb {
	case "submit":
		in := st.in
		in.ID, in.Org, in.Source, in.Digest, in.PolicyDigest, in.Candidates, in.Now = "req_1", "org_1", "erp", doc, pol, st.candidates(), at
		if in.Kind == "" {
			in.Kind = countersign.KindInvoice
		}
		return Open(in)
	case "approve", "deny":
		return Decide(s, st.act(countersign.Act(verb), args, at))
	case "revoke":
		return Revoke(s, st.act(countersign.ActRevoke, args, at))
	case "cancel":
		return Cancel(s, By{Source: o["source"], Person: o["person"]}, at)
	case "supersede":
		return Supersede(s, Superseding{Source: o["source"], By: "req_2", Version: s.Version, Now: at})
	case "expire":
		return Expire(s, at)
	case "confirm":
		return Confirm(s, Settling{Source: "erp", Execution: args[0], Now: at})
	case "abandon":
		return Abandon(s, Settling{Source: "erp", Execution: args[0], Now: at})
	case "missing":
		st.said = strings.Join(MissingInWords(s), "; ")
		return s, nil
	case "eligible":
		e := Eligible(s, Candidate{Person: st.people[args[0]]}, at)
		st.said = fmt.Sprintf("approve %v deny %v", e.MayApprove, e.MayDeny)
		for _, ob := range e.Obstacles {
			st.said += "; " + ob.Sentence
		}
		return s, nil
	}
	return st.later(verb, args, at)
}

// later are the events after the decisions, and what happens in the world.
func (st *story) later(verb string, args []string, at time.Time) (State, error) {
	s := st.s
	o := options(args)
	switch verb {
	case "person":
		p := st.people[args[0]]
		p.Active = !slices.Contains(args, "inactive")
		st.people[p.ID] = p
		if !p.Active {
			st.against.Inactive = append(st.against.Inactive, p.ID)
		}
	case "joins":
		st.person(strings.Join(args, " "))
	case "alert":
		st.against.Alerts = append(st.against.Alerts, Alert{ID: "alr", Sentence: strings.Join(args, " "), Raised: at})
	case "freeze":
		st.against.Freezes = append(st.against.Freezes, Freeze{Subject: args[0], Placed: at, Ends: at.Add(MaxFreeze)})
	case "bank_change":
		st.against.BankChanges = append(st.against.BankChanges, BankChange{Request: "req_7", ToNew: args[0] == "to_new", Since: at})
	case "reported":
		st.against.Reported = append(st.against.Reported, args[0])
	case "reweigh":
		r := s.Requirement
		if o["assurance"] != "" {
			r.Assurance = countersign.Assurance(o["assurance"])
		}
		if o["outcome"] != "" {
			r.Outcome = countersign.Outcome(o["outcome"])
		}
		return Reweigh(s, Weighing{Requirement: r, PolicyDigest: newPol, Candidates: st.candidates(), Why: "a new policy", Now: at})
	case "check", "release":
		f := st.against
		f.Source, f.Digest, f.Requirement, f.PolicyDigest, f.Candidates, f.Now = "erp", doc, s.Requirement, s.PolicyDigest, st.candidates(), at
		if o["source"] != "" {
			f.Source = o["source"]
		}
		if slices.Contains(args, "changed") {
			f.Digest = other
		}
		if verb == "check" {
			return s, st.check(f)
		}
		return Release(s, Releasing{Standing: f, Execution: args[0], Lease: "lea_1", Confirm: slices.Contains(args, "confirm")})
	default:
		st.t.Fatalf("story: the event %q is not known", verb)
	}
	return s, nil
}

func (st *story) check(f Standing) error {
	objections, err := CheckRelease(st.s, f)
	st.said = "nothing"
	for i, ob := range objections {
		if i == 0 {
			st.said = ""
		}
		st.said += ob.Code + ": " + ob.Sentence + "; "
	}
	return err
}

func options(args []string) map[string]string {
	o := map[string]string{}
	for _, a := range args {
		if key, value, ok := strings.Cut(a, "="); ok {
			o[key] = value
		}
	}
	return o
}

func (st *story) act(what countersign.Act, args []string, at time.Time) Act {
	base := st.s
	if slices.Contains(args, "old_page") {
		base = st.before
	}
	p := st.people[args[0]]
	a := act(base, p, what, at)
	st.n++
	a.Decision = fmt.Sprintf("dec_%d", st.n)
	for _, word := range args[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "session", "mfa", "hardware":
			a.Proof.Assurance = countersign.Assurance(key)
		case "passkey":
			a.Proof.Assurance = countersign.AssurancePhishingResistant
		case "age":
			a.Proof.AuthTime = at.Add(-st.duration(value))
		case "for":
			a = a.actingFor(st.people[value], Delegation{From: value, To: p.ID, Starts: noon, Ends: noon.Add(24 * time.Hour)})
		case "reason":
			a.Statement.Reason = strings.ReplaceAll(value, "_", " ")
		case "answer":
			id, text, _ := strings.Cut(value, ":")
			a.Statement.Attestations = append(a.Statement.Attestations, countersign.Attestation{ID: id, Question: st.answers[id], Answer: text})
		case "unexpected":
			a.Unexpected = true
		case "cool_off":
			a.Person.CoolOffUntil = noon.Add(st.duration(value))
		case "breakglass":
			a.BreakGlass = &BreakGlass{Person: p.ID, NamedAt: noon.Add(-BreakGlassNamesAfter), PerUse: *eur("20000.00"), PerMonth: *eur("50000.00"), UsedThisMonth: *eur("0.00")}
		case "shown":
			a.Statement.Digest = other
		case "policy_denies":
			a.Person.Weighed = &countersign.Requirement{Outcome: countersign.OutcomeDeny}
		case "old_page":
		default:
			st.t.Fatalf("story: %q of an act is not known", word)
		}
	}
	return a
}
