// Package audit is the log: entries under salted commitments, the Merkle tree over
// them (RFC 6962) in tiles, signed checkpoints, proofs, receipts, and the exported
// log with its verification. The formats are those of C2SP: signed-note,
// tlog-checkpoint, tlog-tiles, tlog-proof.
//
// The package is pure: it knows no database, no network and no clock. Whoever
// stores tiles gives a [TileReader].
package audit
