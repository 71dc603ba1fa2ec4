package connect

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Source says where the values of one field come from.
type Source struct {
	Header   string // the column with this header
	Layout   string // of dates: a Go layout (02.01.2006) or one in letters (DD.MM.YYYY)
	Constant string // the same value for every row, where Header is ""
	Ignored  bool   // from nowhere, although a header would match
}

// Mapping says where each field comes from, by the field's name. Fields that it
// does not name are read from the column whose header is the field's own name, or
// one of its usual names ("supplier" for vendor), whatever the case and the
// punctuation.
type Mapping map[string]Source

// ParseMapping reads a mapping as it is written on a command line, separated by
// commas:
//
//	amount=Betrag                 from the column "Betrag"
//	date=Datum@02.01.2006         and the layout of its dates; DD.MM.YYYY does as well
//	currency:=GBP                 the same value in every row
//	vendor_id=                    from nowhere, although there is such a column
//	amount="Betrag, brutto"       a header with a comma, an @ or a quotation mark ("")
func ParseMapping(text string) (Mapping, error) {
	m := Mapping{}
	p := mappingParser{rest: text}
	for p.space(); p.rest != ""; p.space() {
		field := p.until("=:,")
		field = strings.TrimSpace(field)
		if field == "" {
			return nil, fmt.Errorf("mapping: a field's name is missing before %q: write field=Header", clip(p.rest))
		}
		if _, twice := m[field]; twice {
			return nil, fmt.Errorf("mapping: field %q stands twice", clip(field))
		}
		source, err := p.source(field)
		if err != nil {
			return nil, err
		}
		m[field] = source
		p.space()
		if p.rest != "" && !p.skip(",") {
			return nil, fmt.Errorf("mapping: %q after field %q: want a comma", clip(p.rest), clip(field))
		}
	}
	return m, nil
}

type mappingParser struct{ rest string }

func (p *mappingParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

func (p *mappingParser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *mappingParser) until(stops string) string {
	end := strings.IndexAny(p.rest, stops)
	if end < 0 {
		end = len(p.rest)
	}
	s := p.rest[:end]
	p.rest = p.rest[end:]
	return s
}

func (p *mappingParser) source(field string) (Source, error) {
	constant := p.skip(":=")
	if !constant && !p.skip("=") {
		return Source{}, fmt.Errorf("mapping: field %q: want %s=Header or %s:=value", clip(field), clip(field), clip(field))
	}
	stops := ",@"
	if constant {
		stops = ","
	}
	value, err := p.word(field, stops)
	switch {
	case err != nil:
		return Source{}, err
	case constant && value == "":
		return Source{}, fmt.Errorf("mapping: field %q: the constant is empty", clip(field))
	case constant:
		return Source{Constant: value}, nil
	}
	s := Source{Header: value, Ignored: value == ""}
	if p.skip("@") {
		if s.Layout, err = p.word(field, ","); err != nil {
			return Source{}, err
		}
		if value == "" || s.Layout == "" {
			return Source{}, fmt.Errorf("mapping: field %q: want %s=Header@layout", clip(field), clip(field))
		}
	}
	return s, nil
}

// word reads a plain or a quoted word.
func (p *mappingParser) word(field, stops string) (string, error) {
	p.space()
	if !p.skip(`"`) {
		return strings.TrimSpace(p.until(stops)), nil
	}
	var b strings.Builder
	for {
		b.WriteString(p.until(`"`))
		if !p.skip(`"`) {
			return "", fmt.Errorf("mapping: field %q: a quotation mark is not closed", clip(field))
		}
		if !p.skip(`"`) {
			p.space()
			return b.String(), nil
		}
		b.WriteByte('"')
	}
}

// field describes one field that a reader knows.
type field struct {
	name  string
	date  bool
	names []string // usual headers beside the field's own name
}

var purchaseFields = []field{
	{name: "kind", names: []string{"type", "document type"}},
	{name: "id", names: []string{"doc", "document", "document number", "invoice number", "invoice no", "transaction number", "number"}},
	{name: "line", names: []string{"line number", "position", "item"}},
	{name: "entity", names: []string{"company code", "legal entity"}},
	{name: "vendor_id", names: []string{"vendor number", "supplier id", "supplier number", "creditor"}},
	{name: "vendor", names: []string{"vendor name", "supplier", "supplier name", "payee", "payee name"}},
	{name: "department", names: []string{"cost centre", "cost center", "directorate", "service area"}},
	{name: "category", names: []string{"expense type", "account description", "gl account"}},
	{name: "amount", names: []string{"gross amount", "amount gross", "total"}},
	{name: "debit_credit", names: []string{"dc", "debit credit indicator"}},
	{name: "currency", names: []string{"currency code"}},
	{name: "date", date: true, names: []string{"document date", "invoice date", "payment date", "posting date"}},
	{name: "requester", names: []string{"requested by", "requestor"}},
	{name: "approver", names: []string{"approved by"}},
	{name: "approved_at", date: true, names: []string{"approval date", "approved on"}},
	{name: "account", names: []string{"iban", "bank account"}},
	{name: "account_scheme"},
}

var vendorFields = []field{
	{name: "id", names: []string{"vendor id", "vendor number", "supplier id", "supplier number", "creditor"}},
	{name: "name", names: []string{"vendor", "vendor name", "supplier", "supplier name"}},
	{name: "tax_id", names: []string{"vat id", "vat number", "tax number"}},
	{name: "country", names: []string{"country code"}},
	{name: "category"},
	{name: "status"},
	{name: "email", names: []string{"e-mail", "mail"}},
	{name: "phone", names: []string{"telephone"}},
	{name: "account", names: []string{"iban", "bank account"}},
	{name: "account_scheme"},
	{name: "account_since", date: true, names: []string{"account changed at", "bank changed at"}},
	{name: "created_at", date: true, names: []string{"created", "created on"}},
	{name: "created_by"},
}

var peopleFields = []field{
	{name: "subject", names: []string{"id", "user", "user name", "login"}},
	{name: "name", names: []string{"full name", "display name"}},
	{name: "email", names: []string{"e-mail", "mail"}},
	{name: "manager", names: []string{"manager id", "reports to"}},
	{name: "department"},
	{name: "groups", names: []string{"group", "roles"}},
	{name: "limit", names: []string{"approval limit"}},
	{name: "limit_currency", names: []string{"currency"}},
	{name: "privileged"},
}

// column is a field bound to a place in the row.
type column struct {
	index    int // of the value; -1 for a constant or nothing
	constant string
	header   string
	layouts  []string // of dates
	bound    bool
}

// bind finds every field's column in the header.
func bind(fields []field, m Mapping, header []string, o Options) (map[string]column, []string, error) {
	if err := knownFields(fields, m); err != nil {
		return nil, nil, err
	}
	bound := make(map[string]column, len(fields))
	used := make([]bool, len(header))
	for _, f := range fields {
		c := column{index: -1}
		source, named := m[f.name]
		switch {
		case source.Ignored:
		case source.Constant != "":
			c = column{index: -1, constant: strings.TrimSpace(source.Constant), header: f.name, bound: true}
		case named:
			at, err := findHeader(header, source.Header)
			if err != nil {
				return nil, nil, fmt.Errorf("%w: field %s: %w", ErrFile, f.name, err)
			}
			c = column{index: at, header: header[at], bound: true}
		default:
			if at := findUsual(header, f); at >= 0 {
				c = column{index: at, header: header[at], bound: true}
			}
		}
		if f.date {
			c.layouts = layoutsFor(source.Layout, o)
		}
		if c.index >= 0 {
			used[c.index] = true
		}
		bound[f.name] = c
	}
	ignored := []string{}
	for i, name := range header {
		if !used[i] {
			ignored = append(ignored, clip(name))
		}
	}
	return bound, ignored, nil
}

func knownFields(fields []field, m Mapping) error {
	for name, source := range m {
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if at < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			return fmt.Errorf("%w: the mapping names the field %q, which does not exist: the fields are %s", ErrFile, clip(name), strings.Join(names, ", "))
		}
		if source.Layout != "" && !fields[at].date {
			return fmt.Errorf("%w: the mapping gives a layout for the field %s, which is not a date", ErrFile, name)
		}
	}
	return nil
}

// findHeader finds the one column with a header: as written, or else whatever the
// case and the punctuation.
func findHeader(header []string, name string) (int, error) {
	for _, same := range []func(h string) bool{
		func(h string) bool { return h == name },
		func(h string) bool { return plain(h) == plain(name) && plain(name) != "" },
	} {
		first := slices.IndexFunc(header, same)
		if first < 0 {
			continue
		}
		if slices.IndexFunc(header[first+1:], same) >= 0 {
			return 0, fmt.Errorf("the header %q stands twice", clip(name))
		}
		return first, nil
	}
	return 0, fmt.Errorf("no column %q: the header has %s", clip(name), clipList(header))
}

// findUsual finds a column by the field's own name, then by its usual names. A
// header that stands twice is not taken without being asked for.
func findUsual(header []string, f field) int {
	for _, name := range slices.Concat([]string{f.name}, f.names) {
		if at, err := findHeader(header, name); err == nil {
			return at
		}
	}
	return -1
}

// plain leaves letters and digits of a header, in lower case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func clipList(header []string) string {
	const most = 30
	quoted := make([]string, 0, min(len(header), most))
	for _, h := range header[:min(len(header), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", clip(h)))
	}
	list := strings.Join(quoted, ", ")
	if len(header) > most {
		list += fmt.Sprintf(" and %d more", len(header)-most)
	}
	return list
}
