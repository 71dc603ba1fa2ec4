-- +goose Up
-- What the pages read: whom a request concerns, what it was about in words, and what an
-- entry of the log says of itself.

ALTER TABLE approval ADD COLUMN outcome {{text}} NOT NULL DEFAULT '';
ALTER TABLE approval ADD COLUMN rules {{text}} NOT NULL DEFAULT '';        -- names of the rules that counted, a space around each
ALTER TABLE approval ADD COLUMN words {{text}} NOT NULL DEFAULT '';        -- folded, for searching
ALTER TABLE approval ADD COLUMN founding SMALLINT NOT NULL DEFAULT 0;      -- its receipt is stamped so
ALTER TABLE approval ADD COLUMN held_us BIGINT NOT NULL DEFAULT 0;         -- not released before; 0 where nothing holds it
CREATE INDEX approval_requester ON approval (org_id, requester_key, status, created_us, id);
CREATE INDEX approval_vendor ON approval (org_id, vendor_id, id);
CREATE INDEX approval_held ON approval (org_id, held_us) WHERE held_us > 0;
CREATE INDEX approval_founding ON approval (org_id) WHERE founding = 1;
CREATE INDEX decision_at ON decision (org_id, at_us, id);

-- Whom a request concerns, one row for each person or group and part. It is written
-- anew whenever the request changes, in the same transaction, and says nothing that
-- the request does not say: it can be made again from it.
CREATE TABLE audience (
  org_id      {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  who         {{text}} NOT NULL,     -- person id, or 'group:', 'inner:', 'watch:' and a group's name, or 'own:' and a person's id
  part        {{text}} NOT NULL,     -- 'decide', 'see', 'watch', 'ask', 'done'
  live        SMALLINT NOT NULL,     -- 1 while something may still come of it
  pressing    BIGINT   NOT NULL,     -- the smaller, the more findings weigh
  due_us      BIGINT   NOT NULL,
  created_us  BIGINT   NOT NULL,
  PRIMARY KEY (org_id, approval_id, who, part)
){{strict}};
CREATE INDEX audience_pressing ON audience (org_id, who, part, pressing, created_us, approval_id) WHERE live = 1;
CREATE INDEX audience_due ON audience (org_id, who, part, due_us, approval_id) WHERE live = 1;
CREATE INDEX audience_asked ON audience (org_id, who, approval_id) WHERE live = 1 AND part = 'decide';
CREATE INDEX audience_others ON audience (org_id, who, approval_id) WHERE live = 1 AND part <> 'decide';
CREATE INDEX audience_over ON audience (org_id, who, created_us, approval_id) WHERE live = 0 AND part = 'ask';
CREATE INDEX audience_who ON audience (org_id, who, approval_id);

-- What stands in an entry's leaf, to search by. The leaf itself never changes, and so
-- neither do these.
{{if sqlite}}
ALTER TABLE audit_entry ADD COLUMN type TEXT GENERATED ALWAYS AS (json_extract(CAST(leaf AS TEXT), '$.type')) VIRTUAL;
ALTER TABLE audit_entry ADD COLUMN actor TEXT GENERATED ALWAYS AS (json_extract(CAST(leaf AS TEXT), '$.actor')) VIRTUAL;

UPDATE approval SET outcome = COALESCE(json_extract(state, '$.requirement.outcome'), ''),
  held_us = CASE WHEN status = 'approved' AND json_extract(state, '$.not_before') IS NOT NULL
    THEN CAST(unixepoch(json_extract(state, '$.not_before'), 'subsec') * 1000000 AS INTEGER) ELSE 0 END,
  founding = CASE WHEN (SELECT json_extract(CAST(e.leaf AS TEXT), '$.facts.founding') FROM audit_entry e
    WHERE e.org_id = approval.org_id AND e.id = approval.entry_id) = 'true' THEN 1 ELSE 0 END,
  words = CASE WHEN length(document) = 0 THEN '' ELSE lower(object_id || ' ' || COALESCE(json_extract(CAST(document AS TEXT), '$.subject'), '') || ' ' ||
    COALESCE(json_extract(CAST(document AS TEXT), '$.payee.name'), '') || ' ' || COALESCE(json_extract(CAST(document AS TEXT), '$.requester.name'), '')) END,
  rules = COALESCE((SELECT ' ' || group_concat(json_extract(r.value, '$.rule'), ' ') || ' ' FROM audit_opening o, json_each(CAST(o.value AS TEXT), '$.reasons') r
    WHERE o.org_id = approval.org_id AND o.entry_id = approval.weighed_entry AND o.name = 'weighing' AND json_extract(r.value, '$.silenced') IS NULL
    AND json_extract(r.value, '$.recorded') IS NULL), '');
INSERT INTO audience SELECT a.org_id, a.id, CASE WHEN a.kind LIKE 'countersign.%' THEN 'inner:' ELSE 'group:' END || g.value, CASE a.status WHEN 'pending' THEN 'decide' ELSE 'see' END,
  CASE WHEN a.status IN ('pending', 'unsatisfiable') THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM approval a, json_each(a.state, '$.requirement.approvers') c, json_each(c.value, '$.from') g WHERE 1 ON CONFLICT DO NOTHING;
INSERT INTO audience SELECT a.org_id, a.id, 'watch:' || g.value, 'watch', CASE WHEN a.status IN ('pending', 'unsatisfiable', 'approved') THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM approval a, json_each(a.state, '$.requirement.watchers') g WHERE 1 ON CONFLICT DO NOTHING;
INSERT INTO audience SELECT a.org_id, a.id, 'own:' || json_extract(r.value, '$.id'), 'ask', CASE WHEN a.status IN ('pending', 'unsatisfiable') THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM approval a, json_each(a.state, '$.requesters') r WHERE a.status IN ('pending', 'unsatisfiable') OR json_extract(r.value, '$.id') <> a.requester_key ON CONFLICT DO NOTHING;
{{end}}
{{if postgres}}
-- convert_from is not called immutable, since it may name any encoding; with this one it is.
-- +goose StatementBegin
CREATE FUNCTION leaf_says(leaf BYTEA, name TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT convert_from(leaf, 'UTF8')::json ->> name
$$;
-- +goose StatementEnd
ALTER TABLE audit_entry ADD COLUMN type TEXT COLLATE "C" GENERATED ALWAYS AS (leaf_says(leaf, 'type')) STORED;
ALTER TABLE audit_entry ADD COLUMN actor TEXT COLLATE "C" GENERATED ALWAYS AS (leaf_says(leaf, 'actor')) STORED;

UPDATE approval SET outcome = COALESCE(state::json #>> '{requirement,outcome}', ''),
  held_us = CASE WHEN status = 'approved' AND state::json ->> 'not_before' IS NOT NULL
    THEN CAST(EXTRACT(EPOCH FROM (state::json ->> 'not_before')::timestamptz) * 1000000 AS BIGINT) ELSE 0 END,
  founding = CASE WHEN (SELECT convert_from(e.leaf, 'UTF8')::json #>> '{facts,founding}' FROM audit_entry e
    WHERE e.org_id = approval.org_id AND e.id = approval.entry_id) = 'true' THEN 1 ELSE 0 END,
  words = CASE WHEN length(document) = 0 THEN '' ELSE lower(object_id || ' ' || COALESCE(convert_from(document, 'UTF8')::json ->> 'subject', '') || ' ' ||
    COALESCE(convert_from(document, 'UTF8')::json #>> '{payee,name}', '') || ' ' || COALESCE(convert_from(document, 'UTF8')::json #>> '{requester,name}', '')) END,
  rules = COALESCE((SELECT ' ' || string_agg(r.value ->> 'rule', ' ') || ' ' FROM audit_opening o, json_array_elements(CASE json_typeof(convert_from(o.value, 'UTF8')::json -> 'reasons')
    WHEN 'array' THEN convert_from(o.value, 'UTF8')::json -> 'reasons' ELSE '[]'::json END) r
    WHERE o.org_id = approval.org_id AND o.entry_id = approval.weighed_entry AND o.name = 'weighing' AND r.value ->> 'silenced' IS NULL AND r.value ->> 'recorded' IS NULL), '');
INSERT INTO audience SELECT a.org_id, a.id, CASE WHEN a.kind LIKE 'countersign.%' THEN 'inner:' ELSE 'group:' END || g.value, CASE a.status WHEN 'pending' THEN 'decide' ELSE 'see' END,
  CASE WHEN a.status IN ('pending', 'unsatisfiable') THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM approval a, json_array_elements(CASE json_typeof(a.state::json #> '{requirement,approvers}') WHEN 'array' THEN a.state::json #> '{requirement,approvers}' ELSE '[]'::json END) c,
  json_array_elements_text(CASE json_typeof(c.value -> 'from') WHEN 'array' THEN c.value -> 'from' ELSE '[]'::json END) g ON CONFLICT DO NOTHING;
INSERT INTO audience SELECT a.org_id, a.id, 'watch:' || g.value, 'watch', CASE WHEN a.status IN ('pending', 'unsatisfiable', 'approved') THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM approval a, json_array_elements_text(CASE json_typeof(a.state::json #> '{requirement,watchers}') WHEN 'array' THEN a.state::json #> '{requirement,watchers}' ELSE '[]'::json END) g ON CONFLICT DO NOTHING;
INSERT INTO audience SELECT a.org_id, a.id, 'own:' || (r.value ->> 'id'), 'ask', CASE WHEN a.status IN ('pending', 'unsatisfiable') THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM approval a, json_array_elements(CASE json_typeof(a.state::json -> 'requesters') WHEN 'array' THEN a.state::json -> 'requesters' ELSE '[]'::json END) r
  WHERE a.status IN ('pending', 'unsatisfiable') OR r.value ->> 'id' <> a.requester_key ON CONFLICT DO NOTHING;
{{end}}
INSERT INTO audience SELECT org_id, id, nominated, 'decide', 1, 0, due_us, created_us FROM approval WHERE status = 'pending' AND nominated <> '' ON CONFLICT DO NOTHING;
INSERT INTO audience SELECT DISTINCT d.org_id, d.approval_id, 'own:' || d.person_id, 'done', CASE WHEN a.status = 'pending' THEN 1 ELSE 0 END, 0, a.due_us, a.created_us
  FROM decision d JOIN approval a ON a.org_id = d.org_id AND a.id = d.approval_id WHERE a.status = 'pending' ON CONFLICT DO NOTHING;
CREATE INDEX audit_entry_type ON audit_entry (org_id, type, seq);
CREATE INDEX audit_entry_actor ON audit_entry (org_id, actor, seq);

-- +goose Down
SELECT 1;
