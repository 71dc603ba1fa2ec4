-- +goose Up
-- Times are Unix microseconds (UTC), 0 meaning "not yet". Money is in minor units
-- with its currency. Truth values are 0 or 1. Text columns that are compared or
-- paged are {{text}}: byte order on every engine.

CREATE TABLE organisation (
  org_id     {{text}} NOT NULL PRIMARY KEY,
  name       {{text}} NOT NULL,
  host       {{text}} NOT NULL,      -- the host name that selects it
  public_url {{text}} NOT NULL,
  rp_id      {{text}} NOT NULL,      -- WebAuthn relying party, fixed at set-up
  origin     {{text}} NOT NULL,      -- of its log
  settings   {{text}} NOT NULL,      -- canonical JSON
  founding   SMALLINT NOT NULL,      -- 1 until two administrators have been confirmed, then 0 for good
  demo       SMALLINT NOT NULL,
  facts_gen  BIGINT   NOT NULL,      -- another number after every change of a fact that is weighed
  created_us BIGINT   NOT NULL
){{strict}};
CREATE UNIQUE INDEX organisation_host ON organisation (host);

CREATE TABLE person (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,      -- per_…, a natural person
  name       {{text}} NOT NULL,
  email      {{text}} NOT NULL,
  active     SMALLINT NOT NULL,
  privileged SMALLINT NOT NULL,
  manager_id {{text}} NOT NULL,      -- '' when not known
  handle     {{blob}} NOT NULL,      -- WebAuthn user handle: random
  settings   {{text}} NOT NULL,      -- time zone, number format: canonical JSON
  active_us  BIGINT   NOT NULL,      -- since when active or inactive
  privileged_us BIGINT NOT NULL,     -- since when the flag is as it is
  created_us BIGINT   NOT NULL,
  version    BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};

-- Every id that any system knows a person by.
CREATE TABLE identity (
  org_id    {{text}} NOT NULL,
  source    {{text}} NOT NULL,
  subject   {{text}} NOT NULL,
  person_id {{text}} NOT NULL,
  PRIMARY KEY (org_id, source, subject)
){{strict}};
CREATE INDEX identity_person ON identity (org_id, person_id);

CREATE TABLE membership (
  org_id    {{text}} NOT NULL,
  group_name {{text}} NOT NULL,
  person_id {{text}} NOT NULL,
  since_us  BIGINT   NOT NULL,
  PRIMARY KEY (org_id, group_name, person_id)
){{strict}};
CREATE INDEX membership_person ON membership (org_id, person_id);

CREATE TABLE person_limit (
  org_id    {{text}} NOT NULL,
  person_id {{text}} NOT NULL,
  kind      {{text}} NOT NULL,       -- '' for every kind without its own
  currency  {{text}} NOT NULL,
  minor     BIGINT   NOT NULL,
  since_us  BIGINT   NOT NULL,
  PRIMARY KEY (org_id, person_id, kind)
){{strict}};

CREATE TABLE delegation (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,
  from_id    {{text}} NOT NULL,
  to_id      {{text}} NOT NULL,
  kinds      {{text}} NOT NULL,      -- JSON list, empty for all
  currency   {{text}} NOT NULL,
  minor      BIGINT   NOT NULL,      -- 0 with currency '' for none of its own
  starts_us  BIGINT   NOT NULL,
  ends_us    BIGINT   NOT NULL,
  created_us BIGINT   NOT NULL,
  created_by {{text}} NOT NULL,
  revoked_us BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE INDEX delegation_to ON delegation (org_id, to_id);

CREATE TABLE vendor (
  org_id      {{text}} NOT NULL,
  id          {{text}} NOT NULL,     -- the vendor's number in the vendor master
  name        {{text}} NOT NULL,
  folded      {{text}} NOT NULL,     -- name folded for comparison
  country     {{text}} NOT NULL,
  tax_id      {{text}} NOT NULL,
  status      {{text}} NOT NULL,     -- 'active', 'blocked', …
  since_us    BIGINT   NOT NULL,     -- when the vendor master says it was created; 0 unknown
  created_by  {{text}} NOT NULL,     -- person id or subject, '' unknown
  source      {{text}} NOT NULL,
  recorded_us BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};

CREATE TABLE vendor_account (
  org_id      {{text}} NOT NULL,
  vendor_id   {{text}} NOT NULL,
  fingerprint {{text}} NOT NULL,     -- keyed hash of scheme and value
  first_us    BIGINT   NOT NULL,     -- first seen
  changed_us  BIGINT   NOT NULL,     -- when the vendor master got it; 0 unknown or from the beginning
  paid_us     BIGINT   NOT NULL,     -- last paid; 0 never
  source      {{text}} NOT NULL,
  PRIMARY KEY (org_id, vendor_id, fingerprint)
){{strict}};
CREATE INDEX vendor_account_fingerprint ON vendor_account (org_id, fingerprint);

-- What was bought before. A row counts as history from settles_us on; folded says
-- that it has been added to vendor_stat.
CREATE TABLE purchase (
  org_id      {{text}} NOT NULL,
  kind        {{text}} NOT NULL,
  id          {{text}} NOT NULL,
  line        {{text}} NOT NULL,
  vendor_id   {{text}} NOT NULL,
  currency    {{text}} NOT NULL,
  minor       BIGINT   NOT NULL,
  dated_us    BIGINT   NOT NULL,
  fingerprint {{text}} NOT NULL,
  requester   {{text}} NOT NULL,
  approver    {{text}} NOT NULL,
  department  {{text}} NOT NULL,
  category    {{text}} NOT NULL,
  source      {{text}} NOT NULL,
  settles_us  BIGINT   NOT NULL,
  folded      SMALLINT NOT NULL,
  PRIMARY KEY (org_id, kind, id, line)
){{strict}};
CREATE INDEX purchase_vendor ON purchase (org_id, vendor_id, dated_us);
CREATE INDEX purchase_unsettled ON purchase (org_id, vendor_id, settles_us) WHERE folded = 0;
CREATE INDEX purchase_settles ON purchase (org_id, settles_us) WHERE folded = 0;

CREATE TABLE vendor_stat (
  org_id    {{text}} NOT NULL,
  vendor_id {{text}} NOT NULL,
  currency  {{text}} NOT NULL,
  n         BIGINT   NOT NULL,
  sum_minor BIGINT   NOT NULL,
  first_us  BIGINT   NOT NULL,
  last_us   BIGINT   NOT NULL,
  recent    {{text}} NOT NULL,       -- the latest purchases, newest first: "dated_us:minor …"
  PRIMARY KEY (org_id, vendor_id, currency)
){{strict}};

CREATE TABLE rate (
  org_id      {{text}} NOT NULL,
  base        {{text}} NOT NULL,
  currency    {{text}} NOT NULL,
  day         {{text}} NOT NULL,     -- YYYY-MM-DD
  value       {{text}} NOT NULL,     -- base units for one unit of the currency, decimal
  source      {{text}} NOT NULL,
  PRIMARY KEY (org_id, base, currency, day)
){{strict}};

CREATE TABLE alert (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,
  severity   {{text}} NOT NULL,
  about      {{text}} NOT NULL,      -- person id, vendor id or 'org'
  title      {{text}} NOT NULL,
  owner      {{text}} NOT NULL,
  source     {{text}} NOT NULL,
  external   {{text}} NOT NULL,      -- the source's own id: raising twice is once
  raised_us  BIGINT   NOT NULL,
  expires_us BIGINT   NOT NULL,
  closed_us  BIGINT   NOT NULL,
  closed_by  {{text}} NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE UNIQUE INDEX alert_external ON alert (org_id, source, external);
CREATE INDEX alert_open ON alert (org_id, about) WHERE closed_us = 0;

-- FREEZE is a word of PostgreSQL's own.
CREATE TABLE frozen (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,
  about      {{text}} NOT NULL,      -- person id or vendor id
  reason     {{text}} NOT NULL,
  placed_by  {{text}} NOT NULL,
  placed_us  BIGINT   NOT NULL,
  expires_us BIGINT   NOT NULL,
  lifted_us  BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE INDEX frozen_open ON frozen (org_id, about) WHERE lifted_us = 0;

CREATE TABLE policy (
  org_id       {{text}} NOT NULL,
  version      BIGINT   NOT NULL,
  digest       {{text}} NOT NULL,
  body         {{blob}} NOT NULL,    -- canonical {"lists":{…},"text":…}
  published_us BIGINT   NOT NULL,
  published_by {{text}} NOT NULL,
  entry_id     {{text}} NOT NULL,
  PRIMARY KEY (org_id, version)
){{strict}};

CREATE TABLE approval (
  org_id        {{text}} NOT NULL,
  id            {{text}} NOT NULL,
  source        {{text}} NOT NULL,   -- the system that submitted it
  kind          {{text}} NOT NULL,
  object_id     {{text}} NOT NULL,
  revision      {{text}} NOT NULL,
  attempt       BIGINT   NOT NULL,   -- a request again for the same revision, after one that ended
  digest        {{text}} NOT NULL,
  document      {{blob}} NOT NULL,   -- canonical bytes
  submission    {{text}} NOT NULL,
  status        {{text}} NOT NULL,
  version       BIGINT   NOT NULL,   -- compare-and-swap
  state         {{text}} NOT NULL,   -- of the state machine, canonical JSON
  weighed_entry {{text}} NOT NULL,   -- the log entry of the last weighing: its opening holds reasons and findings
  policy_digest {{text}} NOT NULL,
  policy_version BIGINT  NOT NULL,
  key_id        {{text}} NOT NULL,
  vendor_id     {{text}} NOT NULL,   -- '' unknown
  requester_key {{text}} NOT NULL,   -- natural person, or source and subject
  nominated     {{text}} NOT NULL,   -- person id, '' none
  category      {{text}} NOT NULL,
  currency      {{text}} NOT NULL,   -- '' without an amount
  minor         BIGINT   NOT NULL,
  base_currency {{text}} NOT NULL,   -- the policy's currency then; '' where the amount could not be said in it
  base_minor    BIGINT   NOT NULL,
  counted       SMALLINT NOT NULL,   -- 1 while pending, approved or released: it counts in sums
  -- 1 while a change of bank details is not ended or released. Partial indexes stand on
  -- columns that no query compares with a parameter: SQLite would plan such a query
  -- anew for every value.
  bank          SMALLINT NOT NULL,
  created_us    BIGINT   NOT NULL,
  due_us        BIGINT   NOT NULL,   -- when the clock alone changes it: decide-by, release-by or the end of a lease; 0 never
  ended_us      BIGINT   NOT NULL,
  superseded_by {{text}} NOT NULL,
  entry_id      {{text}} NOT NULL,   -- of the submission
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE UNIQUE INDEX approval_object ON approval (org_id, source, kind, object_id, revision, attempt);
CREATE INDEX approval_status ON approval (org_id, status, id);
CREATE INDEX approval_due ON approval (org_id, due_us) WHERE due_us > 0;
CREATE INDEX approval_sum_vendor ON approval (org_id, vendor_id, kind, created_us, requester_key, object_id, base_currency, base_minor) WHERE counted = 1;
CREATE INDEX approval_bank_change ON approval (org_id, vendor_id, id) WHERE bank = 1;
CREATE INDEX approval_sum_requester ON approval (org_id, requester_key, kind, category, created_us, object_id, base_currency, base_minor) WHERE counted = 1;

CREATE TABLE decision (
  org_id      {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  id          {{text}} NOT NULL,
  person_id   {{text}} NOT NULL,
  act         {{text}} NOT NULL,
  body        {{text}} NOT NULL,     -- canonical Decision with its evidence
  entry_id    {{text}} NOT NULL,
  at_us       BIGINT   NOT NULL,
  PRIMARY KEY (org_id, approval_id, id)
){{strict}};
CREATE INDEX decision_person ON decision (org_id, person_id, at_us);

CREATE TABLE authenticator (
  org_id        {{text}} NOT NULL,
  id            {{text}} NOT NULL,
  person_id     {{text}} NOT NULL,
  type          {{text}} NOT NULL,   -- 'passkey', 'totp', 'password', 'recovery'
  name          {{text}} NOT NULL,
  credential_id {{text}} NOT NULL,   -- base64url; '' for other types
  record        {{text}} NOT NULL,   -- public facts of a passkey: JSON
  secret        {{text}} NOT NULL,   -- sealed; '' for passkeys
  state         {{text}} NOT NULL,   -- counters and locks: JSON
  standing      {{text}} NOT NULL,   -- how it was enrolled, confirmed, reported: JSON
  version       BIGINT   NOT NULL,   -- compare-and-swap
  entry_id      {{text}} NOT NULL,   -- of the enrolment
  created_us    BIGINT   NOT NULL,
  reported_us   BIGINT   NOT NULL,
  removed_us    BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE INDEX authenticator_person ON authenticator (org_id, person_id);
CREATE UNIQUE INDEX authenticator_credential ON authenticator (org_id, credential_id) WHERE credential_id <> '';

CREATE TABLE challenge (
  org_id      {{text}} NOT NULL,
  id          {{text}} NOT NULL,
  purpose     {{text}} NOT NULL,     -- 'decide', 'sign_in', 'enrol', …
  person_id   {{text}} NOT NULL,
  session_id  {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  statement   {{blob}} NOT NULL,     -- canonical bytes
  detail      {{text}} NOT NULL,     -- canonical JSON
  created_us  BIGINT   NOT NULL,
  expires_us  BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};
CREATE INDEX challenge_expires ON challenge (org_id, expires_us);
CREATE INDEX challenge_person ON challenge (org_id, person_id, created_us);

CREATE TABLE session (
  org_id      {{text}} NOT NULL,
  token_hash  {{text}} NOT NULL,
  id          {{text}} NOT NULL,
  person_id   {{text}} NOT NULL,
  kind        {{text}} NOT NULL,     -- 'normal', 'hand_over'
  approval_id {{text}} NOT NULL,     -- the one request of a hand-over session
  facts       {{text}} NOT NULL,     -- methods with their times: canonical JSON
  created_us  BIGINT   NOT NULL,
  seen_us     BIGINT   NOT NULL,
  expires_us  BIGINT   NOT NULL,
  PRIMARY KEY (org_id, token_hash)
){{strict}};
CREATE INDEX session_person ON session (org_id, person_id);

-- Links that are used once: invitations, the set-up link, hand-overs.
CREATE TABLE invitation (
  org_id      {{text}} NOT NULL,
  token_hash  {{text}} NOT NULL,
  id          {{text}} NOT NULL,
  purpose     {{text}} NOT NULL,     -- 'set_up', 'enrol', 'hand_over'
  person_id   {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  inviter     {{text}} NOT NULL,
  detail      {{text}} NOT NULL,
  created_us  BIGINT   NOT NULL,
  expires_us  BIGINT   NOT NULL,
  used_us     BIGINT   NOT NULL,
  PRIMARY KEY (org_id, token_hash)
){{strict}};
CREATE INDEX invitation_person ON invitation (org_id, person_id);

CREATE TABLE api_key (
  org_id     {{text}} NOT NULL,
  id         {{text}} NOT NULL,
  name       {{text}} NOT NULL,
  source     {{text}} NOT NULL,
  scopes     {{text}} NOT NULL,      -- JSON list
  hash       {{text}} NOT NULL,
  returns    {{text}} NOT NULL,      -- allowed origins of return URLs: JSON list
  created_us BIGINT   NOT NULL,
  created_by {{text}} NOT NULL,
  expires_us BIGINT   NOT NULL,
  revoked_us BIGINT   NOT NULL,
  PRIMARY KEY (org_id, id)
){{strict}};

-- Counted failures and rates that outlive a restart.
CREATE TABLE throttle (
  org_id     {{text}} NOT NULL,
  subject    {{text}} NOT NULL,
  state      {{text}} NOT NULL,
  version    BIGINT   NOT NULL,
  updated_us BIGINT   NOT NULL,
  PRIMARY KEY (org_id, subject)
){{strict}};

CREATE TABLE break_glass_name (
  org_id       {{text}} NOT NULL,
  person_id    {{text}} NOT NULL,
  effective_us BIGINT   NOT NULL,
  removed_us   BIGINT   NOT NULL,
  PRIMARY KEY (org_id, person_id)
){{strict}};

CREATE TABLE break_glass_use (
  org_id      {{text}} NOT NULL,
  approval_id {{text}} NOT NULL,
  currency    {{text}} NOT NULL,
  minor       BIGINT   NOT NULL,
  used_us     BIGINT   NOT NULL,
  reviewed_us BIGINT   NOT NULL,
  reviewed_by {{text}} NOT NULL,
  PRIMARY KEY (org_id, approval_id)
){{strict}};

-- +goose Down
SELECT 1;
