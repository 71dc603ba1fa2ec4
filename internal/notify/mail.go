package notify

import (
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Mail is one mail to one person.
type Mail struct {
	ID      string // of the job: the Message-ID is made of it, and is the same when it is sent again
	Thread  string // what it is about: mails about the same thing stand together
	Host    string // of the organisation
	From    mail.Address
	To      mail.Address
	Date    time.Time // of what it tells
	Subject string
	Text    string
	HTML    string
}

// message makes the MIME message: text and HTML as alternatives.
func (m *Mail) message() *gomail.Msg {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(headerAddress(m.From))
	msg.SetAddrHeaderFromMailAddress(gomail.HeaderTo, headerAddress(m.To))
	msg.EnvelopeFromMailAddress(&mail.Address{Address: m.From.Address})
	msg.Subject(line(m.Subject, maxSubjectShown))
	msg.SetMessageIDWithValue(m.ID + "@" + m.Host)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeaderPreformatted("In-Reply-To", "<"+m.Thread+"@"+m.Host+">")
	msg.SetGenHeaderPreformatted("References", "<"+m.Thread+"@"+m.Host+">")
	msg.SetGenHeaderPreformatted("Auto-Submitted", "auto-generated") // RFC 3834 §5
	msg.SetGenHeaderPreformatted("X-Auto-Response-Suppress", "All")
	msg.SetGenHeaderPreformatted("List-Id", "<doorbell."+m.Host+">") // RFC 2919
	msg.SetBodyString("text/plain; format=flowed", flowed(m.Text))
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg
}

// headerAddress is an address as a header can carry it. net/mail leaves a backslash bare
// inside an encoded word, where RFC 2047 §5 (3) has none, and its own parser and others
// then refuse the whole header; so a name's backslash becomes a slash.
func headerAddress(a mail.Address) *mail.Address {
	a.Name = strings.ReplaceAll(a.Name, `\`, "/")
	return &a
}
