//! SQL of ingestions: what is asked for, how far it has come, how it ended.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::deliveries::{Event, announce};
use super::jobs::check_lease;
use crate::error::{Error, Result};
use crate::model::{Ingestion, IngestionStatus, Job, MemoryId, MemoryRecord, Micros, WorkBytes};

/// Ids for what a start may have to make.
#[derive(Clone, Copy, Debug)]
pub struct StartIds {
    /// For the job.
    pub job_id: Uuid,
    /// For the batch, as webhooks name it.
    pub batch_id: Uuid,
}

/// What a start of an ingestion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The memory holds no file at all; nothing was changed.
    Empty,
    /// A job works on it or will; so many samples are still to process.
    Started {
        /// Samples still to process.
        n_samples: i64,
    },
}

/// What an ingestion would cost, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestionCost {
    /// Bytes of the files still to process.
    pub n_bytes: i64,
    /// Tokens of all that the account's memories hold.
    pub n_tokens_held: i64,
}

/// How far the sample in work and the memory's graph have come; `None` leaves a number as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Passages that the sample in work will have.
    pub n_parsed: Option<i64>,
    /// Those of them that are staged.
    pub n_staged: Option<i64>,
    /// Entities of the whole memory.
    pub n_entities: Option<i64>,
    /// Relations of the whole memory.
    pub n_relations: Option<i64>,
}

impl Store {
    /// What ingesting a memory would process now: bytes of its new, failed and outdated files.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn ingestion_cost(
        &self,
        record: &MemoryRecord,
        model_id: Option<&str>,
    ) -> Result<IngestionCost> {
        let n_bytes = sqlx::query_scalar(
            "SELECT COALESCE(SUM(f.size), 0) FROM sample s
             JOIN file f ON f.account_id = s.account_id AND f.file_id = s.file_id
             WHERE s.memory_id = $1
               AND (s.state <> 'ready' OR ($2 IS NOT NULL AND s.model_id IS DISTINCT FROM $2))",
        )
        .bind(record.memory_id.0)
        .bind(model_id)
        .fetch_one(&self.reader)
        .await?;
        let n_tokens_held = sqlx::query_scalar(
            "SELECT COALESCE(SUM(n_tokens), 0) FROM sample WHERE account_id = $1",
        )
        .bind(record.account_id.0)
        .fetch_one(&self.reader)
        .await?;
        Ok(IngestionCost { n_bytes, n_tokens_held })
    }

    /// Asks for the ingestion of a memory's new and failed files, and of those whose vectors are another model's than
    /// `model_id`. A memory has at most one unfinished job: if there is one, it takes these files along.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn start_ingestion(
        &self,
        record: &MemoryRecord,
        ids: StartIds,
        model_id: Option<&str>,
        now: Micros,
    ) -> Result<Start> {
        let mut tx = self.begin().await?;
        let memory_id = record.memory_id;
        let n_held: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sample WHERE memory_id = $1")
            .bind(memory_id.0)
            .fetch_one(&mut *tx)
            .await?;
        if n_held == 0 {
            return Ok(Start::Empty);
        }
        let n_asked = mark_samples(&mut tx, memory_id, model_id, now).await?;
        let joined = sqlx::query(
            "UPDATE job SET run_at = CASE state WHEN 'queued' THEN $2 ELSE run_at END, updated_at = $2
             WHERE memory_id = $1 AND state IN ('queued', 'running')",
        )
        .bind(memory_id.0)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if joined.rows_affected() > 0 {
            sqlx::query("UPDATE ingestion SET n_samples = n_samples + $2, updated_at = $3 WHERE memory_id = $1")
                .bind(memory_id.0)
                .bind(n_asked)
                .bind(now)
                .execute(&mut *tx)
                .await?;
        } else {
            enqueue(&mut tx, record, ids, n_asked, now).await?;
        }
        let n_samples: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM sample WHERE memory_id = $1 AND state = 'processing'",
        )
        .bind(memory_id.0)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Start::Started { n_samples })
    }

    /// Records how far the work has come.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn update_progress(&self, job: &Job, progress: Progress, now: Micros) -> Result<()> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        sqlx::query(
            "UPDATE ingestion SET n_parsed = COALESCE($2, n_parsed), n_staged = COALESCE($3, n_staged),
                                  n_entities = COALESCE($4, n_entities), n_relations = COALESCE($5, n_relations),
                                  updated_at = $6
             WHERE memory_id = $1",
        )
        .bind(job.memory_id.0)
        .bind(progress.n_parsed)
        .bind(progress.n_staged)
        .bind(progress.n_entities)
        .bind(progress.n_relations)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The last ingestion of a memory, if there was one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_ingestion(&self, memory_id: MemoryId) -> Result<Option<Ingestion>> {
        sqlx::query("SELECT * FROM ingestion WHERE memory_id = $1")
            .bind(memory_id.0)
            .try_map(|row| ingestion(&row))
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// The ingestions that are not finished, whoever's they are, with the bytes they have to do with.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open_ingestions(&self) -> Result<Vec<(Ingestion, WorkBytes)>> {
        sqlx::query(WORK)
            .bind(None::<Uuid>)
            .try_map(|row| Ok((ingestion(&row)?, work_bytes(&row)?)))
            .fetch_all(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// The bytes that the unfinished ingestion of a memory has to do with.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn work_bytes(&self, memory_id: MemoryId) -> Result<WorkBytes> {
        let found = sqlx::query(WORK)
            .bind(memory_id.0)
            .try_map(|row| work_bytes(&row))
            .fetch_optional(&self.reader)
            .await?;
        Ok(found.unwrap_or_default())
    }
}

/// What was ingested before this ingestion began is none of its work, and what failed says nothing of how long the rest
/// takes.
const WORK: &str = "SELECT i.*, COALESCE(SUM(f.size) FILTER (WHERE s.state = 'ready' AND s.updated_at > i.started_at), 0) AS n_done_bytes, \
            COALESCE(SUM(f.size) FILTER (WHERE s.state = 'processing' AND s.staged_version IS NOT NULL), 0) AS n_bytes_in_work, \
            COALESCE(SUM(f.size) FILTER (WHERE s.state = 'processing' AND s.staged_version IS NULL), 0) AS n_bytes_waiting, \
            COUNT(*) FILTER (WHERE s.state = 'processing' AND s.to_fetch = 1) AS n_unfetched \
     FROM job j JOIN ingestion i ON i.memory_id = j.memory_id LEFT JOIN sample s ON s.memory_id = i.memory_id \
          LEFT JOIN file f ON f.account_id = s.account_id AND f.file_id = s.file_id \
     WHERE j.state IN ('queued', 'running') AND ($1 IS NULL OR j.memory_id = $1) GROUP BY i.memory_id";

/// Ends the memory's ingestion and tells of it.
pub(super) async fn end_ingestion(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    status: IngestionStatus,
    now: Micros,
) -> Result<()> {
    sqlx::query(
        "UPDATE ingestion SET status = $2, n_parsed = 0, n_staged = 0, updated_at = $3, finished_at = $3
         WHERE memory_id = $1",
    )
    .bind(memory_id.0)
    .bind(status.as_str())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let (step, event) = match status {
        IngestionStatus::Failed => ("failed", Event::Failed),
        _ => ("complete", Event::Complete),
    };
    set_step(tx, memory_id, step, now).await?;
    announce(tx, memory_id, event, now).await
}

async fn set_step(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    step: &str,
    now: Micros,
) -> Result<()> {
    sqlx::query("UPDATE memory SET step = $2, updated_at = $3 WHERE memory_id = $1")
        .bind(memory_id.0)
        .bind(step)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// A page that never came waits for its site, and a site is asked anew each time; a page that the caller uploaded is none.
const MARK: &str = "UPDATE sample SET state = 'processing', reason = NULL, updated_at = $3, \
       to_fetch = f.parent_id IS NULL AND (f.file_type IN ('sitemap', 'website_bulk') OR f.file_type = 'website' \
                  AND f.external_uri IS NOT NULL AND (f.blob_key IS NULL OR f.fetched_at IS NOT NULL)) \
     FROM file f WHERE sample.memory_id = $1 AND f.account_id = sample.account_id AND f.file_id = sample.file_id \
       AND NOT (f.parent_id IS NOT NULL AND f.blob_key IS NULL) \
       AND (state IN ('pending', 'failed') \
            OR state = 'ready' AND (f.parent_id IS NULL AND (f.file_type IN ('sitemap', 'website_bulk') \
                                                              OR f.file_type = 'website' AND f.fetched_at IS NOT NULL) \
                                    OR $2 IS NOT NULL AND model_id IS DISTINCT FROM $2))";

async fn mark_samples(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    model_id: Option<&str>,
    now: Micros,
) -> Result<i64> {
    let marked = sqlx::query(MARK).bind(memory_id.0).bind(model_id).bind(now).execute(tx).await?;
    i64::try_from(marked.rows_affected()).map_err(|e| Error::Corrupt(e.to_string()))
}

async fn enqueue(
    tx: &mut SqliteConnection,
    record: &MemoryRecord,
    ids: StartIds,
    n_samples: i64,
    now: Micros,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO job (job_id, account_id, memory_id, kind, state, run_at, created_at, updated_at)
         VALUES ($1, $2, $3, 'ingest', 'queued', $4, $4, $4)",
    )
    .bind(ids.job_id)
    .bind(record.account_id.0)
    .bind(record.memory_id.0)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    // Entities and relations are the whole memory's, so they outlive the batch.
    sqlx::query(
        "INSERT INTO ingestion (memory_id, batch_id, status, n_samples, started_at, updated_at)
         VALUES ($1, $2, 'pending', $3, $4, $4)
         ON CONFLICT (memory_id) DO UPDATE
         SET batch_id = excluded.batch_id, status = excluded.status, n_samples = excluded.n_samples, n_done = 0,
             n_passages = 0, n_sentences = 0, n_parsed = 0, n_staged = 0, n_embedded = 0, n_reused = 0, started_at = excluded.started_at,
             updated_at = excluded.updated_at, finished_at = NULL",
    )
    .bind(record.memory_id.0)
    .bind(ids.batch_id)
    .bind(n_samples)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    set_step(tx, record.memory_id, "ingest", now).await?;
    announce(tx, record.memory_id, Event::Starting, now).await?;
    announce(tx, record.memory_id, Event::Waiting, now).await
}

fn work_bytes(row: &SqliteRow) -> sqlx::Result<WorkBytes> {
    Ok(WorkBytes {
        done: row.try_get("n_done_bytes")?,
        in_work: row.try_get("n_bytes_in_work")?,
        waiting: row.try_get("n_bytes_waiting")?,
        n_unfetched: row.try_get("n_unfetched")?,
    })
}

fn ingestion(row: &SqliteRow) -> sqlx::Result<Ingestion> {
    let status: String = row.try_get("status")?;
    Ok(Ingestion {
        batch_id: row.try_get("batch_id")?,
        status: IngestionStatus::parse(&status)
            .ok_or_else(|| sqlx::Error::Decode(format!("ingestion status `{status}`").into()))?,
        n_samples: row.try_get("n_samples")?,
        n_done: row.try_get("n_done")?,
        n_passages: row.try_get("n_passages")?,
        n_sentences: row.try_get("n_sentences")?,
        n_entities: row.try_get("n_entities")?,
        n_relations: row.try_get("n_relations")?,
        n_parsed: row.try_get("n_parsed")?,
        n_staged: row.try_get("n_staged")?,
        n_embedded: row.try_get("n_embedded")?,
        n_reused: row.try_get("n_reused")?,
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}
