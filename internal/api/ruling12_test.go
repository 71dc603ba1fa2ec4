package api_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/verify"
)

// TestRuling12PersonsByBearerOfTheirHost: a person is who bears a session's token, at the
// host name of their organisation; a cookie is nothing here, also beside a token that is
// none. The organisation stands in what is signed and in the receipt.
func TestRuling12PersonsByBearerOfTheirHost(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta := s.Person("marta")
		out := s.Submit(testkit.Order("PO-1", "30000.00"))
		path := "/v1/requests/" + out.ID
		status := func(change func(*http.Request)) int {
			r := s.Request("GET", path, "", nil)
			change(r)
			return s.Do(r).Status
		}
		cookie := func(r *http.Request) {
			for _, name := range []string{"countersign-local", "__Host-countersign", "session"} {
				r.AddCookie(&http.Cookie{Name: name, Value: marta.Token})
			}
		}
		for name, c := range map[string]struct {
			change func(*http.Request)
			want   int
		}{
			"the token":           {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+marta.Token) }, 200},
			"in a cookie":         {cookie, 401},
			"a cookie and no one": {func(r *http.Request) { cookie(r); r.Header.Set("Authorization", "Bearer css_none") }, 401},
			"at another host": {func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+marta.Token)
				r.Host = "other.example.com"
			}, 404},
		} {
			if have := status(c.change); have != c.want {
				t.Errorf("%s: %d, want %d", name, have, c.want)
			}
		}
		org := s.Authority.Org()
		c, p := marta.Challenge(out.ID, countersign.ActApprove)
		if p != nil {
			t.Fatal(p)
		}
		if signed, err := countersign.ParseStatement(c.Statement); err != nil || signed.Org != org {
			t.Errorf("the statement is of %q, the organisation is %s (%v)", signed.Org, org, err)
		}
		done, p := marta.ByPasskey(out.ID, countersign.ActApprove)
		if p != nil {
			t.Fatal(p)
		}
		s.Verify(done.Receipt)
		for expected, failed := range map[string]string{org: "", "org_other": verify.StepExpected} {
			v, err := verify.Receipt(done.Receipt, verify.Options{Keys: s.Authority.Verifiers(), Org: expected})
			if v.Failed != failed {
				t.Errorf("the receipt where %s is expected: %q, %v", expected, v.Failed, err)
			}
		}
	})
}
