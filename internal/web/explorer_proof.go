package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// proven is one entry with its way to the checkpoint, as the script reads it.
type proven struct {
	Index    int64                          `json:"index"`
	Leaf     string                         `json:"leaf"` // exact bytes
	Openings map[string]countersign.Opening `json:"openings"`
	Proof    string                         `json:"proof"` // c2sp.org/tlog-proof@v1
}

// proofs is everything from which the script computes. All of it stands under one
// checkpoint.
type proofs struct {
	*proven
	Checkpoint  string   `json:"checkpoint"`          // signed note
	Keys        []string `json:"keys"`                // of the log, name+hash+base64
	Witnesses   []string `json:"witnesses,omitempty"` // their keys, likewise
	Submission  *proven  `json:"submission,omitempty"`
	Enrolment   *proven  `json:"enrolment,omitempty"` // of the passkey that signed
	Consistency *growth  `json:"consistency,omitempty"`
}

// growth proves that the checkpoint's tree has grown out of a smaller one.
type growth struct {
	Size int64    `json:"size"`
	Path []string `json:"path"` // hashes, base64
}

var errMoved = errors.New("the log grew while it was read")

// proveLog answers with the checkpoint alone.
func proveLog(v *visit) error { return v.answerProofs(nil) }

// proveEntry answers with what proves one entry.
func proveEntry(v *visit) error {
	e, err := v.entryHere()
	if err != nil {
		return err
	}
	return v.answerProofs(&authority.LoggedEntry{Index: e.Index, ID: e.ID, Leaf: string(e.Leaf), Openings: e.Openings})
}

// answerProofs collects until everything stands under the same checkpoint: the log may
// grow in between.
func (v *visit) answerProofs(e *authority.LoggedEntry) error {
	for tries := 0; ; tries++ {
		p, err := v.proofs(e)
		if errors.Is(err, errMoved) && tries < 20 {
			continue
		}
		if errors.Is(err, errMoved) {
			return countersign.NewProblem(countersign.CodeUnavailable, "the log grows too fast to be proven at this moment").WithHint("try again")
		}
		if err != nil {
			return err
		}
		body, err := json.Marshal(p)
		if err != nil {
			return err
		}
		v.w.Header().Set("Content-Type", "application/json")
		v.status = http.StatusOK
		v.w.Write(body) // whoever hung up does not read it
		return nil
	}
}

func (v *visit) proofs(e *authority.LoggedEntry) (*proofs, error) {
	checkpoint, err := v.org.Checkpoint()
	if err != nil {
		return nil, err
	}
	p := &proofs{Checkpoint: string(checkpoint), Keys: v.org.Verifiers(), Witnesses: v.org.WitnessKeys()}
	if e != nil {
		if p.proven, err = v.proven(*e, p.Checkpoint); err != nil {
			return nil, err
		}
		if err := v.around(p, *e); err != nil {
			return nil, err
		}
	}
	since, err := strconv.ParseInt(v.query("since"), 10, 64)
	if err != nil || since < 1 {
		return p, nil
	}
	p.Consistency, err = v.grown(since, p.Checkpoint)
	return p, err
}

// proven proves an entry under the checkpoint.
func (v *visit) proven(e authority.LoggedEntry, checkpoint string) (*proven, error) {
	proof, err := v.org.LogProof(v.ctx(), v.caller(), e.Index)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(proof, "\n\n"+checkpoint) {
		return nil, errMoved
	}
	return &proven{Index: e.Index, Leaf: e.Leaf, Openings: e.Openings, Proof: proof}, nil
}

// grown is the proof of growth, where the log is not smaller than it was: if it is,
// there is none, and the script says so.
func (v *visit) grown(since int64, checkpoint string) (*growth, error) {
	head, hashes, err := v.org.LogConsistency(v.ctx(), v.caller(), since)
	if hasCode(err, countersign.CodeNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if string(head) != checkpoint {
		return nil, errMoved
	}
	p := &growth{Size: since, Path: []string{}}
	for _, h := range hashes {
		p.Path = append(p.Path, base64.StdEncoding.EncodeToString(h[:]))
	}
	return p, nil
}

// around adds, to a decision, what it was about and which key signed it: the entry of
// the submission, and that of the passkey's enrolment.
func (v *visit) around(p *proofs, e authority.LoggedEntry) error {
	leaf, err := countersign.ParseLeaf([]byte(e.Leaf))
	if err != nil {
		return err
	}
	if leaf.Type != countersign.EntryDecisionMade {
		return nil
	}
	submitted, err := v.org.LogAbout(v.ctx(), v.caller(), leaf.Subject, countersign.EntryRequestSubmitted)
	if err != nil || len(submitted) == 0 {
		return err
	}
	if p.Submission, err = v.proven(submitted[0], p.Checkpoint); err != nil {
		return err
	}
	p.Submission.Openings = only(p.Submission.Openings, countersign.OpeningDocument)
	key := passkeyOf(e.Openings)
	if key == "" {
		return nil
	}
	enrolled, err := v.org.LogAbout(v.ctx(), v.caller(), leaf.Actor, countersign.EntryAuthenticatorEnrolled)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(enrolled, func(e authority.LoggedEntry) bool {
		l, err := countersign.ParseLeaf([]byte(e.Leaf))
		return err == nil && l.Facts["authenticator"] == key
	})
	if at < 0 {
		return nil
	}
	if p.Enrolment, err = v.proven(enrolled[at], p.Checkpoint); err != nil {
		return err
	}
	p.Enrolment.Openings = only(p.Enrolment.Openings, countersign.OpeningEnrolment)
	return nil
}

func only(openings map[string]countersign.Opening, name string) map[string]countersign.Opening {
	o, ok := openings[name]
	if !ok {
		return map[string]countersign.Opening{}
	}
	return map[string]countersign.Opening{name: o}
}

// passkeyOf is the authenticator that a decision was signed with; "" without one.
func passkeyOf(openings map[string]countersign.Opening) string {
	d := decisionOf(openings)
	if d == nil || d.Evidence.Passkey == nil {
		return ""
	}
	return d.Evidence.Passkey.Authenticator
}

// decisionOf reads an entry's decision; nil where it has none, or it was erased.
func decisionOf(openings map[string]countersign.Opening) *countersign.Decision {
	o, ok := openings[countersign.OpeningDecision]
	if !ok {
		return nil
	}
	d := &countersign.Decision{}
	if countersign.DecodeStrict([]byte(o.Value), d) != nil {
		return nil
	}
	return d
}
