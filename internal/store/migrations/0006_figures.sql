-- +goose Up
-- How often each rule counted, over days: read along the index alone, since the rows
-- themselves carry the documents.
CREATE INDEX approval_figures ON approval (org_id, created_us, source, rules);
