package policy

import (
	"regexp"
	"strings"
)

// missingWords say for people what it is that is not known. What has no words of its
// own is named by its field.
var missingWords = map[string]string{
	"amount":              "the request names no amount",
	"approver":            "who approves is not known yet",
	"approver.limit":      "no limit is on record for who approves",
	"approver.privileged": "it is not on record whether who approves has elevated rights",
	"alerts":              "open alerts could not be looked up",
	"bank_changes":        "open changes of bank details could not be looked up",
	"denials":             "earlier denials could not be looked up",
	"differences":         "the request could not be compared with the records",
	"freezes":             "freezes could not be looked up",
	"history":             "there is no purchase history to compare with",
	"history.count":       "it is not known how often this vendor was bought from",
	"payee":               "the request names no payee",
	"payee.account":       "the request names no bank account",
	"requester":           "who asks is not named, or not on record",
	"vendor":              "the vendor is not on record",
	"vendor.accounts":     "no bank account of this vendor is on record",
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

// missingInWords says for people which facts are not known.
func missingInWords(missing []string) string {
	words := make([]string, 0, len(missing))
	for _, m := range missing {
		words = append(words, oneMissing(m))
	}
	return strings.Join(words, "; ")
}

func oneMissing(name string) string {
	if w := missingWords[name]; w != "" {
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
