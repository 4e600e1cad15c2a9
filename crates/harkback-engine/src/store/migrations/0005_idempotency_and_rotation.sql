-- What a request with an idempotency key was answered, for 24 hours. `fingerprint` tells whether another request with the
-- key is the same one. Written in the transaction of what the request makes, where it makes something.
CREATE TABLE kept_answer (
    account_id  BLOB    NOT NULL REFERENCES account (account_id),
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    status      INTEGER NOT NULL,
    body        BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT;
CREATE INDEX kept_answer_age ON kept_answer (created_at);

-- The webhook secret before the last rotation signs too, until then.
ALTER TABLE account ADD COLUMN old_webhook_secret BLOB;
ALTER TABLE account ADD COLUMN old_webhook_secret_until INTEGER;

-- The delivery log as callers page through it.
CREATE INDEX delivery_page ON delivery (account_id, created_at, delivery_id);
