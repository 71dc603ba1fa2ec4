// Package zones knows the world's time zones, the same ones on every machine, also where
// none are installed. The standard library's own copy (time/tzdata) would be four times as
// large in the program.
package zones

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// packed holds the zone files of the IANA time zone database, which is in the public
// domain, by name.
//
//go:embed zones.tar.gz
var packed []byte

// files are the zone files by name (RFC 9636), unpacked once.
var files = sync.OnceValues(func() (map[string][]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if out[h.Name], err = io.ReadAll(t); err != nil {
			return nil, err
		}
	}
})

var loaded sync.Map // name → *time.Location; there are some 600 of them

// Load returns the zone of a name of the IANA time zone database, as "Europe/Berlin". ""
// and "UTC" are UTC. "Local", the zone of this machine, is nobody's, and is not known.
func Load(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if zone, ok := loaded.Load(name); ok {
		return zone.(*time.Location), nil
	}
	all, err := files()
	if err != nil {
		return nil, fmt.Errorf("the time zones in this program are damaged: %w", err)
	}
	data, ok := all[name]
	if !ok {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	zone, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, err
	}
	loaded.Store(name, zone)
	return zone, nil
}
