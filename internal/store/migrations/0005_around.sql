-- +goose Up
-- What stands around a request: its thread of questions, and the files that its
-- document names. Erasing the request clears all of it.

CREATE TABLE question (
  org_id      {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  id          {{text}} NOT NULL,     -- qst_…
  person_id   {{text}} NOT NULL,
  answers     {{text}} NOT NULL,     -- the question that this answers, or ''
  entry_id    {{text}} NOT NULL,     -- the log entry whose opening holds the text: there is no other copy
  at_us       BIGINT   NOT NULL,
  PRIMARY KEY (org_id, approval_id, id)
){{strict}};

CREATE TABLE attachment (
  org_id      {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  digest      {{text}} NOT NULL,     -- as the document names it
  size        BIGINT   NOT NULL,     -- bytes
  media       {{text}} NOT NULL,     -- found in the bytes
  key_id      {{text}} NOT NULL,     -- who uploaded it
  entry_id    {{text}} NOT NULL,
  stored_us   BIGINT   NOT NULL,
  PRIMARY KEY (org_id, approval_id, digest)
){{strict}};

-- The bytes in pieces, so that no statement and no row is large. Pieces are written
-- before the row above, and count for nothing without it.
CREATE TABLE attachment_piece (
  org_id      {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  digest      {{text}} NOT NULL,
  n           BIGINT   NOT NULL,     -- from 0
  data        {{blob}} NOT NULL,
  PRIMARY KEY (org_id, approval_id, digest, n)
){{strict}};

-- +goose Down
SELECT 1;
