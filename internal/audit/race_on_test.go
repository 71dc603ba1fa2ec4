//go:build race

package audit

// UnderRace: the race detector makes these tests an order slower, and there is no
// concurrency in them to watch; a part of them is enough.
const UnderRace = true
