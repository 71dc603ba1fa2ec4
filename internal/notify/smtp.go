package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Ways of protecting the connection to the mail server.
const (
	TLSStart    = "starttls" // required: a server that does not offer it is refused (RFC 3207)
	TLSImplicit = "implicit" // from the first byte (RFC 8314)
	TLSNone     = "none"     // for a server on this machine only
)

// DeliveryError says that a mail was not taken on. Its text holds no address and
// nothing of the mail.
type DeliveryError struct {
	Permanent   bool // this mail will never be taken on
	Unreachable bool // no mail is taken on now
	text        string
}

func (e *DeliveryError) Error() string { return e.text }

// SMTPConfig says which server takes mails on, and how it is spoken to.
type SMTPConfig struct {
	Server   string         // host:port
	TLS      string         // one of the TLS constants
	Roots    *x509.CertPool // that vouch for the server; nil: the system's
	User     string         // "" to send without signing in
	Password string
	Timeout  time.Duration // of each step; 0 is 15 s
}

// SMTP hands mails to a server.
type SMTP struct {
	config SMTPConfig
	host   string
	port   int
}

// defaultTimeout bounds each step: connecting, and handing over.
const defaultTimeout = 15 * time.Second

// NewSMTP checks the configuration. It connects to nothing.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	host, digits, err := net.SplitHostPort(c.Server)
	port, bad := strconv.Atoi(digits)
	if err != nil || bad != nil || host == "" || port < 1 || port > 65535 {
		return nil, fmt.Errorf("the mail server %q: want host:port, as smtp.example.com:587", c.Server)
	}
	switch c.TLS {
	case TLSStart, TLSImplicit:
	case TLSNone:
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("without TLS mail goes to this machine only: %s is another one", host)
		}
		if c.User != "" {
			return nil, errors.New("a password is not sent without TLS")
		}
	default:
		return nil, fmt.Errorf("%q: want %s, %s or %s", c.TLS, TLSStart, TLSImplicit, TLSNone)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	s := &SMTP{config: c, host: host, port: port}
	_, err = s.client()
	return s, err
}

func (s *SMTP) client() (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(s.config.Timeout), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.host, RootCAs: s.config.Roots, MinVersion: tls.VersionTLS12})}
	switch s.config.TLS {
	case TLSImplicit:
		options = append(options, gomail.WithSSL())
	case TLSNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.config.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.config.User), gomail.WithPassword(s.config.Password))
	}
	return gomail.NewClient(s.host, options...)
}

// Check connects, protects the connection and signs in as for a mail, and sends none.
func (s *SMTP) Check(ctx context.Context) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return s.unreachable(err)
	}
	if err := client.Close(); err != nil {
		return s.unreachable(err)
	}
	return nil
}

func (s *SMTP) unreachable(err error) error {
	return &DeliveryError{Unreachable: true, text: fmt.Sprintf("the mail server %s: %v", s.config.Server, err)}
}

// Deliver hands one mail over, on a connection of its own. A mail that the server has
// taken on counts as delivered, whatever becomes of the connection afterwards.
func (s *SMTP) Deliver(ctx context.Context, m *Mail) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return s.unreachable(err)
	}
	msg := m.message()
	err = client.Send(msg)
	_ = client.Close() // the answer has been given
	if err == nil || msg.IsDelivered() {
		return nil
	}
	return refusal(err)
}

// refusal says what the server answered. Only what it says of the recipient or of the
// mail can be for good: that it does not let us in, or the sender, may be put right.
func refusal(err error) error {
	var e *gomail.SendError
	if !errors.As(err, &e) {
		return &DeliveryError{text: "the mail could not be handed over"}
	}
	step := map[gomail.SendErrReason]string{gomail.ErrSMTPMailFrom: "the sender", gomail.ErrSMTPRcptTo: "the recipient",
		gomail.ErrSMTPData: "the mail", gomail.ErrSMTPDataClose: "the mail", gomail.ErrWriteContent: "the mail"}[e.Reason]
	code := e.ErrorCode()
	if step == "" || code < 400 {
		return &DeliveryError{text: "the connection to the mail server was lost: the mail is sent again"}
	}
	answer := strconv.Itoa(code)
	if e.EnhancedStatusCode() != "" {
		answer += " " + e.EnhancedStatusCode()
	}
	return &DeliveryError{Permanent: code >= 500 && e.Reason != gomail.ErrSMTPMailFrom, text: "the mail server refused " + step + ": " + answer}
}
