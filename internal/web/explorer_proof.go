package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

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

// proveLog answers with the checkpoint alone.
func proveLog(v *visit) error { return v.answerProofs(nil) }

// proveEntry answers with what proves one entry.
func proveEntry(v *visit) error {
	n, err := v.entryNumber()
	if err != nil {
		return err
	}
	return v.answerProofs(&n)
}

func (v *visit) answerProofs(entry *int64) error {
	since, err := strconv.ParseInt(v.query("since"), 10, 64)
	if err != nil {
		since = 0
	}
	all, err := v.org.LogProofs(v.ctx(), *v.session, entry, since)
	if err != nil {
		return err
	}
	p := &proofs{Checkpoint: string(all.Checkpoint), Keys: v.org.Verifiers(), Witnesses: v.org.WitnessKeys(), proven: provenOf(all.Entry),
		Submission: provenOf(all.Submission), Enrolment: provenOf(all.Enrolment)}
	if p.Submission != nil {
		p.Submission.Openings = only(p.Submission.Openings, countersign.OpeningDocument)
	}
	if p.Enrolment != nil {
		p.Enrolment.Openings = only(p.Enrolment.Openings, countersign.OpeningEnrolment)
	}
	if all.Grown { // a log that is smaller than it was has none, and the script says so
		p.Consistency = &growth{Size: since, Path: []string{}}
		for _, h := range all.Growth {
			p.Consistency.Path = append(p.Consistency.Path, base64.StdEncoding.EncodeToString(h[:]))
		}
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

func provenOf(e *authority.ProvenEntry) *proven {
	if e == nil {
		return nil
	}
	return &proven{Index: e.Index, Leaf: e.Leaf, Openings: e.Openings, Proof: e.Proof}
}

func only(openings map[string]countersign.Opening, name string) map[string]countersign.Opening {
	o, ok := openings[name]
	if !ok {
		return map[string]countersign.Opening{}
	}
	return map[string]countersign.Opening{name: o}
}
