package audit_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/tlog"
)

// history writes every story into one log.
func history(t testing.TB, filler int) *world {
	w := newWorld(t)
	for _, s := range stories {
		s.tell(w)
		w.filler(filler)
	}
	return w
}

func (w *world) exportOptions() audit.ExportOptions {
	return audit.ExportOptions{Keys: []string{w.key.Verifier}}
}

// TestExportStory: a log is exported, verified without the server, and the report
// says what is in it.
func TestExportStory(t *testing.T) {
	w := history(t, 80)
	var seen []int64
	in := w.exportInput()
	in.Progress = func(done, total int64) { seen = append(seen, done) }
	files := mapFiles{fstest.MapFS{}}
	if err := audit.Export(in, files); err != nil {
		t.Fatal(err)
	}
	size := int64(len(w.leaves))
	if len(seen) != int((size+255)/256) || seen[len(seen)-1] != size {
		t.Errorf("progress %v of %d", seen, size)
	}
	opts := w.exportOptions()
	calls := 0
	opts.Progress = func(done, total int64) { calls++ }
	opts.Origin, opts.RPID, opts.Origins = origin, rpID, []string{site}
	r, err := audit.VerifyExport(files, opts)
	if err != nil || !r.OK {
		t.Fatal(err)
	}
	if r.Entries != size || r.Requests != int64(len(stories)*80+len(stories)) || r.Decisions != 11 || r.Releases != 2 || r.Erased != 0 || r.Simulated != 1 || r.Entry != -1 || calls != len(seen) {
		t.Errorf("%+v, %d calls", r, calls)
	}
	for _, path := range []string{"checkpoint", "tile/0/000", "tile/entries/001", "openings/000.jsonl", fmt.Sprintf("tile/0/%03d.p/%d", size/256, size%256), fmt.Sprintf("tile/1/000.p/%d", size/256)} {
		if files.MapFS[path] == nil {
			t.Errorf("no file %s", path)
		}
	}
}

// TestExportErased (ruling 33): openings may be gone, one or a whole file; the log
// still verifies and the report counts what is not shown.
func TestExportErased(t *testing.T) {
	w := history(t, 40)
	for i, o := range w.openings {
		if i%3 == 0 {
			w.openings[i] = maps.Clone(o)
			delete(w.openings[i], countersign.OpeningDecision)
			delete(w.openings[i], countersign.OpeningDocument)
		}
	}
	files := w.export()
	delete(files.MapFS, "openings/001.jsonl")
	r, err := audit.VerifyExport(files, w.exportOptions())
	if err != nil || r.Erased == 0 {
		t.Fatalf("%v %+v", err, r)
	}
}

func clone(files mapFiles) mapFiles {
	c := mapFiles{fstest.MapFS{}}
	for k, f := range files.MapFS {
		c.MapFS[k] = &fstest.MapFile{Data: bytes.Clone(f.Data)}
	}
	return c
}

// rebundle changes the list of leaves in a tile of entries.
func rebundle(t *testing.T, f *fstest.MapFile, change func([][]byte) [][]byte) {
	t.Helper()
	leaves, err := audit.ParseBundle(f.Data)
	if err != nil {
		t.Fatal(err)
	}
	f.Data = nil
	for _, l := range change(leaves) {
		f.Data = append(binary.BigEndian.AppendUint16(f.Data, uint16(len(l))), l...)
	}
}

// damage is one change of an export, and where it is found.
type damage struct {
	name, step string
	entry      int64
	change     func(mapFiles)
}

func damages(t *testing.T, size int) []damage {
	return append(damagedEntries(t, size), damagedFiles(t, size)...)
}

func damagedEntries(t *testing.T, size int) []damage {
	last := fmt.Sprintf("tile/entries/%03d.p/%d", size/256, size%256)
	return []damage{
		{"an entry altered", audit.ExportTile, 7, func(m mapFiles) {
			rebundle(t, m.MapFS["tile/entries/000"], func(l [][]byte) [][]byte {
				l[7] = bytes.Replace(l[7], []byte(`"allow"`), []byte(`"allox"`), 1)
				return l
			})
		}},
		{"an entry removed", audit.ExportTile, 9, func(m mapFiles) {
			rebundle(t, m.MapFS["tile/entries/000"], func(l [][]byte) [][]byte { return slices.Delete(l, 9, 10) })
		}},
		{"the last entry removed", audit.ExportContiguity, int64(size - 1), func(m mapFiles) {
			rebundle(t, m.MapFS[last], func(l [][]byte) [][]byte { return l[:len(l)-1] })
		}},
		{"an entry put in", audit.ExportTile, 20, func(m mapFiles) {
			rebundle(t, m.MapFS["tile/entries/000"], func(l [][]byte) [][]byte { return slices.Insert(l, 20, l[3]) })
		}},
		{"two entries exchanged", audit.ExportTile, 4, func(m mapFiles) {
			rebundle(t, m.MapFS["tile/entries/000"], func(l [][]byte) [][]byte { l[4], l[5] = l[5], l[4]; return l })
		}},
		{"entries cut off", audit.ExportContiguity, 255, func(m mapFiles) {
			f := m.MapFS["tile/entries/000"]
			f.Data = f.Data[:len(f.Data)-3]
		}},
		{"a file of entries removed", audit.ExportContiguity, int64(size / 256 * 256), func(m mapFiles) { delete(m.MapFS, last) }},
		{"entry and tile altered", audit.ExportRoot, -1, func(m mapFiles) {
			rebundle(t, m.MapFS["tile/entries/000"], func(l [][]byte) [][]byte {
				l[7] = bytes.Replace(l[7], []byte(`"actor":"key_`), []byte(`"actor":"kez_`), 1)
				h := audit.LeafHash(l[7])
				copy(m.MapFS["tile/0/000"].Data[7*32:], h[:])
				return l
			})
			dropHistory(m)
		}},
	}
}

func damagedFiles(t *testing.T, size int) []damage {
	return []damage{
		{"a tile removed", audit.ExportTile, -1, func(m mapFiles) { delete(m.MapFS, "tile/0/000") }},
		{"an upper tile altered", audit.ExportTile, -1, func(m mapFiles) { m.MapFS[fmt.Sprintf("tile/1/000.p/%d", size/256)].Data[3] ^= 1 }},
		{"an opening altered", audit.ExportOpening, 5, func(m mapFiles) {
			f := m.MapFS["openings/000.jsonl"]
			lines := bytes.Split(f.Data, []byte("\n"))
			for i, l := range lines {
				if bytes.HasPrefix(l, []byte(`{"index":5,`)) {
					lines[i] = bytes.Replace(l, []byte("30000.00"), []byte("30000.01"), 1)
				}
			}
			f.Data = bytes.Join(lines, []byte("\n"))
		}},
		{"openings of an entry elsewhere", audit.ExportOpening, 0, func(m mapFiles) {
			m.MapFS["openings/000.jsonl"].Data = append(m.MapFS["openings/000.jsonl"].Data, []byte(`{"index":999999,"openings":{}}`+"\n")...)
		}},
		{"openings in another form", audit.ExportOpening, 0, func(m mapFiles) {
			m.MapFS["openings/000.jsonl"].Data = append([]byte(" "), m.MapFS["openings/000.jsonl"].Data...)
		}},
		{"no checkpoint", audit.ExportCheckpoint, -1, func(m mapFiles) { delete(m.MapFS, "checkpoint") }},
		{"checkpoint altered", audit.ExportCheckpoint, -1, func(m mapFiles) {
			f := m.MapFS["checkpoint"]
			f.Data = bytes.Replace(f.Data, fmt.Appendf(nil, "\n%d\n", size), fmt.Appendf(nil, "\n%d\n", size-1), 1)
		}},
		{"checkpoint of another log", audit.ExportCheckpoint, -1, func(m mapFiles) { m.MapFS["checkpoint"].Data = newWorld(t).checkpoint() }},
	}
}

// TestRuling31TamperedExport: what is altered, removed or put in below the
// checkpoint is found from the export alone, and named.
func TestRuling31TamperedExport(t *testing.T) {
	w := history(t, 40)
	good := w.export()
	for _, c := range damages(t, len(w.leaves)) {
		t.Run(c.name, func(t *testing.T) {
			files := clone(good)
			c.change(files)
			r, err := audit.VerifyExport(files, w.exportOptions())
			var fail *audit.ExportError
			if !errors.As(err, &fail) || fail.Step != c.step || fail.Entry != c.entry || r.OK || r.Failed != c.step || r.Entry != c.entry {
				t.Fatalf("%v (entry %d), want %s of entry %d", err, r.Entry, c.step, c.entry)
			}
		})
	}
}

// dropHistory erases all openings, so that only the tree speaks.
func dropHistory(m mapFiles) {
	for path := range m.MapFS {
		if strings.HasPrefix(path, "openings/") {
			delete(m.MapFS, path)
		}
	}
}

// TestRuling31RollBackAndFork: an earlier checkpoint that an auditor kept finds a
// log that was cut back or rewritten, though the rest is in order.
func TestRuling31RollBackAndFork(t *testing.T) {
	w := history(t, 40)
	opts := w.exportOptions()
	opts.Earlier = w.checkpoint()
	w.filler(30)
	files := w.export()
	if _, err := audit.VerifyExport(files, opts); err != nil {
		t.Fatal(err)
	}
	opts.Earlier = w.checkpoint() // the same size
	if _, err := audit.VerifyExport(files, opts); err != nil {
		t.Fatal(err)
	}
	w.filler(1)
	opts.Earlier = w.checkpoint()
	var fail *audit.ExportError
	if _, err := audit.VerifyExport(files, opts); !errors.As(err, &fail) || fail.Step != audit.ExportRollback || fail.Entry != int64(len(w.leaves)-1) {
		t.Errorf("roll-back: %v", err)
	}
	fork := newWorld(t)
	fork.key, fork.signer = w.key, w.signer
	fork.filler(len(w.leaves))
	if _, err := audit.VerifyExport(fork.export(), opts); !errors.As(err, &fail) || fail.Step != audit.ExportFork {
		t.Errorf("fork: %v", err)
	}
	opts.Earlier = []byte("x")
	if _, err := audit.VerifyExport(files, opts); err == nil || errors.As(err, &fail) && fail.Step == "" {
		t.Errorf("no checkpoint: %v", err)
	}
}

// end logs the end of a request.
func end(w *world, typ countersign.EntryType, request string) {
	w.add(audit.EntrySpec{Type: typ, Subject: request, Actor: "system", Facts: map[string]string{"status": "x"}})
}

// pasts are what a log may tell, and what the verifier says to it.
var pasts = []struct {
	name string
	want string // of the error; "" where it verifies
	tell func(w *world)
}{
	{"trap: released while pending", "released while pending", func(w *world) { w.submit(needsKey).release(time.Minute) }},
	{"decision without a request", "not open here", func(w *world) {
		q := w.submit(allowed)
		q.id = w.id(countersign.PrefixRequest)
		q.decide(w.person("Ann"), countersign.ActApprove, countersign.StatusApproved, bend{})
	}},
	{"submitted twice", "a second time", func(w *world) {
		q := w.submit(needsKey)
		w.submit(allowed, func(s *audit.EntrySpec) { s.Subject = q.id })
	}},
	{"released after it expired", "not open here", func(w *world) {
		q := w.submit(allowed)
		end(w, countersign.EntryRequestExpired, q.id)
		q.release(time.Minute)
	}},
	{"released twice", "not open here", func(w *world) {
		q := w.submit(allowed)
		q.release(time.Minute)
		q.release(time.Minute)
	}},
	{"cancelled what is not there", "not open here", func(w *world) { end(w, countersign.EntryRequestCancelled, "req_none") }},
	{"released before the hold ends", "before", func(w *world) {
		r := allowed
		r.Hold = 3600
		w.submit(r).release(time.Minute)
	}},
	{"approved by too few", verify.StepClauses, func(w *world) {
		approveWith(needsTwo, bend{})(w)
	}},
	{"decision that was not signed so", verify.StepPasskeySignature, func(w *world) {
		approveWith(needsKey, bend{sign: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }})(w)
	}},
	{"policy never published", verify.StepPolicy, func(w *world) {
		w.policy = countersign.SumBytes([]byte("secret"))
		w.submit(allowed)
	}},
	{"policy with another text", "has not the digest", func(w *world) {
		w.add(audit.EntrySpec{Type: countersign.EntryPolicyPublished, Subject: "policy", Actor: "operator", Facts: map[string]string{"policy_digest": string(w.policy), "version": "2"},
			Openings: map[string][]byte{countersign.OpeningPolicy: []byte("{}")}})
	}},
	{"revoked before release", "", func(w *world) {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.decide(ann, countersign.ActRevoke, countersign.StatusRevoked, bend{})
	}},
	{"released after it was revoked", "not open here", func(w *world) {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.decide(ann, countersign.ActRevoke, countersign.StatusRevoked, bend{})
		q.release(time.Minute)
	}},
	{"TestRuling27: sent back, decided again, released", "", func(w *world) {
		ann, bob := w.person("Ann", "finance", "treasury"), w.person("Bob", "treasury")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.reweigh(needsTwo, countersign.StatusPending)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{})
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.release(25 * time.Hour)
	}},
	{"sent back, and released all the same", "released while pending", func(w *world) {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.reweigh(needsTwo, countersign.StatusPending)
		q.release(time.Minute)
	}},
	{"TestRuling27: sent back for the same again, and released all the same", "released while pending", func(w *world) {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.reweigh(needsKey, countersign.StatusPending)
		q.release(time.Minute)
	}},
	{"TestRuling27: sent back for the same again, decided again, released", "", func(w *world) {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.reweigh(needsKey, countersign.StatusPending)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.release(time.Minute)
	}},
	{"people became eligible, decisions stand", "", func(w *world) {
		ann, bob := w.person("Ann", "treasury"), w.person("Bob", "treasury")
		q := w.submit(needsTwo)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{})
		q.reweigh(needsTwo, countersign.StatusUnsatisfiable)
		q.reweigh(needsTwo, countersign.StatusPending)
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{})
	}},
	{"two organisations", "in the log of", func(w *world) {
		w.add(audit.EntrySpec{Org: "org_other", Type: countersign.EntrySignedIn, Subject: "per_1", Actor: "per_1"})
	}},
	{"not a leaf", "log entry", func(w *world) { w.addLeaf([]byte(`{"v":1}`), nil) }},
}

// TestHistoryOfTheLog: what could not have happened is found, though the log is
// whole and signed: by a server that lies, or one with a defect.
func TestHistoryOfTheLog(t *testing.T) {
	for _, c := range pasts {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.filler(2)
			c.tell(w)
			w.filler(2)
			r, err := audit.VerifyExport(w.export(), w.exportOptions())
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || r.Entry < 0 {
				t.Fatalf("%v (entry %d), want %q", err, r.Entry, c.want)
			}
		})
	}
}

// TestRuling30And32RotationAndRecovery: a rotation and a recovery stand in the log,
// and say only what can be so.
func TestRuling30And32RotationAndRecovery(t *testing.T) {
	fresh, _ := audit.GenerateKey(origin)
	rotate := func(w *world, from, to string) {
		w.add(audit.EntrySpec{Type: countersign.EntryKeyRotated, Subject: w.org, Actor: "operator", Facts: map[string]string{audit.FactOldKey: from, audit.FactNewKey: to}})
	}
	recoverLog := func(w *world, from string, size int64, root tlog.Hash) {
		w.add(audit.EntrySpec{Type: countersign.EntryLogRecovered, Subject: w.org, Actor: "operator",
			Facts: map[string]string{audit.FactOldOrigin: from, audit.FactOldSize: fmt.Sprint(size), audit.FactOldRoot: root.String()}})
	}
	w := newWorld(t)
	rotate(w, w.key.Verifier, fresh.Verifier)
	w.filler(300)
	root, err := audit.Root(100, w.tile)
	if err != nil {
		t.Fatal(err)
	}
	recoverLog(w, origin, 100, root)
	recoverLog(w, "countersign.example/log/before", 5, tlog.Hash{1})
	r, err := audit.VerifyExport(w.export(), w.exportOptions())
	if err != nil || len(r.NewKeys) != 1 || r.NewKeys[0] != fresh.Verifier || len(r.Recoveries) != 2 || r.Recoveries[0].OldSize != 100 {
		t.Fatalf("%v %+v", err, r)
	}
	other, _ := audit.GenerateKey("elsewhere")
	next, _ := audit.GenerateKey("elsewhere")
	// A log that got its present name by a recovery may have rotated keys of its old one.
	named := newWorld(t)
	rotate(named, other.Verifier, next.Verifier)
	rotate(named, w.key.Verifier, fresh.Verifier)
	recoverLog(named, "elsewhere", 5, tlog.Hash{1})
	if r, err := audit.VerifyExport(named.export(), named.exportOptions()); err != nil || len(r.NewKeys) != 2 {
		t.Errorf("keys of the origin before a recovery: %v %+v", err, r)
	}
	for name, tell := range map[string]func(*world){
		"key of another log":     func(w *world) { rotate(w, other.Verifier, next.Verifier) },
		"two names":              func(w *world) { rotate(w, w.key.Verifier, other.Verifier); recoverLog(w, "elsewhere", 5, tlog.Hash{1}) },
		"recovered before":       func(w *world) { recoverLog(w, "elsewhere", 5, tlog.Hash{1}); rotate(w, other.Verifier, next.Verifier) },
		"no key":                 func(w *world) { rotate(w, w.key.Verifier, "x") },
		"not the key in force":   func(w *world) { rotate(w, w.key.Verifier, fresh.Verifier); rotate(w, w.key.Verifier, fresh.Verifier) },
		"another root":           func(w *world) { recoverLog(w, origin, 1, tlog.Hash{1}) },
		"more than there was":    func(w *world) { recoverLog(w, origin, 1000, tlog.Hash{1}) },
		"a size below zero":      func(w *world) { recoverLog(w, origin, -1, tlog.Hash{1}) },
		"an origin that is none": func(w *world) { recoverLog(w, "", 1, tlog.Hash{1}) },
	} {
		w := newWorld(t)
		tell(w)
		if r, err := audit.VerifyExport(w.export(), w.exportOptions()); err == nil || r.Failed != audit.ExportHistory {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A log that begins by naming the head it could not continue may speak of requests
	// that only the old one holds; the report counts them.
	begun := &world{tb: t, now: w.now, org: w.org, key: w.key, signer: w.signer, tiles: map[audit.TileKey][]byte{}, caller: w.caller}
	recoverLog(begun, "countersign.example/log/before", 5, tlog.Hash{1})
	begun.publish("rules: []\n", 3)
	begun.add(audit.EntrySpec{Type: countersign.EntryRequestExpired, Subject: "req_old", Actor: "system"})
	if r, err := audit.VerifyExport(begun.export(), begun.exportOptions()); err != nil || r.Unresolved != 1 {
		t.Errorf("%v %+v", err, r)
	}
}
