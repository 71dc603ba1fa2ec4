package countersign

// MaxAttachmentBytes bounds one file that is uploaded for an attachment.
const MaxAttachmentBytes = 10 << 20

// MaxFiles bounds how many files are kept for one request.
const MaxFiles = 20

// MaxQuestionCharacters bounds one question or answer, in Unicode characters.
const MaxQuestionCharacters = 2000

// MaxQuestions bounds how many questions and answers one request has.
const MaxQuestions = 100

// ReassignBody hands a request that waits over to another approver. Whoever hands over
// has decided nothing.
type ReassignBody struct {
	To     string `json:"to"`     // per_…, or the login of the person who shall decide
	Reason string `json:"reason"` // why, in the log
}

// QuestionBody asks something about a request, or answers what was asked.
type QuestionBody struct {
	Text    string `json:"text"`              // 1 to 2000 characters; line breaks are the only control characters
	Answers string `json:"answers,omitempty"` // qst_… of the question that this answers
}

// Question is one text of the thread on a request. It pauses nothing and proves
// nothing: who signs relies on the document.
type Question struct {
	ID      string    `json:"id"` // qst_…
	Person  Principal `json:"person"`
	Asker   bool      `json:"asker,omitempty"` // the person asked for what the request is about
	Text    string    `json:"text"`
	Answers string    `json:"answers,omitempty"` // qst_…
	At      string    `json:"at"`
	Entry   string    `json:"entry"` // ent_… of the log entry that holds it
}

// AttachedFile says of one attachment that a document names whether its file is kept
// here. Only what hashes to the digest in the document ever is.
type AttachedFile struct {
	Name      string `json:"name"` // as the document names it
	Digest    Digest `json:"digest"`
	Here      bool   `json:"here"`
	Size      int64  `json:"size,omitempty"`       // bytes of the file, where it is here
	MediaType string `json:"media_type,omitempty"` // found in the file itself: PDF, PNG, JPEG, or application/octet-stream
	StoredAt  string `json:"stored_at,omitempty"`
}

// Preferences are how one person reads times and numbers. They decide nothing.
type Preferences struct {
	TimeZone     string `json:"time_zone"`     // IANA name, as "Europe/Berlin"; default "UTC"
	NumberFormat string `json:"number_format"` // "space-point" (1 234.50), "space-comma", "comma-point", "point-comma" or "apostrophe-point"
	DateFormat   string `json:"date_format"`   // "day-month" (24 Nov 2026), "month-day" (Nov 24, 2026) or "iso" (2026-11-24)
	Language     string `json:"language"`      // BCP 47 tag; "en" is the only one there is
}
