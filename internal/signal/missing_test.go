package signal

import (
	"strings"
	"testing"
)

// TestMissingIsSaidInWords: no name that only a program knows reaches a person.
func TestMissingIsSaidInWords(t *testing.T) {
	for name, want := range map[string]string{
		"amount":                                                           "the request names no amount",
		"rate of CHF in EUR":                                               "no rate of CHF in EUR is on record",
		"sums.vendor_requester/7d/30000.00EUR":                             "what was asked for by the same person of the same vendor in 7 days could not be summed",
		"sums.requester/1d/30000.00EUR":                                    "what was asked for by the same person in 1 day could not be summed",
		"sums.vendor/24h/9.00EUR (too large)":                              "what was asked for of the same vendor in 24 hours is too much to reckon with",
		"amounts of 2 requests in sums.vendor/7d/30000.00EUR":              "what was asked for of the same vendor in 7 days cannot be summed: 2 requests without an amount in the policy's currency",
		"amount in EUR (JPY 9,000,000 at 9000000000000: amount too large)": "JPY 9,000,000 is too large to reckon with",
		"vendor.tax_id":                                                    "vendor’s tax id is not known",
	} {
		if got := MissingInWords([]string{name}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := MissingInWords([]string{"payee", "approver"}); got != "the request names no payee; who approves is not known yet" || strings.Contains(got, "_") {
		t.Error(got)
	}
}
