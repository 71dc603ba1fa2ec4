package authority_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
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
//	12 persons, host               api: TestRuling12PersonsByBearerOfTheirHost; the address is fixed: TestServeRefuses
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
//	33 erasure                     TestStoryErasure, TestRuling33ErasureClearsEveryCopy, TestRuling33ErasureLeavesNoColumn
//	34 canonical documents         TestRuling34OneFormOnly; countersign: canonical_test, decode_test
//	35 allow, deny                 TestRuling35SilentHasNoDecisions, TestStoryPrivileged
//	36 errors are unknown          policy: condition_test
//	37 windows                     policy: TestRuling37WindowsStandInThePolicy
//	38 password and code together  TestStoryLargeOrder
//	39 changes to Countersign      TestStoryPolicy, TestRuling39ChangesNeedASecondPerson
//	40 commands                    cmd/countersign: TestRuling40CommandsSpeakToTheServer
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
				_, _, err := h.a.RaiseAlert(h.ctx, authority.Caller{Key: &k}, countersign.AlertBody{ID: "1", Severity: "low", Title: "t", About: countersign.AlertSubject{Organisation: true}})
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
