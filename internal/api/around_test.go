package api_test

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/testkit"
)

// A file goes up by the client and comes down to the approver: as a download that no
// browser runs, byte for byte.
func TestAttachmentsGoUpAndDown(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		file := append([]byte("<script>alert(1)</script>"), bytes.Repeat([]byte{0, 1, 2, 255}, 500_000)...)
		out := s.Submit(testkit.Order("PO-1", "30000.00", func(d *countersign.Document) {
			d.Attachments = []countersign.Attachment{{Name: `Angebot "für" Süd; x=1.html`, MediaType: "text/html", Digest: countersign.SumBytes(file)}}
		}))
		client := s.Client(s.Key)
		sent, err := client.UploadAttachment(t.Context(), out.ID, file)
		s.Must(err)
		if !sent.Here || sent.Size != int64(len(file)) || sent.MediaType != "application/octet-stream" {
			t.Errorf("%+v", sent)
		}
		list, err := client.Attachments(t.Context(), out.ID)
		s.Must(err)
		if len(list.Items) != 1 || list.Items[0] != *sent {
			t.Errorf("%+v", list)
		}
		path := "/v1/requests/" + out.ID + "/attachments/" + strings.TrimPrefix(string(countersign.SumBytes(file)), "sha-256:")
		marta := s.Person("marta")
		a := s.Send("GET", path, marta.Token, nil)
		if a.Status != http.StatusOK || !bytes.Equal(a.Body, file) {
			t.Fatalf("%d, %d bytes", a.Status, len(a.Body))
		}
		disposition, params, err := mime.ParseMediaType(a.Header.Get("Content-Disposition"))
		s.Must(err)
		if disposition != "attachment" || params["filename"] != list.Items[0].Name {
			t.Errorf("%s %v", disposition, params)
		}
		for name, want := range map[string]string{"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"} {
			if have := a.Header.Get(name); !strings.Contains(have, want) {
				t.Errorf("%s: %s", name, have)
			}
		}
		if _, err := client.UploadAttachment(t.Context(), out.ID, []byte("another file")); err == nil || err.(*countersign.Problem).Code != countersign.CodeNotFound { //nolint:errorlint // the client returns it bare
			t.Errorf("a file that the document does not name: %v", err)
		}
		s.Refused(s.Try("POST", path, s.Key, "{}", nil), countersign.CodeInvalid)
		s.Refused(s.Try("GET", path, s.Key, nil, nil), countersign.CodeForbidden)
	})
}

// The bound of a file is a file's, and that of any other body stays what it was.
func TestUploadsAreBounded(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{API: func(c *api.Config) { c.MaxBody = 64 << 10 }})
	s.Settle()
	file := bytes.Repeat([]byte("a"), countersign.MaxAttachmentBytes)
	out := s.Submit(testkit.Order("PO-1", "30000.00", func(d *countersign.Document) {
		d.Attachments = []countersign.Attachment{{Name: "plan.pdf", Digest: countersign.SumBytes(file)}}
	}))
	_, err := s.Client(s.Key).UploadAttachment(t.Context(), out.ID, file)
	s.Must(err)
	_, err = s.Client(s.Key).UploadAttachment(t.Context(), out.ID, append(file, 'a'))
	if p, ok := err.(*countersign.Problem); !ok || p.Code != countersign.CodeTooLarge { //nolint:errorlint // the client returns it bare
		t.Errorf("one byte more: %v", err)
	}
	s.Refused(s.Try("POST", "/v1/requests", s.Key, string(file[:65<<10]), nil), countersign.CodeTooLarge)
}

// around uses everything that stands around a request: it goes from hand to hand, is
// talked about, has a file, and sends the approver back with a result that the receiving
// system verifies by itself.
func (v *visit) around() {
	file := []byte("%PDF-1.7 offer")
	order := testkit.Order("PO-AROUND", "30000.00", func(d *countersign.Document) {
		d.Category, d.Attachments = "around", []countersign.Attachment{{Name: "offer.pdf", Digest: countersign.SumBytes(file)}}
	})
	var out, handed countersign.Approval
	v.Call("POST", "/v1/requests", v.Key, testkit.Body(order, &countersign.Submission{Approver: "marta", ReturnURL: "https://erp.example.com/po/1"}), &out)
	at := "/v1/requests/" + out.ID
	marta, daniel, elif := v.Person("marta"), v.Person("daniel"), v.Person("elif")
	client, ctx := v.Client(v.Key), v.t.Context()

	sent, err := client.UploadAttachment(ctx, out.ID, file)
	v.Must(err)
	list, err := client.Attachments(ctx, out.ID)
	v.Must(err)
	if len(list.Items) != 1 || list.Items[0] != *sent || sent.MediaType != "application/pdf" {
		v.t.Errorf("%+v", list)
	}
	if a := v.Send("GET", at+"/attachments/"+strings.TrimPrefix(string(sent.Digest), "sha-256:"), marta.Token, nil); !bytes.Equal(a.Body, file) {
		v.t.Errorf("the file: %d %s", a.Status, a.Body)
	}
	var q, answer countersign.Question
	v.Call("POST", at+"/questions", marta.Token, countersign.QuestionBody{Text: "Is it in the budget?"}, &q)
	v.Call("POST", at+"/questions", elif.Token, countersign.QuestionBody{Text: "Yes, 4100.", Answers: q.ID}, &answer)
	thread, err := client.Questions(ctx, out.ID)
	v.Must(err)
	if len(thread.Items) != 2 || thread.Items[1].Answers != q.ID || !thread.Items[1].Asker {
		v.t.Errorf("%+v", thread.Items)
	}
	v.Call("POST", at+"/reassign", marta.Token, countersign.ReassignBody{To: "daniel", Reason: "on leave"}, &handed)
	if handed.Status != countersign.StatusPending || len(handed.Decisions) != 0 {
		v.t.Errorf("%s %v", handed.Status, handed.Decisions)
	}
	v.Refused(v.Try("POST", at+"/reassign", marta.Token, countersign.ReassignBody{To: "elif", Reason: "she knows"}, nil), countersign.CodeForbidden)
	if _, p := daniel.ByPasskey(out.ID, countersign.ActApprove); p != nil {
		v.t.Fatal(p)
	}
	var back api.ReturnAnswer
	v.Call("GET", at+"/return", daniel.Token, nil, &back)
	r, err := countersign.VerifyReturn(back.URL, v.Authority.Verifiers(), v.Clock.Now())
	v.Must(err)
	if r.URL != "https://erp.example.com/po/1" || r.Status != countersign.StatusApproved || r.Request != out.ID {
		v.t.Errorf("%+v", r)
	}
	withdrawn, err := client.Cancel(ctx, out.ID)
	v.Must(err)
	if withdrawn.Status != countersign.StatusCancelled {
		v.t.Errorf("have %s", withdrawn.Status)
	}
	v.preferences(daniel)
}

func (v *visit) preferences(daniel *testkit.Person) {
	var p countersign.Preferences
	v.Call("POST", "/v1/session/preferences", daniel.Token, countersign.Preferences{TimeZone: "Asia/Tokyo", NumberFormat: "comma-point"}, &p)
	v.Call("GET", "/v1/session/preferences", daniel.Token, nil, &p)
	if p != (countersign.Preferences{TimeZone: "Asia/Tokyo", NumberFormat: "comma-point", DateFormat: "day-month", Language: "en"}) {
		v.t.Errorf("%+v", p)
	}
	v.Refused(v.Try("POST", "/v1/session/preferences", daniel.Token, countersign.Preferences{TimeZone: "Local"}, nil), countersign.CodeInvalid)
}
