package web

import "github.com/countersign/countersign"

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
