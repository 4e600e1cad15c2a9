//! Does every row have its owner, and say the same as the others? Read from outside, in one read transaction, so that a
//! server may go on writing meanwhile.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Connection, Row, SqliteConnection};
use uuid::Uuid;

use super::MIGRATIONS;
use super::codec::{decode_spans, decode_vector};
use super::passages::TextHash;
use crate::error::{Error, Result};
use crate::model::Span;

/// More findings of one kind are not told.
const MAX_A_CHECK: usize = 20;

/// A read-only look at the database of a data directory.
#[derive(Debug)]
pub(crate) struct Inspection(SqliteConnection);

/// A passage as it is stored, whoever reads it.
#[derive(Debug)]
pub(crate) struct StoredPassage {
    /// The memory, the version, and the place in it.
    pub(crate) key: (Uuid, Uuid, u32),
    /// Title or nearest heading.
    pub(crate) title: String,
    /// The text.
    pub(crate) text: String,
    /// Its sentences.
    pub(crate) sentences: Result<Vec<Span>>,
    /// Its vector.
    pub(crate) vector: Option<Result<Vec<f32>>>,
    /// The text that the vector is of, where it was written down.
    pub(crate) text_hash: Option<TextHash>,
    /// Where a reader sees it: the model of its file's vectors, `None` in lexical mode.
    pub(crate) active: Option<Option<String>>,
}

/// What should be on disk for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredUpload {
    /// Bytes, where the upload was finished.
    pub(crate) size: Option<i64>,
    /// SHA-256 of the bytes in hexadecimal digits, where a memory made passages of them that it shows.
    pub(crate) sha256: Option<String>,
}

impl Inspection {
    /// Opens the database in `dir`.
    ///
    /// # Errors
    /// If there is none, it cannot be read, or it is another version's.
    pub(crate) async fn open(dir: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("harkback.db"))
            .read_only(true)
            .busy_timeout(Duration::from_secs(30));
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let version: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&mut connection)
            .await?;
        let ours = MIGRATIONS.iter().map(|it| it.0).max();
        if version != ours {
            return Err(Error::BadInput(format!(
                "the data directory is of version {}, this program is of version {}; start the server once to bring it up to date, or use its own `harkback`",
                version.unwrap_or(0),
                ours.unwrap_or(0)
            )));
        }
        Ok(Self(connection))
    }

    /// Begins to look: what follows is all of one moment, until [`Self::end`].
    pub(crate) async fn begin(&mut self) -> Result<()> {
        sqlx::query("BEGIN").execute(&mut self.0).await?;
        Ok(())
    }

    /// Ends the look that [`Self::begin`] began.
    pub(crate) async fn end(&mut self) -> Result<()> {
        sqlx::query("ROLLBACK").execute(&mut self.0).await?;
        Ok(())
    }

    /// What is wrong with the database file itself; the rest need not be asked then.
    pub(crate) async fn broken_pages(&mut self) -> Result<Vec<String>> {
        let mut said: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check(20)").fetch_all(&mut self.0).await?;
        said.retain(|it| it != "ok");
        Ok(said)
    }

    /// The rows that contradict others, one text each.
    pub(crate) async fn contradictions(&mut self) -> Result<Vec<String>> {
        let mut said = Vec::new();
        let dangling = sqlx::query("PRAGMA foreign_key_check")
            .try_map(|row: SqliteRow| {
                let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
                Ok(format!("a row of `{table}` refers to a missing row of `{parent}`"))
            })
            .fetch_all(&mut self.0)
            .await?;
        said.extend(dangling.into_iter().take(MAX_A_CHECK));
        for sql in CHECKS {
            let rows = sqlx::query_scalar::<_, String>(*sql).fetch(&mut self.0);
            let found: Vec<String> = rows.try_collect().await?;
            let n_more = found.len().saturating_sub(MAX_A_CHECK);
            said.extend(found.into_iter().take(MAX_A_CHECK));
            if n_more > 0 {
                said.push(format!("{n_more} more of this kind"));
            }
        }
        Ok(said)
    }

    /// Hands every passage to `take`.
    pub(crate) async fn read_passages(
        &mut self,
        mut take: impl FnMut(StoredPassage),
    ) -> Result<()> {
        let mut rows = sqlx::query(
            "SELECT p.memory_id, p.version_id, p.seq, p.title, p.text, p.sentence_spans, p.vector, p.text_hash,
                    s.sample_id IS NOT NULL AS is_active, s.model_id
             FROM passage p LEFT JOIN sample s ON s.memory_id = p.memory_id AND s.active_version = p.version_id",
        )
        .fetch(&mut self.0);
        while let Some(row) = rows.try_next().await? {
            take(stored_passage(&row)?);
        }
        Ok(())
    }

    /// The versions that nobody reads and whose passages are still to be dropped, one text each.
    pub(crate) async fn unread_versions(&mut self) -> Result<Vec<String>> {
        let sql = "SELECT 'version ' || lower(hex(version_id)) || ' in memory ' || lower(hex(memory_id)) \
                   FROM former_version WHERE file_id IS NULL";
        sqlx::query_scalar(sql).fetch_all(&mut self.0).await.map_err(Error::from)
    }

    /// What should be on disk for each key.
    pub(crate) async fn uploads(&mut self) -> Result<Vec<(String, StoredUpload)>> {
        sqlx::query(
            "SELECT u.key, CASE WHEN u.uploaded_at IS NULL THEN NULL ELSE u.size END AS size,
                    (SELECT lower(hex(s.content_sha256)) FROM file f JOIN sample s ON s.file_id = f.file_id AND s.state = 'ready'
                     WHERE f.account_id = u.account_id AND f.blob_key = u.key LIMIT 1) AS sha256
             FROM upload u",
        )
        .try_map(|row: SqliteRow| {
            let upload =
                StoredUpload { size: row.try_get("size")?, sha256: row.try_get("sha256")? };
            Ok((row.try_get("key")?, upload))
        })
        .fetch_all(&mut self.0)
        .await
        .map_err(Error::from)
    }
}

/// Whether the database file is so broken that it cannot be read.
pub(crate) fn is_malformed(error: &Error) -> bool {
    let Error::Database(sqlx::Error::Database(error)) = error else { return false };
    // SQLITE_CORRUPT and SQLITE_NOTADB; the upper bits say where.
    let code = error.code().and_then(|it| it.parse::<u32>().ok());
    matches!(code.map(|it| it & 0xff), Some(11 | 26))
}

fn stored_passage(row: &SqliteRow) -> Result<StoredPassage> {
    let text: String = row.try_get("text")?;
    let vector: Option<&[u8]> = row.try_get("vector")?;
    let text_hash: Option<&[u8]> = row.try_get("text_hash")?;
    let is_active: bool = row.try_get("is_active")?;
    Ok(StoredPassage {
        key: (row.try_get("memory_id")?, row.try_get("version_id")?, row.try_get("seq")?),
        title: row.try_get("title")?,
        sentences: decode_spans(row.try_get("sentence_spans")?, &text),
        text,
        vector: vector.map(decode_vector),
        text_hash: text_hash.map(|it| {
            // One of another length equals none.
            it.try_into().unwrap_or_default()
        }),
        active: if is_active { Some(row.try_get("model_id")?) } else { None },
    })
}

/// Each returns a text for every row that is wrong.
const CHECKS: &[&str] = &[
    // Owners.
    "SELECT 'memory ' || lower(hex(memory_id)) || ' belongs to no account' FROM memory
     WHERE account_id NOT IN (SELECT account_id FROM account)",
    "SELECT 'sample ' || lower(hex(sample_id)) || ' is in no memory of its account' FROM sample s
     WHERE NOT EXISTS (SELECT 1 FROM memory m WHERE m.account_id = s.account_id AND m.memory_id = s.memory_id)",
    "SELECT 'sample ' || lower(hex(sample_id)) || ' is of no file of its account' FROM sample s
     WHERE NOT EXISTS (SELECT 1 FROM file f WHERE f.account_id = s.account_id AND f.file_id = s.file_id)",
    "SELECT 'version ' || lower(hex(version_id)) || ' with ' || COUNT(*) || ' passages is no file''s in memory '
            || lower(hex(memory_id))
     FROM passage p WHERE NOT EXISTS (SELECT 1 FROM sample s WHERE s.memory_id = p.memory_id
                                      AND p.version_id IN (s.active_version, s.staged_version))
       AND NOT EXISTS (SELECT 1 FROM former_version v WHERE v.memory_id = p.memory_id AND v.version_id = p.version_id)
     GROUP BY memory_id, version_id",
    "SELECT 'version ' || lower(hex(version_id)) || ' was replaced, and is kept for no job or no file of memory '
            || lower(hex(memory_id))
     FROM former_version v WHERE file_id IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM sample s JOIN job j ON j.memory_id = s.memory_id AND j.state IN ('queued', 'running')
         WHERE s.memory_id = v.memory_id AND s.file_id = v.file_id)",
    "SELECT 'version ' || lower(hex(version_id)) || ' is a file''s and is to be dropped' FROM former_version v
     WHERE EXISTS (SELECT 1 FROM sample s WHERE s.memory_id = v.memory_id AND v.version_id IN (s.active_version, s.staged_version))",
    "SELECT 'job ' || lower(hex(job_id)) || ' is for no memory of its account' FROM job j
     WHERE NOT EXISTS (SELECT 1 FROM memory m WHERE m.account_id = j.account_id AND m.memory_id = j.memory_id)",
    "SELECT 'an ingestion is of no memory: ' || lower(hex(memory_id)) FROM ingestion
     WHERE memory_id NOT IN (SELECT memory_id FROM memory)",
    "SELECT 'delivery ' || lower(hex(delivery_id)) || ' tells of no memory of its account' FROM delivery d
     WHERE NOT EXISTS (SELECT 1 FROM memory m WHERE m.account_id = d.account_id AND m.memory_id = d.memory_id)",
    "SELECT 'file ' || id || ' has bytes of no finished upload: ' || blob_key FROM file f
     WHERE blob_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.account_id = f.account_id
                                                AND u.key = f.blob_key AND u.uploaded_at IS NOT NULL)",
    "SELECT 'message ' || id || ' is of no session of its account: ' || session_id FROM message m
     WHERE session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM session s WHERE s.account_id = m.account_id
                                                  AND s.id = m.session_id)",
    "SELECT 'a kept answer tells of ' || subject_kind || ' ' || subject_id || ', which is deleted' FROM kept_answer k
     WHERE status < 300 AND CASE subject_kind
         WHEN 'message' THEN NOT EXISTS (
             SELECT 1 FROM message m WHERE m.account_id = k.account_id AND m.id = k.subject_id AND NOT EXISTS (
                 SELECT 1 FROM session s WHERE s.account_id = m.account_id AND s.id = m.session_id AND s.deleted_at IS NOT NULL))
         WHEN 'user' THEN NOT EXISTS (SELECT 1 FROM end_user u WHERE u.account_id = k.account_id AND u.id = k.subject_id)
         WHEN 'session' THEN NOT EXISTS (
             SELECT 1 FROM session s WHERE s.account_id = k.account_id AND s.id = k.subject_id AND s.deleted_at IS NULL)
         WHEN 'file' THEN NOT EXISTS (SELECT 1 FROM file f WHERE f.account_id = k.account_id AND f.id = k.subject_id)
         WHEN 'memory' THEN NOT EXISTS (
             SELECT 1 FROM memory m WHERE m.account_id = k.account_id AND m.memory_id = unhex(replace(k.subject_id, '-', '')))
         ELSE subject_kind IS NOT NULL END",
    "SELECT 'page ' || id || ' is of no website of its account' FROM file p
     WHERE parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM file f WHERE f.account_id = p.account_id
                                                 AND f.file_id = p.parent_id)",
    // Sizes and counts.
    "SELECT 'file ' || f.id || ' says ' || f.size || ' bytes, its upload ' || u.size FROM file f
     JOIN upload u ON u.account_id = f.account_id AND u.key = f.blob_key WHERE f.size IS NOT u.size",
    "SELECT 'sample ' || lower(hex(s.sample_id)) || ' says ' || s.n_passages || ' passages, ' || s.n_sentences
            || ' sentences, ' || s.n_tokens || ' tokens; its rows ' || COUNT(p.seq) || ', '
            || COALESCE(SUM(length(p.sentence_spans) / 8), 0) || ', ' || COALESCE(SUM(p.n_tokens), 0)
     FROM sample s LEFT JOIN passage p ON p.memory_id = s.memory_id AND p.version_id = s.active_version
     GROUP BY s.memory_id, s.file_id
     HAVING s.n_passages <> COUNT(p.seq) OR s.n_sentences <> COALESCE(SUM(length(p.sentence_spans) / 8), 0)
            OR s.n_tokens <> COALESCE(SUM(p.n_tokens), 0)",
    "SELECT 'version ' || lower(hex(version_id)) || ' has ' || COUNT(*) || ' passages, the last is number ' || MAX(seq)
     FROM passage GROUP BY memory_id, version_id HAVING MIN(seq) <> 0 OR MAX(seq) <> COUNT(*) - 1",
    // States.
    // What is held of a sitemap or a bulk lies in the files of its pages.
    "SELECT 'sample ' || lower(hex(sample_id)) || ' is ' || state || ' without what that needs' FROM sample s
     WHERE (state = 'ready' AND (active_version IS NULL OR content_sha256 IS NULL)
            AND NOT EXISTS (SELECT 1 FROM file f WHERE f.account_id = s.account_id AND f.file_id = s.file_id
                            AND f.file_type IN ('sitemap', 'website_bulk')))
        OR (state = 'failed' AND reason IS NULL) OR state NOT IN ('pending', 'processing', 'ready', 'failed')",
    "SELECT 'sample ' || lower(hex(sample_id)) || ' is processed by no job' FROM sample s
     WHERE (state = 'processing' OR staged_version IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM job j WHERE j.memory_id = s.memory_id AND j.state IN ('queued', 'running'))",
    "SELECT 'sample ' || lower(hex(sample_id)) || ' is staged, but ' || state FROM sample
     WHERE staged_version IS NOT NULL AND state <> 'processing'",
    "SELECT 'job ' || lower(hex(job_id)) || ' is ' || state || ' with a lease that does not fit' FROM job
     WHERE (state = 'running') <> (lease_until IS NOT NULL AND lease_token IS NOT NULL) OR attempt < 0
        OR state NOT IN ('queued', 'running', 'done', 'dead')",
    "SELECT 'memory ' || lower(hex(memory_id)) || ' has ' || COUNT(*) || ' unfinished jobs' FROM job
     WHERE state IN ('queued', 'running') GROUP BY memory_id HAVING COUNT(*) > 1",
    "SELECT 'the ingestion of memory ' || lower(hex(memory_id)) || ' is ' || status || ' without what that needs' FROM ingestion i
     WHERE (finished_at IS NULL) <> EXISTS (SELECT 1 FROM job j WHERE j.memory_id = i.memory_id
                                            AND j.state IN ('queued', 'running'))
        OR (finished_at IS NULL) <> (status IN ('pending', 'processing'))
        OR status NOT IN ('pending', 'processing', 'success', 'failed')",
    "SELECT 'two deliveries of memory ' || lower(hex(memory_id)) || ' have the number ' || seq FROM delivery
     GROUP BY memory_id, seq HAVING COUNT(*) > 1",
    "SELECT 'delivery ' || lower(hex(delivery_id)) || ' is `' || state || '`' FROM delivery
     WHERE state NOT IN ('pending', 'delivered', 'dead')",
    "SELECT 'session ' || id || ' has metadata that is no JSON' FROM session WHERE NOT json_valid(metadata)",
    "SELECT 'receipt ' || lower(hex(receipt_id)) || ' has counts that are no JSON' FROM receipt
     WHERE NOT json_valid(counts) OR NOT json_valid(memories)",
];
