-- Times are microseconds since the Unix epoch. Ids named *_id of type BLOB are 16-byte UUIDs of ours; `id TEXT` is the
-- caller's id, unique within an account. Vectors are little-endian f16. The owner (account or memory) leads every key.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE account (
    account_id     BLOB    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    webhook_secret BLOB    NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    key_id        TEXT    NOT NULL PRIMARY KEY,
    account_id    BLOB    NOT NULL REFERENCES account (account_id),
    secret_sha256 BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER
) STRICT;

CREATE TABLE end_user (
    account_id BLOB    NOT NULL REFERENCES account (account_id),
    id         TEXT    NOT NULL,
    first_name TEXT    NOT NULL,
    last_name  TEXT    NOT NULL,
    email      TEXT,
    phone      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX end_user_page ON end_user (account_id, created_at, id);
CREATE INDEX end_user_id ON end_user (id);

CREATE TABLE session (
    account_id       BLOB    NOT NULL REFERENCES account (account_id),
    id               TEXT    NOT NULL,
    customer_user_id TEXT,
    metadata         TEXT    NOT NULL DEFAULT '[]',
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    deleted_at       INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX session_page ON session (account_id, created_at, id);
CREATE INDEX session_user ON session (account_id, customer_user_id, created_at, id);
CREATE INDEX session_id ON session (id);

CREATE TABLE message (
    account_id       BLOB    NOT NULL REFERENCES account (account_id),
    id               TEXT    NOT NULL,
    session_id       TEXT,
    customer_user_id TEXT,
    role             TEXT    NOT NULL,
    content          TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX message_page ON message (account_id, created_at, id);
CREATE INDEX message_session ON message (account_id, session_id, created_at, id);
CREATE INDEX message_user ON message (account_id, customer_user_id, created_at, id);
CREATE INDEX message_id ON message (id);

-- The bytes of an upload lie in the blob store under `key`; `uploaded_at` is set once they are there.
CREATE TABLE upload (
    key         TEXT    NOT NULL PRIMARY KEY,
    account_id  BLOB    NOT NULL REFERENCES account (account_id),
    file_name   TEXT    NOT NULL,
    size        INTEGER,
    created_at  INTEGER NOT NULL,
    uploaded_at INTEGER
) STRICT;

CREATE TABLE file (
    account_id   BLOB    NOT NULL REFERENCES account (account_id),
    file_id      BLOB    NOT NULL,
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    extension    TEXT    NOT NULL DEFAULT '',
    file_type    TEXT    NOT NULL,
    category     TEXT    NOT NULL,
    blob_key     TEXT,
    external_uri TEXT,
    size         INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (account_id, file_id),
    UNIQUE (account_id, id)
) STRICT;
CREATE INDEX file_page ON file (account_id, created_at, id);
CREATE INDEX file_id ON file (id);
CREATE INDEX file_blob ON file (account_id, blob_key);

CREATE TABLE memory (
    account_id      BLOB    NOT NULL REFERENCES account (account_id),
    memory_id       BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL DEFAULT '',
    kind            TEXT    NOT NULL,
    ontology        TEXT,
    chunk_size      INTEGER NOT NULL,
    chunk_overlap   INTEGER NOT NULL,
    webhook_url     TEXT,
    acceleration    INTEGER NOT NULL DEFAULT 0,
    fact_extraction INTEGER NOT NULL DEFAULT 0,
    step            TEXT    NOT NULL DEFAULT 'select',
    rev             INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (account_id, memory_id)
) STRICT;
CREATE UNIQUE INDEX memory_id ON memory (memory_id);
CREATE INDEX memory_page ON memory (account_id, created_at, memory_id);

-- A file in a memory. `active_version` is what readers see; NULL until the first successful ingestion.
CREATE TABLE sample (
    memory_id      BLOB    NOT NULL,
    file_id        BLOB    NOT NULL,
    sample_id      BLOB    NOT NULL,
    account_id     BLOB    NOT NULL,
    active_version BLOB,
    content_sha256 BLOB,
    model_id       TEXT,
    state          TEXT    NOT NULL DEFAULT 'pending',
    reason         TEXT,
    n_passages     INTEGER NOT NULL DEFAULT 0,
    n_sentences    INTEGER NOT NULL DEFAULT 0,
    n_tokens       INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (memory_id, file_id)
) STRICT;
CREATE INDEX sample_file ON sample (file_id);
CREATE INDEX sample_account ON sample (account_id);

-- Rows of a version are invisible until `sample.active_version` names it.
CREATE TABLE passage (
    memory_id        BLOB    NOT NULL,
    version_id       BLOB    NOT NULL,
    seq              INTEGER NOT NULL,
    record_id        TEXT,
    title            TEXT    NOT NULL,
    text             TEXT    NOT NULL,
    n_tokens         INTEGER NOT NULL,
    sentence_spans   BLOB    NOT NULL,
    vector           BLOB,
    PRIMARY KEY (memory_id, version_id, seq)
) STRICT;

-- The last ingestion of a memory, as `GET /memories/get/{id}` shows it. `n_staged` of `n_parsed` passages of the sample in
-- work are staged already.
CREATE TABLE ingestion (
    memory_id   BLOB    NOT NULL PRIMARY KEY,
    batch_id    BLOB    NOT NULL,
    status      TEXT    NOT NULL,
    n_samples   INTEGER NOT NULL,
    n_done      INTEGER NOT NULL DEFAULT 0,
    n_passages  INTEGER NOT NULL DEFAULT 0,
    n_sentences INTEGER NOT NULL DEFAULT 0,
    n_entities  INTEGER NOT NULL DEFAULT 0,
    n_relations INTEGER NOT NULL DEFAULT 0,
    n_parsed    INTEGER NOT NULL DEFAULT 0,
    n_staged    INTEGER NOT NULL DEFAULT 0,
    started_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

CREATE TABLE job (
    job_id      BLOB    NOT NULL PRIMARY KEY,
    account_id  BLOB    NOT NULL,
    memory_id   BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0,
    run_at      INTEGER NOT NULL,
    lease_until INTEGER,
    lease_token BLOB,
    last_error  TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX job_due ON job (state, run_at);
CREATE INDEX job_memory ON job (memory_id, state);

-- Webhook outbox: written in the transaction of the event, delivered in order for each memory.
CREATE TABLE delivery (
    delivery_id  BLOB    NOT NULL PRIMARY KEY,
    account_id   BLOB    NOT NULL,
    memory_id    BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    url          TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    attempt      INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER NOT NULL,
    last_status  INTEGER,
    last_error   TEXT,
    created_at   INTEGER NOT NULL,
    delivered_at INTEGER
) STRICT;
CREATE INDEX delivery_due ON delivery (state, next_at);
CREATE INDEX delivery_memory ON delivery (memory_id, seq);
