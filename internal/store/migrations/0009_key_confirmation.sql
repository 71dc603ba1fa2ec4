-- +goose Up
-- A further key of a source works only when a second person has confirmed it.
ALTER TABLE api_key ADD COLUMN waits SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN confirmed_by {{text}} NOT NULL DEFAULT '';  -- person id, or 'operator'
