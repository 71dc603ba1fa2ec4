package signal

import (
	"cmp"
	"slices"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
)

// who names a person for a finding.
func (p *Person) who() string {
	switch {
	case p == nil:
		return "nobody"
	case p.Name != "":
		return p.Name
	case p.ID != "":
		return p.ID
	}
	return p.Claimed
}

// role is one part that a person has in the request.
type role struct {
	name   string // the missing field when the person is not known
	person *Person
}

// approving lists whoever approves: the approver, and whom they stand in for.
// Both are checked, and one natural person counts once (ruling 20).
func (f *Facts) approving() []role {
	out := make([]role, 1, 2)
	out[0] = role{MissingApprover, f.Approver}
	if f.ActingFor != nil {
		out = append(out, role{"acting_for", f.ActingFor})
	}
	return out
}

// asking lists whoever asks: the requester, and the owner of a service. A service is
// nobody on record, and nothing is missing when it is not: its owner answers for it
// (ruling 20). One that is on record is compared all the same.
func (f *Facts) asking() []role {
	out := make([]role, 0, 2)
	service := f.requestedByService()
	if !service || f.Requester.Known() {
		out = append(out, role{"requester", f.Requester})
	}
	if f.Owner != nil || service {
		out = append(out, role{"owner", f.Owner})
	}
	return out
}

func (f *Facts) requestedByService() bool {
	return f.Requester != nil && f.Requester.Type == "service" ||
		f.Document != nil && f.Document.Requester != nil && f.Document.Requester.Type == "service"
}

// same tells whether two are one natural person; ok is false when it cannot be
// told. An id of another system decides only where it is the same one.
func same(a, b *Person) (is, ok bool) {
	switch {
	case a == nil || b == nil:
		return false, false
	case a.Known() && b.Known():
		return a.ID == b.ID, true
	case a.Claimed != "" && a.Claimed == b.Claimed:
		return true, true
	}
	return false, false
}

func selfApproval(f *Facts, _ *Settings) answer {
	var missing []string
	for _, l := range f.approving() {
		for _, r := range f.asking() {
			is, ok := same(l.person, r.person)
			if is {
				return say(true, l.person.who()+" asked for this", "another person", "people on record")
			}
			if !ok {
				missing = appendMissing(missing, l)
				missing = appendMissing(missing, r)
			}
		}
	}
	if missing != nil {
		return cannot(missing...)
	}
	return say(false, f.Approver.who()+" approves, "+f.Requester.who()+" asks", "another person", "people on record")
}

func appendMissing(missing []string, r role) []string {
	if r.person.Known() || slices.Contains(missing, r.name) {
		return missing
	}
	return append(missing, r.name)
}

func approverCreatedVendor(f *Facts, _ *Settings) answer {
	return forApproving(f, func(p *Person) answer {
		if f.Vendor == nil || f.Vendor.CreatedBy == "" {
			return cannot("vendor.created_by")
		}
		return say(p.ID == f.Vendor.CreatedBy, "created by "+f.Vendor.CreatedBy, "by somebody else than "+p.who(), f.Vendor.RecordedSource)
	})
}

func approverReports(f *Facts, _ *Settings) answer {
	return forApproving(f, func(p *Person) answer {
		for _, r := range f.asking() {
			if !r.person.Known() {
				return cannot(r.name)
			}
			if p.Manager == nil {
				return cannot(MissingApprover + ".manager")
			}
			if *p.Manager == r.person.ID {
				return say(true, p.who()+" reports to "+r.person.who(), "another manager", "people on record")
			}
		}
		return say(false, p.who()+" does not report to "+f.asking()[0].person.who(), "another manager", "people on record")
	})
}

func approverPrivileged(f *Facts, _ *Settings) answer {
	return forApproving(f, func(p *Person) answer {
		if p.Privileged == nil {
			return cannot(MissingApprover + ".privileged")
		}
		if *p.Privileged {
			return say(true, p.who()+" has elevated purchasing permissions", "none", "people on record")
		}
		return say(false, p.who()+" has none", "elevated purchasing permissions", "people on record")
	})
}

func approverInactive(f *Facts, _ *Settings) answer {
	return forApproving(f, func(p *Person) answer {
		if p.Active == nil {
			return cannot(MissingApprover + ".active")
		}
		if *p.Active {
			return say(false, p.who()+" is active", "active", "people on record")
		}
		return say(true, p.who()+" is deactivated", "active", "people on record")
	})
}

var limitSettings = section{
	shape: shape.ObjectOf("limits of people",
		shape.Optional("unset", shape.OneOf("what it means that no limit is recorded for a person: it cannot be told, or they are not bound by one",
			string(LimitUnsetUnknown), string(LimitUnsetUnbound))),
	),
	read: func(s *Settings, w Written) {
		s.LimitUnset = LimitUnset(cmp.Or(w.Member("unset").Text(), string(s.LimitUnset)))
	},
}

// approverOverLimit binds the delegate by the smaller of both limits.
func approverOverLimit(f *Facts, s *Settings) answer {
	own, missing := f.Amount()
	if missing != "" {
		return cannot(missing)
	}
	return forApproving(f, func(p *Person) answer {
		switch {
		case p.Limit.State == LimitNone && s.LimitUnset == LimitUnsetUnbound:
			return say(false, own.String(), "no limit is recorded for "+p.who(), "people on record")
		case p.Limit.State != LimitSet:
			return cannot(MissingApprover + ".limit")
		}
		order, missing := f.Compare(own, p.Limit.Amount, s.Base)
		if missing != "" {
			return cannot(missing)
		}
		return say(order > 0, own.String(), p.who()+" may approve up to "+p.Limit.Amount.String(), "people on record")
	})
}

// forApproving asks about the approver and about whom they stand in for: true for
// one is true, and else what cannot be told for one cannot be told.
func forApproving(f *Facts, ask func(*Person) answer) answer {
	var first, unknown *answer
	for _, r := range f.approving() {
		a := cannot(r.name)
		if r.person.Known() {
			a = ask(r.person)
		} else if r.person != nil {
			a.value = r.person.who() + " is not on record"
		}
		switch a.state {
		case countersign.True:
			return a
		case countersign.Unknown:
			if unknown == nil {
				unknown = &a
			}
		default:
			if first == nil {
				first = &a
			}
		}
	}
	if unknown != nil {
		return *unknown
	}
	return *first
}
