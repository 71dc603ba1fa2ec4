package store

import (
	"time"

	"github.com/countersign/countersign"
)

// Attachment is a file that is kept for a request: what is known of it, without its
// bytes.
type Attachment struct {
	Approval string
	Digest   countersign.Digest
	Size     int64  // bytes
	Media    string // found in the bytes
	KeyID    string // who uploaded it
	EntryID  string
	Stored   time.Time
}

const attachmentColumns = `approval_id, digest, size, media, key_id, entry_id, stored_us`

func scanAttachment(s Scanner) (a Attachment, err error) {
	err = s.Scan(&a.Approval, &a.Digest, &a.Size, &a.Media, &a.KeyID, &a.EntryID, &a.Stored)
	return a, err
}

// InsertAttachment writes that a file is kept, after its pieces. It reports false where
// it was kept before.
func (tx *Tx) InsertAttachment(a Attachment) (bool, error) {
	n, err := tx.Exec(`INSERT INTO attachment (org_id, `+attachmentColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT DO NOTHING`,
		a.Approval, a.Digest, a.Size, a.Media, a.KeyID, a.EntryID, a.Stored)
	return n == 1, err
}

// Attachment reads what is known of a file, or [ErrNotFound].
func (tx *Tx) Attachment(approval string, digest countersign.Digest) (Attachment, error) {
	return One(tx, scanAttachment, `SELECT `+attachmentColumns+` FROM attachment WHERE org_id = $1 AND approval_id = $2 AND digest = $3`, approval, digest)
}

// Attachments lists the files that are kept for a request.
func (tx *Tx) Attachments(approval string) ([]Attachment, error) {
	return List(tx, scanAttachment, `SELECT `+attachmentColumns+` FROM attachment WHERE org_id = $1 AND approval_id = $2 ORDER BY stored_us, digest`, approval)
}

// PutAttachmentPiece writes one piece of a file's bytes, counted from 0. Writing it
// again replaces it: an upload that was cut off is done anew.
func (tx *Tx) PutAttachmentPiece(approval string, digest countersign.Digest, n int, data []byte) error {
	return tx.ExecOne(`INSERT INTO attachment_piece (org_id, approval_id, digest, n, data) VALUES ($1,$2,$3,$4,$5)
		ON CONFLICT (org_id, approval_id, digest, n) DO UPDATE SET data = excluded.data`, approval, digest, n, data)
}

// AttachmentPieces reads a file's bytes, at most a piece more than most.
func (tx *Tx) AttachmentPieces(approval string, digest countersign.Digest, most int64) ([]byte, error) {
	rows := tx.Query(`SELECT data FROM attachment_piece WHERE org_id = $1 AND approval_id = $2 AND digest = $3 ORDER BY n`, approval, digest)
	defer rows.Close()
	var all []byte
	for int64(len(all)) <= most && rows.Next() {
		var piece []byte
		if err := rows.Scan(&piece); err != nil {
			return nil, err
		}
		all = append(all, piece...)
	}
	return all, rows.Err()
}

// EraseAttachments clears the files of a request, also those whose upload never came to
// its end.
func (tx *Tx) EraseAttachments(approval string) error {
	if _, err := tx.Exec(`DELETE FROM attachment_piece WHERE org_id = $1 AND approval_id = $2`, approval); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM attachment WHERE org_id = $1 AND approval_id = $2`, approval)
	return err
}
