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

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
)

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
