package authority

import (
	"slices"
	"strings"

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
	if err != nil || given.AtLeast(best) {
		return err
	}
	hint := "use your passkey, in a browser"
	if best == countersign.AssuranceHardware {
		hint = "use your security key, in a browser"
	}
	return countersign.NewProblem(countersign.CodeForbidden, "this act is proven with the strongest that you have: this was %s, and you have %s", given, best).
		WithHint("%s", hint)
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
