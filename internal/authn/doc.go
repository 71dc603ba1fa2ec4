// Package authn is the pure core of authentication: it says what a person has
// proven, and how strongly, and nothing else.
//
// State goes in, the time goes in, results come out as values. The caller stores
// them by compare-and-swap before it acts on them; nothing here knows a database, a
// clock or a request. Two rules hold the package together:
//
//   - A challenge is the SHA-256 of a canonical statement that is stored beside it: a
//     [countersign.Statement] for an act on a request, a [Ceremony] for everything
//     else. No challenge is bare random bytes whose meaning lies elsewhere.
//   - Facts are stored, judgements are derived. [Derive] turns the facts of one act
//     into an assurance, each time anew; no session carries a level.
//
// Taking a challenge and counting the attempt is committed first, whatever follows:
// [TakenChallenge] can only be made from a challenge that the caller has deleted.
package authn
