-- +goose Up
-- Where two indexes would do, the one that was meant must say more, or the other is taken.

-- what one person decided, newest first, along the index to its end
DROP INDEX decision_person;
CREATE INDEX decision_person ON decision (org_id, person_id, at_us, id, approval_id);

-- what concerns somebody otherwise, past all that merely asks their groups
DROP INDEX audience_others;
CREATE INDEX audience_others ON audience (org_id, who, live, approval_id, part) WHERE live = 1 AND part <> 'decide';

-- the few changes of bank details among all the requests of a vendor
DROP INDEX approval_bank_change;
CREATE INDEX approval_bank_change ON approval (org_id, vendor_id, bank, id) WHERE bank = 1;

-- +goose Down
SELECT 1;
