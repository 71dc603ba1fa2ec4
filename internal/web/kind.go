package web

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// documentKinds are the kinds of documents in the order of a purchase's life.
var documentKinds = []string{
	countersign.KindPurchaseRequest, countersign.KindPurchaseOrder, countersign.KindInvoice, countersign.KindPayment,
	countersign.KindPaymentBatch, countersign.KindVendorCreate, countersign.KindVendorBankChange, countersign.KindVendorContactChange,
}

// kindWords are the words for a kind of document: the catalogue's, or else its own name,
// which an organisation's own kinds have.
func kindWords(tx *Texts, kind string) string {
	if key := "card.kind." + kind; tx.has(key) {
		return tx.T(key)
	}
	if countersign.InternalKind(kind) {
		return named(countersign.KindInWords(kind))
	}
	return named(kind)
}

// changedFrom is the page from which a change to Countersign itself is proposed: most
// often the one of what it is about.
func changedFrom(doc *countersign.Document) string {
	switch doc.Kind {
	case countersign.KindDelegation:
		return "/delegations"
	case countersign.KindSettingsChange:
		return "/admin/settings"
	case countersign.KindPolicyPublish:
		return "/policy"
	}

	switch {
	case countersign.IsID(countersign.PrefixPerson, doc.ID):
		return "/admin/people/" + doc.ID
	case countersign.IsID(countersign.PrefixAlert, doc.ID):
		return "/admin/alerts"
	case countersign.IsID(countersign.PrefixFreeze, doc.ID):
		return "/admin/freezes"
	}
	return "/"
}

// mayPropose reports whether the visitor is of those who decide on a kind of change, and
// so propose it.
func (v *visit) mayPropose(kind string) bool {
	return v.member(authority.RuleOfChange(kind).Groups...)
}

// decides says who decides on a proposal: a second person, two, or, while the
// organisation is founding, nobody else.
func (v *visit) decides(kind string) string {
	if v.who.Founding {
		return v.t("admin.decides.founding")
	}

	rule, key := authority.RuleOfChange(kind), "second"
	if rule.People > 1 {
		key = "two"
	}
	if slices.Contains(rule.Groups, authority.GroupControllers) {
		key += "_either"
	}
	return v.t("admin.decides." + key)
}
