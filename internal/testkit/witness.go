package testkit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Witness is a witness of its own, written from the text of C2SP tlog-witness and
// tlog-cosignature with nothing of the server's code: it shares no mistake with it. It
// serves POST <prefix>/add-checkpoint for the logs that it was told of.
type Witness struct {
	Name string
	// Now is its clock.
	Now func() time.Time

	key  ed25519.PrivateKey
	mu   sync.Mutex
	logs map[string]*witnessed // by origin
	down bool
	asks int
}

type witnessed struct {
	verifiers []note.Verifier
	size      int64
	root      tlog.Hash
}

const cosignatureType = 0x04 // Ed25519, timestamped

// NewWitness makes a witness with a new key.
func NewWitness(name string) *Witness {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // there is no randomness
	}
	return &Witness{Name: name, Now: time.Now, key: key, logs: map[string]*witnessed{}}
}

// Key is its verifier key, as it is configured.
func (w *Witness) Key() string {
	public := append([]byte{cosignatureType}, w.key.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", w.Name, w.hash(), base64.StdEncoding.EncodeToString(public))
}

func (w *Witness) hash() uint32 {
	sum := sha256.Sum256(append([]byte(w.Name+"\n"), append([]byte{cosignatureType}, w.key.Public().(ed25519.PublicKey)...)...))
	return binary.BigEndian.Uint32(sum[:])
}

// Follow lets it cosign a log that is signed by one of the keys.
func (w *Witness) Follow(origin string, keys ...string) error {
	l := &witnessed{}
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return err
		}
		l.verifiers = append(l.verifiers, v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[origin] = l
	return nil
}

// Down lets it answer nothing but 503, or answer again.
func (w *Witness) Down(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

// Size is what it has cosigned of a log, and how often it was asked at all.
func (w *Witness) Size(origin string) (size int64, asked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.logs[origin]; l != nil {
		size = l.size
	}
	return size, w.asks
}

// ServeHTTP answers add-checkpoint.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	status, kind, answer := w.answer(body)
	if kind != "" {
		rw.Header().Set("Content-Type", kind)
	}
	rw.WriteHeader(status)
	rw.Write(answer)
}

// Ask answers without a network.
func (w *Witness) Ask(_ context.Context, request []byte) (status int, contentType string, answer []byte, err error) {
	status, contentType, answer = w.answer(request)
	return status, contentType, answer, nil
}

func (w *Witness) answer(request []byte) (int, string, []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asks++
	if w.down {
		return http.StatusServiceUnavailable, "", nil
	}
	old, path, checkpoint, err := readRequest(string(request))
	if err != nil {
		return http.StatusBadRequest, "", []byte(err.Error())
	}
	lines := strings.Split(checkpoint, "\n")
	if len(lines) < 5 {
		return http.StatusBadRequest, "", nil
	}
	l := w.logs[lines[0]]
	if l == nil {
		return http.StatusNotFound, "", nil
	}
	n, err := note.Open([]byte(checkpoint), note.VerifierList(l.verifiers...))
	if err != nil {
		return http.StatusForbidden, "", nil
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, rootErr := tlog.ParseHash(lines[2])
	switch {
	case err != nil || rootErr != nil || old > size:
		return http.StatusBadRequest, "", nil
	case old != l.size:
		return http.StatusConflict, "text/x.tlog.size", fmt.Appendf(nil, "%d\n", l.size)
	case old == size && root != l.root, old == size && len(path) > 0, old == 0 && len(path) > 0:
		return http.StatusUnprocessableEntity, "", nil
	case old > 0 && old < size && tlog.CheckTree(path, size, root, old, l.root) != nil:
		return http.StatusUnprocessableEntity, "", nil
	}
	l.size, l.root = size, root
	return http.StatusOK, "", w.cosign(n.Text)
}

// cosign writes a cosignature/v1 line over the checkpoint's text.
func (w *Witness) cosign(text string) []byte {
	at := w.Now().Unix()
	sig := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))
	raw := binary.BigEndian.AppendUint32(nil, w.hash())
	raw = append(binary.BigEndian.AppendUint64(raw, uint64(at)), sig...)
	return fmt.Appendf(nil, "— %s %s\n", w.Name, base64.StdEncoding.EncodeToString(raw))
}

func readRequest(body string) (old int64, path []tlog.Hash, checkpoint string, err error) {
	head, checkpoint, ok := strings.Cut(body, "\n\n")
	if !ok {
		return 0, nil, "", errors.New("no checkpoint")
	}
	lines := strings.Split(head, "\n")
	number, ok := strings.CutPrefix(lines[0], "old ")
	if old, err = strconv.ParseInt(number, 10, 64); !ok || err != nil || old < 0 || len(lines) > 64 {
		return 0, nil, "", errors.New("want old and a size, and at most 63 hashes")
	}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		path = append(path, h)
	}
	return old, path, checkpoint, nil
}
