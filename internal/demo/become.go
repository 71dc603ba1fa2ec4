package demo

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/authority"
)

// Become signs in as somebody of the sample company, with the software passkey that
// the demo keeps for them: the same ceremony as anybody's, and stamped as simulated.
func (h *House) Become(ctx context.Context, login string) (*authority.SignedIn, error) {
	begun, err := h.Authority.BeginSignIn(ctx)
	if err != nil {
		return nil, err
	}
	response, err := h.Assert(login, begun.Options)
	if err != nil {
		return nil, err
	}
	return h.Authority.SignIn(ctx, authority.SignInBody{Challenge: begun.Challenge, Binding: begun.Binding, Passkey: response})
}

// Assert answers the options of a ceremony with somebody's software passkey.
func (h *House) Assert(login string, options []byte) ([]byte, error) {
	h.mu.Lock() // each answer counts the passkey on
	defer h.mu.Unlock()
	p := h.Info.Person(login)
	if p == nil {
		return nil, fmt.Errorf("nobody in the demo is called %q", login)
	}
	device, err := p.SoftwareKey()
	if err != nil {
		return nil, err
	}
	response, err := device.Assert(options, h.Info.URL)
	if err != nil {
		return nil, err
	}
	p.Passkey, err = device.Save()
	return response, err
}
