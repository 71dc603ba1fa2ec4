package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// memTiles keeps tiles as the store does: whole, replaced when they grow.
type memTiles map[TileKey][]byte

func (m memTiles) read(k TileKey) ([]byte, error) {
	t, ok := m[k]
	if !ok {
		return nil, fmt.Errorf("no such tile: %w", ErrTile)
	}
	return t, nil
}

func leafNumber(i int64) []byte { return binary.BigEndian.AppendUint64([]byte("leaf"), uint64(i)) }

func leafHashes(from, n int64) []tlog.Hash {
	hs := make([]tlog.Hash, n)
	for i := range hs {
		hs[i] = LeafHash(leafNumber(from + int64(i)))
	}
	return hs
}

// grow appends n leaves in one batch and stores the tiles.
func grow(t testing.TB, tiles memTiles, size, n int64) Appended {
	t.Helper()
	a, err := Append(size, tiles.read, leafHashes(size, n))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range a.Tiles {
		tiles[k] = v
	}
	return a
}

// oracle is the tree as golang.org/x/mod builds it: stored hashes, one after
// another. It shares nothing with the tiles but the two hash functions.
type oracle struct{ hashes []tlog.Hash }

func (o *oracle) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		out[i] = o.hashes[x]
	}
	return out, nil
}

func (o *oracle) add(t testing.TB, n int64, h tlog.Hash) {
	t.Helper()
	hs, err := tlog.StoredHashesForRecordHash(n, h, o)
	if err != nil {
		t.Fatal(err)
	}
	o.hashes = append(o.hashes, hs...)
}

func (o *oracle) root(t testing.TB, n int64) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(n, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestTreeAgainstTlog grows a tree leaf by leaf through every size up to 600 and
// compares roots and all proofs with golang.org/x/mod/sumdb/tlog.
func TestTreeAgainstTlog(t *testing.T) {
	most := int64(600)
	if testing.Short() || UnderRace {
		most = 300
	}
	tiles, o := memTiles{}, &oracle{}
	prover := NewProver(tiles.read)
	if root, err := Root(0, tiles.read); err != nil || root != o.root(t, 0) {
		t.Fatalf("empty root = %v, %v", root, err)
	}
	for size := int64(1); size <= most; size++ {
		a := grow(t, tiles, size-1, 1)
		o.add(t, size-1, LeafHash(leafNumber(size-1)))
		if want := o.root(t, size); a.Root != want || a.Size != size {
			t.Fatalf("size %d: root %v, want %v", size, a.Root, want)
		}
		if root, err := prover.Root(size); err != nil || root != a.Root {
			t.Fatalf("size %d: prover's root %v, %v", size, root, err)
		}
		for index := range size {
			if size > 40 && index > 20 && index < size-20 && (index+size)%7 != 0 {
				continue
			}
			want, err := tlog.ProveRecord(size, index, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := InclusionProof(size, index, tiles.read)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("inclusion of %d in %d: %v %v, want %v", index, size, got, err, want)
			}
			if kept, err := prover.Inclusion(size, index); err != nil || !slices.Equal(kept, want) {
				t.Fatalf("prover: inclusion of %d in %d: %v %v", index, size, kept, err)
			}
			if err := tlog.CheckRecord(got, size, a.Root, index, LeafHash(leafNumber(index))); err != nil {
				t.Fatal(err)
			}
			wantTree, err := tlog.ProveTree(size, index+1, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err = ConsistencyProof(index+1, size, tiles.read)
			if err != nil || !slices.Equal(got, []tlog.Hash(wantTree)) {
				t.Fatalf("consistency of %d with %d: %v %v, want %v", index+1, size, got, err, wantTree)
			}
		}
	}
}

// TestTreeLargeRandom grows trees over the borders of two and three tile levels in
// batches of random size. Proofs are asked of tiles that have grown since.
func TestTreeLargeRandom(t *testing.T) {
	seed := uint64(20261124)
	rng := rand.New(rand.NewPCG(seed, 1))
	most := int64(140_000)
	if testing.Short() || UnderRace {
		most = 70_000
	}
	tiles, o := memTiles{}, &oracle{}
	roots := map[int64]tlog.Hash{}
	var sizes []int64
	for size := int64(0); size < most; {
		n := 1 + rng.Int64N(3000)
		if rng.IntN(8) == 0 { // exactly up to the border of a tile
			n = TileWidth - size%TileWidth
		}
		a := grow(t, tiles, size, n)
		for i := range n {
			o.add(t, size+i, LeafHash(leafNumber(size+i)))
		}
		size += n
		if a.Root != o.root(t, size) {
			t.Fatalf("seed %d: root of %d differs", seed, size)
		}
		roots[size] = a.Root
		sizes = append(sizes, size)
	}
	for range 3000 {
		i := rng.IntN(len(sizes))
		size, older := sizes[i], sizes[rng.IntN(i+1)]
		index := rng.Int64N(size)
		p, err := InclusionProof(size, index, tiles.read)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, size, roots[size], index, LeafHash(leafNumber(index))); err != nil {
			t.Fatalf("seed %d: inclusion of %d in %d: %v", seed, index, size, err)
		}
		c, err := ConsistencyProof(older, size, tiles.read)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(c, size, roots[size], older, roots[older]); err != nil {
			t.Fatalf("seed %d: consistency of %d with %d: %v", seed, older, size, err)
		}
	}
}

// TestAppendReadsOnlyTheRightEdge counts what Append reads: at most one tile for
// each level, and none where the edge is full.
func TestAppendReadsOnlyTheRightEdge(t *testing.T) {
	tiles := memTiles{}
	size := grow(t, tiles, 0, 70_000).Size
	read := map[TileKey]int{}
	a, err := Append(size, func(k TileKey) ([]byte, error) {
		read[k]++
		return tiles.read(k)
	}, leafHashes(size, 256))
	if err != nil {
		t.Fatal(err)
	}
	for k := range read {
		if edge := size >> (8 * (k.Level + 1)); k.Index != edge {
			t.Errorf("read tile %v, which is not on the right edge", k)
		}
	}
	if len(read) > 3 {
		t.Errorf("read %d tiles, want at most one for each level", len(read))
	}
	for k, data := range a.Tiles {
		if old := tiles[k]; string(data[:len(old)]) != string(old) {
			t.Errorf("tile %v does not continue what was stored", k)
		}
	}
}

// TestTreeRefusesTilesThatDoNotFit: a tile too short, torn or missing is an error
// and never a proof of something else.
func TestTreeRefusesTilesThatDoNotFit(t *testing.T) {
	tiles := memTiles{}
	grow(t, tiles, 0, 700)
	whole := tiles[TileKey{0, 2}]
	for name, bad := range map[string][]byte{"missing": nil, "short": whole[:64], "torn": whole[:len(whole)-1], "too long": make([]byte, TileBytes+32)} {
		tiles[TileKey{0, 2}] = bad
		if bad == nil {
			delete(tiles, TileKey{0, 2})
		}
		if _, err := Root(700, tiles.read); !errors.Is(err, ErrTile) {
			t.Errorf("%s: root: %v", name, err)
		}
		if _, err := InclusionProof(700, 3, tiles.read); !errors.Is(err, ErrTile) {
			t.Errorf("%s: inclusion: %v", name, err)
		}
		if _, err := Append(700, tiles.read, leafHashes(700, 1)); !errors.Is(err, ErrTile) {
			t.Errorf("%s: append: %v", name, err)
		}
	}
	for _, c := range []struct{ size, index int64 }{{0, 0}, {5, 5}, {5, -1}, {-1, 0}} {
		if _, err := InclusionProof(c.size, c.index, tiles.read); err == nil {
			t.Errorf("inclusion of %d in %d: no error", c.index, c.size)
		}
	}
	if _, err := ConsistencyProof(6, 5, tiles.read); err == nil {
		t.Error("consistency with a larger old tree: no error")
	}
	if _, err := Append(-1, tiles.read, nil); err == nil {
		t.Error("append to a negative size: no error")
	}
}

func BenchmarkInclusionProof(b *testing.B) {
	for _, size := range []int64{1000, 65_000, 1_000_000} {
		tiles := memTiles{}
		grow(b, tiles, 0, size)
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			i := int64(0)
			for b.Loop() {
				i = (i + 7919) % size
				if _, err := InclusionProof(size, i, tiles.read); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("newest,size=%d", size), func(b *testing.B) {
			for b.Loop() {
				if _, err := InclusionProof(size, size-1, tiles.read); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("prover,size=%d", size), func(b *testing.B) {
			p, i := NewProver(tiles.read), int64(0)
			for b.Loop() {
				i = (i + 1) % 64
				if _, err := p.Inclusion(size, size-64+i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int64{1, 64, 256} {
		b.Run(fmt.Sprintf("leaves=%d", n), func(b *testing.B) {
			tiles := memTiles{}
			const size = 1_000_003
			grow(b, tiles, 0, size)
			leaves := leafHashes(size, n)
			for b.Loop() {
				if _, err := Append(size, tiles.read, leaves); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestProverForgets: a prover that lives long holds few tiles.
func TestProverForgets(t *testing.T) {
	tiles := memTiles{}
	const size = 300 * TileWidth
	grow(t, tiles, 0, size)
	p := NewProver(tiles.read)
	for i := int64(0); i < size; i += TileWidth / 2 {
		if _, err := p.Inclusion(size, i); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.r.inner) > proverTiles+4 || len(p.r.met) > 8 {
		t.Errorf("it holds the inner hashes of %d tiles, and %d tiles", len(p.r.inner), len(p.r.met))
	}
}

// tlogTiles reads the tree's hashes for x/mod's functions, which do the walking: the same
// tiles, and no more of them than those ask for.
type tlogTiles struct {
	tiles TileReader
	met   map[TileKey][]byte
}

func (r *tlogTiles) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, index := range at {
		t := tlog.TileForIndex(tileHeight, index)
		key := TileKey{t.L, t.N}
		data, met := r.met[key]
		if !met {
			var err error
			if data, err = readTile(r.tiles, key, t.W); err != nil {
				return nil, err
			}
			r.met[key] = data
		}
		var err error
		if out[i], err = tlog.HashFromTile(t, data[:t.W*tlog.HashSize], index); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// BenchmarkAgainstTlog compares with x/mod's walk over the same tiles, in one run, and
// with its reader of authenticated tiles. What it said stands in docs/decisions.
func BenchmarkAgainstTlog(b *testing.B) {
	for _, size := range []int64{1000, 1_000_003} {
		tiles := memTiles{}
		root := grow(b, tiles, 0, size).Root
		reader := func() *tlogTiles { return &tlogTiles{tiles.read, map[TileKey][]byte{}} }
		checked := func() tlog.HashReader { return tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, authentic{tiles}) }
		at := int64(0)
		next := func() int64 { at = (at + 7919) % size; return at }
		keeper := NewProver(tiles.read)
		for _, c := range []struct {
			name string
			do   func() error
		}{
			{"inclusion/own", func() error { _, err := InclusionProof(size, next(), tiles.read); return err }},
			{"inclusion/tlog", func() error { _, err := tlog.ProveRecord(size, next(), reader()); return err }},
			{"inclusion/tlog-authenticated", func() error { _, err := tlog.ProveRecord(size, next(), checked()); return err }},
			{"newest/own-prover", func() error { _, err := keeper.Inclusion(size, size-1-next()%64); return err }},
			{"newest/tlog-prover", func() error {
				keeper.forget()
				_, err := tlog.ProveRecord(size, size-1-next()%64, &keeper.r)
				return err
			}},
			{"newest/own", func() error { _, err := InclusionProof(size, size-1-next()%64, tiles.read); return err }},
			{"newest/tlog", func() error { _, err := tlog.ProveRecord(size, size-1-next()%64, reader()); return err }},
			{"consistency/tlog", func() error { _, err := tlog.ProveTree(size, 1+next(), reader()); return err }},
			{"root/own", func() error { _, err := Root(size, tiles.read); return err }},
			{"root/tlog", func() error { _, err := tlog.TreeHash(size, reader()); return err }},
		} {
			b.Run(fmt.Sprintf("size=%d/%s", size, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// authentic gives tiles to x/mod's own reader of them.
type authentic struct{ tiles memTiles }

func (a authentic) Height() int { return tileHeight }

func (a authentic) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(all))
	for i, t := range all {
		data, err := readTile(a.tiles.read, TileKey{t.L, t.N}, t.W)
		if err != nil {
			return nil, err
		}
		out[i] = data[:t.W*tlog.HashSize]
	}
	return out, nil
}

func (authentic) SaveTiles([]tlog.Tile, [][]byte) {}
