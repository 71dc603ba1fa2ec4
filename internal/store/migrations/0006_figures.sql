-- +goose Up
-- How often each rule counted over days, and searches by rule and by words: read along
-- the index alone, since the rows themselves carry the documents.
{{if sqlite}}
CREATE INDEX approval_figures ON approval (org_id, created_us, source, rules, words, id);
{{end}}
{{if postgres}}
-- Long values are kept beside the rows here, and would not fit an index.
CREATE INDEX approval_figures ON approval (org_id, created_us);
{{end}}
