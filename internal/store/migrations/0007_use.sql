-- +goose Up
-- When an authenticator was used last, where no decision says so itself.

CREATE TABLE authenticator_use (
  org_id           {{text}} NOT NULL,
  authenticator_id {{text}} NOT NULL,
  purpose          {{text}} NOT NULL,   -- 'sign_in', 'act', 'decision'
  at_us            BIGINT   NOT NULL,
  PRIMARY KEY (org_id, authenticator_id, purpose)
){{strict}};

-- +goose Down
SELECT 1;
