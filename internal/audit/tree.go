package audit

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// The tree's tiles (C2SP tlog-tiles): eight levels of the tree high, so that a
// tile holds up to 256 hashes of the level it stands on.
const (
	tileHeight = 8
	// TileWidth is the number of hashes in a full tile.
	TileWidth = 1 << tileHeight
	// TileBytes is the number of bytes of a full tile.
	TileBytes = TileWidth * tlog.HashSize
)

// TileKey names a tile: the tile level (0 holds leaf hashes, 1 the hashes of full
// level-0 tiles, …) and the position on that level, from the left.
type TileKey struct {
	Level int
	Index int64
}

// TileReader returns a tile's bytes: the hashes that are there so far, at least as
// many as the tree size in question has, 32 bytes each. It may return more, where
// the tree has grown meanwhile. The bytes are not changed.
type TileReader func(TileKey) ([]byte, error)

// Appended is the tree after [Append], and the tiles to store.
type Appended struct {
	Size  int64
	Root  tlog.Hash
	Tiles map[TileKey][]byte // every tile that is new or longer, whole
}

// ErrTile is wrapped by errors about a tile that is missing, too short or has a
// length that no tile can have.
var ErrTile = errors.New("tile does not fit the tree")

// LeafHash is the hash of a leaf: SHA-256 over a zero byte and the leaf (RFC 6962
// §2.1).
func LeafHash(leaf []byte) tlog.Hash { return tlog.RecordHash(leaf) }

// Append adds leaf hashes to a tree of oldSize leaves. It reads the tiles of the
// right edge only, at most one for each level.
func Append(oldSize int64, tiles TileReader, leaves []tlog.Hash) (Appended, error) {
	if oldSize < 0 {
		return Appended{}, fmt.Errorf("append to a tree of %d leaves: the size is negative", oldSize)
	}
	edge := &edgeTiles{below: tiles, changed: make(map[TileKey][]byte, 2+len(leaves)/TileWidth)}
	size := oldSize + int64(len(leaves))
	fresh := leaves
	for level := 0; len(fresh) > 0; level++ {
		up, err := edge.extend(level, oldSize>>(level*tileHeight), fresh)
		if err != nil {
			return Appended{}, err
		}
		fresh = up
	}
	root, err := Root(size, edge.read)
	if err != nil {
		return Appended{}, err
	}
	return Appended{Size: size, Root: root, Tiles: edge.changed}, nil
}

// edgeTiles reads what Append has changed before what is stored.
type edgeTiles struct {
	below   TileReader
	changed map[TileKey][]byte
}

func (e *edgeTiles) read(k TileKey) ([]byte, error) {
	if t, ok := e.changed[k]; ok {
		return t, nil
	}
	return e.below(k)
}

// extend puts fresh hashes after the first have hashes of a level, and returns the
// hashes of the tiles that became full, which belong on the next level.
func (e *edgeTiles) extend(level int, have int64, fresh []tlog.Hash) ([]tlog.Hash, error) {
	var up []tlog.Hash
	for len(fresh) > 0 {
		key := TileKey{level, have / TileWidth}
		width := int(have % TileWidth)
		take := min(TileWidth-width, len(fresh))
		tile := make([]byte, 0, (width+take)*tlog.HashSize)
		if width > 0 {
			old, err := readTile(e.below, key, width)
			if err != nil {
				return nil, err
			}
			tile = append(tile, old[:width*tlog.HashSize]...)
		}
		for i := range take {
			tile = append(tile, fresh[i][:]...)
		}
		e.changed[key] = tile
		have += int64(take)
		fresh = fresh[take:]
		if have%TileWidth == 0 {
			up = append(up, perfectHash(tile))
		}
	}
	return up, nil
}

// Root is the root hash of the first size leaves (RFC 6962 §2.1). The root of the
// empty tree is the hash of nothing.
func Root(size int64, tiles TileReader) (tlog.Hash, error) {
	if size < 0 {
		return tlog.Hash{}, fmt.Errorf("root of a tree of %d leaves: the size is negative", size)
	}
	if size == 0 {
		return tlog.TreeHash(0, nil)
	}
	r := treeReader{tiles: tiles}
	return r.rangeHash(0, size)
}

// InclusionProof proves that the leaf at index is in the tree of the first size
// leaves: the sibling hashes from the leaf upwards (RFC 6962 §2.1.1). Proofs of
// many leaves of one tree cost less through a [Prover].
func InclusionProof(size, index int64, tiles TileReader) ([]tlog.Hash, error) {
	r := treeReader{tiles: tiles}
	return r.inclusion(size, index)
}

// ConsistencyProof proves that the first oldSize leaves of a tree of newSize
// leaves are the tree of oldSize (RFC 6962 §2.1.2). It is empty where the sizes
// are the same, and where oldSize is zero.
func ConsistencyProof(oldSize, newSize int64, tiles TileReader) ([]tlog.Hash, error) {
	if oldSize < 0 || newSize < oldSize {
		return nil, fmt.Errorf("consistency of sizes %d and %d: the older one must not be larger", oldSize, newSize)
	}
	if oldSize == 0 || oldSize == newSize {
		return nil, nil
	}
	return tlog.ProveTree(newSize, oldSize, &treeReader{tiles: tiles})
}

// Prover makes many proofs of a growing tree: it keeps the inner hashes of the
// tiles it has met, which never change while the tree grows, so that only the first
// proof through a tile pays for hashing it. Give it only what is committed: a tile
// that is rolled back later would stay in its memory. It holds at most 8 KiB for
// each of 64 tiles. It is not safe for concurrent use.
type Prover struct{ r treeReader }

const proverTiles = 64

// NewProver returns a prover over tiles.
func NewProver(tiles TileReader) *Prover {
	return &Prover{r: treeReader{tiles: tiles, inner: map[TileKey][]tlog.Hash{}}}
}

// Inclusion is [InclusionProof].
func (p *Prover) Inclusion(size, index int64) ([]tlog.Hash, error) {
	p.forget()
	return p.r.inclusion(size, index)
}

// Root is the function [Root].
func (p *Prover) Root(size int64) (tlog.Hash, error) {
	p.forget()
	if size <= 0 {
		return Root(size, p.r.tiles)
	}
	return p.r.rangeHash(0, size)
}

// forget drops the tiles themselves, which may have grown since, and the inner
// hashes when there are many.
func (p *Prover) forget() {
	p.r.met = p.r.met[:0]
	if len(p.r.inner) > proverTiles {
		clear(p.r.inner)
	}
}

// treeReader computes hashes of the tree from its tiles, and remembers the few
// tiles that one proof needs again.
type treeReader struct {
	tiles TileReader
	met   []metTile
	inner map[TileKey][]tlog.Hash // nil: not kept
}

type metTile struct {
	key  TileKey
	data []byte
}

// inclusion splits the path in two: below the node where the way to the leaf parts
// from the way to the last leaf every sibling exists; above, only left siblings
// do. The one sibling between them is the right rest of the tree.
func (r *treeReader) inclusion(size, index int64) ([]tlog.Hash, error) {
	if index < 0 || index >= size {
		return nil, fmt.Errorf("inclusion proof of entry %d: the tree has %d entries", index, size)
	}
	parts := bits.Len64(uint64(index ^ (size - 1)))
	path := make([]tlog.Hash, 0, bits.Len64(uint64(size)))
	for level := range parts {
		sibling := (index >> level) ^ 1
		var h tlog.Hash
		var err error
		if level == parts-1 {
			h, err = r.rangeHash(sibling<<level, size)
		} else {
			h, err = r.node(level, sibling)
		}
		if err != nil {
			return nil, err
		}
		path = append(path, h)
	}
	for level := parts; index>>level > 0; level++ {
		if at := index >> level; at&1 == 1 {
			h, err := r.node(level, at-1)
			if err != nil {
				return nil, err
			}
			path = append(path, h)
		}
	}
	return path, nil
}

// ReadHashes answers [tlog] with the hashes of full subtrees, by their stored index.
func (r *treeReader) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, index := range at {
		var err error
		if out[i], err = r.node(tlog.SplitStoredHashIndex(index)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rangeHash is the hash over the leaves lo to hi, where lo is a multiple of the
// largest power of two that hi-lo holds: as all ranges of a proof are.
func (r *treeReader) rangeHash(lo, hi int64) (tlog.Hash, error) {
	var acc tlog.Hash
	some := false
	for n := hi - lo; n > 0; n &= n - 1 { // the smallest, rightmost subtree first
		level := bits.TrailingZeros64(uint64(n))
		at := lo + n - int64(1)<<level
		h, err := r.node(level, at>>level)
		if err != nil {
			return acc, err
		}
		if some {
			acc = tlog.NodeHash(h, acc)
		} else {
			acc, some = h, true
		}
	}
	return acc, nil
}

// node is the hash of the full subtree number n on a level of the tree.
func (r *treeReader) node(level int, n int64) (tlog.Hash, error) {
	within := level % tileHeight
	first := n << within
	key := TileKey{level / tileHeight, first / TileWidth}
	from := int(first % TileWidth)
	need := from + 1<<within
	data, err := r.tile(key, need)
	if err != nil {
		return tlog.Hash{}, err
	}
	if r.inner != nil {
		return r.kept(key, data, within, from>>within), nil
	}
	return perfectHash(data[from*tlog.HashSize : need*tlog.HashSize]), nil
}

// kept returns inner hash number n on a level of a tile, from a heap-ordered table
// that is filled as far as it was asked for: zero means not yet computed, which no
// SHA-256 in practice is.
func (r *treeReader) kept(key TileKey, data []byte, within, n int) tlog.Hash {
	if within == 0 {
		return tlog.Hash(data[n*tlog.HashSize:])
	}
	table, ok := r.inner[key]
	if !ok {
		table = make([]tlog.Hash, TileWidth)
		r.inner[key] = table
	}
	at := 1<<(tileHeight-within) + n
	if table[at] == (tlog.Hash{}) {
		table[at] = tlog.NodeHash(r.kept(key, data, within-1, 2*n), r.kept(key, data, within-1, 2*n+1))
	}
	return table[at]
}

func (r *treeReader) tile(key TileKey, width int) ([]byte, error) {
	for i := range r.met {
		if r.met[i].key == key && len(r.met[i].data) >= width*tlog.HashSize {
			return r.met[i].data, nil
		}
	}
	data, err := readTile(r.tiles, key, width)
	if err != nil {
		return nil, err
	}
	r.met = append(r.met, metTile{key, data})
	return data, nil
}

func readTile(tiles TileReader, key TileKey, width int) ([]byte, error) {
	data, err := tiles(key)
	if err != nil {
		return nil, fmt.Errorf("tile %d/%d: %w", key.Level, key.Index, err)
	}
	if len(data)%tlog.HashSize != 0 || len(data) > TileBytes || len(data) < width*tlog.HashSize {
		return nil, fmt.Errorf("tile %d/%d has %d bytes, want %d hashes: %w", key.Level, key.Index, len(data), width, ErrTile)
	}
	return data, nil
}

// perfectHash is the root over the hashes in data, whose number is a power of two.
func perfectHash(data []byte) tlog.Hash {
	if len(data) == tlog.HashSize {
		return tlog.Hash(data)
	}
	half := len(data) / 2
	return tlog.NodeHash(perfectHash(data[:half]), perfectHash(data[half:]))
}
