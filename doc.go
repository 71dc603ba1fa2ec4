// Package countersign is the vocabulary and the client of Countersign: what a
// caller sends, what an approver signs, what an auditor verifies.
//
// The story in one page. An organisation's systems submit a [Document]: one
// immutable purchase order, invoice, payment or change of bank details. Its
// canonical bytes (RFC 8785) have one [Digest]. The document is weighed by the
// organisation's policy; the answer is a [Requirement]. When nothing risky is
// found the request is approved at once, and a silent receipt says so. Otherwise
// it waits, as an [Approval], until the required number of distinct, eligible
// people have each made a [Decision] whose [Evidence] is bound to the digest:
// what they sign is a [Statement] that names it. At release the caller sends the
// document as it stands then, and its digest must still be the one approved.
//
// Every step stands in an append-only log; a [Receipt] carries the entries, the
// openings of their commitments and the proofs of inclusion, so that anybody can
// verify it offline with the package verify, trusting nobody but the holders of the
// public keys.
//
// This package is the vocabulary and the [Client], and nothing else: it imports the
// standard library, and golang.org/x/mod/sumdb/note for signed results ([Return]).
package countersign
