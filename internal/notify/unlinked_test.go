package notify

import (
	"regexp"
	"testing"
)

// linkable is what mail programs make links of, read widely: a scheme, an address with
// an at sign, and labels with a dot between them of which the last is of letters.
var linkable = regexp.MustCompile(`(?i)[a-z]+://|mailto:|[\pL\pN]@[\pL\pN]|[\pL\pN][.。．｡][\pL\pM]{2,}`)

// TestTrapNamesAreNoLinks: nothing that somebody is called is a link in a mail; what is
// no address stays as it is.
func TestTrapNamesAreNoLinks(t *testing.T) {
	for name, want := range map[string]string{
		"https://evil.example.com/pay?a=1": "https[:]//evil[.]example[.]com/pay?a=1",
		"pay at evil.example, now":         "pay at evil[.]example, now",
		"WWW.EVIL.DE":                      "WWW[.]EVIL[.]DE",
		"a@b.cd":                           "a[@]b[.]cd",
		"mailto:x":                         "mailto[:]x",
		"例子。中国":                            "例子[。]中国",
		"10.0.0.1.nip.io":                  "10.0.0.1[.]nip[.]io",
		"evil.xn--p1ai":                    "evil[.]xn--p1ai",
		"Lipovka Fólie s.r.o.":             "Lipovka Fólie s.r.o.",
		"Dr. Marta M. Lindqvist & Co. KG.": "Dr. Marta M. Lindqvist & Co. KG.",
		"PO-2026/77.1":                     "PO-2026/77.1",
		"note: due 2026-11-24":             "note: due 2026-11-24",
		"":                                 "",
	} {
		if got := said(name, maxTitleShown); got != want || linkable.MatchString(got) {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}
