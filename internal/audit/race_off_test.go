//go:build !race

package audit

const UnderRace = false
