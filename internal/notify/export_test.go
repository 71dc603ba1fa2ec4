package notify

import (
	"mime"
	"net/mail"
	"strings"
	"testing"
)

// TopicEvent is the topic that the bell reads.
const TopicEvent = topicEvent

// Parsed is a mail as its reader has it.
type Parsed struct {
	Header              mail.Header
	Subject, Text, HTML string
}

// Parse reads a mail, decodes its subject and joins what was flowed.
func Parse(t *testing.T, raw []byte) Parsed {
	t.Helper()
	p := parse(t, raw)
	subject, err := new(mime.WordDecoder).DecodeHeader(p.header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(p.text, "\r\n", "\n")
	text, foot, _ := strings.Cut(text, "\n-- \n")
	return Parsed{Header: p.header, Subject: subject, Text: strings.ReplaceAll(text, " \n", " ") + "\n-- \n" + strings.ReplaceAll(foot, " \n", " "), HTML: p.html}
}

// StartMailbox starts a mail server; took returns the next mail that it took on.
func StartMailbox(t *testing.T) (post *SMTP, took func() (to string, raw []byte)) {
	s := startMailServer(t, "starttls")
	return s.post(t, nil), func() (string, []byte) {
		for {
			if e := s.next(t); len(e.Mail) > 0 {
				return e.To[0], e.Mail
			}
		}
	}
}

// StartMailServer starts a mail server; took returns the next recipient whose mail it
// took on, and the mail's Message-ID.
func StartMailServer(t *testing.T) (post *SMTP, took func() (to, id string)) {
	post, next := StartMailbox(t)
	return post, func() (string, string) {
		to, raw := next()
		return to, parse(t, raw).header.Get("Message-Id")
	}
}
