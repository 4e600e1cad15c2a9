-- A version that no sample names any more: its passages go in bounded steps, so that others write in between. Of a file that
-- was deleted or taken out they go before that is acknowledged, and `file_id` is NULL: nothing reads them. Of a version that was
-- replaced they go when no question uses an index any more that names them; until then the file answers from them too.
-- The receipt counts them in the transactions that take them; it is NULL for what was staged and never seen.
CREATE TABLE former_version (
    memory_id  BLOB NOT NULL,
    version_id BLOB NOT NULL,
    file_id    BLOB,
    account_id BLOB,
    receipt_id BLOB,
    PRIMARY KEY (memory_id, version_id)
) STRICT;
CREATE INDEX former_version_receipt ON former_version (account_id, receipt_id);
