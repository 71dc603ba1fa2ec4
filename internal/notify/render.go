package notify

import (
	"html/template"
	"strings"
	"unicode/utf8"
)

// text is the mail as plain text, one line for each paragraph and row; the lines are
// made short, and flowed, when the mail is written.
func (c *content) text() string {
	var b strings.Builder
	b.WriteString(c.Lead + "\n\n")
	for _, r := range c.Rows {
		b.WriteString(r.Name + ": " + r.Value + "\n")
	}
	if len(c.Rows) > 0 {
		b.WriteString("\n")
	}
	b.WriteString(c.Action + ":\n" + c.Link + "\n\n")
	if c.Note != "" {
		b.WriteString(c.Note + "\n\n")
	}
	b.WriteString("-- \n" + strings.Join(c.Foot, "\n") + "\n")
	return b.String()
}

// page is the mail as HTML. Mail programs know no style sheets worth the name, so that
// the style stands where it applies. There is nothing to load: no picture tells who
// has read it.
var page = template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no"><title>{{.Subject}}</title></head>
<body style="margin:0;padding:24px 16px;font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif">
<div style="max-width:36em;margin:0 auto">
<p style="margin:0 0 16px"><bdi>{{.Lead}}</bdi></p>
{{if .Rows}}<table role="presentation" style="border-collapse:collapse;margin:0 0 16px">
{{range .Rows}}<tr><td style="padding:2px 16px 2px 0;vertical-align:top;opacity:.75">{{.Name}}</td><td style="padding:2px 0;vertical-align:top"><bdi><strong>{{.Value}}</strong></bdi></td></tr>
{{end}}</table>
{{end}}<p style="margin:0 0 16px"><a href="{{.Link}}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#1f4e79;color:#ffffff;text-decoration:none">{{.Action}}</a></p>
{{if .Note}}<p style="margin:0 0 16px">{{.Note}}</p>
{{end}}<hr style="border:0;border-top:1px solid #888888;margin:24px 0 12px">
{{range .Foot}}<p style="margin:0 0 4px;font-size:13px;opacity:.75">{{.}}</p>
{{end}}</div>
</body>
</html>
`))

// html is the mail as HTML; every value is escaped where it stands.
func (c *content) html(lang string) string {
	var b strings.Builder
	if err := page.Execute(&b, struct {
		*content
		Lang string
	}{c, lang}); err != nil { // a constant template over texts
		panic(err)
	}
	return b.String()
}

// flowWidth is how long lines of plain text get (RFC 3676 §4.2).
const flowWidth = 72

// flowed makes long lines short, so that a program may join them again: a line that
// ends with a space goes on (RFC 3676). What would be taken for a quotation, or for
// the beginning of another mail, gets a space before it.
func flowed(text string) string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if l == "-- " { // the signature's mark stays as it is (§4.3)
			b.WriteString(l + "\r\n")
			continue
		}
		l = strings.TrimRight(l, " ")
		for {
			if strings.HasPrefix(l, " ") || strings.HasPrefix(l, ">") || strings.HasPrefix(l, "From ") {
				l = " " + l
			}
			at := breakAt(l)
			if at < 0 {
				break
			}
			b.WriteString(l[:at+1] + "\r\n")
			l = l[at+1:]
		}
		b.WriteString(l + "\r\n")
	}
	return b.String()
}

// breakAt is the space after which a line that is too long is broken; -1 where it is
// short enough or has none.
func breakAt(l string) int {
	if utf8.RuneCountInString(l) <= flowWidth {
		return -1
	}
	best, n := -1, 0
	for i, r := range l {
		if n++; n > flowWidth && best >= 0 {
			break
		}
		if r == ' ' && i > 1 && i+1 < len(l) {
			best = i
		}
	}
	return best
}
