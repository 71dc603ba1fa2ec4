package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// maxScan is how many entries one page of the list looks at, where the authority
// keeps no index for what is asked.
const maxScan = 20_000

// entries reads a page of the list. An authority that has no answer of its own is read
// entry by entry.
func (v *visit) entries(f authority.EntryFilter, p authority.TablePage) (*authority.EntryTable, error) {
	table, err := v.org.Entries(v.ctx(), *v.session, f, p)
	if !hasCode(err, countersign.CodeNotFound) {
		return table, err
	}
	checkpoint, err := v.org.Checkpoint()
	if err != nil {
		return nil, err
	}
	body, _, _ := strings.Cut(string(checkpoint), "\n\n")
	head, err := countersign.ParseCheckpoint(body + "\n")
	if err != nil {
		return nil, err
	}
	s := &logScan{v: v, filter: f, limit: p.Limit, table: authority.EntryTable{Size: head.Size}, requests: map[string]*countersign.Approval{}}
	before := head.Size
	if n, err := strconv.ParseInt(p.After, 10, 64); err == nil && n >= 0 {
		before = min(n, before)
	}
	return &s.table, s.back(before)
}

// logScan goes over the log backwards.
type logScan struct {
	v        *visit
	filter   authority.EntryFilter
	limit    int
	table    authority.EntryTable
	requests map[string]*countersign.Approval
}

func (s *logScan) back(before int64) error {
	if n := s.filter.Number; n != nil {
		if *n >= before {
			return nil
		}
		before = *n + 1
	}
	for scanned := int64(0); before > 0 && scanned < maxScan; {
		from := max(before-100, 0)
		page, err := s.v.org.LogEntries(s.v.ctx(), s.v.caller(), from, int(before-from))
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(page.Items) {
			row, ok, err := s.row(e)
			if err != nil {
				return err
			}
			if ok {
				s.table.Items = append(s.table.Items, row)
			}
			if s.filter.Number != nil {
				return nil
			}
			if len(s.table.Items) == s.limit && e.Index > 0 {
				s.table.Next = strconv.FormatInt(e.Index, 10)
				return nil
			}
		}
		scanned += before - from
		before = from
	}
	if before > 0 {
		s.table.Next = strconv.FormatInt(before, 10)
	}
	return nil
}

func (s *logScan) row(e authority.LoggedEntry) (row authority.EntryRow, ok bool, err error) {
	l, err := countersign.ParseLeaf([]byte(e.Leaf))
	if err != nil {
		return row, false, err
	}
	at, err := time.Parse(countersign.TimeFormat, l.Time)
	if err != nil {
		return row, false, err
	}
	f := s.filter
	switch {
	case f.Types != nil && !slices.Contains(f.Types, l.Type), f.Person != "" && l.Actor != f.Person && l.Subject != f.Person,
		!f.Since.IsZero() && at.Before(f.Since), !f.Until.IsZero() && !at.Before(f.Until), f.Number != nil && e.Index != *f.Number:
		return row, false, nil
	}
	row = authority.EntryRow{Index: e.Index, ID: l.ID, Type: l.Type, At: at, Actor: countersign.Principal{ID: l.Actor, Name: s.v.nameOf(l.Actor)}, Subject: l.Subject, Facts: l.Facts}
	d := s.document(l.Subject)
	if d == nil {
		return row, f.Vendor == "" && f.Kind == "" && f.Object == "", nil
	}
	row.Request = &authority.InboxItem{ID: l.Subject, Kind: d.Kind, Object: d.ID, Subject: d.Subject}
	vendor := ""
	if d.Payee != nil {
		row.Request.Payee, vendor = d.Payee.Name, d.Payee.ID
	}
	return row, (f.Vendor == "" || f.Vendor == vendor) && (f.Kind == "" || f.Kind == d.Kind) && (f.Object == "" || f.Object == d.ID), nil
}

// document is what a request is about; nil where there is nothing to see.
func (s *logScan) document(request string) *countersign.Document {
	if !strings.HasPrefix(request, countersign.PrefixRequest+"_") {
		return nil
	}
	a, known := s.requests[request]
	if !known {
		a, _ = s.v.org.Get(s.v.ctx(), s.v.caller(), request) // what cannot be read is not named
		s.requests[request] = a
	}
	if a == nil {
		return nil
	}
	d := &countersign.Document{}
	if countersign.DecodeStrict(a.Document, d) != nil {
		return nil
	}
	return d
}
