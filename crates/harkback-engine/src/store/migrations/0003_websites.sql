-- A page of a sitemap or of a bulk of a website is a file with a parent: no list shows it, and it goes with its parent.
-- `external_uri` is the address that was asked, `page_uri` the one that the page that came says it has (NULL until a page
-- came). The validators are those of the last answer. `n_found` pages of a parent are known while it is fetched, and
-- `fetch_note` says what was left out.
ALTER TABLE file ADD COLUMN parent_id BLOB;
ALTER TABLE file ADD COLUMN page_uri TEXT;
ALTER TABLE file ADD COLUMN etag TEXT;
ALTER TABLE file ADD COLUMN last_modified TEXT;
ALTER TABLE file ADD COLUMN fetched_at INTEGER;
ALTER TABLE file ADD COLUMN n_found INTEGER;
ALTER TABLE file ADD COLUMN fetch_note TEXT;
CREATE INDEX file_parent ON file (account_id, parent_id, page_uri) WHERE parent_id IS NOT NULL;

-- Of a sample that is `processing`: its website is to be fetched before it can be ingested.
ALTER TABLE sample ADD COLUMN to_fetch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sample_to_fetch ON sample (memory_id) WHERE to_fetch = 1;
