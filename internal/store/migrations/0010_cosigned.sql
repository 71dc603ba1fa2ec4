-- +goose Up
-- The last checkpoint that witnesses have cosigned, with their cosignatures. The last
-- published one may be larger.

CREATE TABLE cosigned (
  org_id     {{text}} NOT NULL,
  size       BIGINT   NOT NULL,   -- entries that it covers
  checkpoint {{blob}} NOT NULL,
  PRIMARY KEY (org_id)
){{strict}};

-- +goose Down
SELECT 1;
