//go:build race

package main

// underRace: the race detector watches this process, and none that it starts.
const underRace = true
