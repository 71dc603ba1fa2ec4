package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/jcs"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a state of a log that its key signs: how many entries, and the
// root hash over them (C2SP tlog-checkpoint). It has three lines and no extension
// lines, because not every kind of cosignature covers those.
type Checkpoint struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"`
}

// Body returns the three lines that are signed.
func (c Checkpoint) Body() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// Sign returns the checkpoint as a signed note. A key rotation signs with the old
// and the new key, so that whoever trusts either can follow.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	if _, err := ParseCheckpoint(c.Body()); err != nil {
		return nil, err
	}
	if len(signers) == 0 {
		return nil, errors.New("checkpoint: no key to sign with")
	}
	return note.Sign(&note.Note{Text: c.Body()}, signers...)
}

// ParseCheckpoint reads the three lines of a checkpoint in their one form.
func ParseCheckpoint(body string) (Checkpoint, error) {
	lines := strings.Split(body, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("checkpoint: want three lines: origin, size, root")
	}
	c := Checkpoint{Origin: lines[0]}
	if !validOrigin(c.Origin) {
		return c, fmt.Errorf("checkpoint: %q cannot be the origin of a log", jcs.Clip(c.Origin))
	}
	size, err := parseDecimal(lines[1])
	if err != nil {
		return c, fmt.Errorf("checkpoint: size: %w", err)
	}
	c.Size = size
	if c.Root, err = parseHash(lines[2]); err != nil {
		return c, fmt.Errorf("checkpoint: root: %w", err)
	}
	return c, nil
}

// maxOrigin bounds the name of a log, in bytes.
const maxOrigin = 200

// validOrigin accepts what can also be the name of a key: no spaces, no plus.
func validOrigin(s string) bool {
	return s != "" && len(s) <= maxOrigin && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '+' || r == 0x7F || r > 0x7E })
}

// OpenCheckpoint reads a signed checkpoint and checks its signatures: at least one
// by a verifier that bears the origin's name, and none that a known verifier
// rejects. Signatures of unknown keys are left alone, as C2SP signed-note demands,
// but every signature line has one form. It returns the names and key hashes of
// those that verified.
func OpenCheckpoint(signed []byte, verifiers ...note.Verifier) (Checkpoint, []note.Signature, error) {
	c, _, err := splitCheckpoint(signed)
	if err != nil {
		return c, nil, err
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return c, nil, fmt.Errorf("checkpoint: none of the given keys has signed it: signed by %s", signerNames(unverified.Note.UnverifiedSigs))
	}
	if err != nil {
		return c, nil, fmt.Errorf("checkpoint: %w", err)
	}
	for _, s := range n.Sigs {
		if s.Name == c.Origin {
			return c, n.Sigs, nil
		}
	}
	return c, nil, fmt.Errorf("checkpoint: no signature by a key named %q, as its origin", c.Origin)
}

func signerNames(sigs []note.Signature) string {
	names := make([]string, len(sigs))
	for i, s := range sigs {
		names[i] = fmt.Sprintf("%s+%08x", jcs.Clip(s.Name), s.Hash)
	}
	return strings.Join(names, ", ")
}

const (
	signaturePrefix = "— " // U+2014, space
	maxSignatures   = 32
)

// splitCheckpoint reads a signed checkpoint without checking signatures. Each
// signature line must be in the one form that note.Sign writes, and no key signs
// twice: note.Open alone accepts unused bits in base64 and drops repetitions, so
// that the same checkpoint would have many byte forms.
func splitCheckpoint(signed []byte) (c Checkpoint, sigs []string, err error) {
	body, rest, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return c, nil, errors.New("checkpoint: no signatures")
	}
	if c, err = ParseCheckpoint(body + "\n"); err != nil {
		return c, nil, err
	}
	rest, ok = strings.CutSuffix(rest, "\n")
	if !ok {
		return c, nil, errors.New("checkpoint: the last line does not end")
	}
	sigs = strings.Split(rest, "\n")
	if len(sigs) > maxSignatures {
		return c, nil, fmt.Errorf("checkpoint: more than %d signatures", maxSignatures)
	}
	seen := make(map[string]bool, len(sigs))
	for _, line := range sigs {
		name, b64, ok := strings.Cut(strings.TrimPrefix(line, signaturePrefix), " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(b64)
		if !ok || !strings.HasPrefix(line, signaturePrefix) || !validOrigin(name) || err != nil || len(raw) < 5 ||
			base64.StdEncoding.EncodeToString(raw) != b64 {
			return c, nil, fmt.Errorf("checkpoint: signature line %q is not in its one form", jcs.Clip(line))
		}
		key := name + string(raw[:4])
		if seen[key] {
			return c, nil, fmt.Errorf("checkpoint: key %s+%08x signs twice", jcs.Clip(name), raw[:4])
		}
		seen[key] = true
	}
	return c, sigs, nil
}

// Proof is a c2sp.org/tlog-proof@v1: the path from one entry to a signed
// checkpoint.
type Proof struct {
	Index      int64       // of the entry, from 0
	Path       []tlog.Hash // sibling hashes from the leaf upwards
	Checkpoint []byte      // the signed note, as it came
}

const (
	proofHeader = "c2sp.org/tlog-proof@v1\n"
	maxPath     = 63
)

// Bytes returns the proof's text.
func (p Proof) Bytes() []byte {
	b := make([]byte, 0, len(proofHeader)+26+45*len(p.Path)+1+len(p.Checkpoint))
	b = append(b, proofHeader...)
	b = append(strconv.AppendInt(append(b, "index "...), p.Index, 10), '\n')
	for i := range p.Path {
		b = append(base64.StdEncoding.AppendEncode(b, p.Path[i][:]), '\n')
	}
	return append(append(b, '\n'), p.Checkpoint...)
}

// ParseProof reads a proof in its one form: canonical decimals, strict base64. It
// refuses the format's "extra" line, because nothing authenticates that.
func ParseProof(data []byte) (Proof, error) {
	rest, ok := strings.CutPrefix(string(data), proofHeader)
	if !ok {
		return Proof{}, fmt.Errorf("proof: want the first line %q", strings.TrimSpace(proofHeader))
	}
	head, checkpoint, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return Proof{}, errors.New("proof: no checkpoint")
	}
	lines := strings.Split(head, "\n")
	number, ok := strings.CutPrefix(lines[0], "index ")
	if !ok {
		return Proof{}, errors.New("proof: want the line \"index N\" second")
	}
	index, err := parseDecimal(number)
	if err != nil {
		return Proof{}, fmt.Errorf("proof: index: %w", err)
	}
	if len(lines)-1 > maxPath {
		return Proof{}, fmt.Errorf("proof: more than %d hashes", maxPath)
	}
	p := Proof{Index: index, Path: make([]tlog.Hash, len(lines)-1), Checkpoint: []byte(checkpoint)}
	for i, line := range lines[1:] {
		if p.Path[i], err = parseHash(line); err != nil {
			return Proof{}, fmt.Errorf("proof: hash %d: %w", i+1, err)
		}
	}
	return p, nil
}

// parseHash reads 32 bytes of base64 in its one form.
func parseHash(s string) (h tlog.Hash, err error) {
	raw, err := jcs.DecodeBase64(base64.StdEncoding, s)
	if err != nil || len(raw) != tlog.HashSize {
		return h, fmt.Errorf("%q is not 32 bytes of base64", jcs.Clip(s))
	}
	return tlog.Hash(raw), nil
}

// parseDecimal reads a number from 0 in its one form: digits, no leading zero.
func parseDecimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%q is not a decimal number in its one form", jcs.Clip(s))
	}
	return n, nil
}

// Key types of signed notes (C2SP signed-note, tlog-cosignature).
const (
	keyEd25519     = 0x01
	keyCosignature = 0x04
)

// WitnessVerifier returns the verifier of a witness's cosignatures
// (cosignature/v1, Ed25519) from its key in the form name+hash+base64. A key that
// is written with the plain Ed25519 type is taken as the witness's all the same.
func WitnessVerifier(vkey string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, b64, _ := strings.Cut(rest, "+")
	raw, err := jcs.DecodeBase64(base64.StdEncoding, b64)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || (raw[0] != keyEd25519 && raw[0] != keyCosignature) || !validOrigin(name) {
		return nil, fmt.Errorf("witness key %q: want name+hash+base64 of an Ed25519 key", jcs.Clip(vkey))
	}
	if fmt.Sprintf("%08x", keyHash(name, raw)) != hash {
		return nil, fmt.Errorf("witness key %q: the hash does not fit the key", jcs.Clip(vkey))
	}
	raw[0] = keyCosignature
	return &witness{name: name, hash: keyHash(name, raw), key: raw[1:]}, nil
}

func keyHash(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

// Verify checks a timestamped cosignature: eight bytes of Unix seconds, then the
// signature over the time and the checkpoint's lines.
func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	signed := append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), msg...)
	return ed25519.Verify(w.key, signed, sig[8:])
}

// sameCheckpoint reports whether all proofs end in the same signed checkpoint,
// byte for byte.
func sameCheckpoint(proofs []Proof) bool {
	for _, p := range proofs[1:] {
		if !bytes.Equal(p.Checkpoint, proofs[0].Checkpoint) {
			return false
		}
	}
	return true
}
