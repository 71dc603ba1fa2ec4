package signal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ParseFacts reads facts from JSON, as they are stored with a decision or written
// in a policy's tests. An unknown member is an error: a misspelt fact would be a
// missing one.
func ParseFacts(data []byte) (*Facts, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	f := new(Facts)
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("facts: something follows the JSON text")
	}
	return f, nil
}
