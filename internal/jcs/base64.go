package jcs

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// DecodeBase64 reads base64 in its one form. It refuses what the decoder alone lets
// pass: line breaks inside and unused bits at the end.
func DecodeBase64(enc *base64.Encoding, s string) ([]byte, error) {
	raw, err := enc.Strict().DecodeString(s)
	if err == nil && enc.EncodedLen(len(raw)) != len(s) {
		err = errors.New("line breaks inside")
	}
	if err != nil {
		return nil, fmt.Errorf("not base64 in its one form: %w", err)
	}
	return raw, nil
}
