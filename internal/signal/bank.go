package signal

import (
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/shape"
)

// fingerprint returns the fingerprint of the document's own account.
func (f *Facts) fingerprint() string {
	if f.Vendor == nil {
		return ""
	}
	return f.Vendor.Fingerprint
}

var lastPaidSettings = section{
	shape: shape.ObjectOf("which accounts are usual",
		shape.Optional("last", shape.NumberOf("of how many last payments", 1, 3)),
	),
	read: func(s *Settings, w Written) { s.LastPaid = w.Member("last").Number(s.LastPaid) },
}

// bankAccountDiffers compares with the accounts last paid. Before any payment the
// accounts on record stand in for them; with neither there is nothing to compare.
func bankAccountDiffers(f *Facts, s *Settings) answer {
	own := f.fingerprint()
	if own == "" {
		return cannot("payee.account")
	}
	v := f.Vendor
	if v.LastPaid == nil {
		return cannot("vendor.last_paid")
	}
	if paid := v.LastPaid[:min(len(v.LastPaid), s.LastPaid)]; len(paid) > 0 {
		at := slices.Index(paid, own)
		if at < 0 {
			return say(true, "another account than the last "+plural(len(paid), "payment")+" went to", "the same account", "payments")
		}
		return say(false, "the account of the payment "+strconv.Itoa(at+1)+" before this one", "one of the last "+plural(len(paid), "payment"), "payments")
	}
	if len(v.Accounts) == 0 {
		return cannot("vendor.accounts")
	}
	if v.account(own) == nil {
		return say(true, "never paid yet, and the account is not the one on record", "the account on record", v.RecordedSource)
	}
	return say(false, "never paid yet; the account on record", "the account on record", v.RecordedSource)
}

func (v *Vendor) account(fingerprint string) *Account {
	for i := range v.Accounts {
		if v.Accounts[i].Fingerprint == fingerprint {
			return &v.Accounts[i]
		}
	}
	return nil
}

var bankChangedSettings = section{
	shape: shape.ObjectOf("how long an account counts as changed",
		shape.Optional("within", shape.DurationOf("since the change")),
	),
	read: func(s *Settings, w Written) { s.BankChanged = w.Member("within").Duration(s.BankChanged) },
}

// bankAccountChanged asks about the account on the document; where the document
// names none, about every account on record.
func bankAccountChanged(f *Facts, s *Settings) answer {
	v := f.Vendor
	if v == nil || v.Accounts == nil {
		return cannot("vendor.accounts")
	}
	within := "more than " + days(s.BankChanged) + " ago"
	if own := v.Fingerprint; own != "" {
		a := v.account(own)
		if a == nil {
			return say(true, "the account is not on record", within, v.RecordedSource)
		}
		return accountAge(f.Now, []Account{*a}, s.BankChanged, within, v.RecordedSource)
	}
	if len(v.Accounts) == 0 {
		return say(false, "no account on record", within, v.RecordedSource)
	}
	return accountAge(f.Now, v.Accounts, s.BankChanged, within, v.RecordedSource)
}

func accountAge(now time.Time, accounts []Account, within time.Duration, comparison, source string) answer {
	var latest time.Time
	for _, a := range accounts {
		at := a.Changed
		if a.FirstSeen.After(at) {
			at = a.FirstSeen
		}
		if at.IsZero() {
			return cannot("vendor.accounts.changed")
		}
		if at.After(latest) {
			latest = at
		}
	}
	return say(now.Sub(latest) <= within, "changed or first seen "+ago(now, latest), comparison, source)
}

func pendingBankChange(f *Facts, _ *Settings) answer {
	if f.BankChanges == nil {
		return cannot("bank_changes")
	}
	if len(f.BankChanges) == 0 {
		return say(false, "", "no bank change is waiting", "requests")
	}
	c := f.BankChanges[0]
	value := "bank change of " + day(c.At) + " (" + c.Request + ")"
	switch own := f.fingerprint(); {
	case own == "":
	case own == c.To:
		value += "; this pays to the new account"
	case own == c.From:
		value += "; this pays to the old account"
	}
	return say(true, value, "no bank change is waiting", "requests")
}

func paysPendingAccount(f *Facts, _ *Settings) answer {
	if f.BankChanges == nil {
		return cannot("bank_changes")
	}
	if len(f.BankChanges) == 0 {
		return say(false, "", "no bank change is waiting", "requests")
	}
	own := f.fingerprint()
	if own == "" {
		return cannot("payee.account")
	}
	lacks := false
	for _, c := range f.BankChanges {
		if c.To == own {
			return say(true, "the account of the bank change "+c.Request, "another account", "requests")
		}
		lacks = lacks || c.To == ""
	}
	if lacks {
		return cannot("bank_changes.to")
	}
	return say(false, "another account", "the account of a waiting bank change", "requests")
}
