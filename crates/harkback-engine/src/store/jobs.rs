//! SQL of the job queue: who works on which memory until when, and how an ingestion goes.
//!
//! A sample is `processing` from the moment an ingestion is asked for until a worker has published, failed or skipped it,
//! so a request that comes while a job runs is part of that job and cannot be lost. Every write of a worker proves its
//! lease inside the same transaction.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::deliveries::{Event, announce};
use super::samples::{announce_if_all_done, drop_unseen_versions, sample};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Ingestion, IngestionStatus, Job, MemoryId, MemoryRecord, Micros, Sample,
};

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
    /// Passages of the sample in work.
    pub n_parsed: Option<i64>,
    /// Those of them that are staged.
    pub n_staged: Option<i64>,
    /// Entities of the whole memory.
    pub n_entities: Option<i64>,
    /// Relations of the whole memory.
    pub n_relations: Option<i64>,
}

/// How the end of a job came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The job is done and the ingestion has this status.
    Done(IngestionStatus),
    /// Samples were asked for meanwhile: go on with [`Store::begin_batch`].
    MoreSamples,
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

    /// Leases the job that is due longest: a queued one, or one whose worker let its lease run out.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_job(
        &self,
        token: Uuid,
        now: Micros,
        lease_until: Micros,
    ) -> Result<Option<Job>> {
        sqlx::query(
            "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until = $3, lease_token = $1,
                            updated_at = $2
             WHERE job_id = (SELECT job_id FROM job
                             WHERE (state = 'queued' AND run_at <= $2) OR (state = 'running' AND lease_until <= $2)
                             ORDER BY run_at, job_id LIMIT 1)
             RETURNING *",
        )
        .bind(token)
        .bind(now)
        .bind(lease_until)
        .try_map(leased)
        .fetch_optional(&self.writer)
        .await
        .map_err(Error::from)
    }

    /// Prolongs the lease.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn heartbeat(&self, job: &Job, lease_until: Micros) -> Result<()> {
        let done = sqlx::query(
            "UPDATE job SET lease_until = $3 WHERE job_id = $1 AND lease_token = $2 AND state = 'running'",
        )
        .bind(job.job_id)
        .bind(job.lease_token)
        .bind(lease_until)
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 0 { Err(Error::LeaseLost) } else { Ok(()) }
    }

    /// The samples to process, oldest first; empty when all are done. Call it again until it is: files that were asked
    /// for meanwhile come with the next call. Drops what an aborted attempt staged.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn begin_batch(&self, job: &Job, now: Micros) -> Result<Vec<Sample>> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        drop_unseen_versions(&mut tx, job.memory_id).await?;
        sqlx::query(
            "UPDATE ingestion SET status = 'processing', n_parsed = 0, n_staged = 0, updated_at = $2
             WHERE memory_id = $1",
        )
        .bind(job.memory_id.0)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        announce(&mut tx, job.memory_id, Event::InProgress, now).await?;
        announce_if_all_done(&mut tx, job.memory_id, now).await?;
        let samples = sqlx::query(
            "SELECT * FROM sample WHERE memory_id = $1 AND state = 'processing' ORDER BY created_at, sample_id",
        )
        .bind(job.memory_id.0)
        .try_map(sample)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(samples)
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

    /// Ends a job, unless samples were asked for meanwhile. The ingestion has failed if the memory has files and none of
    /// them can be recalled.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn finish_job(&self, job: &Job, now: Micros) -> Result<Finish> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        let (n_open, n_live, n_all): (i64, i64, i64) = sqlx::query_as(
            "SELECT COALESCE(SUM(CASE WHEN state = 'processing' THEN 1 ELSE 0 END), 0), COUNT(active_version), COUNT(*)
             FROM sample WHERE memory_id = $1",
        )
        .bind(job.memory_id.0)
        .fetch_one(&mut *tx)
        .await?;
        if n_open > 0 {
            return Ok(Finish::MoreSamples);
        }
        let status = if n_all > 0 && n_live == 0 {
            IngestionStatus::Failed
        } else {
            IngestionStatus::Success
        };
        end_job(&mut tx, job, "done", None, now).await?;
        end_ingestion(&mut tx, job.memory_id, status, now).await?;
        tx.commit().await?;
        Ok(Finish::Done(status))
    }

    /// Gives a job back to be tried again at `run_at`, because of `error`.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn retry_job(
        &self,
        job: &Job,
        run_at: Micros,
        error: &str,
        now: Micros,
    ) -> Result<()> {
        self.requeue(job, run_at, job.attempt, Some(error), now).await
    }

    /// Gives a job back because the worker stops; the attempt does not count.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn release_job(&self, job: &Job, now: Micros) -> Result<()> {
        self.requeue(job, now, job.attempt - 1, None, now).await
    }

    /// Gives a job up for good: what it had still to process fails with `reason`.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn bury_job(&self, job: &Job, reason: &str, error: &str, now: Micros) -> Result<()> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        end_job(&mut tx, job, "dead", Some(error), now).await?;
        drop_unseen_versions(&mut tx, job.memory_id).await?;
        sqlx::query(
            "UPDATE sample SET state = 'failed', reason = $2, updated_at = $3
             WHERE memory_id = $1 AND state = 'processing'",
        )
        .bind(job.memory_id.0)
        .bind(reason)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        end_ingestion(&mut tx, job.memory_id, IngestionStatus::Failed, now).await?;
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
            .try_map(ingestion)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    async fn requeue(
        &self,
        job: &Job,
        run_at: Micros,
        attempt: i64,
        error: Option<&str>,
        now: Micros,
    ) -> Result<()> {
        let done = sqlx::query(
            "UPDATE job SET state = 'queued', run_at = $3, attempt = $4, last_error = COALESCE($5, last_error),
                            lease_until = NULL, lease_token = NULL, updated_at = $6
             WHERE job_id = $1 AND lease_token = $2 AND state = 'running'",
        )
        .bind(job.job_id)
        .bind(job.lease_token)
        .bind(run_at)
        .bind(attempt)
        .bind(error)
        .bind(now)
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 0 { Err(Error::LeaseLost) } else { Ok(()) }
    }
}

/// Refuses the transaction of a worker whose lease another one took over, or whose memory is gone.
pub(super) async fn check_lease(tx: &mut SqliteConnection, job: &Job) -> Result<()> {
    let held: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM job WHERE job_id = $1 AND lease_token = $2 AND state = 'running'",
    )
    .bind(job.job_id)
    .bind(job.lease_token)
    .fetch_optional(tx)
    .await?;
    if held.is_none() { Err(Error::LeaseLost) } else { Ok(()) }
}

async fn mark_samples(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    model_id: Option<&str>,
    now: Micros,
) -> Result<i64> {
    let marked = sqlx::query(
        "UPDATE sample SET state = 'processing', reason = NULL, updated_at = $3
         WHERE memory_id = $1
           AND (state IN ('pending', 'failed')
                OR (state = 'ready' AND $2 IS NOT NULL AND model_id IS DISTINCT FROM $2))",
    )
    .bind(memory_id.0)
    .bind(model_id)
    .bind(now)
    .execute(tx)
    .await?;
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
             n_passages = 0, n_sentences = 0, n_parsed = 0, n_staged = 0, started_at = excluded.started_at,
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

async fn end_job(
    tx: &mut SqliteConnection,
    job: &Job,
    state: &str,
    error: Option<&str>,
    now: Micros,
) -> Result<()> {
    sqlx::query(
        "UPDATE job SET state = $2, last_error = COALESCE($3, last_error), lease_until = NULL, lease_token = NULL,
                        updated_at = $4
         WHERE job_id = $1",
    )
    .bind(job.job_id)
    .bind(state)
    .bind(error)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn end_ingestion(
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
    set_step(tx, memory_id, "complete", now).await?;
    let event = if status == IngestionStatus::Failed { Event::Failed } else { Event::Complete };
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

fn leased(row: SqliteRow) -> sqlx::Result<Job> {
    Ok(Job {
        job_id: row.try_get("job_id")?,
        account_id: AccountId(row.try_get("account_id")?),
        memory_id: MemoryId(row.try_get("memory_id")?),
        kind: row.try_get("kind")?,
        attempt: row.try_get("attempt")?,
        lease_token: row.try_get("lease_token")?,
    })
}

fn ingestion(row: SqliteRow) -> sqlx::Result<Ingestion> {
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
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}
