package authority_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// Which ruling is proven where. Stories are in testdata; a name without a place is a
// test of this package.
//
//	 1 two objects                 TestRuling01DocumentComparedWhole; countersign: document_test
//	 2 accounts                    TestRuling02AccountInClearOnlyWhereRead
//	 3 required fields             TestStoryUnknown; countersign: document_test
//	 4 same, superseded, denied    TestStorySupersede, TestRuling04RateOfRevisions
//	 5 unknown fires               TestStoryUnknown; policy: condition_test, evaluate_test
//	 6 weighed three times         TestStoryPrivileged, TestStoryBetween
//	 7 nobody named                TestRuling07NobodyIsNamed
//	 8 merging, unsatisfiable      TestStoryUnsatisfiable; countersign, policy: property_test
//	 9 sources, settling, sums     TestRuling09TwentyPartsAtOnce, TestRuling09PushedHistorySettles
//	10 the decision's record       TestRuling10DecisionKeepsWhatWasKnown
//	11 keys                        TestRuling11ScopesAndSources
//	12 persons, host               api; the organisation in the statement: TestRuling16StatementIsTheChallenge
//	13 vouching                    TestStoryVouching, TestRuling13HandOver
//	14 founding, confirmation      TestRuling14Founding, TestRuling14Confirmation
//	15 natural persons             TestRuling15OnePersonManyIds
//	16 the statement               TestRuling16StatementIsTheChallenge
//	17 the challenge is taken      TestRuling17OneChallengeAtOnce
//	18 codes                       TestRuling18OneCodeAtOnce, TestStoryWrongCodes, TestRuling18RecoveryOnlyEnrols
//	19 hardware                    TestRuling19HardwareNeedsRoots; authn: assurance_test
//	20 owners, delegates           TestRuling20OwnerCountsAsRequester, TestStoryDelegation
//	21 break-glass                 TestStoryBreakGlass; approval: rulings_test
//	22 stop, freeze, revoke        TestStoryEnds, TestStoryFrozen, TestStoryBankChange, TestStoryTakenBack
//	23 holds, deadlines            TestStoryBankChange, TestStoryEnds, TestStoryTakenBack
//	24 clocks                      TestRuling24ClockJumps, TestRuling24ClockDisagrees
//	25 check, release, leases      TestRuling25OneReleaseAtOnce, TestStoryLargeOrder, TestStoryEnds
//	26 only the source             TestRuling26OnlyTheSourceReleases
//	27 what can only tighten       TestStoryBetween, TestStoryRevoked
//	28 evidence, not permission    TestRuling28SilentReceipt, TestTrapApprovedIsNoFlag
//	29 checkpoint and guard        TestGuardFails, TestRuling29OlderDatabaseIsRefused, TestRuling29ForeignCheckpointStopsSigning
//	30 recovery                    recover.go's own tests; store: backup
//	31 removal, roll-back          TestAlteredEntryIsFoundAndNamed; audit: export_test
//	32 keys                        rotate_test
//	33 erasure                     TestStoryErasure, TestRuling33ErasureClearsEveryCopy
//	34 canonical documents         TestRuling34OneFormOnly; countersign: canonical_test, decode_test
//	35 allow, deny                 TestRuling35SilentHasNoDecisions, TestStoryPrivileged
//	36 errors are unknown          policy: condition_test
//	37 windows                     policy: shape; signal: signal_test
//	38 password and code together  TestStoryLargeOrder
//	39 changes to Countersign      TestStoryPolicy, TestRuling39ChangesNeedASecondPerson
//	40 commands                    cmd/countersign
//	41 sequenced within a second   TestRuling41PendingUntilSigned
//	42 policy try                  backtest

func TestStoryTakenBack(t *testing.T) { story(t, "taken_back") }

func TestRuling01DocumentComparedWhole(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		full := order("PO-1", "30000.00", func(d *countersign.Document) {
			d.Subject, d.Flags, d.Custom = "laptops", []string{"urgent"}, map[string]string{"project": "7"}
			d.Lines = []countersign.Line{{Number: "1", Item: "laptop", Quantity: "20", UnitPrice: "1500.00"}}
			d.Attachments = []countersign.Attachment{{Name: "offer.pdf", Digest: countersign.SumBytes([]byte("offer"))}}
		})
		out, err := h.a.Submit(h.ctx, h.key, body(full, &countersign.Submission{Channel: "ui", ETag: "7"}))
		h.must(err)
		h.who["marta"].approve(out.Approval.ID)
		for name, change := range map[string]func(*countersign.Document){
			"/subject":        func(d *countersign.Document) { d.Subject = "Laptops" },
			"/flags/0":        func(d *countersign.Document) { d.Flags = nil },
			"/custom/project": func(d *countersign.Document) { d.Custom = map[string]string{"project": "8"} },
			"/lines/0/unit_price": func(d *countersign.Document) {
				d.Lines = []countersign.Line{{Number: "1", Item: "laptop", Quantity: "20", UnitPrice: "1500.01"}}
			},
			"/attachments/0/digest": func(d *countersign.Document) {
				d.Attachments = []countersign.Attachment{{Name: "offer.pdf", Digest: countersign.SumBytes([]byte("other"))}}
			},
			"/requester/name": func(d *countersign.Document) {
				d.Requester = &countersign.Party{Type: "person", ID: "elif", Name: "Elif K."}
			},
		} {
			other := *full
			change(&other)
			_, err := h.release(out.Approval.ID, &other, "run-1")
			p := h.refused(err, countersign.CodeChanged)
			if len(p.Differences) == 0 || !strings.HasPrefix(name, p.Differences[0].Pointer) {
				h.t.Errorf("%s: %+v", name, p.Differences)
			}
		}
		// The submission is never compared: the same document under another etag is the
		// same request, and the release names no submission at all.
		again, err := h.a.Submit(h.ctx, h.key, body(full, &countersign.Submission{Channel: "api", ETag: "8"}))
		h.must(err)
		if again.Created || again.Approval.ID != out.Approval.ID {
			h.t.Error("another submission of the same document is another request")
		}
		_, err = h.release(out.Approval.ID, full, "run-1")
		h.must(err)
	})
}

func TestRuling02AccountInClearOnlyWhereRead(t *testing.T) {
	each(t, func(h *house) {
		iban := "DE89370400440532013000"
		h.vendor("V-1", "Nordwind Technik GmbH", 6, &countersign.Account{Scheme: "iban", Value: iban})
		out := h.submit(order("PAY-1", "60000.00", func(d *countersign.Document) {
			d.Kind, d.Payee.Account = countersign.KindPayment, &countersign.Account{Scheme: "iban", Value: iban}
		}))
		seen, err := h.a.Get(h.ctx, authority.Caller{Session: &h.who["tomas"].session}, out.ID)
		h.must(err)
		if !bytes.Contains(seen.Document, []byte(iban)) {
			h.t.Error("who decides does not read the account")
		}
		h.read(func(tx *store.Tx) error {
			for _, text := range []string{`SELECT COUNT(*) FROM vendor_account WHERE org_id = $1 AND fingerprint LIKE '%' || $2 || '%'`,
				`SELECT COUNT(*) FROM purchase WHERE org_id = $1 AND fingerprint LIKE '%' || $2 || '%'`} {
				var n int
				if err := tx.Row(text, iban[4:]).Scan(&n); err != nil {
					return err
				}
				if n != 0 {
					h.t.Errorf("%d rows hold the account itself: %s", n, text)
				}
			}
			return nil
		})
	})
}

func TestRuling04RateOfRevisions(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		last := ""
		for rev := range 20 {
			out, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", fmt.Sprintf("%d.00", 30000+rev), func(d *countersign.Document) { d.Revision = fmt.Sprint(rev) }),
				&countersign.Submission{Supersedes: last}))
			h.must(err)
			last = out.Approval.ID
		}
		next := order("PO-1", "9.00", func(d *countersign.Document) { d.Revision = "20" })
		_, err := h.a.Submit(h.ctx, h.key, body(next, &countersign.Submission{Supersedes: last}))
		if p := h.refused(err, countersign.CodeRateLimited); p.RetryAfterSeconds == 0 {
			h.t.Error("it does not say when")
		}
		h.clock.forward(61 * time.Minute)
		_, err = h.a.Submit(h.ctx, h.key, body(next, &countersign.Submission{Supersedes: last}))
		h.must(err)
	})
}

func TestRuling07NobodyIsNamed(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		p, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: `policy: tiny
currency: EUR
rules:
  - name: large
    for: [purchase_order]
    when: amount >= 1000
    require: {assurance: mfa}
    because: "{amount} is large"
`})
		h.must(err)
		h.who["claire"].approve(p.ID)
		_, err = h.a.Submit(h.ctx, h.key, body(order("PO-1", "30000.00"), nil))
		h.refused(err, countersign.CodeInvalid)
		// Nobody is eligible merely by having an account and seeing everything.
		p, err = h.who["claire"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: string(source(h.t).Text)})
		h.must(err)
		h.who["samuel"].approve(p.ID)
		id := h.submit(order("PO-2", "30000.00")).ID
		for _, login := range []string{"samuel", "claire", "rosa"} {
			_, err = h.who[login].byPasskey(id, countersign.ActApprove)
			h.refused(err, countersign.CodeForbidden)
		}
	})
}

func TestRuling09PushedHistorySettles(t *testing.T) {
	each(t, func(h *house) {
		h.settings(func(s *authority.Settings) { s.HistorySettling = nil }) // 72 hours
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		invoice := func(id string) *countersign.Approval {
			return h.submit(order(id, "12000.00", func(d *countersign.Document) { d.Kind, d.Category = countersign.KindInvoice, id }))
		}
		if out := invoice("INV-1"); out.Status != countersign.StatusPending {
			h.t.Errorf("what was pushed a moment ago counts as history: %s", out.Status)
		}
		// A second person confirms it.
		p, err := h.who["samuel"].propose(countersign.KindHistoryConfirm, "V-1")
		h.must(err)
		_, err = h.who["samuel"].byPasskey(p.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		h.who["claire"].approve(p.ID)
		if out := invoice("INV-2"); out.Status != countersign.StatusApproved {
			h.t.Errorf("confirmed history does not count: %s %+v", out.Status, out.Reasons)
		}
		// Or it settles.
		h.vendor("V-2", "Sued GmbH", 6, nil)
		h.clock.forward(73 * time.Hour)
		h.must(h.a.Tick(h.ctx))
		out := h.submit(order("INV-3", "12000.00", func(d *countersign.Document) {
			d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-2", Name: "Sued GmbH"}
		}))
		if out.Status != countersign.StatusApproved {
			h.t.Errorf("settled history does not count: %s %+v", out.Status, out.Reasons)
		}
	})
}

func TestRuling10DecisionKeepsWhatWasKnown(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.who["marta"].state(func(p *countersign.PersonFact) {
			p.Limits = []countersign.LimitFact{{Amount: countersign.Amount{Value: "50000.00", Currency: "EUR"}}}
		})
		id := h.submit(order("PO-1", "30000.00")).ID
		h.who["marta"].approve(id)
		h.who["marta"].state(func(p *countersign.PersonFact) { p.Groups = []string{"finance"} })
		d := h.get(id).Decisions[0]
		if strings.Join(d.Groups, " ") != "approvers finance" || d.Limit == nil || d.Limit.Value != "50000.00" {
			h.t.Errorf("the decision keeps %v and %v", d.Groups, d.Limit)
		}
		h.read(func(tx *store.Tx) error {
			row, err := tx.Approval(id)
			if err != nil {
				return err
			}
			openings, err := tx.Openings(row.EntryID)
			var w struct {
				Facts    map[string]json.RawMessage `json:"facts"`
				Findings []countersign.Finding      `json:"findings"`
				Digest   countersign.Digest         `json:"policy_digest"`
			}
			h.must(json.Unmarshal([]byte(openings[countersign.OpeningWeighing].Value), &w))
			if len(w.Facts) == 0 || len(w.Findings) == 0 || string(w.Digest) != row.PolicyDigest {
				h.t.Errorf("the weighing keeps %d facts, %d findings, %s", len(w.Facts), len(w.Findings), w.Digest)
			}
			return err
		})
	})
}

func TestRuling11ScopesAndSources(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "900.00")).ID
		doc := body(order("PO-1", "900.00"), nil).Document
		acts := map[string]func(k authority.Key) error{
			"submit": func(k authority.Key) error {
				_, err := h.a.Submit(h.ctx, k, body(order("PO-9", "9.00"), nil))
				return err
			},
			"evaluate": func(k authority.Key) error {
				_, err := h.a.Evaluate(h.ctx, k, body(order("PO-9", "9.00"), nil))
				return err
			},
			"facts": func(k authority.Key) error {
				_, err := h.a.RecordFacts(h.ctx, k, countersign.FactsBody{Vendors: []countersign.VendorFact{{ID: "V", Name: "V"}}})
				return err
			},
			"provisioning": func(k authority.Key) error {
				_, err := h.a.RecordFacts(h.ctx, k, countersign.FactsBody{People: []countersign.PersonFact{{Subject: "x", Name: "X"}}})
				return err
			},
			"alert": func(k authority.Key) error {
				_, _, err := h.a.RaiseAlert(h.ctx, k, countersign.AlertBody{ID: "1", Severity: "low", Title: "t", About: countersign.AlertSubject{Organisation: true}})
				return err
			},
			"release": func(k authority.Key) error {
				_, err := h.a.Release(h.ctx, k, countersign.ReleaseBody{Request: id, Document: doc, Execution: "x"})
				return err
			},
			"audit": func(k authority.Key) error {
				_, err := h.a.LogEntries(h.ctx, authority.Caller{Key: &k}, 0, 1)
				return err
			},
		}
		all := []string{"submit", "evaluate", "facts", "alert", "vouch", "release", "audit", "events", "provisioning"}
		for need, act := range acts {
			others := []string{}
			for _, s := range all {
				if s != need {
					others = append(others, s)
				}
			}
			h.refused(act(h.apiKey("other", others...)), countersign.CodeForbidden)
		}
		// A key sees only what its source submitted; anything else is not there.
		other := h.apiKey("other", all...)
		_, err := h.a.Get(h.ctx, authority.Caller{Key: &other}, id)
		missing := h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Get(h.ctx, authority.Caller{Key: &other}, countersign.NewID(countersign.PrefixRequest, h.clock.Now()))
		if nothing := h.refused(err, countersign.CodeNotFound); nothing.Detail != missing.Detail || nothing.Hint != missing.Hint {
			h.t.Errorf("another's request is told from none: %q, %q", missing.Detail, nothing.Detail)
		}
		_, err = h.a.Cancel(h.ctx, authority.Caller{Key: &other}, id)
		h.refused(err, countersign.CodeNotFound)
		page, err := h.a.List(h.ctx, authority.Caller{Key: &other}, authority.ListQuery{})
		h.must(err)
		if len(page.Items) != 0 {
			h.t.Errorf("another source lists %d requests", len(page.Items))
		}
		// No key sets who changes Countersign itself.
		_, err = h.a.RecordFacts(h.ctx, h.key, countersign.FactsBody{People: []countersign.PersonFact{{Subject: "priya", Name: "Priya Nair", Groups: []string{"administrators"}}}})
		h.refused(err, countersign.CodeForbidden)
		// Evaluating changes nothing.
		before := h.rows()
		_, err = h.a.Evaluate(h.ctx, h.key, body(order("PO-77", "30000.00"), nil))
		h.must(err)
		if after := h.rows(); after != before {
			h.t.Errorf("%d rows before, %d after", before, after)
		}
	})
}

// rows counts what business state there is.
func (h *house) rows() (n int64) {
	h.read(func(tx *store.Tx) error {
		return tx.Row(`SELECT (SELECT COUNT(*) FROM approval WHERE org_id = $1) + (SELECT COUNT(*) FROM audit_entry WHERE org_id = $1) +
			(SELECT COUNT(*) FROM challenge WHERE org_id = $1) + (SELECT COUNT(*) FROM purchase WHERE org_id = $1)`).Scan(&n)
	})
	return n
}

func TestRuling13HandOver(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		other := h.submit(order("PO-0", "30000.00", func(d *countersign.Document) { d.Category = "b" })).ID
		vouch := &countersign.Submission{Vouch: &countersign.Vouch{Person: "marta", Method: "pwd", AuthenticatedAt: h.clock.Now().Format(time.RFC3339)}}
		out, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", "30000.00"), vouch))
		h.must(err)
		_, token, _ := strings.Cut(out.Approval.HandOverURL, "#")
		in, err := h.a.RedeemHandOver(h.ctx, token)
		h.must(err)
		_, err = h.a.RedeemHandOver(h.ctx, token)
		h.refused(err, countersign.CodeGone)
		s, err := h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)

		// It shows that request, and no other; no inbox, no enrolment, nothing else.
		id := out.Approval.ID
		caller := authority.Caller{Session: &s}
		_, err = h.a.Get(h.ctx, caller, id)
		h.must(err)
		_, err = h.a.Get(h.ctx, caller, other)
		h.refused(err, countersign.CodeNotFound)
		page, err := h.a.List(h.ctx, caller, authority.ListQuery{})
		if err == nil && (len(page.Items) > 1 || (len(page.Items) == 1 && page.Items[0].ID != id)) {
			h.t.Errorf("it lists %d requests", len(page.Items))
		}
		_, err = h.a.BeginEnrolment(h.ctx, s, authn.KindPasskey)
		h.refused(err, countersign.CodeForbidden)
		_, err = h.a.BeginStepUp(h.ctx, s, "enrol")
		h.refused(err, countersign.CodeForbidden)
		_, err = h.a.Freeze(h.ctx, s, authority.FreezeBody{Vendor: "V-1", Reason: "x"})
		h.refused(err, countersign.CodeForbidden)
		_, err = h.a.Challenge(h.ctx, s, other, countersign.ChallengeBody{Digest: digestOf(order("PO-0", "30000.00")), Act: countersign.ActApprove})
		h.refused(err, countersign.CodeNotFound)

		// The session alone is never enough; a code on top of it is two factors, and the
		// evidence says who stated the first.
		marta := h.who["marta"]
		marta.session = s
		_, err = marta.bySession(id, countersign.ActApprove)
		h.refused(err, countersign.CodeUnauthenticated)
		h.clock.forward(time.Minute)
		c, err := marta.challenge(id, countersign.ActApprove)
		h.must(err)
		done, err := h.a.Decide(h.ctx, s, id, countersign.DecisionBody{Challenge: c.ID, TOTP: marta.code(0)})
		h.must(err)
		first := done.Decisions[0].Evidence.FirstFactor
		if done.Status != countersign.StatusApproved || first == nil || first.Method != "vouched" || first.StatedBy != h.key.ID {
			h.t.Errorf("%s, first factor %+v", done.Status, first)
		}
		stated := false
		for _, claim := range h.verified(done.Receipt).Claims {
			stated = stated || strings.HasPrefix(claim.By, "caller "+h.key.ID)
		}
		if !stated {
			h.t.Error("the receipt does not say what the caller stated")
		}
		// A key without the scope does not vouch.
		k := h.apiKey("erp", "submit")
		_, err = h.a.Submit(h.ctx, k, body(order("PO-5", "30000.00"), vouch))
		h.refused(err, countersign.CodeForbidden)
	})
}

// founded makes an organisation of its own in which nobody has enrolled.
func founded(h *house) *house {
	n := &house{t: h.t, ctx: h.ctx, clock: h.clock, who: map[string]*dweller{}, broken: true}
	zero := 0
	unbound := h.db.For("")
	org, err := authority.Create(h.ctx, unbound, authority.NewOrganisation{Name: "New", Host: "new.example", PublicURL: publicURL, RPID: rpID,
		Settings: authority.Settings{CoolOff: &zero}, Policy: source(h.t)})
	h.must(err)
	n.openAs(h.db.For(org), h.t.TempDir(), "new.example")
	for _, p := range []*dweller{{login: "samuel", name: "Samuel Osei", groups: []string{"administrators"}}, {login: "claire", name: "Claire Dubois", groups: []string{"administrators"}},
		{login: "marta", name: "Marta Silva", groups: []string{"approvers"}}, {login: "elif", name: "Elif Kaya"}} {
		id, err := n.a.AddPersonOffline(n.ctx, authority.NewPerson{Login: p.login, Name: p.name, Groups: p.groups})
		n.must(err)
		p.h, p.id = n, id
		n.who[p.login] = p
	}
	n.key = n.apiKey("erp", "submit", "facts", "release")
	return n
}

func TestRuling14Founding(t *testing.T) {
	each(t, func(parent *house) {
		h := founded(parent)
		defer h.close()
		samuel, claire, marta := h.who["samuel"], h.who["claire"], h.who["marta"]
		samuel.enrolPasskey()
		samuel.signIn()
		marta.enrolPasskey()
		marta.signIn()
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		// One administrator may act alone, and everything says so.
		p, err := samuel.propose(countersign.KindHistoryConfirm, "V-1")
		h.must(err)
		if p.Status != countersign.StatusApproved || !p.Founding {
			h.t.Fatalf("%s, founding %v", p.Status, p.Founding)
		}
		id := h.submit(order("PO-1", "30000.00")).ID
		done := marta.approve(id)
		if v := h.verified(done.Receipt); !v.Founding {
			h.t.Error("the receipt is not stamped as founding")
		}
		// The second administrator ends it, for good.
		claire.enrolPasskey()
		claire.signIn()
		p, err = samuel.propose(countersign.KindPeopleChange, marta.id, countersign.Change{Field: "privileged", To: "true"})
		h.must(err)
		if p.Status != countersign.StatusPending || p.Founding {
			h.t.Errorf("after founding: %s, founding %v", p.Status, p.Founding)
		}
		id = h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" })).ID
		if v := h.verified(marta.approve(id).Receipt); v.Founding {
			h.t.Error("a later receipt is stamped as founding")
		}
		claire.approve(p.ID)
	})
}

func TestRuling14Confirmation(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		samuel, claire, rosa := h.who["samuel"], h.who["claire"], h.who["rosa"]
		// Nobody but an administrator invites; nobody invites themselves.
		_, err := h.a.Invite(h.ctx, rosa.session, h.who["priya"].id)
		h.refused(err, countersign.CodeForbidden)
		_, err = h.a.Invite(h.ctx, samuel.session, samuel.id)
		h.refused(err, countersign.CodeForbidden)
		h.who["priya"].groups = []string{"approvers"}
		h.who["priya"].state(func(*countersign.PersonFact) {})
		inv, err := h.a.Invite(h.ctx, samuel.session, h.who["priya"].id)
		h.must(err)
		in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
		h.must(err)
		_, err = h.a.RedeemInvitation(h.ctx, inv.Token)
		h.refused(err, countersign.CodeGone)
		priya := h.who["priya"]
		e, err := priya.finishPasskey(in.Token)
		h.must(err)
		if !e.NeedsConfirmation {
			h.t.Fatal("an approver's enrolment counts at once")
		}
		// The grant is used up with it.
		_, err = priya.finishPasskey(in.Token)
		h.refused(err, countersign.CodeUnauthenticated)
		h.refused(priya.trySignIn(), countersign.CodeForbidden)
		id := h.submit(order("PO-1", "30000.00")).ID
		// Neither the inviter nor the enrolee confirms, nor somebody without a step-up.
		h.refused(h.a.ConfirmEnrolment(h.ctx, samuel.session, e.ID, samuel.stepUp("confirm:"+e.ID)), countersign.CodeForbidden)
		h.refused(h.a.ConfirmEnrolment(h.ctx, priya.session, e.ID, authority.StepUpBody{}), countersign.CodeForbidden)
		h.refused(h.a.ConfirmEnrolment(h.ctx, claire.session, e.ID, claire.stepUp("confirm:other")), countersign.CodeUnauthenticated)
		h.must(h.a.ConfirmEnrolment(h.ctx, claire.session, e.ID, claire.stepUp("confirm:"+e.ID)))
		priya.signIn()
		h.verified(priya.approve(id).Receipt)
		// An invitation ends by the clock.
		inv, err = h.a.Invite(h.ctx, samuel.session, h.who["elif"].id)
		h.must(err)
		h.clock.forward(73 * time.Hour)
		_, err = h.a.RedeemInvitation(h.ctx, inv.Token)
		h.refused(err, countersign.CodeGone)
	})
}

func TestRuling15OnePersonManyIds(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.who["marta"].state(func(p *countersign.PersonFact) { p.Aliases = []countersign.Alias{{Source: "erp", Subject: "MS-77"}} })
		id := h.submit(order("PO-1", "30000.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "person", ID: "MS-77", Name: "M. Silva"}
		})).ID
		_, err := h.who["marta"].byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		out, err := h.a.Submit(h.ctx, h.key, body(order("PO-2", "30000.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "person", ID: "marta"}
		}), &countersign.Submission{Approver: "MS-77"}))
		h.must(err)
		if out.Approval.Status != countersign.StatusDenied {
			h.t.Errorf("approver and requester under two ids: %s", out.Approval.Status)
		}
		h.who["daniel"].approve(id)
	})
}

func TestRuling16StatementIsTheChallenge(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "30000.00"))
		marta := h.who["marta"]
		c, err := marta.challenge(out.ID, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.Reason = "agreed" })
		h.must(err)
		s, err := countersign.ParseStatement(c.Statement)
		h.must(err)
		if s.Org != h.a.Org() || s.Approval != out.ID || s.Digest != out.Digest || s.RequirementDigest != out.RequirementDigest || s.PolicyDigest != out.PolicyDigest ||
			s.Act != countersign.ActApprove || s.Reason != "agreed" || s.Person != marta.id || s.Nonce == "" || s.Expires == "" {
			h.t.Errorf("the statement is %+v", s)
		}
		var options struct {
			PublicKey struct {
				Challenge string `json:"challenge"`
			} `json:"publicKey"`
			Challenge string `json:"challenge"`
		}
		h.must(json.Unmarshal(c.Passkey, &options))
		sum, err := base64.RawURLEncoding.DecodeString(options.PublicKey.Challenge + options.Challenge)
		h.must(err)
		if have := countersign.SumBytes(c.Statement); !bytes.Equal(sum, sumOf(h.t, have)) {
			h.t.Errorf("the key is asked to sign %x, the statement's sum is %s", sum, have)
		}
		done, err := marta.answer(out.ID, c)
		h.must(err)
		if !bytes.Equal(done.Decisions[0].Evidence.Statement, c.Statement) {
			h.t.Error("the evidence holds other bytes than were signed")
		}
		// Each of the parts is held to what stands: a challenge is for one person, act and request.
		other := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" }))
		c, err = marta.challenge(other.ID, countersign.ActApprove)
		h.must(err)
		response, err := h.who["daniel"].key.Assert(c.Passkey, publicURL)
		if err == nil {
			_, err = h.a.Decide(h.ctx, h.who["daniel"].session, other.ID, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
			h.refused(err, countersign.CodeGone)
		}
	})
}

func sumOf(t testing.TB, d countersign.Digest) []byte {
	_, hex, _ := strings.Cut(string(d), ":")
	out := make([]byte, len(hex)/2)
	if _, err := fmt.Sscanf(hex, "%x", &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRuling18RecoveryOnlyEnrols(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		marta := h.who["marta"]
		codes, err := h.a.MakeRecoveryCodes(h.ctx, marta.session, marta.stepUp("recovery-codes"))
		h.must(err)
		in, err := h.a.Recover(h.ctx, authority.RecoverBody{Login: "marta", Code: codes.Codes[0]})
		h.must(err)
		_, err = h.a.Recover(h.ctx, authority.RecoverBody{Login: "marta", Code: codes.Codes[0]})
		h.refused(err, countersign.CodeUnauthenticated)
		s, err := h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		_, err = h.a.Challenge(h.ctx, s, id, countersign.ChallengeBody{Digest: digestOf(order("PO-1", "30000.00")), Act: countersign.ActApprove})
		h.refused(err, countersign.CodeNotFound)
		e, err := marta.finishPasskey(in.Token)
		h.must(err)
		if !e.NeedsConfirmation {
			h.t.Error("what rests on a recovery code counts at once")
		}
	})
}

func TestRuling19HardwareNeedsRoots(t *testing.T) {
	h := onSQLite(t)
	text := strings.Replace(string(source(t).Text), "require: {assurance: mfa}\n    because: \"{kind} of {amount} is {large}", "require: {assurance: hardware}\n    because: \"{kind} of {amount} is {large}", 1)
	if text == string(source(t).Text) {
		t.Fatal("nothing was replaced")
	}
	_, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: text})
	h.refused(err, countersign.CodeInvalid)
	if _, err := policy.Load(policy.Source{File: "p", Text: []byte(text), Options: policy.Options{Hardware: true}}); err != nil {
		t.Errorf("with a root it loads: %v", err)
	}
}

func TestRuling20OwnerCountsAsRequester(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "1500.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "service", ID: "buying-bot", Name: "Buying bot", Owner: "marta"}
		}))
		if out.Status != countersign.StatusPending {
			h.t.Fatalf("what a machine buys passes unasked: %s", out.Status)
		}
		_, err := h.who["marta"].byPasskey(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		_, err = h.who["daniel"].byPasskey(out.ID, countersign.ActApprove)
		h.must(err)
	})
}

func TestRuling26OnlyTheSourceReleases(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "900.00")
		id := h.submit(d).ID
		other := h.apiKey("other", "release", "submit")
		ask := countersign.ReleaseBody{Request: id, Document: body(order("PO-1", "901.00"), nil).Document, Execution: "x"}
		_, err := h.a.Release(h.ctx, other, ask)
		if p := h.refused(err, countersign.CodeNotFound); len(p.Differences) > 0 {
			h.t.Error("another source is told what is stored")
		}
		_, err = h.a.Check(h.ctx, other, ask)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.ConfirmRelease(h.ctx, other, id, "x")
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Submit(h.ctx, other, body(order("PO-1", "900.00", func(d *countersign.Document) { d.Revision = "2" }), &countersign.Submission{Supersedes: id}))
		h.refused(err, countersign.CodeInvalid)
	})
}

func TestRuling28SilentReceipt(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "900.00"))
		said := false
		for _, c := range h.verified(out.Receipt).Claims {
			said = said || c.Text == "allowed by policy v1; nobody was asked"
			if strings.HasPrefix(c.By, "person") {
				h.t.Errorf("a person is said to have signed: %s", c.Text)
			}
		}
		if !said {
			h.t.Error("the receipt does not say that nobody was asked")
		}
		// Events carry ids and digests, not contents.
		h.who["marta"].approve(h.submit(order("PO-2", "30000.00")).ID)
		h.must(h.a.Publish(h.ctx))
		claims, err := h.db.Claim(h.ctx, time.Minute, 100)
		h.must(err)
		if len(claims) == 0 {
			h.t.Error("nobody is told")
		}
		for _, c := range claims {
			for _, content := range []string{"30000", "Nordwind", "Elif", "PO-2"} {
				if bytes.Contains(c.Payload, []byte(content)) {
					h.t.Errorf("an event carries %q: %s", content, c.Payload)
				}
			}
		}
	})
}

func TestRuling33ErasureClearsEveryCopy(t *testing.T) {
	each(t, func(h *house) {
		h.erased = true
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.settings(func(s *authority.Settings) { s.RetentionDays = 1 })
		d := order("PO-geheim-4711", "30000.00", func(d *countersign.Document) { d.Subject = "streng vertraulich 4711" })
		id := h.submit(d).ID
		_, err := h.who["marta"].byPasskey(id, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.Reason = "vertraulich 4711 gesehen" })
		h.must(err)
		_, err = h.release(id, d, "run-geheim")
		h.must(err)
		call := authority.Call{Caller: h.key.ID, Method: "POST", Path: "/v1/requests", Key: "k"}
		_, err = h.a.BeginCall(h.ctx, call)
		h.must(err)
		h.must(h.a.FinishCall(h.ctx, call, authority.KeptAnswer{Status: 201, Body: body(d, nil).Document, Subject: id}))
		h.clock.forward(25 * time.Hour)
		h.who["samuel"].signIn()
		h.who["claire"].signIn()
		p, err := h.who["samuel"].propose(countersign.KindErasure, id)
		h.must(err)
		h.who["samuel"].approve(p.ID)
		h.who["claire"].approve(p.ID)
		out := h.get(id)
		if _, err := json.Marshal(out); err != nil || string(out.Document) != "null" {
			h.t.Errorf("%s: %v", out.Document, err)
		}
		if _, err := h.a.List(h.ctx, authority.Caller{Key: &h.key}, authority.ListQuery{}); err != nil {
			h.t.Error(describe(err))
		}
		h.read(func(tx *store.Tx) error {
			for text, what := range map[string]string{
				`SELECT COUNT(*) FROM approval WHERE org_id = $1 AND (CAST(document AS TEXT) LIKE '%4711%' OR object_id LIKE '%4711%' OR state LIKE '%4711%')`: "approval",
				`SELECT COUNT(*) FROM audit_opening WHERE org_id = $1 AND CAST(value AS TEXT) LIKE '%4711%'`:                                                   "openings",
				`SELECT COUNT(*) FROM decision WHERE org_id = $1 AND body LIKE '%4711%'`:                                                                       "decisions",
				`SELECT COUNT(*) FROM purchase WHERE org_id = $1 AND id LIKE '%4711%'`:                                                                         "history",
				`SELECT COUNT(*) FROM outbox WHERE org_id = $1 AND CAST(payload AS TEXT) LIKE '%4711%'`:                                                        "outbox",
				`SELECT COUNT(*) FROM idempotency WHERE org_id = $1 AND CAST(body AS TEXT) LIKE '%4711%'`:                                                      "kept answers",
				`SELECT COUNT(*) FROM challenge WHERE org_id = $1 AND CAST(statement AS TEXT) LIKE '%4711%'`:                                                   "challenges",
			} {
				if h.db.Driver() == store.Postgres {
					for _, col := range []string{"document", "value", "payload", "body", "statement"} {
						text = strings.ReplaceAll(text, "CAST("+col+" AS TEXT)", "encode("+col+"::bytea, 'escape')")
					}
				}
				var n int
				if err := tx.Row(text).Scan(&n); err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				if n != 0 {
					h.t.Errorf("%d %s still know of it", n, what)
				}
			}
			return nil
		})
	})
}

func TestRuling34OneFormOnly(t *testing.T) {
	h := onSQLite(t)
	good := string(body(order("PO-1", "900.00"), nil).Document)
	for name, text := range map[string]string{
		"unknown member":   strings.Replace(good, `"entity"`, `"entitiy"`, 1),
		"wrong case":       strings.Replace(good, `"entity"`, `"Entity"`, 1),
		"duplicate":        strings.Replace(good, `"entity":"DE01"`, `"entity":"DE01","entity":"DE02"`, 1),
		"null":             strings.Replace(good, `"DE01"`, `null`, 1),
		"trailing":         good + "{}",
		"exponent":         strings.Replace(good, `900.00`, `900.0`, 1),
		"number":           strings.Replace(good, `"900.00"`, `900.00`, 1),
		"not normalised":   strings.Replace(good, `Nordwind`, "No\u0308rdwind", 1),
		"internal kind":    strings.Replace(good, `purchase_order`, "countersign.policy_publish", 1),
		"unconfigured":     strings.Replace(good, `purchase_order`, "travel", 1),
		"nothing":          ``,
		"not utf-8":        strings.Replace(good, `Nordwind`, "\xff", 1),
		"lone surrogate":   strings.Replace(good, `Nordwind`, `\ud800`, 1),
		"negative zero":    strings.Replace(good, `900.00`, `-0.00`, 1),
		"thousands":        strings.Replace(good, `900.00`, `1,900.00`, 1),
		"unknown currency": strings.Replace(good, `"EUR"`, `"EURO"`, 1),
	} {
		_, err := h.a.Submit(h.ctx, h.key, countersign.RequestBody{Document: json.RawMessage(text)})
		if code := codeOf(err); code != countersign.CodeInvalid && code != countersign.CodeMalformed {
			t.Errorf("%s: %q", name, code)
		}
	}
	// White space and the order of members are no difference.
	out, err := h.a.Submit(h.ctx, h.key, countersign.RequestBody{Document: json.RawMessage(good)})
	h.must(err)
	var m map[string]any
	h.must(json.Unmarshal([]byte(good), &m))
	spaced, err := json.MarshalIndent(m, "", "   ")
	h.must(err)
	again, err := h.a.Submit(h.ctx, h.key, countersign.RequestBody{Document: spaced})
	h.must(err)
	if again.Approval.ID != out.Approval.ID {
		t.Error("the same document in another spelling is another request")
	}
}

func TestRuling35SilentHasNoDecisions(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "900.00"))
		if out.Status != countersign.StatusApproved || len(out.Decisions) != 0 {
			h.t.Errorf("%s with %d decisions", out.Status, len(out.Decisions))
		}
		_, err := h.who["marta"].byPasskey(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeNotFound) // nobody is asked, so nobody sees it
		// One denial denies, whatever the others said.
		id := h.submit(order("INV-1", "12000.00", func(d *countersign.Document) {
			d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-NEW", Name: "Brandneu AG"}
		})).ID
		h.who["marta"].approve(id)
		_, err = h.who["daniel"].bySession(id, countersign.ActDeny)
		h.must(err)
		_, err = h.who["ingrid"].byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeState)
	})
}

func TestRuling39ChangesNeedASecondPerson(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire, priya := h.who["samuel"], h.who["claire"], h.who["priya"]
		al := h.alert("1", "high", countersign.AlertSubject{Vendor: "V-1"})
		for kind, p := range map[string]struct {
			id      string
			changes []countersign.Change
		}{
			countersign.KindPeopleChange: {priya.id, []countersign.Change{{Field: "limit", To: "1000.00 EUR"}, {Field: "group.add", To: "finance"}}},
			countersign.KindFactorReset:  {h.who["amara"].id, nil},
			countersign.KindAlertClose:   {al.ID, nil},
		} {
			out, err := samuel.propose(kind, p.id, p.changes...)
			h.must(err)
			_, err = samuel.byPasskey(out.ID, countersign.ActApprove)
			h.refused(err, countersign.CodeForbidden)
			if out = claire.approve(out.ID); out.Status != countersign.StatusApproved {
				h.t.Errorf("%s: %s", kind, out.Status)
			}
		}
		h.read(func(tx *store.Tx) error {
			groups, err := tx.GroupsOf(priya.id)
			if len(groups) != 1 || groups[0].Group != "finance" {
				h.t.Errorf("priya is in %v", groups)
			}
			factors, _ := tx.Authenticators(h.who["amara"].id)
			open, _ := tx.OpenAlerts([]string{store.AboutVendor("V-1")})
			if len(factors) != 0 || len(open) != 0 {
				h.t.Errorf("%d factors, %d alerts are left", len(factors), len(open))
			}
			return err
		})
		if err := h.who["amara"].trySignIn(); codeOf(err) != countersign.CodeUnauthenticated {
			h.t.Errorf("a removed passkey signs in: %v", err)
		}
		// Nothing of the kind is submitted by a key.
		_, err := h.a.Submit(h.ctx, h.key, body(&countersign.Document{Kind: countersign.KindPeopleChange, ID: priya.id, Revision: "1",
			Requester: &countersign.Party{Type: "person", ID: "elif"}}, nil))
		h.refused(err, countersign.CodeInvalid)
	})
}

// On PostgreSQL an entry has its place only when somebody sequences it: until then the
// answer is pending, and asking again gives the approval.
func TestRuling41PendingUntilSigned(t *testing.T) {
	each(t, func(h *house) {
		if h.db.Driver() != store.Postgres {
			return
		}
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.must(h.a.Publish(h.ctx))
		h.stop()
		d := order("PO-1", "900.00")
		began := time.Now()
		out := h.submit(d)
		if out.Status != countersign.StatusPending || len(out.Receipt) > 0 || time.Since(began) > 3*time.Second {
			h.t.Errorf("%s after %v", out.Status, time.Since(began))
		}
		if again := h.submit(d); again.ID != out.ID || again.Status != countersign.StatusPending {
			h.t.Errorf("again: %s", again.Status)
		}
		_, err := h.release(out.ID, d, "run-1")
		h.refused(err, countersign.CodeUnavailable)
		h.must(h.a.Publish(h.ctx))
		if again := h.submit(d); again.ID != out.ID || again.Status != countersign.StatusReleased {
			h.t.Errorf("again: %s", again.Status)
		}
		h.loop()
	})
}

// A generation of facts that was rolled back never comes again: what was read under it
// would be taken for the facts of the later one.
func TestGenerationNeverComesAgain(t *testing.T) {
	each(t, func(h *house) {
		seen := map[int64]bool{}
		for range 3 {
			_, err := h.db.Write(h.ctx, func(tx *store.Tx) error {
				if err := tx.FactsChanged(); err != nil {
					return err
				}
				gen, err := tx.FactsGen()
				if seen[gen] {
					h.t.Errorf("generation %d came again", gen)
				}
				seen[gen] = true
				return errors.Join(err, errors.New("rolled back"))
			})
			if err == nil {
				h.t.Fatal("it was not rolled back")
			}
		}
	})
}
