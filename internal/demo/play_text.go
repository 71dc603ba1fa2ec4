package demo

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/terminal"
	"github.com/countersign/countersign/verify"
)

// page writes text for a person, 80 columns wide.
type page struct {
	out  io.Writer
	bold bool
}

const (
	columns = 79
	label   = 10
)

func (p page) strong(s string) string {
	if p.bold {
		return "\x1b[1m" + s + "\x1b[0m"
	}
	return s
}

func (p page) title(s string) {
	fmt.Fprintf(p.out, "\n%s\n%s\n", p.strong(s), strings.Repeat("=", utf8.RuneCountInString(s)))
}

func (p page) heading(s string) {
	fmt.Fprintf(p.out, "\n%s\n%s\n", p.strong(s), strings.Repeat("-", utf8.RuneCountInString(s)))
}

func (p page) text(s string) {
	for _, l := range terminal.Wrap(s, columns) {
		fmt.Fprintln(p.out, l)
	}
}

// lines writes lines as they are.
func (p page) lines(all ...string) {
	for _, l := range all {
		fmt.Fprintln(p.out, l)
	}
}

// item writes a labelled text.
func (p page) item(name, s string) {
	for i, l := range terminal.Wrap(s, columns-label) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(p.out, "%s%s\n", terminal.Pad(name, label), l)
	}
}

func upper(s string) string { return strings.ToUpper(s) }

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

// docLine is a document in a line.
func docLine(d *countersign.Document) string {
	parts := []string{strings.ReplaceAll(d.Kind, "_", " ") + " " + d.ID}
	if d.Amount != nil {
		parts = append(parts, terminal.Money(*d.Amount))
	}
	parts = append(parts, d.Payee.Name)
	for _, ch := range d.Changes {
		if ch.Field == "account" {
			parts = append(parts, "account "+ch.From+" becomes "+ch.To)
		}
	}
	asked := d.Requester.Name
	if d.Requester.Type == "service" {
		asked += " (no person)"
	}
	return strings.Join(append(parts, "asked by "+asked), ", ")
}

// needs says what a requirement wants.
func needs(r countersign.Requirement) string {
	var out []string
	for _, c := range r.Clauses {
		people := "people"
		if c.Count == 1 {
			people = "person"
		}
		text := fmt.Sprintf("%d %s of %s", c.Count, people, strings.Join(c.From, " or "))
		if c.OutsideChain {
			text += " outside the reporting line"
		}
		out = append(out, text)
	}
	switch r.Assurance {
	case countersign.AssuranceMFA:
		out = append(out, "two factors")
	case countersign.AssurancePhishingResistant:
		out = append(out, "a passkey")
	case countersign.AssuranceHardware:
		out = append(out, "a passkey on an attested device")
	}
	for _, a := range r.Attestations {
		out = append(out, "an answer to “"+a.Question+"”")
	}
	if r.Reason {
		out = append(out, "a written reason")
	}
	if r.Hold > 0 {
		out = append(out, fmt.Sprintf("%d hours of waiting after the last decision", r.Hold/3600))
	}
	return strings.Join(out, ", ")
}

var (
	personRE = regexp.MustCompile(`per_[0-9a-z]{26}`)
	digestRE = regexp.MustCompile(`sha-256:([0-9a-f]{8})[0-9a-f]{56}`)
	idRE     = regexp.MustCompile(`\b(req|dec|fac|key|ent|lea|inv)_[0-9a-z]{20}([0-9a-z]{6})\b`)
)

// humane puts names in the place of identifiers, and shortens digests.
func (p *play) humane(s string) string {
	s = personRE.ReplaceAllStringFunc(s, func(id string) string {
		for i := range p.h.Info.People {
			if p.h.Info.People[i].ID == id {
				return p.h.Info.People[i].Name
			}
		}
		return id
	})
	if p.h.Info.KeyID != "" {
		s = strings.ReplaceAll(s, p.h.Info.KeyID, "of the ERP")
	}
	s = digestRE.ReplaceAllString(s, "sha-256:${1}…")
	return idRE.ReplaceAllString(s, "${1}_…$2")
}

// spoken is what a claim says, without saying names twice where the receipt has an
// identifier beside the name.
func (p *play) spoken(c verify.Claim) string {
	text := p.humane(c.Text)
	for i := range p.h.Info.People {
		name := p.h.Info.People[i].Name
		text = strings.ReplaceAll(text, name+" is "+name+", in", name+" was in")
		text = strings.ReplaceAll(text, name+", "+name, name)
		if strings.HasPrefix(c.By, "person ") {
			text = strings.TrimPrefix(strings.TrimPrefix(text, name+": "), name+" ")
		}
	}
	return text
}

// proves verifies a receipt offline and shows what it proves, and who answers for
// each part.
func (p *play) proves(receipt []byte, name string) {
	if p.failed != nil {
		return
	}
	v, err := verify.Receipt(receipt, verify.Options{Keys: p.h.Info.Verifiers, Document: p.document(name), Org: p.h.Info.Org})
	if err != nil {
		p.fail("%s: its receipt: %w", name, err)
		return
	}
	p.counts.proven++
	p.item("receipt", fmt.Sprintf("verified offline: log of %d entries, document %s", v.Checkpoint.Size, p.humane(string(v.Digest))))
	var steps []string
	for _, s := range v.Steps {
		if !slices.Contains(steps, s.Name) {
			steps = append(steps, s.Name)
		}
	}
	p.item("", "✓ "+strings.Join(steps, ", "))
	for _, c := range v.Claims {
		by := c.By
		switch {
		case strings.HasPrefix(by, "person "):
			by = "signed by " + p.humane(strings.TrimPrefix(by, "person "))
		case strings.HasPrefix(by, "caller "):
			by = "stated by the caller"
		case by == verify.ByServer:
			by = "stated by the server"
		default:
			by = "not proven"
		}
		p.item("", by+": "+p.spoken(c))
	}
}
