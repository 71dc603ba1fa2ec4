package web

import (
	"os"
	"strings"
	"testing"
)

func joined(lines [][]piece) string {
	var all []string
	for _, l := range lines {
		s := ""
		for _, p := range l {
			s += p.text
		}
		all = append(all, s)
	}
	return strings.Join(all, "\n")
}

// marked writes the pieces so that a test can read them.
func marked(text string) string {
	var b strings.Builder
	for i, l := range highlight(text) {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, p := range l {
			if p.class == "" {
				b.WriteString(p.text)
				continue
			}
			b.WriteString("<" + p.class + " " + p.text + ">")
		}
	}
	return b.String()
}

func TestHighlight(t *testing.T) {
	for text, want := range map[string]string{
		`policy: procurement # ours`:                  `<k policy><p :> procurement <c # ours>`,
		`# all of it`:                                 `<c # all of it>`,
		`  - name: large`:                             `  <p -> <k name><p :> large`,
		`because: "{kind} # of"`:                      `<k because><p :> <s "{kind} # of">`,
		`for: [invoice, payment]`:                     `<k for><p :> <p [>invoice<p ,> payment<p ]>`,
		`require: {assurance: mfa, hold: 24h}`:        `<k require><p :> <p {><k assurance><p :> mfa<p ,> <k hold><p :> <n 24h><p }>`,
		`large: 30000.50`:                             `<k large><p :> <n 30000.50>`,
		`until: 2027-03-31`:                           `<k until><p :> <n 2027-03-31>`,
		`deny: true`:                                  `<k deny><p :> <n true>`,
		`"quoted key": 'it''s'`:                       `<k "quoted key"><p :> <s 'it''s'>`,
		"because: \"two\n  lines\" # c":               "<k because><p :> <s \"two>\n<s   lines\"> <c # c>",
		"- because: |\n    one: 1\n\n    # two\nb: 1": "<p -> <k because><p :> <p |>\n<s     one: 1>\n\n<s     # two>\n<k b><p :> <n 1>",
		"a: [one,\n  {b: 2}]\nc: d, e":                "<k a><p :> <p [>one<p ,>\n  <p {><k b><p :> <n 2><p }]>\n<k c><p :> d, e",
		`when: "{" in x`:                              `<k when><p :> <s "{"> in x`,
		`url: http://x#y`:                             `<k url><p :> http://x#y`,
	} {
		if got := marked(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	text, err := os.ReadFile("../../policies/procurement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if joined(highlight(string(text))) != string(text) {
		t.Error("the policy that ships is not what is shown")
	}
}

// FuzzHighlight: whatever the text is, what is shown is the text, and takes no longer
// for being odd.
func FuzzHighlight(f *testing.F) {
	for _, s := range []string{"", "\n", "a: 'b", "a: \"b\\", "- - -", "|\n x", "[{}]:,", "a:\r\n b", "#", "': '", ":", "\t- a", "é: ü", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := joined(highlight(text)); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	})
}
