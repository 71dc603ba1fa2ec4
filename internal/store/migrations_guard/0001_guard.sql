-- +goose Up
-- The last published checkpoint of each log, beside the log's database and never
-- restored from its backups. The key is the log's origin.
CREATE TABLE guard (
  org_id     {{text}} NOT NULL PRIMARY KEY,
  checkpoint {{blob}} NOT NULL
){{strict}};
