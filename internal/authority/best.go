package authority

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// powerful are the beginnings of the subjects of acts that give somebody power: who
// may decide, enrol or come in, which system may submit and release, which key signs.
// What only takes power away stays easy: a freeze, an own authenticator that goes.
var powerful = []string{"confirm:", "delegate:", "invite:", "key:", "person:", "review:", "rotate:"}

// givesPower reports that an act is proven with the strongest that the person has: a
// password and a code that were phished must not be worth what only their passkey was.
func givesPower(subject string) bool {
	return slices.ContainsFunc(powerful, func(p string) bool { return strings.HasPrefix(subject, p) })
}

// judged refuses a step-up whose authenticator does not count now, and one for an act
// that gives power which is weaker than the person could give. It writes down the use of
// one that does.
func (a *Authority) judged(tx *store.Tx, j authn.Judgement) error {
	if err := (&deciding{a: a}).standing(tx, j); err != nil {
		return err
	}
	c, err := authn.ParseCeremony(j.Evidence().Statement)
	if err != nil {
		return err
	}
	if givesPower(c.Subject) {
		if err := a.byTheirBest(tx, c.Person, j.Assurance); err != nil {
			return err
		}
	}
	if j.Authenticator() == "" {
		return nil
	}
	return tx.RecordUse(j.Authenticator(), store.UseAct)
}

// byTheirBest refuses a proof that is weaker than the person could give.
func (a *Authority) byTheirBest(tx *store.Tx, person string, given countersign.Assurance) error {
	factors, err := tx.Authenticators(person)
	if err != nil {
		return err
	}
	best, _, err := a.strongest(factors, tx.Now())
	if err != nil {
		return err
	}
	if given.AtLeast(best) {
		return a.afterReport(tx, person, given)
	}
	hint := "use your passkey, in a browser"
	if best == countersign.AssuranceHardware {
		hint = "use your security key, in a browser"
	}
	return countersign.NewProblem(countersign.CodeForbidden, "this act is proven with the strongest that you have: this was %s, and you have %s", given, best).
		WithHint("%s", hint)
}

// quietAfterReport is how long after the report of a lost passkey its owner has to object.
const quietAfterReport = 24 * time.Hour

// afterReport refuses a proof without a passkey for a day after a passkey was reported
// lost. Somebody who holds a session, the password
// and the app could otherwise report the passkey away and act by what is left, before its
// owner has read the mail about it.
func (a *Authority) afterReport(tx *store.Tx, person string, given countersign.Assurance) error {
	if given.AtLeast(countersign.AssurancePhishingResistant) {
		return nil
	}
	reported, err := tx.PasskeyReported(person)
	if err != nil || reported.IsZero() {
		return err
	}
	until := reported.Add(quietAfterReport)
	if !tx.Now().Before(until) {
		return nil
	}
	return countersign.NewProblem(countersign.CodeForbidden, "a passkey of yours was reported lost: until %s UTC an act that gives power takes another passkey of yours",
		until.UTC().Format("2006-01-02 15:04")).WithHint("another administrator can do it meanwhile")
}

// strongestKeys leaves, of the passkeys that a person could use, those by which they
// prove an act that gives power: of a maker's attested keys and others, the former.
func strongestKeys(all []authn.Passkey) []authn.Passkey {
	hard := slices.DeleteFunc(slices.Clone(all), func(p authn.Passkey) bool { return p.AttestedBy == "" || p.BackupEligible })
	if len(hard) > 0 {
		return hard
	}
	return all
}
