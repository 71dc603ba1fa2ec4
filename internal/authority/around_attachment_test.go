package authority_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// attaching is an order that names files.
func attaching(id string, files ...[]byte) *countersign.Document {
	return order(id, "30000.00", func(d *countersign.Document) {
		d.Category = id
		for i, f := range files {
			d.Attachments = append(d.Attachments, countersign.Attachment{Name: fmt.Sprintf("offer %d.pdf", i), MediaType: "text/html", Digest: countersign.SumBytes(f)})
		}
	})
}

func digits(file []byte) string {
	return strings.TrimPrefix(string(countersign.SumBytes(file)), "sha-256:")
}

func (h *house) upload(request string, file []byte) (*countersign.AttachedFile, bool, error) {
	return h.a.UploadAttachment(h.ctx, h.key, request, digits(file), file)
}

// large is a file of several pieces that is not all the same.
func large(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 8)
	}
	copy(b, "%PDF-1.7\n")
	return b
}

// TestAttachmentStory: the source uploads what the document names, the approver opens it,
// and it is the very file. What the document says of its kind is not believed.
func TestAttachmentStory(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		file, empty, missing := large(1_500_000), []byte{}, []byte("never sent")
		id := h.submit(attaching("PO-1", file, empty, missing)).ID
		marta := h.who["marta"]
		out, fresh, err := h.upload(id, file)
		h.must(err)
		if !fresh || !out.Here || out.Size != int64(len(file)) || out.Name != "offer 0.pdf" || out.MediaType != "application/pdf" {
			h.t.Errorf("%v %+v", fresh, out)
		}
		again, fresh, err := h.upload(id, file)
		h.must(err)
		if fresh || *again != *out {
			h.t.Errorf("again: %v %+v", fresh, again)
		}
		_, _, err = h.upload(id, empty)
		h.must(err)
		page, err := h.a.Attachments(h.ctx, marta.caller(), id)
		h.must(err)
		if len(page.Items) != 3 || page.Items[0] != *out || !page.Items[1].Here || page.Items[1].MediaType != "application/octet-stream" || page.Items[2].Here {
			h.t.Errorf("%+v", page.Items)
		}
		for _, want := range [][]byte{file, empty} {
			f, err := h.a.OpenAttachment(h.ctx, marta.session, id, digits(want))
			h.must(err)
			have, err := io.ReadAll(f.Content)
			h.must(err)
			if !bytes.Equal(have, want) || f.Size != int64(len(want)) {
				h.t.Errorf("%d bytes of %d came back", len(have), len(want))
			}
		}
		_, err = h.a.OpenAttachment(h.ctx, marta.session, id, digits(missing))
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.OpenAttachment(h.ctx, h.who["tomas"].session, id, digits(file))
		h.refused(err, countersign.CodeNotFound)
		if n := len(h.entries(id)); n != 3 { // submitted, and one for each file
			h.t.Errorf("%d entries", n)
		}
	})
}

func TestAttachmentsThatAreRefused(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	file := []byte("\x89PNG\r\n\x1a\n…")
	id := h.submit(attaching("PO-1", file)).ID
	_, _, err := h.a.UploadAttachment(h.ctx, h.key, id, digits(file), append(bytes.Clone(file), '!'))
	h.refused(err, countersign.CodeInvalid)
	_, _, err = h.upload(id, []byte("a file that the document does not name"))
	h.refused(err, countersign.CodeNotFound)
	_, _, err = h.a.UploadAttachment(h.ctx, h.key, id, digits(file), make([]byte, countersign.MaxAttachmentBytes+1))
	h.refused(err, countersign.CodeTooLarge)
	for _, name := range []string{"", "..", strings.ToUpper(digits(file)), "sha-256:" + digits(file), digits(file)[1:]} {
		_, _, err = h.a.UploadAttachment(h.ctx, h.key, id, name, file)
		h.refused(err, countersign.CodeNotFound)
	}
	other := h.apiKey("other", "submit")
	_, _, err = h.a.UploadAttachment(h.ctx, other, id, digits(file), file)
	h.refused(err, countersign.CodeNotFound)
	_, _, err = h.a.UploadAttachment(h.ctx, h.apiKey("erp", "release"), id, digits(file), file)
	h.refused(err, countersign.CodeForbidden)
	h.read(func(tx *store.Tx) error {
		var n int64
		err := tx.Row(`SELECT COUNT(*) FROM attachment_piece WHERE org_id = $1`).Scan(&n)
		if n != 0 {
			t.Errorf("%d pieces of what was refused are stored", n)
		}
		return err
	})
	var files [][]byte
	for i := range countersign.MaxFiles + 1 {
		files = append(files, []byte{byte(i)})
	}
	many := h.submit(attaching("PO-2", files...)).ID
	for _, f := range files[:countersign.MaxFiles] {
		_, _, err := h.upload(many, f)
		h.must(err)
	}
	_, _, err = h.upload(many, files[countersign.MaxFiles])
	h.refused(err, countersign.CodeState)
}

// TestTrapAttachmentChangedInTheDatabase: whatever is done to the stored bytes, nobody
// is given another file than the document names, and an alert says so, once.
func TestTrapAttachmentChangedInTheDatabase(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		file, marta := large(600_000), h.who["marta"]
		for i, change := range []string{
			`UPDATE attachment_piece SET data = $2 WHERE org_id = $1 AND n = 1`,
			`DELETE FROM attachment_piece WHERE org_id = $1 AND n = 2 AND $2 = $2`,
			`UPDATE attachment_piece SET n = 7 WHERE org_id = $1 AND n = 0 AND $2 = $2`,
		} {
			id := h.submit(attaching(fmt.Sprintf("PO-%d", i), file)).ID
			_, _, err := h.upload(id, file)
			h.must(err)
			h.write(func(tx *store.Tx) error {
				_, err := tx.Exec(change, []byte("<script>"))
				return err
			})
			for range 2 {
				_, err = h.a.OpenAttachment(h.ctx, marta.session, id, digits(file))
				h.refused(err, countersign.CodeChanged)
			}
			var n int64
			h.read(func(tx *store.Tx) error {
				return tx.Row(`SELECT COUNT(*) FROM alert WHERE org_id = $1 AND external LIKE $2`, "attachment:"+id+"%").Scan(&n)
			})
			if n != 1 {
				h.t.Errorf("%q: %d alerts", change, n)
			}
		}
	})
}

// TestRuling33ErasureClearsQuestionsAndFiles: nothing of the thread or of the files is
// left anywhere, and nothing comes back.
func TestRuling33ErasureClearsQuestionsAndFiles(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.settings(func(s *authority.Settings) { s.RetentionDays = 1 })
		file, late := large(300_000), []byte("sent when all was over")
		id := h.submit(attaching("PO-1", file, late)).ID
		kept := h.submit(attaching("PO-2", file)).ID
		for _, r := range []string{id, kept} {
			_, _, err := h.upload(r, file)
			h.must(err)
			_, err = h.who["marta"].ask(r, "Is zanzibar included?", "")
			h.must(err)
		}
		_, err := h.a.Withdraw(h.ctx, h.who["elif"].caller(), id, "zanzibar was a mistake")
		h.must(err)
		h.clock.forward(49 * time.Hour)
		for _, login := range []string{"samuel", "claire"} {
			h.who[login].signIn()
		}
		p, err := h.who["samuel"].propose(countersign.KindErasure, id)
		h.must(err)
		h.who["samuel"].approve(p.ID)
		// A file that comes a moment before the erasure: nothing has sequenced its entry yet.
		if h.stop != nil {
			h.stop()
		}
		_, _, err = h.upload(id, late)
		h.must(err)
		_, err = h.who["claire"].byPasskey(p.ID, countersign.ActApprove)
		h.must(err)
		if h.db.Driver() == store.Postgres {
			h.loop()
		}
		h.erased = true
		h.read(func(tx *store.Tx) error {
			for text, want := range map[string]int64{
				`SELECT COUNT(*) FROM question WHERE org_id = $1 AND approval_id = $2`:                                                                                           0,
				`SELECT COUNT(*) FROM attachment WHERE org_id = $1 AND approval_id = $2`:                                                                                         0,
				`SELECT COUNT(*) FROM attachment_piece WHERE org_id = $1 AND approval_id = $2`:                                                                                   0,
				`SELECT COUNT(*) FROM audit_opening o WHERE o.org_id = $1 AND EXISTS (SELECT 1 FROM audit_entry e WHERE e.org_id = $1 AND e.id = o.entry_id AND e.subject = $2)`: 0,
			} {
				var n int64
				if err := tx.Row(text, id).Scan(&n); err != nil {
					return err
				}
				if n != want {
					h.t.Errorf("%s: %d", text, n)
				}
			}
			return nil
		})
		_, _, err = h.upload(id, file)
		h.refused(err, countersign.CodeGone)
		if have := h.thread(authority.Caller{Key: &h.key}, id); len(have) != 0 {
			h.t.Errorf("the thread is %+v", have)
		}
		if have := h.thread(authority.Caller{Key: &h.key}, kept); len(have) != 1 {
			h.t.Errorf("the other request's thread is %+v", have)
		}
	})
}
