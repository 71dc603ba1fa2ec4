// Package jcs reads JSON strictly, writes it in its one form (RFC 8785, JSON
// Canonicalization Scheme), and compares two texts. What it accepts is I-JSON (RFC
// 7493): encoding/json alone takes duplicate members, members in another case, lone
// surrogates and more, so that two readers could read one text differently.
package jcs

import "strings"

// Clip keeps a value that comes from outside short enough to stand in a message.
func Clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
