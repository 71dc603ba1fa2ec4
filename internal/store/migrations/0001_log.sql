-- +goose Up
-- The audit log and what belongs to it. Times are Unix microseconds. An organisation
-- has one log; an entry's place in it is seq, counted from 0.

CREATE TABLE audit_entry (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,   -- ent_…
  seq        BIGINT,              -- NULL until it has its place
  turn       BIGINT NOT NULL,     -- which transaction wrote it: places follow cause and effect
  place      BIGINT NOT NULL,     -- which of that transaction's entries it is
  subject    {{text}} NOT NULL,
  leaf       {{blob}} NOT NULL,   -- the exact bytes that are hashed into the tree
  created_us BIGINT NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE UNIQUE INDEX audit_entry_seq ON audit_entry (org_id, seq);
CREATE INDEX audit_entry_subject ON audit_entry (org_id, subject, seq);
CREATE INDEX audit_entry_pending ON audit_entry (org_id, turn, place) WHERE seq IS NULL;

-- What opens the commitments of an entry. Erasing these rows leaves the tree whole.
CREATE TABLE audit_opening (
  org_id   {{text}} NOT NULL,
  entry_id {{text}} NOT NULL,
  name     {{text}} NOT NULL,
  salt     {{blob}} NOT NULL,
  value    {{blob}} NOT NULL,
  PRIMARY KEY (org_id, entry_id, name)
){{strict}};

-- The Merkle tree (C2SP tlog-tiles): up to 256 hashes of 32 bytes in a row.
CREATE TABLE tile (
  org_id {{text}} NOT NULL,
  lvl    BIGINT NOT NULL,
  idx    BIGINT NOT NULL,
  data   {{blob}} NOT NULL,
  PRIMARY KEY (org_id, lvl, idx)
){{strict}};

CREATE TABLE log_head (
  org_id      {{text}} NOT NULL PRIMARY KEY,
  origin      {{text}} NOT NULL,
  size        BIGINT NOT NULL,
  root        {{blob}} NOT NULL,
  signed_size BIGINT NOT NULL,    -- what the published checkpoint covers
  checkpoint  {{blob}} NOT NULL   -- empty until one is published
){{strict}};

-- Who gives places, so that replicas do not do the same work at once. It is for
-- thrift only: what keeps the log from forking is the swap of log_head.
CREATE TABLE seq_lease (
  org_id   {{text}} NOT NULL PRIMARY KEY,
  holder   {{text}} NOT NULL,
  until_us BIGINT NOT NULL,
  epoch    BIGINT NOT NULL
){{strict}};

-- What is to leave: written in the transaction of the change, sent afterwards.
CREATE TABLE outbox (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,
  topic      {{text}} NOT NULL,
  subject    {{text}} NOT NULL,   -- for erasure
  payload    {{blob}} NOT NULL,
  entry_id   {{text}} NOT NULL,   -- not sent before this entry is published; '' for none
  dead       SMALLINT NOT NULL,
  attempts   BIGINT NOT NULL,
  run_us     BIGINT NOT NULL,     -- when it is due; while it is claimed, when the claim ends
  last_error {{text}} NOT NULL,
  created_us BIGINT NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE INDEX outbox_due ON outbox (org_id, dead, run_us);

-- Answers kept for callers that repeat a call.
CREATE TABLE idempotency (
  org_id      {{text}} NOT NULL,
  caller      {{text}} NOT NULL,
  method      {{text}} NOT NULL,
  path        {{text}} NOT NULL,
  key         {{text}} NOT NULL,
  fingerprint {{blob}} NOT NULL,  -- SHA-256 of the payload
  status      BIGINT NOT NULL,    -- of the answer; 0 while the call is in progress
  body        {{blob}} NOT NULL,
  subject     {{text}} NOT NULL,  -- for erasure
  expires_us  BIGINT NOT NULL,
  PRIMARY KEY (org_id, caller, method, path, key)
){{strict}};
CREATE INDEX idempotency_expires ON idempotency (org_id, expires_us);
CREATE INDEX idempotency_subject ON idempotency (org_id, subject);

-- An entry is never changed or deleted. Its place is set once.
{{if sqlite}}
-- +goose StatementBegin
CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry
WHEN NOT (OLD.seq IS NULL AND NEW.seq IS NOT NULL AND NEW.org_id = OLD.org_id AND NEW.id = OLD.id
  AND NEW.turn = OLD.turn AND NEW.place = OLD.place AND NEW.subject = OLD.subject
  AND NEW.leaf = OLD.leaf AND NEW.created_us = OLD.created_us)
BEGIN SELECT RAISE(ABORT, 'entries of the log are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_entry_delete BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'entries of the log are never deleted'); END;
-- +goose StatementEnd
{{end}}
{{if postgres}}
-- +goose StatementBegin
CREATE FUNCTION audit_entry_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.seq IS NULL AND NEW.seq IS NOT NULL AND NEW.org_id = OLD.org_id AND NEW.id = OLD.id
    AND NEW.turn = OLD.turn AND NEW.place = OLD.place AND NEW.subject = OLD.subject
    AND NEW.leaf = OLD.leaf AND NEW.created_us = OLD.created_us THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'entries of the log are never changed or deleted';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_entry_keep BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_keep();
CREATE TRIGGER audit_entry_keep_all BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_keep();
{{end}}
