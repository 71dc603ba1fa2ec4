package audit_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
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
	if r.Entries != size || r.Requests != int64(len(stories)*80+len(stories)) || r.Decisions != 8 || r.Releases != 2 || r.Erased != 0 || r.Simulated != 1 || r.Entry != -1 || calls != len(seen) {
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

// TestRuling31TamperedExport: what is altered, removed or put in below the
// checkpoint is found from the export alone, and named.
func TestRuling31TamperedExport(t *testing.T) {
	w := history(t, 40)
	good := w.export()
	size := len(w.leaves)
	last := fmt.Sprintf("tile/entries/%03d.p/%d", size/256, size%256)
	for _, c := range []struct {
		name, step string
		entry      int64
		change     func(mapFiles)
	}{
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
	} {
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
	fork.filler(500)
	if _, err := audit.VerifyExport(fork.export(), opts); !errors.As(err, &fail) || fail.Step != audit.ExportFork {
		t.Errorf("fork: %v", err)
	}
	opts.Earlier = []byte("x")
	if _, err := audit.VerifyExport(files, opts); err == nil || errors.As(err, &fail) && fail.Step == "" {
		t.Errorf("no checkpoint: %v", err)
	}
}

// TestHistoryOfTheLog: what could not have happened is found, though the log is
// whole and signed: by a server that lies, or one with a defect.
func TestHistoryOfTheLog(t *testing.T) {
	end := func(w *world, typ countersign.EntryType, request string) {
		w.add(audit.EntrySpec{Type: typ, Subject: request, Actor: "system", Facts: map[string]string{"status": "x"}})
	}
	for _, c := range []struct {
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
		{"approved by too few", countersign.StepClauses, func(w *world) {
			approveWith(needsTwo, bend{})(w)
		}},
		{"decision that was not signed so", countersign.StepPasskeySignature, func(w *world) {
			approveWith(needsKey, bend{sign: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }})(w)
		}},
		{"policy never published", countersign.StepPolicy, func(w *world) {
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
	} {
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
	for name, tell := range map[string]func(*world){
		"key of another log":     func(w *world) { rotate(w, w.key.Verifier, other.Verifier) },
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

// TestExportCanBeStopped: both ways end at once with the caller's own error, and an
// export that was broken off does not verify.
func TestExportCanBeStopped(t *testing.T) {
	w := history(t, 40)
	stop := errors.New("stopped by the user")
	in := w.exportInput()
	n := 0
	in.Stop = func() error {
		if n++; n > 1 {
			return stop
		}
		return nil
	}
	files := mapFiles{fstest.MapFS{}}
	if err := audit.Export(in, files); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := audit.VerifyExport(files, w.exportOptions()); err == nil {
		t.Error("a broken-off export verifies")
	}
	opts := w.exportOptions()
	opts.Stop = func() error { return stop }
	if r, err := audit.VerifyExport(w.export(), opts); !errors.Is(err, stop) || r.OK || r.Failed != "" {
		t.Errorf("%v %+v", err, r)
	}
	in = w.exportInput()
	in.Entries = func(int64, int) ([]audit.Exported, error) { return nil, nil }
	if err := audit.Export(in, files); err == nil {
		t.Error("an export without entries was written")
	}
}

// bigLog is an export that makes its entries as they are read: nothing of it is
// held but the tiles.
type bigLog struct {
	fstest.MapFS
	leaf func(int64) []byte
	size int64
}

func newBigLog(tb testing.TB, size int64) (*bigLog, audit.ExportOptions) {
	w := newWorld(tb)
	org := w.org
	b := &bigLog{MapFS: fstest.MapFS{}, size: size, leaf: func(i int64) []byte {
		l := countersign.Leaf{Version: 1, ID: fmt.Sprintf("ent_%026d", i), Org: org, Time: "2026-11-24T06:00:00.000000Z", Actor: w.caller, Subject: fmt.Sprintf("req_%026d", i/2)}
		l.Facts = map[string]string{"outcome": "allow", "status": "approved", "policy_digest": string(w.policy), "requirement_digest": string(allowed.Digest())}
		l.Type = countersign.EntryRequestSubmitted
		l.Commitments = map[string]string{countersign.OpeningDocument: "x", countersign.OpeningRequirement: "x"}
		if i%2 == 1 {
			l.Type, l.Commitments = countersign.EntryRequestCancelled, nil
		}
		if i < 2 {
			l.Type, l.Subject, l.Commitments = countersign.EntryPolicyPublished, "policy", nil
			l.Facts = map[string]string{"policy_digest": string(w.policy), "version": "1"}
		}
		return l.Bytes()
	}}
	tiles := map[audit.TileKey][]byte{}
	read := func(k audit.TileKey) ([]byte, error) { return tiles[k], nil }
	for at := int64(0); at < size; at += 256 {
		var hashes []tlog.Hash
		for i := at; i < min(at+256, size); i++ {
			hashes = append(hashes, audit.LeafHash(b.leaf(i)))
		}
		a, err := audit.Append(at, read, hashes)
		if err != nil {
			tb.Fatal(err)
		}
		maps.Copy(tiles, a.Tiles)
	}
	root, err := audit.Root(size, read)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := audit.Checkpoint{Origin: origin, Size: size, Root: root}.Sign(w.signer)
	if err != nil {
		tb.Fatal(err)
	}
	// The writer keeps the tiles and the checkpoint and lets the entries go.
	err = audit.Export(audit.ExportInput{Checkpoint: signed, Tiles: read, Entries: func(index int64, n int) ([]audit.Exported, error) {
		return make([]audit.Exported, n), nil
	}}, mapFiles{b.MapFS})
	if err != nil {
		tb.Fatal(err)
	}
	return b, w.exportOptions()
}

func (b *bigLog) Open(name string) (fs.File, error) {
	number, ok := strings.CutPrefix(name, "tile/entries/")
	if !ok {
		return b.MapFS.Open(name)
	}
	number, _, _ = strings.Cut(number, ".p/")
	var n int64
	for _, group := range strings.Split(number, "/") {
		var g int64
		if _, err := fmt.Sscanf(strings.TrimPrefix(group, "x"), "%d", &g); err != nil {
			return nil, err
		}
		n = n*1000 + g
	}
	var data []byte
	for i := n * 256; i < min((n+1)*256, b.size); i++ {
		l := b.leaf(i)
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(l))), l...)
	}
	return fstest.MapFS{"f": {Data: data}}.Open("f")
}

// TestExportMemoryIsFlat: verifying holds no more memory at the end of a long log
// than at its beginning.
func TestExportMemoryIsFlat(t *testing.T) {
	size := int64(100_000)
	if testing.Short() || audit.UnderRace {
		size = 30_000
	}
	b, opts := newBigLog(t, size)
	var first, most uint64
	opts.Progress = func(done, total int64) {
		if done%(16*256) != 0 {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if first == 0 {
			first = m.HeapAlloc
		}
		most = max(most, m.HeapAlloc)
	}
	r, err := audit.VerifyExport(b, opts)
	if err != nil || r.Entries != size {
		t.Fatalf("%v %+v", err, r)
	}
	t.Logf("%d entries: heap %d KiB at first, at most %d KiB", size, first>>10, most>>10)
	if most > first+(4<<20) {
		t.Errorf("the heap grew from %d to %d bytes over %d entries", first, most, size)
	}
}

// FuzzExport damages one file of an export: it must not verify, and not panic.
func FuzzExport(f *testing.F) {
	w := history(f, 1)
	good := w.export()
	paths := slices.Sorted(maps.Keys(good.MapFS))
	for i := range paths {
		f.Add(i, 100, []byte("x"))
	}
	f.Add(0, 0, []byte{})
	f.Fuzz(func(t *testing.T, file, at int, put []byte) {
		path := paths[(file%len(paths)+len(paths))%len(paths)]
		files := clone(good)
		data := files.MapFS[path].Data
		at = (at%len(data) + len(data)) % len(data)
		files.MapFS[path].Data = slices.Concat(data[:at], put, data[min(at+len(put), len(data)):])
		_, err := audit.VerifyExport(files, w.exportOptions())
		if same := bytes.Equal(files.MapFS[path].Data, data); same != (err == nil) {
			// An openings file cut at the end of a line is one with openings erased.
			if strings.HasPrefix(path, "openings/") && bytes.HasPrefix(data, files.MapFS[path].Data) {
				return
			}
			t.Fatalf("%s, %d bytes at %d: %v", path, len(put), at, err)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte{0, 2, 'a', 'b', 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		leaves, err := audit.ParseBundle(data)
		if err != nil {
			return
		}
		var again []byte
		for _, l := range leaves {
			again = append(binary.BigEndian.AppendUint16(again, uint16(len(l))), l...)
		}
		if !bytes.Equal(again, data) {
			t.Fatal("read, and written another way")
		}
	})
}

// BenchmarkVerifyExport reads a log of silent approvals with all openings.
func BenchmarkVerifyExport(b *testing.B) {
	w := newWorld(b)
	w.filler(2046)
	files := w.export()
	b.Run("openings", func(b *testing.B) {
		for b.Loop() {
			if _, err := audit.VerifyExport(files, w.exportOptions()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(w.leaves))/b.Elapsed().Seconds(), "entries/s")
	})
	dropHistory(files)
	b.Run("erased", func(b *testing.B) {
		for b.Loop() {
			if _, err := audit.VerifyExport(files, w.exportOptions()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(w.leaves))/b.Elapsed().Seconds(), "entries/s")
	})
}
