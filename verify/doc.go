// Package verify verifies receipts offline: an auditor imports it and nothing else.
//
// [Receipt] takes a receipt as it came and the public keys of the log, got out of band.
// It computes what can be computed (the one form, inclusion under the signed checkpoint,
// commitments, passkey signatures, how many people of which groups) in named steps, and
// lists as claims what the receipt says and who answers for each part of it. Where it
// fails, the [*Error] names the step.
//
// What it proves is that this was decided. It never says that something may still be
// done: only a release does.
//
// The package reads nothing but what it is given: no file, no network, no clock. It
// stands on the standard library, golang.org/x/mod/sumdb and the vocabulary of
// [github.com/countersign/countersign], so that it can be read in an afternoon.
package verify
