package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, which every authenticator app knows
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo/info"
)

func infoOf(p Person, id string) info.Person {
	i := info.Person{Login: p.Subject, ID: id, Name: p.Name, Title: p.Title, Groups: p.Groups, Manager: p.Manager, Privileged: p.Privileged, Password: Password}
	if p.Limit != nil {
		i.Limit = p.Limit.Value + " " + p.Limit.Currency
	}
	return i
}

// enrol gives a person a software passkey, and a password with a code generator, by
// the same ceremonies as anybody's. How the second one is permitted is the caller's.
func (h *House) enrol(ctx context.Context, p *info.Person, second permission) error {
	device := softkey.New()
	err := h.redeem(ctx, p, h.byInvitation, authn.KindPasskey, func(c *authority.Ceremony) (authority.EnrolBody, error) {
		response, err := device.Register(c.Options, h.Info.URL)
		return authority.EnrolBody{Name: "software passkey of the demo", Passkey: response}, err
	})
	if err != nil {
		return fmt.Errorf("%s: passkey: %w", p.Login, err)
	}
	if p.Passkey, err = device.Save(); err != nil {
		return err
	}
	err = h.redeem(ctx, p, second, authn.KindTOTP, func(c *authority.Ceremony) (authority.EnrolBody, error) {
		p.TOTPSecret, p.TOTPURI = strings.ReplaceAll(c.Secret, " ", ""), c.URI
		// The step before this one counts as well, and using it leaves the code that an
		// app shows now for the visitor.
		code, err := Code(p.TOTPSecret, time.Now().Add(-authn.TOTPPeriod))
		return authority.EnrolBody{Name: "authenticator app of the demo", Code: code, Password: p.Password}, err
	})
	if err != nil {
		return fmt.Errorf("%s: code: %w", p.Login, err)
	}
	inv, err := h.Authority.InviteOffline(ctx, p.ID, false)
	if err != nil {
		return err
	}
	p.EnrolLink = inv.URL
	return nil
}

// permission opens a session in which a person may enrol one authenticator.
type permission func(ctx context.Context, p *info.Person) (*authority.SignedIn, error)

func (h *House) byInvitation(ctx context.Context, p *info.Person) (*authority.SignedIn, error) {
	inv, err := h.Authority.InviteOffline(ctx, p.ID, false)
	if err != nil {
		return nil, err
	}
	return h.Authority.RedeemInvitation(ctx, inv.Token)
}

// byPasskey rests on the passkey that the person has: they sign in with it and step up.
func (h *House) byPasskey(ctx context.Context, p *info.Person) (*authority.SignedIn, error) {
	a := h.Authority
	device, err := p.SoftwareKey()
	if err != nil {
		return nil, err
	}
	begun, err := a.BeginSignIn(ctx)
	if err != nil {
		return nil, err
	}
	response, err := device.Assert(begun.Options, h.Info.URL)
	if err != nil {
		return nil, err
	}
	in, err := a.SignIn(ctx, authority.SignInBody{Challenge: begun.Challenge, Binding: begun.Binding, Passkey: response})
	if err != nil {
		return nil, err
	}
	s, err := a.AuthenticateSession(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	if begun, err = a.BeginStepUp(ctx, s, "enrol"); err != nil {
		return nil, err
	}
	if response, err = device.Assert(begun.Options, h.Info.URL); err != nil {
		return nil, err
	}
	granted, err := a.GrantEnrolment(ctx, s, authority.StepUpBody{Challenge: begun.Challenge, Passkey: response})
	if err != nil {
		return nil, err
	}
	if p.Passkey, err = device.Save(); err != nil { // its counter went on
		return nil, err
	}
	return granted, a.SignOut(ctx, s)
}

func (h *House) redeem(ctx context.Context, p *info.Person, by permission, kind authn.Kind, answer func(*authority.Ceremony) (authority.EnrolBody, error)) error {
	a := h.Authority
	in, err := by(ctx, p)
	if err != nil {
		return err
	}
	s, err := a.AuthenticateSession(ctx, in.Token)
	if err != nil {
		return err
	}
	c, err := a.BeginEnrolment(ctx, s, kind)
	if err != nil {
		return err
	}
	// The code of the step before counts no more when a step ends on the way: then the next
	// one is sent, as a person would.
	for try := 0; ; try++ {
		body, err := answer(c)
		if err != nil {
			return err
		}
		body.Challenge = c.Challenge
		if _, err = a.FinishEnrolment(ctx, s, body); !errors.Is(err, authn.ErrWrong) || try > 0 {
			return err
		}
	}
}

// Code is what an authenticator app with the secret shows at a time (RFC 6238 with
// its defaults: SHA-1, six digits, 30 seconds). The server has its own; this is the
// visitor's phone.
func Code(secret string, at time.Time) (string, error) {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.ReplaceAll(secret, " ", "")))
	if err != nil {
		return "", fmt.Errorf("a code generator's secret is in base32: %w", err)
	}
	m := hmac.New(sha1.New, key)
	var step [8]byte
	binary.BigEndian.PutUint64(step[:], uint64(at.Unix()/int64(authn.TOTPPeriod/time.Second)))
	m.Write(step[:])
	sum := m.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f // RFC 4226 §5.3
	n := binary.BigEndian.Uint32(sum[offset:offset+4]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000), nil
}
