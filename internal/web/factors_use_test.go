package web_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
)

// usedAs is what the page of a person's authenticators says of the use of each.
func usedAs(page shown) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)<li class="factor">(.*?)</li>`).FindAllStringSubmatch(page.Body, -1) {
		text := shown{Body: m[1]}.text()
		name := "password"
		for _, n := range []string{"my passkey", "my totp"} {
			if strings.Contains(text, n) {
				name = n
			}
		}
		if use := regexp.MustCompile(`(Last used|Not used) .*?(to sign in|for a decision|for a change|yet|\d)( |$)`).FindString(text); use != "" {
			out[name] = strings.TrimSpace(use)
		}
	}
	return out
}

// TestLastUseIsShown: signing in, deciding and proving oneself for a change are uses of
// what proved it, and of nothing else; looking is none.
func TestLastUseIsShown(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta := s.Person("marta")
		marta.EnrolCode()
		c := callerOf(t, s, marta.Token)
		expect := func(passkey, app, password string) {
			t.Helper()
			got := usedAs(c.get("/factors"))
			for name, want := range map[string]string{"my passkey": passkey, "my totp": app, "password": password} {
				if !strings.HasSuffix(got[name], want) {
					t.Errorf("%s: %q, want %q", name, got[name], want)
				}
			}
		}
		expect("for a change", "Not used yet", "Not used yet")
		s.Clock.Forward(time.Second)
		marta.SignIn()
		c = callerOf(t, s, marta.Token)
		expect("to sign in", "Not used yet", "Not used yet")
		s.Clock.Forward(time.Second)
		_, problem := marta.ByPasskey(s.Submit(testkit.Order("PO-1", "30000.00")).ID, countersign.ActApprove)
		if problem != nil {
			t.Fatal(problem)
		}
		expect("for a decision", "Not used yet", "Not used yet")
		s.Clock.Forward(time.Minute)
		byCode := s.Submit(testkit.Order("PO-2", "30000.00"))
		if _, problem := marta.ByCode(byCode.ID, marta.Code(0)); problem != nil {
			t.Fatal(problem)
		}
		expect("for a decision", "for a decision", "for a decision")
		if daniel := usedAs(callerOf(t, s, s.Person("daniel").Token).get("/factors")); len(daniel) != 1 || !strings.HasSuffix(daniel["my passkey"], "to sign in") {
			t.Errorf("another's: %v", daniel)
		}
	})
}

// TestPasswordIsAskedOfSomebody: every page that asks for a password names whose it is,
// for whatever keeps passwords.
func TestPasswordIsAskedOfSomebody(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	marta.EnrolCode()
	s.Clock.Forward(10 * time.Minute) // the sign-in no longer counts as the first factor
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c := callerOf(t, s, marta.Token)
	for _, path := range []string{"/factors/add", "/factors/codes", "/r/" + order.ID + "/freeze"} {
		if a := c.get(path); a.Status != 200 || !strings.Contains(a.Body, `type="password"`) || !strings.Contains(a.Body, `autocomplete="username" value="marta"`) {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
}

// TestLastUseFarBack: what lies further back than is looked is not guessed.
func TestLastUseFarBack(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta := s.Person("marta")
	marta.EnrolCode()
	_, err := s.DB.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 200 {
			d := store.Decision{Approval: fmt.Sprintf("req_%d", i), ID: "dec_1", Person: marta.ID, Act: countersign.ActApprove, EntryID: "x", At: tx.Now().AddDate(0, 0, i+1),
				Body: `{"evidence":{"passkey":{"authenticator":"fac_gone"}}}`}
			if err := tx.InsertDecision(d); err != nil {
				return err
			}
		}
		return nil
	})
	s.Must(err)
	s.Clock.Forward(time.Hour)
	for name, use := range usedAs(callerOf(t, s, marta.Token).get("/factors")) {
		if want := map[bool]string{true: "Not used yet", false: "Not used since"}[name == "password"]; !strings.HasPrefix(use, want) {
			t.Errorf("%s: %q", name, use)
		}
	}
}
