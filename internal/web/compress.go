package web

import (
	"bytes"
	"compress/gzip"
	"strings"
)

// compressed is a page as it goes over the wire: smaller, where the browser takes that
// and the page was asked for from here or by the person's own hand. What another site
// made the browser ask for is sent as it is, so that nobody can learn from its length
// what stands on the page beside a text of their own (the BREACH attack).
func (v *visit) compressed(b *bytes.Buffer) *bytes.Buffer {
	from := v.r.Header.Get("Sec-Fetch-Site")
	if b.Len() < 2<<10 || (from != "same-origin" && from != "none") || !strings.Contains(v.r.Header.Get("Accept-Encoding"), "gzip") {
		return b
	}
	small := new(bytes.Buffer)
	z, err := gzip.NewWriterLevel(small, gzip.BestSpeed)
	if err != nil {
		return b
	}
	if _, err := z.Write(b.Bytes()); err != nil || z.Close() != nil {
		return b
	}
	v.w.Header().Set("Content-Encoding", "gzip")
	return small
}
