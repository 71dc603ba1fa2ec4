package policy

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// The tables below are what a condition may look at. They are the only place
// where a name of a condition meets a fact.

func fieldOf[T any](name string, typ *cel.Type, doc string, get func(*T) ref.Val) recordField {
	return recordField{name: name, typ: typ, doc: doc, get: func(r *record) ref.Val { return get(r.fact.(*T)) }}
}

func recordOf(name string, fields ...recordField) *recordType {
	return &recordType{name: name, typ: cel.ObjectType("countersign." + name), fields: fields}
}

func personField(name string, typ *cel.Type, doc string, nobody ref.Val, get func(*signal.Person) ref.Val) recordField {
	f := fieldOf(name, typ, doc, get)
	f.nobody = nobody
	return f
}

var stringList = cel.ListType(cel.StringType)

var personType = recordOf("person",
	personField("present", cel.BoolType, "somebody is named; they need not be on record", types.False, func(*signal.Person) ref.Val { return types.True }),
	personField("id", cel.StringType, "of the natural person, over all their ids", types.String(""), func(p *signal.Person) ref.Val { return word(p.ID) }),
	personField("name", cel.StringType, "", types.String(""), func(p *signal.Person) ref.Val { return word(p.Name) }),
	personField("type", cel.StringType, "person or service", types.String(""), func(p *signal.Person) ref.Val { return word(p.Type) }),
	personField("active", cel.BoolType, "", types.True, func(p *signal.Person) ref.Val { return truth(p.Active) }),
	personField("privileged", cel.BoolType, "has elevated purchasing permissions", types.False, func(p *signal.Person) ref.Val { return truth(p.Privileged) }),
	personField("limit", moneyType, "what they may approve of this kind", nil, func(p *signal.Person) ref.Val { return money(p.Limit.Amount) }),
	personField("groups", stringList, "", types.NewStringList(types.DefaultTypeAdapter, []string{}), func(p *signal.Person) ref.Val { return words(p.Groups) }),
	personField("roles", stringList, "", types.NewStringList(types.DefaultTypeAdapter, []string{}), func(p *signal.Person) ref.Val { return words(p.Roles) }),
	personField("manager", cel.StringType, "id of their manager; empty: none", types.String(""), func(p *signal.Person) ref.Val {
		if p.Manager == nil {
			return nil
		}
		return types.String(*p.Manager)
	}),
	personField("since", cel.TimestampType, "on record since", nil, func(p *signal.Person) ref.Val { return instant(p.Since) }),
	personField("role_changed", cel.TimestampType, "roles, groups or privilege changed last", nil, func(p *signal.Person) ref.Val { return instant(p.RoleChanged) }),
	personField("limit_changed", cel.TimestampType, "", nil, func(p *signal.Person) ref.Val { return instant(p.LimitChanged) }),
	personField("factor_changed", cel.TimestampType, "an authenticator was added or reset last", nil, func(p *signal.Person) ref.Val { return instant(p.FactorChanged) }),
)

// vendorFact is the vendor on record, with the payee that the document names:
// who is not on record still has the id and the name that were claimed.
type vendorFact struct {
	*signal.Vendor
	payee *countersign.Payee
}

var vendorType = recordOf("vendor",
	fieldOf("on_record", cel.BoolType, "something is stored about them", func(v *vendorFact) ref.Val { return types.Bool(v.OnRecord) }),
	fieldOf("id", cel.StringType, "the vendor's number in the system it comes from", func(v *vendorFact) ref.Val {
		if v.ID == "" && v.payee != nil {
			return word(v.payee.ID)
		}
		return word(v.ID)
	}),
	fieldOf("name", cel.StringType, "", func(v *vendorFact) ref.Val {
		if v.Name == "" && v.payee != nil {
			return word(v.payee.Name)
		}
		return word(v.Name)
	}),
	fieldOf("country", cel.StringType, "ISO 3166-1 alpha-2, on record", func(v *vendorFact) ref.Val { return word(v.Country) }),
	fieldOf("tax_id", cel.StringType, "on record", func(v *vendorFact) ref.Val { return word(v.TaxID) }),
	fieldOf("status", cel.StringType, "on record: active, blocked, …", func(v *vendorFact) ref.Val { return word(v.Status) }),
	fieldOf("created", cel.TimestampType, "", func(v *vendorFact) ref.Val { return instant(v.Created) }),
	fieldOf("created_by", cel.StringType, "id of a person", func(v *vendorFact) ref.Val { return word(v.CreatedBy) }),
)

var historyType = recordOf("history",
	fieldOf("count", cel.IntType, "settled purchases", func(h *signal.History) ref.Val { return types.Int(h.Count) }),
	fieldOf("unsettled", cel.IntType, "imported purchases that do not count yet", func(h *signal.History) ref.Val { return types.Int(h.Unsettled) }),
	fieldOf("sum", moneyType, "", func(h *signal.History) ref.Val { return money(h.Sum) }),
	fieldOf("first", cel.TimestampType, "", func(h *signal.History) ref.Val { return instant(h.First) }),
	fieldOf("last", cel.TimestampType, "", func(h *signal.History) ref.Val { return instant(h.Last) }),
	fieldOf("usual", moneyType, "median", func(h *signal.History) ref.Val { return moneyAt(h.Usual) }),
	fieldOf("largest", moneyType, "of twelve months", func(h *signal.History) ref.Val { return moneyAt(h.Largest) }),
)

var payeeType = recordOf("payee",
	fieldOf("id", cel.StringType, "as the document states it", func(p *countersign.Payee) ref.Val { return word(p.ID) }),
	fieldOf("name", cel.StringType, "", func(p *countersign.Payee) ref.Val { return word(p.Name) }),
	fieldOf("tax_id", cel.StringType, "", func(p *countersign.Payee) ref.Val { return word(p.TaxID) }),
	fieldOf("country", cel.StringType, "", func(p *countersign.Payee) ref.Val { return word(p.Country) }),
	fieldOf("account", cel.StringType, "the account itself", func(p *countersign.Payee) ref.Val {
		if p.Account == nil {
			return nil
		}
		return word(p.Account.Value)
	}),
	fieldOf("account_scheme", cel.StringType, "iban, bban, …", func(p *countersign.Payee) ref.Val {
		if p.Account == nil {
			return nil
		}
		return word(p.Account.Scheme)
	}),
)

var alertType = recordOf("alert",
	fieldOf("id", cel.StringType, "", func(a *signal.Alert) ref.Val { return word(a.ID) }),
	fieldOf("severity", cel.IntType, "compared with low, medium, high, critical", func(a *signal.Alert) ref.Val {
		if a.Severity.Rank() == 0 {
			return nil
		}
		return types.Int(a.Severity.Rank())
	}),
	fieldOf("about", cel.StringType, "id of a vendor, a person, or the request itself", func(a *signal.Alert) ref.Val { return word(a.About) }),
	fieldOf("kind", cel.StringType, "what happened", func(a *signal.Alert) ref.Val { return word(a.Kind) }),
	fieldOf("raised", cel.TimestampType, "", func(a *signal.Alert) ref.Val { return instant(a.Raised) }),
)

var lineType = recordOf("line",
	fieldOf("number", cel.StringType, "", func(l *countersign.Line) ref.Val { return word(l.Number) }),
	fieldOf("item", cel.StringType, "", func(l *countersign.Line) ref.Val { return word(l.Item) }),
	fieldOf("description", cel.StringType, "", func(l *countersign.Line) ref.Val { return word(l.Description) }),
	fieldOf("category", cel.StringType, "", func(l *countersign.Line) ref.Val { return word(l.Category) }),
	fieldOf("cost_centre", cel.StringType, "", func(l *countersign.Line) ref.Val { return word(l.CostCentre) }),
	fieldOf("amount", moneyType, "", func(l *countersign.Line) ref.Val {
		if l.Amount == nil {
			return nil
		}
		m, err := signal.ParseMoney(*l.Amount)
		if err != nil {
			return nil
		}
		return money(m)
	}),
)

var changeType = recordOf("change",
	fieldOf("field", cel.StringType, "", func(c *countersign.Change) ref.Val { return word(c.Field) }),
	fieldOf("from", cel.StringType, "", func(c *countersign.Change) ref.Val { return types.String(c.From) }),
	fieldOf("to", cel.StringType, "", func(c *countersign.Change) ref.Val { return types.String(c.To) }),
)

var referenceType = recordOf("reference",
	fieldOf("kind", cel.StringType, "", func(r *countersign.Reference) ref.Val { return word(r.Kind) }),
	fieldOf("id", cel.StringType, "", func(r *countersign.Reference) ref.Val { return word(r.ID) }),
)

var datesType = recordOf("dates",
	fieldOf("issued", cel.TimestampType, "", func(d *countersign.Dates) ref.Val { return calendarDay(d.Issued) }),
	fieldOf("due", cel.TimestampType, "", func(d *countersign.Dates) ref.Val { return calendarDay(d.Due) }),
	fieldOf("delivery", cel.TimestampType, "", func(d *countersign.Dates) ref.Val { return calendarDay(d.Delivery) }),
	fieldOf("execution", cel.TimestampType, "", func(d *countersign.Dates) ref.Val { return calendarDay(d.Execution) }),
)

var sessionType = recordOf("session",
	fieldOf("authenticated", cel.TimestampType, "as the source states it", func(s *countersign.Session) ref.Val { return moment(s.AuthenticatedAt) }),
	fieldOf("method", cel.StringType, "", func(s *countersign.Session) ref.Val { return word(s.Method) }),
	fieldOf("ip", cel.StringType, "", func(s *countersign.Session) ref.Val { return word(s.IP) }),
	fieldOf("device", cel.StringType, "", func(s *countersign.Session) ref.Val { return word(s.Device) }),
	fieldOf("country", cel.StringType, "", func(s *countersign.Session) ref.Val { return word(s.Country) }),
)

// signalRecord has one three-valued field for each signal of the catalogue, and
// findingRecord the same fields as sentences: "5 requests of EUR 31,000.00
// together". The findings stand in the activation.
var signalRecord, findingRecord = signalRecords()

func signalRecords() (signals, findings *recordType) {
	signals, findings = recordOf("signal"), recordOf("finding")
	for i, s := range signal.Catalogue() {
		signals.fields = append(signals.fields, recordField{name: s.Name, typ: cel.BoolType, doc: s.Doc,
			get: func(r *record) ref.Val { return r.a.signalValue(i) }})
		findings.fields = append(findings.fields, recordField{name: s.Name, typ: cel.StringType, doc: "what was measured",
			get: func(r *record) ref.Val { return word(r.a.findings[i].Value) }})
	}
	return signals, findings
}

var recordTypes = []*recordType{personType, vendorType, historyType, payeeType, alertType, lineType, changeType,
	referenceType, datesType, sessionType, signalRecord, findingRecord}

// variable is one name of a condition.
type variable struct {
	name string
	typ  *cel.Type
	doc  string
	of   *recordType               // for a record, and the elements of a list of records
	get  func(*activation) ref.Val // nil for a fact that is missing
}

// variables are the top-level names, each with the fact that it stands for.
var variables = []variable{
	{name: "now", typ: cel.TimestampType, doc: "the moment of weighing",
		get: func(a *activation) ref.Val { return instant(a.f.Now) }},
	{name: "kind", typ: cel.StringType, doc: "of the document",
		get: kindOfDocument},
	{name: "id", typ: cel.StringType, doc: "the document's number",
		get: ofDocument(func(d *countersign.Document) ref.Val { return word(d.ID) })},
	{name: "revision", typ: cel.StringType,
		get: ofDocument(func(d *countersign.Document) ref.Val { return word(d.Revision) })},
	{name: "source", typ: cel.StringType, doc: "the system that submitted it",
		get: func(a *activation) ref.Val { return word(a.f.Source) }},
	{name: "entity", typ: cel.StringType, doc: "the legal entity",
		get: ofDocument(func(d *countersign.Document) ref.Val { return word(d.Entity) })},
	{name: "cost_centre", typ: cel.StringType,
		get: ofDocument(func(d *countersign.Document) ref.Val { return word(d.CostCentre) })},
	{name: "category", typ: cel.StringType,
		get: ofDocument(func(d *countersign.Document) ref.Val { return word(d.Category) })},
	{name: "subject", typ: cel.StringType,
		get: ofDocument(func(d *countersign.Document) ref.Val { return word(d.Subject) })},
	{name: "amount", typ: moneyType, doc: "size of the gross total, never negative; compared in the policy's currency",
		get: (*activation).amountOfDocument},
	{name: "credit", typ: cel.BoolType, doc: "the document's amount is negative: it asks money back",
		get: (*activation).credit},
	{name: "currency", typ: cel.StringType, doc: "of the document's amount",
		get: ofDocument(documentCurrency)},
	{name: "flags", typ: stringList, doc: "urgent, off_cycle, …; empty where none are sent",
		get: ofDocument(func(d *countersign.Document) ref.Val { return types.NewStringList(types.DefaultTypeAdapter, d.Flags) })},
	{name: "channel", typ: cel.StringType, doc: "ui, api, import, email, agent",
		get: (*activation).channel},
	{name: "payment_days", typ: cel.IntType,
		get: ofDocument(paymentDays)},
	{name: "dates", typ: datesType.typ, of: datesType,
		get: func(a *activation) ref.Val { return &a.dates }},
	{name: "session", typ: sessionType.typ, of: sessionType, doc: "of the source's user, as the source states it",
		get: func(a *activation) ref.Val { return &a.session }},
	{name: "lines", typ: cel.ListType(lineType.typ), of: lineType,
		get: func(a *activation) ref.Val {
			return recordsIn(a, &a.lines, lineType, "lines", func(d *countersign.Document) []countersign.Line { return d.Lines })
		}},
	{name: "changes", typ: cel.ListType(changeType.typ), of: changeType,
		get: func(a *activation) ref.Val {
			return recordsIn(a, &a.changes, changeType, "changes", func(d *countersign.Document) []countersign.Change { return d.Changes })
		}},
	{name: "references", typ: cel.ListType(referenceType.typ), of: referenceType,
		get: func(a *activation) ref.Val {
			return recordsIn(a, &a.references, referenceType, "references", func(d *countersign.Document) []countersign.Reference { return d.References })
		}},
	{name: "custom", typ: customType.typ, of: customType, doc: "further facts by name: custom.project",
		get: func(a *activation) ref.Val { return &a.custom }},
	{name: "payee", typ: payeeType.typ, of: payeeType, doc: "as the document names them",
		get: func(a *activation) ref.Val { return &a.payee }},
	{name: "vendor", typ: vendorType.typ, of: vendorType, doc: "as they are on record",
		get: func(a *activation) ref.Val { return &a.vendor }},
	{name: "history", typ: historyType.typ, of: historyType, doc: "the vendor's settled purchases",
		get: func(a *activation) ref.Val { return &a.history }},
	{name: "requester", typ: personType.typ, of: personType,
		get: func(a *activation) ref.Val { return &a.requester }},
	{name: "owner", typ: personType.typ, of: personType, doc: "who answers for a service that requests",
		get: func(a *activation) ref.Val { return &a.owner }},
	{name: "approver", typ: personType.typ, of: personType,
		get: func(a *activation) ref.Val { return &a.approver }},
	{name: "acting_for", typ: personType.typ, of: personType, doc: "whom the approver stands in for",
		get: func(a *activation) ref.Val { return &a.actingFor }},
	{name: "alerts", typ: cel.ListType(alertType.typ), of: alertType, doc: "open alerts about anybody in this request",
		get: (*activation).openAlerts},
	{name: "signal", typ: signalRecord.typ, of: signalRecord, doc: "what is unusual",
		get: func(a *activation) ref.Val { return &a.signal }},
}

// variableOf finds a variable by its name.
var variableOf = func() map[string]*variable {
	by := map[string]*variable{}
	for i := range variables {
		by[variables[i].name] = &variables[i]
	}
	return by
}()

// ofDocument is a fact that the document itself states.
func ofDocument(get func(*countersign.Document) ref.Val) func(*activation) ref.Val {
	return func(a *activation) ref.Val {
		if a.f.Document == nil {
			return nil
		}
		return get(a.f.Document)
	}
}

// recordsIn makes a list of the document into records, once for each weighing.
func recordsIn[T any](a *activation, at *ref.Val, t *recordType, name string, of func(*countersign.Document) []T) ref.Val {
	if a.f.Document == nil {
		return nil
	}
	return a.once(at, func() ref.Val { return recordsOf(a, t, a.v.env.missing[name], of(a.f.Document)) })
}

func (a *activation) openAlerts() ref.Val {
	return a.once(&a.alerts, func() ref.Val { return recordsOf(a, alertType, a.v.env.missing["alerts"], a.f.Alerts) })
}

func (a *activation) amountOfDocument() ref.Val {
	switch {
	case a.amountMissing != nil:
		return a.amountMissing
	case a.amount.IsZero():
		return nil
	}
	return &a.amount
}

// kindOfDocument is known before anything else is: rules are for kinds.
func kindOfDocument(a *activation) ref.Val {
	switch {
	case a.blankKind != "":
		return types.String(a.blankKind)
	case a.f.Document == nil:
		return nil
	}
	return word(a.f.Document.Kind)
}

func (a *activation) credit() ref.Val {
	if a.f.Document == nil {
		return nil
	}
	m, missing := a.f.Signed()
	if missing != "" {
		return nil
	}
	return types.Bool(m.Minor < 0)
}

func (a *activation) channel() ref.Val {
	if a.f.Submission == nil {
		return nil
	}
	return word(a.f.Submission.Channel)
}

func documentCurrency(d *countersign.Document) ref.Val {
	if d.Amount == nil {
		return nil
	}
	return word(d.Amount.Currency)
}

func paymentDays(d *countersign.Document) ref.Val {
	if d.Terms == nil || d.Terms.PaymentDays == 0 {
		return nil
	}
	return types.Int(d.Terms.PaymentDays)
}

// severities are names for the severity of an alert.
var severities = map[string]types.Int{"low": 1, "medium": 2, "high": 3, "critical": 4}

// customType takes its fields from the document: any name is possible, and one
// that the document does not have is missing.
var customType = recordOf("custom")
