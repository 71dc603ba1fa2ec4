package api

import (
	"io"
	"mime"
	"net/http"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

// aroundOperations are the acts around a request, which decide nothing on it.
func aroundOperations() []operation {
	return []operation{
		{method: post, path: "/v1/requests/{request}/reassign", id: "reassign", tag: "decisions", who: people, repeat: true, summary: "Hand a request that waits over to another approver",
			detail: "By the nominated approver, or where groups are asked by whoever may decide; to somebody who is eligible. What is required stays what it is, and nothing has been decided.",
			in:     countersign.ReassignBody{}, out: countersign.Approval{}, run: reassign},
		{method: get, path: "/v1/requests/{request}/questions", id: "listQuestions", tag: "requests", who: either, summary: "Read the questions and answers about a request",
			out: countersign.Page[countersign.Question]{}, run: listQuestions},
		{method: post, path: "/v1/requests/{request}/questions", id: "ask", tag: "requests", who: people, repeat: true, summary: "Ask something about a request, or answer",
			detail: "For whoever asked for it, may decide on it, has decided, or is a controller. It pauses nothing.",
			in:     countersign.QuestionBody{}, out: countersign.Question{}, status: []int{201}, run: ask},
		{method: get, path: "/v1/requests/{request}/attachments", id: "listAttachments", tag: "requests", who: either, summary: "List the attachments that a document names, and which are here",
			out: countersign.Page[countersign.AttachedFile]{}, run: listAttachments},
		{method: post, path: "/v1/requests/{request}/attachments/{attachment}", id: "uploadAttachment", tag: "requests", who: keys, scope: authn.ScopeSubmit, upload: countersign.MaxAttachmentBytes,
			summary: "Keep a file that the document names",
			detail:  "The body is the file itself, of at most 10 MiB; the path names its SHA-256 in hexadecimal, as the document does. Bytes that hash to anything else are refused. At most 20 files of a request are kept, until it is erased.",
			out:     countersign.AttachedFile{}, status: []int{201, 200}, run: uploadAttachment},
		{method: get, path: "/v1/requests/{request}/attachments/{attachment}", id: "getAttachment", tag: "requests", who: people, summary: "Read a file that the document names",
			detail: "It is hashed again before it is given: what is not the file in the document is a problem, and raises an alert.", media: mediaBytes, run: getAttachment},
		{method: get, path: "/v1/requests/{request}/return", id: "getReturn", tag: "requests", who: people, summary: "Read where to go back to, with the signed result",
			detail: "The submission's return URL with the status of now, signed by the log's key and good for ten minutes; empty where there is none. It is evidence, never permission.",
			out:    ReturnAnswer{}, run: getReturn},
		{method: get, path: "/v1/session/preferences", id: "getPreferences", tag: "session", who: people, summary: "Read how you read times and numbers", out: countersign.Preferences{}, run: getPreferences},
		{method: post, path: "/v1/session/preferences", id: "setPreferences", tag: "session", who: people, summary: "Set how you read times and numbers",
			detail: "All of it at once; what is empty becomes the default.", in: countersign.Preferences{}, out: countersign.Preferences{}, run: setPreferences},
	}
}

// ReturnAnswer says where a person goes back to.
type ReturnAnswer struct {
	URL string `json:"url,omitempty"` // with the signed result; nothing where the submission named none
}

func reassign(c *call) (answer, error) {
	var body countersign.ReassignBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Reassign(c.ctx(), c.session(), c.param("request"), body)
	if err != nil {
		return answer{}, err
	}
	return approval(http.StatusOK, out), nil
}

func listQuestions(c *call) (answer, error) {
	page, err := c.org.Questions(c.ctx(), c.caller, c.param("request"))
	return answer{body: page}, err
}

func ask(c *call) (answer, error) {
	var body countersign.QuestionBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.Ask(c.ctx(), c.session(), c.param("request"), body)
	// What is kept for a repetition is found by the request when that is erased.
	return answer{status: http.StatusCreated, body: out, subject: c.param("request")}, err
}

func listAttachments(c *call) (answer, error) {
	page, err := c.org.Attachments(c.ctx(), c.caller, c.param("request"))
	return answer{body: page}, err
}

// uploadsAtOnce bounds the memory that uploads take: each is hashed whole before any of
// it is written.
const uploadsAtOnce = 4

func uploadAttachment(c *call) (answer, error) {
	select {
	case c.api.uploads <- struct{}{}:
		defer func() { <-c.api.uploads }()
	case <-c.ctx().Done():
		return answer{}, countersign.NewProblem(countersign.CodeUnavailable, "too many files are being sent at this moment").WithHint("send it again")
	}
	data, err := c.bounded(c.op.upload)
	if err != nil {
		return answer{}, err
	}
	out, fresh, err := c.org.UploadAttachment(c.ctx(), c.key(), c.param("request"), c.param("attachment"), data)
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return answer{status: status, body: out}, err
}

func getAttachment(c *call) (answer, error) {
	f, err := c.org.OpenAttachment(c.ctx(), c.session(), c.param("request"), c.param("attachment"))
	if err != nil {
		return answer{}, err
	}
	data := make([]byte, f.Size)
	if _, err := io.ReadFull(f.Content, data); err != nil {
		return answer{}, err
	}
	h := c.w.Header()
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	return answer{raw: data, media: mediaBytes}, nil
}

func getReturn(c *call) (answer, error) {
	to, err := c.org.ReturnURL(c.ctx(), c.session(), c.param("request"))
	return answer{body: ReturnAnswer{URL: to}}, err
}

func getPreferences(c *call) (answer, error) {
	out, err := c.org.GetPreferences(c.ctx(), c.session())
	return answer{body: out}, err
}

func setPreferences(c *call) (answer, error) {
	var body countersign.Preferences
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	out, err := c.org.SetPreferences(c.ctx(), c.session(), body)
	return answer{body: out}, err
}
