-- Of which text (title and text, as embedded) a passage's vector is: the first 16 bytes of its SHA-256. A new version takes
-- over the vectors of the texts that it shares with the version it replaces. NULL in versions made before this migration.
ALTER TABLE passage ADD COLUMN text_hash BLOB;
CREATE INDEX passage_text ON passage (memory_id, version_id, text_hash) WHERE text_hash IS NOT NULL;

-- The version of a file in work, so that a deletion takes what is staged of it too.
ALTER TABLE sample ADD COLUMN staged_version BLOB;

-- Of `n_passages` in a batch, those that went through the model, and those whose vector was there already.
ALTER TABLE ingestion ADD COLUMN n_embedded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ingestion ADD COLUMN n_reused INTEGER NOT NULL DEFAULT 0;

-- What a deletion took. Written in the transaction of the deletion; never changed but for the counts of the graph, which
-- are known when the index is built again. `counts` is a JSON object of numbers by kind, `memories` a JSON array of
-- {"memory_id", "rev"}.
CREATE TABLE receipt (
    account_id BLOB    NOT NULL REFERENCES account (account_id),
    receipt_id BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    subject_id TEXT    NOT NULL,
    memories   TEXT    NOT NULL,
    counts     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, receipt_id)
) STRICT;
CREATE INDEX receipt_page ON receipt (account_id, created_at, receipt_id);
CREATE INDEX receipt_id ON receipt (receipt_id);
