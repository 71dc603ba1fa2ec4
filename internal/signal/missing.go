package signal

import (
	"maps"
	"regexp"
	"strings"
)

// factWords say for people what it is that is not known, as the signals that need the
// facts put it. What has no words of its own is named by its field.
var factWords = wordsOf(catalogue[:])

func wordsOf(all []Signal) map[string]string {
	words := map[string]string{}
	for _, s := range all {
		maps.Copy(words, s.words)
	}
	return words
}

var (
	missingSum    = regexp.MustCompile(`^(?:amounts of (\d+ requests?) in )?sums\.([a-z_]+)/(\d+)([dhw])/\S+( \(too large\))?$`)
	missingRate   = regexp.MustCompile(`^rate of ([A-Z]{3}) in ([A-Z]{3})$`)
	missingAmount = regexp.MustCompile(`^amount in [A-Z]{3} \((.*?) at `)
)

var (
	sumOf  = map[string]string{"vendor": "of the same vendor", "requester": "by the same person", "vendor_requester": "by the same person of the same vendor"}
	spanOf = map[string]string{"d": "days", "h": "hours", "w": "weeks"}
)

// MissingInWords says for people which facts are not known.
func MissingInWords(missing []string) string {
	words := make([]string, 0, len(missing))
	for _, m := range missing {
		words = append(words, oneMissing(m))
	}
	return strings.Join(words, "; ")
}

func oneMissing(name string) string {
	if w := factWords[name]; w != "" {
		return w
	}
	if m := missingRate.FindStringSubmatch(name); m != nil {
		return "no rate of " + m[1] + " in " + m[2] + " is on record"
	}
	if m := missingAmount.FindStringSubmatch(name); m != nil {
		return m[1] + " is too large to reckon with"
	}
	if m := missingSum.FindStringSubmatch(name); m != nil {
		what := "what was asked for " + sumOf[m[2]] + " in " + m[3] + " " + spanOf[m[4]]
		if m[3] == "1" {
			what = strings.TrimSuffix(what, "s")
		}
		switch {
		case m[1] != "":
			return what + " cannot be summed: " + m[1] + " without an amount in the policy's currency"
		case m[5] != "":
			return what + " is too much to reckon with"
		}
		return what + " could not be summed"
	}
	return strings.NewReplacer(".", "’s ", "_", " ").Replace(name) + " is not known"
}
