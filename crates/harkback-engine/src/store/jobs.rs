//! SQL of the job queue: who works on which memory until when.
//!
//! A sample is `processing` from the moment an ingestion is asked for until a worker has published, failed or skipped it,
//! so a request that comes while a job runs is part of that job and cannot be lost. Every write of a worker proves its
//! lease inside the same transaction.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::deliveries::{Event, announce};
use super::ingestions::end_ingestion;
use super::samples::{announce_if_all_done, sample};
use super::versions::part_with_unseen;
use crate::error::{Error, Result};
use crate::model::{AccountId, IngestionStatus, Job, MemoryId, Micros, Sample};

/// How the end of a job came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The job is done and the ingestion has this status.
    Done(IngestionStatus),
    /// Samples were asked for meanwhile: go on with [`Store::begin_batch`].
    MoreSamples,
    /// All that is left are websites that must be fetched first.
    Websites,
}

impl Store {
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

    /// The samples to process, but for websites that are to be fetched first, oldest first; empty when all are done. Call it again until it is: files that were asked
    /// for meanwhile come with the next call. What an aborted attempt staged stays: its versions are taken up again.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn begin_batch(&self, job: &Job, now: Micros) -> Result<Vec<Sample>> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
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
            "SELECT * FROM sample WHERE memory_id = $1 AND state = 'processing' AND to_fetch = 0
             ORDER BY created_at, sample_id",
        )
        .bind(job.memory_id.0)
        .try_map(sample)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(samples)
    }

    /// Ends a job, unless samples were asked for meanwhile. The ingestion has failed if the memory has files and none of
    /// them can be recalled.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn finish_job(&self, job: &Job, now: Micros) -> Result<Finish> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        let (n_open, n_to_fetch, n_live, n_all): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT COALESCE(SUM(state = 'processing'), 0), COALESCE(SUM(state = 'processing' AND to_fetch = 1), 0),
                    COUNT(active_version), COUNT(*)
             FROM sample WHERE memory_id = $1",
        )
        .bind(job.memory_id.0)
        .fetch_one(&mut *tx)
        .await?;
        if n_open > 0 {
            let are_all = n_open == n_to_fetch;
            return Ok(if are_all { Finish::Websites } else { Finish::MoreSamples });
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
        part_with_unseen(&mut tx, job.memory_id, None).await?;
        sqlx::query(
            "UPDATE sample SET state = 'failed', reason = $2, staged_version = NULL, updated_at = $3
             WHERE memory_id = $1 AND state = 'processing'",
        )
        .bind(job.memory_id.0)
        .bind(reason)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        end_ingestion(&mut tx, job.memory_id, IngestionStatus::Failed, now).await?;
        tx.commit().await?;
        self.drop_unread_versions().await
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
