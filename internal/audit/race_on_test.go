//go:build race

package audit_test

// underRace: the race detector makes these tests an order slower, and there is no
// concurrency in them to watch; a part of them is enough.
const underRace = true
