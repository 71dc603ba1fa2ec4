package audit

import (
	"fmt"

	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a state of the log that its key signs (C2SP tlog-checkpoint).
// Sign it only when the size is committed: a signed root that is rolled back is a
// fork.
type Checkpoint = verify.Checkpoint

// OpenCheckpoint reads a signed checkpoint of the log named origin. At least one of
// the verifiers must have signed it, and none of them may reject its signature.
func OpenCheckpoint(data []byte, origin string, verifiers ...note.Verifier) (Checkpoint, error) {
	c, _, err := verify.OpenCheckpoint(data, verifiers...)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("checkpoint of the log %q, want %q", c.Origin, origin)
	}
	return c, nil
}

// FormatProof writes a c2sp.org/tlog-proof@v1: the entry's index, its path and the
// signed checkpoint that the path leads to.
func FormatProof(index int64, path []tlog.Hash, checkpoint []byte) string {
	return string(verify.Proof{Index: index, Path: path, Checkpoint: checkpoint}.Bytes())
}

// ParseProof reads a proof in its one form.
func ParseProof(text string) (verify.Proof, error) { return verify.ParseProof([]byte(text)) }
