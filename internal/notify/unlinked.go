package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// said is a text of somebody else's as a mail shows it: one line, and nothing in it that
// a mail program makes a link of. The only link in a mail is ours, to the page: a payee
// who is called like an address must not get another.
func said(s string, most int) string { return unlinked(line(s, most)) }

// unlinked puts brackets around what makes an address of a word, as in evil[.]example or
// a[@]b. Mail programs look for addresses in plain text and in HTML alike, and no markup
// stops them all. A character that cannot be seen would stop some, and would be a thing
// in a mail that its reader cannot see; brackets are seen, they are the known way to
// write an address that shall not be one, and the page shows the name as it is.
func unlinked(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		words[i] = unlinkedWord(w)
	}
	return strings.Join(words, " ")
}

func unlinkedWord(w string) string {
	if strings.Contains(w, "://") || strings.Contains(w, "@") || strings.HasPrefix(strings.ToLower(w), "www.") || strings.HasPrefix(strings.ToLower(w), "mailto:") {
		return bracketed(w, func(int, rune) bool { return true })
	}
	return bracketed(w, func(at int, r rune) bool { return isDot(r) && beforeDomain(w[at+utf8.RuneLen(r):]) })
}

// bracketed puts brackets around the characters that addresses are made with, where they
// are marked.
func bracketed(w string, marked func(at int, r rune) bool) string {
	var b strings.Builder
	for at, r := range w {
		if (isDot(r) || r == '@' || r == ':') && marked(at, r) {
			b.WriteString("[" + string(r) + "]")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isDot reports what is read as the dot between the labels of a domain (RFC 3490 §3.1).
func isDot(r rune) bool { return r == '.' || r == '。' || r == '．' || r == '｡' }

// beforeDomain reports that what follows a dot could go on as a domain: its next label
// has two letters or more. An abbreviation as s.r.o. has one, and a number none.
func beforeDomain(rest string) bool {
	letters := 0
	for _, r := range rest {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r):
			letters++
		case !unicode.IsDigit(r) && r != '-':
			return letters >= 2
		}
	}
	return letters >= 2
}
