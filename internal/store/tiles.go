package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/countersign/countersign/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
)

// maxTiles bounds the tiles kept in memory: 8 KiB each at most.
const maxTiles = 4096

// tileCache keeps tiles of all logs. A tile never changes in what it has, it only
// gets longer: one that is long enough for a tree is right for that tree.
type tileCache struct {
	mu    sync.RWMutex
	tiles map[tileID][]byte
}

type tileID struct {
	org string
	key audit.TileKey
}

func (c *tileCache) get(org string, k audit.TileKey) []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tiles[tileID{org, k}]
}

func (c *tileCache) put(org string, k audit.TileKey, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tiles == nil {
		c.tiles = map[tileID][]byte{}
	}
	id := tileID{org, k}
	old, there := c.tiles[id]
	if len(old) > len(data) {
		return
	}
	if !there && len(c.tiles) >= maxTiles {
		for other := range c.tiles { // any one: the map's order is random enough
			delete(c.tiles, other)
			break
		}
	}
	c.tiles[id] = data
}

// Tiles reads the tiles of the organisation's tree of size entries, out of memory
// where they have been met before. It is what proofs are made from. The tree of that
// size must have been committed.
func (db *DB) Tiles(ctx context.Context, size int64) audit.TileReader {
	return db.tileReader(size, func(k audit.TileKey) (data []byte, err error) {
		err = db.Read(ctx, func(tx *Tx) (err error) {
			data, err = tx.tile(k)
			return err
		})
		return data, err
	})
}

// TilesIn is [DB.Tiles] for proofs that are read together with what they prove: tiles that
// were not met before come out of that transaction.
func (db *DB) TilesIn(tx *Tx, size int64) audit.TileReader { return db.tileReader(size, tx.tile) }

func (db *DB) tileReader(size int64, read func(audit.TileKey) ([]byte, error)) audit.TileReader {
	return func(k audit.TileKey) ([]byte, error) {
		need := tileWidth(size, k) * tlog.HashSize
		if need <= 0 {
			return nil, fmt.Errorf("tile %d/%d is not in a tree of %d entries", k.Level, k.Index, size)
		}
		data := db.tiles.get(db.org, k)
		if len(data) >= need {
			return data, nil
		}
		data, err := read(k)
		if err != nil {
			return nil, err
		}
		db.tiles.put(db.org, k, data)
		return data, nil
	}
}

// tileWidth is how many hashes a tile has in the tree of size entries.
func tileWidth(size int64, k audit.TileKey) int {
	if k.Level < 0 || k.Level > 7 || k.Index < 0 {
		return 0
	}
	n := size>>(8*k.Level) - k.Index*audit.TileWidth
	return int(max(0, min(n, audit.TileWidth)))
}
