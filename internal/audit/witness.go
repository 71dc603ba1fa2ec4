package audit

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/internal/jcs"
)

// Bounds of what is said to a witness and by one.
const (
	maxWitnessPath = 63 // lines of a consistency proof (C2SP tlog-witness)

	// MaxWitnessAnswer bounds a witness's answer in bytes: a dozen cosignatures are far
	// below it.
	MaxWitnessAnswer = 16 << 10

	// WitnessSizeType is the media type of the answer "I know another size".
	WitnessSizeType = "text/x.tlog.size"

	// cosignedAhead is how far a witness's clock may be ahead of ours.
	cosignedAhead = 5 * time.Minute
)

// WitnessRequest writes the body that asks a witness to cosign a checkpoint (C2SP
// tlog-witness, add-checkpoint): the size that it last cosigned, the proof that the
// checkpoint's tree has grown out of that, and the checkpoint with the log's own
// signatures.
func WitnessRequest(old int64, path []tlog.Hash, checkpoint []byte) ([]byte, error) {
	c, err := readCheckpoint(checkpoint)
	switch {
	case err != nil:
		return nil, err
	case old < 0 || old > c.Size:
		return nil, fmt.Errorf("witness: a checkpoint of %d entries cannot follow one of %d", c.Size, old)
	case len(path) > maxWitnessPath:
		return nil, fmt.Errorf("witness: a proof of %d hashes, at most %d", len(path), maxWitnessPath)
	case len(path) > 0 && (old == 0 || old == c.Size):
		return nil, fmt.Errorf("witness: no proof is needed from %d to %d entries, and one is given", old, c.Size)
	}
	b := append(strconv.AppendInt([]byte("old "), old, 10), '\n')
	for i := range path {
		b = append(base64.StdEncoding.AppendEncode(b, path[i][:]), '\n')
	}
	return append(append(b, '\n'), checkpoint...), nil
}

// WitnessSize reads the answer of a witness that knows another size than was named.
func WitnessSize(contentType string, answer []byte) (int64, error) {
	if kind, _, _ := strings.Cut(contentType, ";"); strings.TrimSpace(kind) != WitnessSizeType {
		return 0, fmt.Errorf("witness: want its size as %s, not %q", WitnessSizeType, jcs.Clip(contentType))
	}
	text, ended := strings.CutSuffix(string(answer), "\n")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ended || err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("witness: %q is no size", jcs.Clip(string(answer)))
	}
	return n, nil
}

// Cosign takes the cosignature of a witness out of its answer, verifies it, and returns
// the checkpoint with it. Lines of other keys are left alone, as C2SP tlog-witness
// demands. A cosignature of a time that has not come yet is refused: it would say that
// the log was seen later than it was.
func Cosign(checkpoint, answer []byte, witness note.Verifier, now time.Time) ([]byte, error) {
	if len(answer) > MaxWitnessAnswer || !strings.HasSuffix(string(answer), "\n") {
		return nil, errors.New("witness: the answer is no list of cosignatures")
	}
	for line := range strings.Lines(string(answer)) {
		name, raw, err := cosignatureLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		if name != witness.Name() || binary.BigEndian.Uint32(raw) != witness.KeyHash() {
			continue
		}
		if len(raw) < 12 || int64(binary.BigEndian.Uint64(raw[4:])) <= 0 || int64(binary.BigEndian.Uint64(raw[4:])) > now.Add(cosignedAhead).Unix() {
			return nil, fmt.Errorf("witness: the time of the cosignature of %s is not one that has come", KeyID(witness))
		}
		return merged(checkpoint, []string{"— " + name + " " + base64.StdEncoding.EncodeToString(raw)}, witness)
	}
	return nil, fmt.Errorf("witness: there is no cosignature of %s in the answer", KeyID(witness))
}

func cosignatureLine(line string) (name string, raw []byte, err error) {
	rest, ok := strings.CutPrefix(line, "— ")
	name, b64, parts := strings.Cut(rest, " ")
	raw, err = base64.StdEncoding.Strict().DecodeString(b64)
	if !ok || !parts || err != nil || len(raw) < 5 {
		return "", nil, fmt.Errorf("witness: %q is no cosignature", jcs.Clip(line))
	}
	return name, raw, nil
}

// MergeCosignatures returns the checkpoint with the signatures that another form of
// it has besides. Both must be of the same tree.
func MergeCosignatures(checkpoint, other []byte) ([]byte, error) {
	body, _, _ := strings.Cut(string(checkpoint), "\n\n")
	same, lines, ok := strings.Cut(string(other), "\n\n")
	if !ok || same != body {
		return nil, errors.New("checkpoints of two trees: their cosignatures cannot be put together")
	}
	return merged(checkpoint, strings.Split(strings.TrimSuffix(lines, "\n"), "\n"), nil)
}

// merged adds lines by keys that have not signed yet, and verifies those of a witness.
func merged(checkpoint []byte, lines []string, witness note.Verifier) ([]byte, error) {
	_, own, _ := strings.Cut(string(checkpoint), "\n\n")
	out, seen := string(checkpoint), map[string]bool{}
	for i, line := range append(strings.Split(strings.TrimSuffix(own, "\n"), "\n"), lines...) {
		name, raw, err := cosignatureLine(line)
		if err != nil {
			return nil, err
		}
		key, ours := name+string(raw[:4]), strings.Count(own, "\n")
		if i >= ours && !seen[key] {
			out += line + "\n"
		}
		seen[key] = true
	}
	if witness != nil {
		if have, err := Cosigners([]byte(out), witness); err != nil {
			return nil, err
		} else if len(have) == 0 {
			return nil, fmt.Errorf("witness: there is no cosignature of %s", KeyID(witness))
		}
	}
	return []byte(out), nil
}

// Cosigners names (name+hash) those of the witnesses who have cosigned a checkpoint. A
// cosignature of one of them that does not verify is an error.
func Cosigners(checkpoint []byte, witnesses ...note.Verifier) ([]string, error) {
	n, err := note.Open(checkpoint, note.VerifierList(witnesses...))
	var none *note.UnverifiedNoteError
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var names []string
	for _, s := range n.Sigs {
		names = append(names, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	return names, nil
}

// Uncosigned returns the checkpoint with the signatures of the log's own keys alone.
func Uncosigned(checkpoint []byte) ([]byte, error) {
	c, err := readCheckpoint(checkpoint)
	if err != nil {
		return nil, err
	}
	body, lines, _ := strings.Cut(string(checkpoint), "\n\n")
	out := body + "\n\n"
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, "— "+c.Origin+" ") {
			out += line
		}
	}
	return []byte(out), nil
}
