package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"golang.org/x/mod/sumdb/tlog"
)

// Exported is one entry on its way into an export: the exact leaf, and the openings
// that are still there.
type Exported struct {
	Leaf     []byte
	Openings map[string]countersign.Opening
}

// ExportWriter takes the files of an export. Paths are relative, with slashes. A
// file is complete when Close has returned without error.
type ExportWriter interface {
	Create(path string) (io.WriteCloser, error)
}

// ExportInput is a log to be exported as it stood at a signed checkpoint.
type ExportInput struct {
	Checkpoint []byte // signed; its size is what is exported
	Tiles      TileReader
	// Entries returns the n entries from index on, in order. It is called with at
	// most 256 at a time, from the first to the last.
	Entries  func(index int64, n int) ([]Exported, error)
	Progress func(done, total int64) // called after each 256 entries, where given
	Stop     func() error            // asked as often; an error ends the export
}

// Export writes a log as a C2SP tlog-tiles directory (checkpoint, tile/L/N,
// tile/entries/N), and beside it the openings as JSON Lines, one file for each
// tile of entries (openings/N.jsonl); a file without openings is not written. The
// checkpoint comes last, so that an export that was broken off has none. It holds
// 256 entries in memory at a time.
func Export(in ExportInput, w ExportWriter) error {
	head, err := readCheckpoint(in.Checkpoint)
	if err != nil {
		return err
	}
	for from := int64(0); from < head.Size; from += TileWidth {
		if in.Stop != nil {
			if err := in.Stop(); err != nil {
				return err
			}
		}
		n := int(min(TileWidth, head.Size-from))
		entries, err := in.Entries(from, n)
		if err != nil {
			return fmt.Errorf("export: entries from %d: %w", from, err)
		}
		if len(entries) != n {
			return fmt.Errorf("export: %d entries from %d, want %d", len(entries), from, n)
		}
		if err := exportBatch(from, entries, w); err != nil {
			return err
		}
		if in.Progress != nil {
			in.Progress(from+int64(n), head.Size)
		}
	}
	if err := exportTiles(head.Size, in.Tiles, w); err != nil {
		return err
	}
	return writeFile(w, "checkpoint", in.Checkpoint)
}

func exportBatch(from int64, entries []Exported, w ExportWriter) error {
	var bundle, lines []byte
	for i, e := range entries {
		if len(e.Leaf) > MaxLeaf {
			return fmt.Errorf("export: entry %d has %d bytes, at most %d", from+int64(i), len(e.Leaf), MaxLeaf)
		}
		bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(e.Leaf))), e.Leaf...)
		if len(e.Openings) == 0 {
			continue
		}
		line, err := countersign.Canonical(openingLine{Index: from + int64(i), Openings: e.Openings})
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	number := from / TileWidth
	if err := writeFile(w, entriesPath(number, len(entries)), bundle); err != nil || len(lines) == 0 {
		return err
	}
	return writeFile(w, openingsPath(number), lines)
}

// openingLine is one line of an openings file.
type openingLine struct {
	Index    int64                          `json:"index"`
	Openings map[string]countersign.Opening `json:"openings"`
}

func exportTiles(size int64, tiles TileReader, w ExportWriter) error {
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		hashes := size >> (level * tileHeight)
		for n := int64(0); n*TileWidth < hashes; n++ {
			width := int(min(TileWidth, hashes-n*TileWidth))
			data, err := readTile(tiles, TileKey{level, n}, width)
			if err != nil {
				return fmt.Errorf("export: %w", err)
			}
			if err := writeFile(w, tilePath(level, n, width), data[:width*tlog.HashSize]); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeFile(w ExportWriter, path string, data []byte) error {
	f, err := w.Create(path)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("export: %s: %w", path, err)
	}
	return nil
}

// tilePath is where a tile stands (C2SP tlog-tiles): tile/L/N, and for a partial
// one tile/L/N.p/W.
func tilePath(level int, n int64, width int) string {
	return "tile/" + strconv.Itoa(level) + "/" + numberPath(n) + partial(width)
}

func entriesPath(n int64, width int) string {
	return "tile/entries/" + numberPath(n) + partial(width)
}

func openingsPath(n int64) string { return "openings/" + numberPath(n) + ".jsonl" }

func partial(width int) string {
	if width == TileWidth {
		return ""
	}
	return ".p/" + strconv.Itoa(width)
}

// numberPath writes N in groups of three digits, all but the last with an x: 1234067
// is x001/x234/067.
func numberPath(n int64) string {
	groups := []string{fmt.Sprintf("%03d", n%1000)}
	for n /= 1000; n > 0; n /= 1000 {
		groups = append([]string{fmt.Sprintf("x%03d", n%1000)}, groups...)
	}
	return strings.Join(groups, "/")
}

// ParseBundle reads a tile of entries: each two bytes of length and the leaf.
func ParseBundle(data []byte) ([][]byte, error) {
	var leaves [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return leaves, fmt.Errorf("entry %d of the bundle is cut off", len(leaves))
		}
		n := int(binary.BigEndian.Uint16(data))
		leaves = append(leaves, data[2:2+n])
		data = data[2+n:]
		if len(leaves) > TileWidth {
			return leaves, fmt.Errorf("more than %d entries in a bundle", TileWidth)
		}
	}
	return leaves, nil
}

// parseOpenings reads an openings file: lines in canonical form, indices rising.
func parseOpenings(data []byte) (map[int64]map[string]countersign.Opening, error) {
	out := map[int64]map[string]countersign.Opening{}
	last := int64(-1)
	for number := 1; len(data) > 0; number++ {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			return nil, fmt.Errorf("line %d does not end", number)
		}
		data = rest
		var l openingLine
		if err := countersign.DecodeStrict(line, &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if again, err := countersign.Canonical(l); err != nil || !bytes.Equal(again, line) {
			return nil, fmt.Errorf("line %d is not in canonical form", number)
		}
		if l.Index <= last {
			return nil, fmt.Errorf("line %d: entry %d after entry %d", number, l.Index, last)
		}
		last = l.Index
		out[l.Index] = l.Openings
	}
	return out, nil
}
