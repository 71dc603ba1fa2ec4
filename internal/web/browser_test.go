package web_test

import (
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// TestSignInWithAPassword signs in by hand, without a script and with one.
func TestSignInWithAPassword(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta := s.Person("marta")
	marta.EnrolCode()
	b := testkit.OpenBrowser(t)
	for _, scripts := range []bool{true, false} {
		b.Scripts(scripts)
		b.Expect("404")
		b.Open(s.URL + "/sign-in")
		b.WaitText("Or with your password")
		b.Type("input[name=login]", "marta")
		b.Type("input[name=password]", testkit.Password)
		b.Type("input[name=totp]", marta.Code(0))
		b.Click("form:not([data-ceremony]) button")
		b.WaitText("Marta Silva")
		b.Click(".menu summary")
		b.Wait("document.querySelector('.menu').open")
		b.Click(".menu form button")
		b.WaitText("Or with your password")
		s.Clock.Forward(60e9)
	}
}
