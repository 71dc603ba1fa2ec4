package authority

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// pieceBytes is how large the pieces are in which a file is stored, and piecesAtOnce how
// many of them one transaction writes: whoever decides meanwhile does not wait for a
// whole file.
const (
	pieceBytes   = 256 << 10
	piecesAtOnce = 4
)

// File is a file that a document names, as it is kept here, proven to be that one.
type File struct {
	countersign.AttachedFile
	Content *bytes.Reader
}

// attachmentDigest is the digest that the hexadecimal digits of a path name.
func attachmentDigest(sha256 string) (countersign.Digest, error) {
	d := countersign.Digest("sha-256:" + sha256)
	if !d.Valid() {
		return "", countersign.NewProblem(countersign.CodeNotFound, "there is no such attachment").WithHint("name it by the 64 lower-case hexadecimal digits of its SHA-256")
	}
	return d, nil
}

// named finds the attachment of the document that has the digest.
func (c *caseFile) named(digest countersign.Digest) (countersign.Attachment, error) {
	all, err := c.attachments()
	if err != nil {
		return countersign.Attachment{}, err
	}
	i := slices.IndexFunc(all, func(at countersign.Attachment) bool { return at.Digest.Equal(digest) })
	if i < 0 {
		return countersign.Attachment{}, countersign.NewProblem(countersign.CodeNotFound, "the document of %s names no attachment with that digest", c.row.ID)
	}
	return all[i], nil
}

// attachments are those that the document names; of one that was erased there are none.
func (c *caseFile) attachments() ([]countersign.Attachment, error) {
	if len(c.row.Document) == 0 {
		return nil, countersign.NewProblem(countersign.CodeGone, "the request was erased")
	}
	var d countersign.Document
	err := countersign.DecodeStrict(c.row.Document, &d)
	return d.Attachments, err
}

// UploadAttachment keeps a file that the document of a request names, for approvers to
// open: by the source that submitted it. Bytes that do not hash to the digest are
// refused. It reports false for a file that was here already.
func (a *Authority) UploadAttachment(ctx context.Context, key Key, request, sha256 string, data []byte) (*countersign.AttachedFile, bool, error) {
	if err := key.need(authn.ScopeSubmit); err != nil {
		return nil, false, err
	}
	digest, err := attachmentDigest(sha256)
	if err != nil {
		return nil, false, err
	}
	if len(data) > countersign.MaxAttachmentBytes {
		return nil, false, countersign.NewProblem(countersign.CodeTooLarge, "the file has %d bytes, at most %d are kept", len(data), countersign.MaxAttachmentBytes)
	}
	u := &uploading{a: a, key: key, request: request, digest: digest, data: data}
	var here bool
	err = a.db.Read(ctx, func(tx *store.Tx) (err error) {
		here, err = u.look(tx)
		return err
	})
	if err != nil {
		return nil, false, fault(err)
	}
	// Only what hashes to the digest is ever written, so that two uploads at once write
	// the same, and one that was cut off can be written over.
	if !countersign.SumBytes(data).Equal(digest) {
		return nil, false, countersign.NewProblem(countersign.CodeInvalid, "the file is not the one that the document names: its digest is %s", countersign.SumBytes(data)).
			WithHint("send the bytes that were hashed for the document")
	}
	if !here {
		if err := u.pieces(ctx); err != nil {
			return nil, false, fault(err)
		}
	}
	fresh := false
	_, err = a.db.Write(ctx, func(tx *store.Tx) (err error) {
		fresh, err = u.write(tx)
		return err
	})
	if err != nil {
		return nil, false, fault(err)
	}
	return &u.out, fresh, nil
}

// uploading is one call of UploadAttachment.
type uploading struct {
	a       *Authority
	key     Key
	request string
	digest  countersign.Digest
	data    []byte

	out countersign.AttachedFile
}

// look finds the request and the attachment, and reports whether the file is here. It is
// asked again by every transaction: the request may be erased meanwhile.
func (u *uploading) look(tx *store.Tx) (here bool, err error) {
	c, _, err := u.a.find(tx, Caller{Key: &u.key}, u.request)
	if err != nil {
		return false, err
	}
	at, err := c.named(u.digest)
	if err != nil {
		return false, err
	}
	kept, err := tx.Attachments(c.row.ID)
	if err != nil {
		return false, err
	}
	u.out = countersign.AttachedFile{Name: at.Name, Digest: at.Digest}
	for _, k := range kept {
		if k.Digest.Equal(u.digest) {
			u.out = keptFile(at, k)
			return true, nil
		}
	}
	if len(kept) >= countersign.MaxFiles {
		return false, countersign.NewProblem(countersign.CodeState, "%d files are kept for this request, which is the most", len(kept))
	}
	return false, nil
}

// pieces writes the bytes, a few pieces at a time.
func (u *uploading) pieces(ctx context.Context) error {
	all := slices.Collect(slices.Chunk(u.data, pieceBytes))
	for first := 0; first < len(all); first += piecesAtOnce {
		_, err := u.a.db.Write(ctx, func(tx *store.Tx) error {
			if here, err := u.look(tx); here || err != nil {
				return err
			}
			for n := first; n < min(first+piecesAtOnce, len(all)); n++ {
				if err := tx.PutAttachmentPiece(u.request, u.digest, n, all[n]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// write makes the file count, with its entry.
func (u *uploading) write(tx *store.Tx) (fresh bool, err error) {
	if here, err := u.look(tx); here || err != nil {
		return false, err
	}
	detail, err := countersign.Canonical(map[string]any{"digest": u.digest, "name": u.out.Name, "size": len(u.data)})
	if err != nil {
		return false, err
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryAttachmentStored, subject: u.request, actor: u.key.ID,
		openings: map[string][]byte{countersign.OpeningDetail: detail}})
	if err != nil {
		return false, err
	}
	row := store.Attachment{Approval: u.request, Digest: u.digest, Size: int64(len(u.data)), Media: mediaOf(u.data), KeyID: u.key.ID, EntryID: w.id, Stored: tx.Now()}
	u.out = keptFile(countersign.Attachment{Name: u.out.Name, Digest: u.digest}, row)
	return tx.InsertAttachment(row)
}

func keptFile(at countersign.Attachment, row store.Attachment) countersign.AttachedFile {
	return countersign.AttachedFile{Name: at.Name, Digest: at.Digest, Here: true, Size: row.Size, MediaType: row.Media, StoredAt: stamp(row.Stored)}
}

// mediaBytes is the one media type of whatever is not in the list.
const mediaBytes = "application/octet-stream"

// mediaOf names the media type of what begins like one of the few kinds of files that
// are shown by their kind. What a document says of its files is not believed: a browser
// would run what is called text/html.
func mediaOf(data []byte) string {
	for _, m := range [...]struct{ begins, media string }{{"%PDF-", "application/pdf"}, {"\x89PNG\r\n\x1a\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}} {
		if bytes.HasPrefix(data, []byte(m.begins)) {
			return m.media
		}
	}
	return mediaBytes
}

// Attachments lists the attachments that the document of a request names, in its order,
// and says of which the file is here.
func (a *Authority) Attachments(ctx context.Context, c Caller, request string) (countersign.Page[countersign.AttachedFile], error) {
	page := countersign.Page[countersign.AttachedFile]{Items: []countersign.AttachedFile{}}
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		page.Items = page.Items[:0]
		f, _, err := a.find(tx, c, request)
		if err != nil {
			return err
		}
		page.Items, err = f.files(tx)
		return err
	})
	return page, fault(err)
}

// files are the attachments that the document names, in its order, with what is here.
func (c *caseFile) files(tx *store.Tx) ([]countersign.AttachedFile, error) {
	out := []countersign.AttachedFile{}
	all, err := c.attachments()
	if err != nil {
		return out, err
	}
	kept, err := tx.Attachments(c.row.ID)
	if err != nil {
		return out, err
	}
	for _, at := range all {
		f := countersign.AttachedFile{Name: at.Name, Digest: at.Digest}
		if i := slices.IndexFunc(kept, func(k store.Attachment) bool { return k.Digest.Equal(at.Digest) }); i >= 0 {
			f = keptFile(at, kept[i])
		}
		out = append(out, f)
	}
	return out, nil
}

// OpenAttachment gives a file to a person who may see the request, after hashing it
// again: what is not the file that the document names is not given, and raises an alert.
func (a *Authority) OpenAttachment(ctx context.Context, s Session, request, sha256 string) (*File, error) {
	digest, err := attachmentDigest(sha256)
	if err != nil {
		return nil, err
	}
	var out *File
	var data []byte
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		c, _, err := a.find(tx, Caller{Session: &s}, request)
		if err != nil {
			return err
		}
		at, err := c.named(digest)
		if err != nil {
			return err
		}
		row, err := tx.Attachment(request, digest)
		if errors.Is(err, store.ErrNotFound) {
			return countersign.NewProblem(countersign.CodeNotFound, "the file %q was not uploaded here", at.Name).WithHint("look at it in the system that the request comes from")
		} else if err != nil {
			return err
		}
		out = &File{AttachedFile: keptFile(at, row)}
		data, err = tx.AttachmentPieces(request, digest, countersign.MaxAttachmentBytes)
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	if !countersign.SumBytes(data).Equal(digest) {
		return nil, fault(a.wrongFile(ctx, request, digest))
	}
	// Of what was hashed, not of what a row says about it.
	out.Size, out.MediaType, out.Content = int64(len(data)), mediaOf(data), bytes.NewReader(data)
	return out, nil
}

// wrongFile raises the alert of a file that is not the one in the document, once, and
// says so.
func (a *Authority) wrongFile(ctx context.Context, request string, digest countersign.Digest) error {
	a.log.Error("a stored file is not the one that the document names", "request", request, "digest", digest)
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		return a.raise(tx, newAlert{about: store.AboutOrganisation, severity: "high", external: "attachment:" + request + ":" + short(digest), days: 30,
			title: "a file that is stored for request " + request + " is not the one that its document names"})
	})
	if err != nil {
		return err
	}
	return tamperedWith("the stored file is not the one that the document of %s names: it was changed in the database", request)
}

// short is the beginning of a digest: enough to tell the files of one request apart.
func short(d countersign.Digest) string { return string(d)[len("sha-256:"):][:16] }
