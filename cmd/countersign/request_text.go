package main

import (
	"fmt"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/terminal"
)

// standing shows where a request stands.
func (p *process) standing(a *countersign.Approval) answer {
	return answer{value: a, text: func() { p.printStanding(a) }}
}

func (p *process) printStanding(a *countersign.Approval) {
	p.printf("%s  %s\n", a.ID, statusInWords(a))
	p.printReasons(a.Reasons)
	if a.Status == countersign.StatusPending || a.Status == countersign.StatusUnsatisfiable {
		p.printf("needs     %s\n", strings.Join(requirementInWords(a.Requirement), "\n          "))
	}
	for _, d := range a.Decisions {
		p.printf("decided   %s\n", strings.Join(terminal.Wrap(decisionInWords(d), 68), "\n          "))
	}
	if len(a.Missing) > 0 {
		p.printf("missing   %s\n", strings.Join(a.Missing, "\n          "))
	}
	if a.DecideBy != "" && a.Status == countersign.StatusPending {
		p.printf("until     %s\n", terminal.Minute(a.DecideBy))
	}
	if a.Founding {
		p.printf("founding  made while the organisation had fewer than two administrators\n")
	}
}

func statusInWords(a *countersign.Approval) string {
	text := string(a.Status)
	switch {
	case a.Status == countersign.StatusApproved && a.Outcome == countersign.OutcomeAllow:
		text += fmt.Sprintf(" by policy v%d; nobody was asked", a.PolicyVersion)
	case a.Status == countersign.StatusApproved && a.NotBefore != "":
		text += ", not to be released before " + terminal.Minute(a.NotBefore)
	case a.Status == countersign.StatusSuperseded:
		text += " by " + a.SupersededBy
	}
	return text
}

func outcomeInWords(o countersign.Outcome) string {
	switch o {
	case countersign.OutcomeAllow:
		return "would pass; nobody would be asked"
	case countersign.OutcomeDeny:
		return "would be denied"
	}
	return "would step up"
}

func (p *process) printReasons(reasons []countersign.Reason) {
	for _, r := range reasons {
		text := r.Sentence
		if len(r.Missing) > 0 && r.State == countersign.Unknown && !strings.Contains(text, "not known") {
			text += " (not known: " + strings.Join(r.Missing, ", ") + ")"
		}
		p.printf("because   %s\n", strings.Join(terminal.Wrap(terminal.Printable(text), 68), "\n          "))
	}
}

// requirementInWords says what must happen, a line each.
func requirementInWords(r countersign.Requirement) []string {
	var out []string
	for _, c := range r.Clauses {
		text := fmt.Sprintf("%d of %s", c.Count, strings.Join(c.From, " or "))
		if len(c.From) == 0 {
			text = "the nominated approver"
		}
		if c.OutsideChain {
			text += ", outside the requester's reporting line"
		}
		out = append(out, text)
	}
	switch r.Assurance {
	case countersign.AssuranceMFA:
		out = append(out, "two factors, as a password and a code, or better")
	case countersign.AssurancePhishingResistant:
		out = append(out, "a passkey: a code is not enough")
	case countersign.AssuranceHardware:
		out = append(out, "a passkey on an attested device")
	}
	for _, a := range r.Attestations {
		out = append(out, "an answer: "+a.Question)
	}
	if r.Reason {
		out = append(out, "a written reason")
	}
	if r.Hold > 0 {
		out = append(out, fmt.Sprintf("%d hours of waiting after the last decision", r.Hold/3600))
	}
	if len(out) == 0 {
		out = append(out, "nothing")
	}
	return out
}

func decisionInWords(d countersign.Decision) string {
	text := fmt.Sprintf("%s: %s", d.Person.Name, d.Act)
	if d.ActingFor != nil {
		text += " for " + d.ActingFor.Name
	}
	if d.Unexpected {
		text += ", did not expect it"
	}
	text += ", by " + factorInWords(d.Evidence) + ", " + terminal.Minute(d.At)
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	for _, a := range d.Attestations {
		text += fmt.Sprintf("; %s %s", a.Question, a.Answer)
	}
	return terminal.Printable(text)
}

func factorInWords(e countersign.Evidence) string {
	switch {
	case e.Passkey != nil && e.Passkey.Simulated:
		return "the demo's software passkey (simulated)"
	case e.Passkey != nil:
		return "passkey"
	case e.TOTP != nil:
		return "password and code"
	}
	return "session"
}

// oneLine is a request on one line of a list.
func oneLine(a *countersign.Approval) string {
	d, err := card(a)
	if err != nil {
		return "(its document is not the one that was submitted)"
	}
	parts := []string{countersign.KindInWords(d.Kind), d.ID}
	if d.Amount != nil {
		parts = append(parts, terminal.Money(*d.Amount))
	}
	if d.Payee != nil {
		parts = append(parts, or(d.Payee.Name, d.Payee.ID))
	}
	return terminal.Printable(strings.Join(parts, "  "))
}

// printProblem shows what a problem carries beside its sentence.
func (p *process) printProblem(problem *countersign.Problem) {
	for _, d := range problem.Differences {
		fmt.Fprintf(p.err, "differs: %s\n  approved: %s\n  now:      %s\n", terminal.Printable(d.Pointer), terminal.Printable(or(d.Stored, "(nothing)")), terminal.Printable(or(d.Sent, "(nothing)")))
	}
	said := []string{problem.Detail}
	for _, r := range problem.Reasons {
		if !slices.Contains(said, r.Sentence) {
			said = append(said, r.Sentence)
			fmt.Fprintf(p.err, "against: %s\n", terminal.Printable(r.Sentence))
		}
	}
}
