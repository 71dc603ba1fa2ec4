//go:build race

package main

// underRace: the race detector watches this process, and the programs that it builds.
const underRace = true
