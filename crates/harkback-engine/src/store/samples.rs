//! SQL of files in memories: which are in, which wait for an ingestion, and what became of each.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::deliveries::{Event, announce};
use super::jobs::check_lease;
use super::receipts::{open_receipt, refresh_receipt, write_receipt};
use super::versions::{Readers, part_with, silence_former};
use super::websites::pages_of;
use crate::error::{Error, Result};
use crate::model::{
    DeletionKind, FileId, FileRecord, Job, MemoryId, MemoryRecord, MemoryRevision, Micros, Receipt,
    Sample, SampleState,
};

/// A version of a file that is staged whole and may become visible.
#[derive(Clone, Debug)]
pub struct StagedVersion {
    /// Its id, under which the passages are staged.
    pub version_id: Uuid,
    /// SHA-256 of the bytes it was made of.
    pub sha256: Vec<u8>,
    /// The embedding model, `None` in lexical mode.
    pub model_id: Option<String>,
    /// Passages staged.
    pub n_passages: i64,
    /// Sentences in them.
    pub n_sentences: i64,
    /// Tokens of titles and texts, as the passages have them.
    pub n_tokens: i64,
}

/// A file that could not be ingested.
#[derive(Clone, Debug)]
pub struct FailedSample {
    /// The caller's id of the file.
    pub file_id: String,
    /// Its name.
    pub name: String,
    /// Why, in words fit for the caller.
    pub reason: String,
}

/// What a memory holds, by the state of its files.
#[derive(Clone, Debug, Default)]
pub struct SampleCounts {
    /// Files in the memory.
    pub n_samples: i64,
    /// Files that can be recalled, and files that failed.
    pub n_done: i64,
    /// Passages that can be recalled.
    pub n_passages: i64,
    /// Sentences that can be recalled.
    pub n_sentences: i64,
    /// The files that failed, oldest first, at most 1000.
    pub failed: Vec<FailedSample>,
}

impl Store {
    /// Puts files into a memory, all or none, and returns the samples in the order of `files`. A file that is in already
    /// keeps its sample. `new_ids` are for the samples to be made, one a file.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn add_samples(
        &self,
        record: &MemoryRecord,
        files: &[FileId],
        new_ids: &[Uuid],
        now: Micros,
    ) -> Result<Vec<Sample>> {
        let mut tx = self.begin().await?;
        let mut samples = Vec::with_capacity(files.len());
        for (offset, (file, new_id)) in (0..).zip(files.iter().zip(new_ids)) {
            sqlx::query(
                "INSERT INTO sample (memory_id, file_id, sample_id, account_id, created_at, updated_at)
                 SELECT $1, file_id, $3, account_id, $5, $5 FROM file WHERE account_id = $4 AND file_id = $2
                 ON CONFLICT (memory_id, file_id) DO NOTHING",
            )
            .bind(record.memory_id.0)
            .bind(file.0)
            .bind(new_id)
            .bind(record.account_id.0)
            .bind(now + offset)
            .execute(&mut *tx)
            .await?;
            let found = sqlx::query("SELECT * FROM sample WHERE memory_id = $1 AND file_id = $2")
                .bind(record.memory_id.0)
                .bind(file.0)
                .try_map(sample)
                .fetch_optional(&mut *tx)
                .await?;
            samples.push(found.ok_or_else(|| Error::BadInput("File not found".into()))?);
        }
        tx.commit().await?;
        Ok(samples)
    }

    /// Takes a file, the pages of it if it is a website, and all that was derived from them out of a memory. `None` if it
    /// was not in it. Nothing reads its passages from then on; they go by [`drop_versions_of`](Self::drop_versions_of), which
    /// is to be called before anyone is told.
    ///
    /// # Errors
    /// If the database fails.
    pub(crate) async fn remove_sample(
        &self,
        memory_id: MemoryId,
        file: &FileRecord,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Option<Receipt>> {
        let mut tx = self.begin().await?;
        let kind = DeletionKind::FileInMemory;
        let mut receipt = Receipt::new(file.account_id, receipt_id, kind, &file.id, now);
        if !remove_sample(&mut tx, memory_id, file.file_id, &mut receipt).await? {
            return Ok(None);
        }
        for page in pages_of(&mut tx, file).await? {
            remove_sample(&mut tx, memory_id, page, &mut receipt).await?;
        }
        write_receipt(&mut tx, &receipt).await?;
        tx.commit().await?;
        Ok(Some(receipt))
    }

    /// All samples of a memory, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn samples_of_memory(&self, memory_id: MemoryId) -> Result<Vec<Sample>> {
        sqlx::query("SELECT * FROM sample WHERE memory_id = $1 ORDER BY created_at, sample_id")
            .bind(memory_id.0)
            .try_map(sample)
            .fetch_all(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// Counts a memory's samples and lists the failed ones.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count_samples(&self, record: &MemoryRecord) -> Result<SampleCounts> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS n_samples,
                    COALESCE(SUM(CASE WHEN state IN ('ready', 'failed') THEN 1 ELSE 0 END), 0) AS n_done,
                    COALESCE(SUM(n_passages), 0) AS n_passages, COALESCE(SUM(n_sentences), 0) AS n_sentences
             FROM sample WHERE memory_id = $1",
        )
        .bind(record.memory_id.0)
        .fetch_one(&self.reader)
        .await?;
        let failed = sqlx::query(
            "SELECT f.id, f.name, s.reason FROM sample s
             JOIN file f ON f.account_id = s.account_id AND f.file_id = s.file_id
             WHERE s.memory_id = $1 AND s.state = 'failed' ORDER BY s.created_at, f.id LIMIT 1000",
        )
        .bind(record.memory_id.0)
        .try_map(|row: SqliteRow| {
            Ok(FailedSample {
                file_id: row.try_get("id")?,
                name: row.try_get("name")?,
                reason: row.try_get::<Option<String>, _>("reason")?.unwrap_or_default(),
            })
        })
        .fetch_all(&self.reader)
        .await?;
        Ok(SampleCounts {
            n_samples: row.try_get("n_samples")?,
            n_done: row.try_get("n_done")?,
            n_passages: row.try_get("n_passages")?,
            n_sentences: row.try_get("n_sentences")?,
            failed,
        })
    }

    /// Makes a staged version the one that readers see. Questions that use an index of before may read the version that it
    /// replaces until the job collects it. False if the file was taken out of the memory meanwhile.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn publish_sample(
        &self,
        job: &Job,
        sample: &Sample,
        version: &StagedVersion,
        now: Micros,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        let old: Option<Option<Uuid>> = sqlx::query_scalar(
            "SELECT active_version FROM sample WHERE memory_id = $1 AND file_id = $2 AND sample_id = $3",
        )
        .bind(sample.memory_id.0)
        .bind(sample.file_id.0)
        .bind(sample.sample_id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(old) = old else { return Ok(false) };
        sqlx::query(
            "UPDATE sample SET active_version = $3, staged_version = NULL, content_sha256 = $4, model_id = $5, state = 'ready', reason = NULL,
                               n_passages = $6, n_sentences = $7, updated_at = $8, n_tokens = $9
             WHERE memory_id = $1 AND file_id = $2",
        )
        .bind(sample.memory_id.0)
        .bind(sample.file_id.0)
        .bind(version.version_id)
        .bind(&version.sha256)
        .bind(&version.model_id)
        .bind(version.n_passages)
        .bind(version.n_sentences)
        .bind(now)
        .bind(version.n_tokens)
        .execute(&mut *tx)
        .await?;
        let (memory_id, rev) = (sample.memory_id, bump_rev(&mut tx, sample.memory_id, now).await?);
        if let Some(old) = old.filter(|it| *it != version.version_id) {
            let mut receipt = refresh_receipt(&mut tx, job, sample.file_id, now).await?;
            receipt.memories.push(MemoryRevision { memory_id, rev });
            open_receipt(&mut tx, &receipt).await?;
            let readers = Readers::OlderIndexesOf(sample.file_id);
            part_with(&mut tx, memory_id, old, Some(&receipt), readers).await?;
        }
        count_done(&mut tx, job, version.n_passages, version.n_sentences, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Marks a sample failed, with the reason. What readers saw of an earlier version stays.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn fail_sample(
        &self,
        job: &Job,
        sample: &Sample,
        reason: &str,
        now: Micros,
    ) -> Result<()> {
        self.end_sample(job, sample, SampleState::Failed, Some(reason), now).await
    }

    /// Marks a sample ready as it is, because its bytes and the model are those of the active version.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn skip_sample(&self, job: &Job, sample: &Sample, now: Micros) -> Result<()> {
        self.end_sample(job, sample, SampleState::Ready, None, now).await
    }

    async fn end_sample(
        &self,
        job: &Job,
        sample: &Sample,
        state: SampleState,
        reason: Option<&str>,
        now: Micros,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        let staged: Option<Uuid> = sqlx::query_scalar(
            "SELECT staged_version FROM sample
             WHERE memory_id = $1 AND file_id = $2 AND sample_id = $3 AND staged_version IS NOT NULL",
        )
        .bind(sample.memory_id.0)
        .bind(sample.file_id.0)
        .bind(sample.sample_id)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(staged) = staged {
            part_with(&mut tx, sample.memory_id, staged, None, Readers::None).await?;
        }
        let done = sqlx::query(
            "UPDATE sample SET state = $4, reason = $5, staged_version = NULL, updated_at = $6
             WHERE memory_id = $1 AND file_id = $2 AND sample_id = $3 AND state = 'processing'",
        )
        .bind(sample.memory_id.0)
        .bind(sample.file_id.0)
        .bind(sample.sample_id)
        .bind(state.as_str())
        .bind(reason)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() > 0 {
            count_done(&mut tx, job, 0, 0, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Takes one file out of one memory, inside the caller's transaction, and adds to the receipt what that took; its passages are
/// added when they go. False if it was not in it.
pub(super) async fn remove_sample(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    file_id: FileId,
    receipt: &mut Receipt,
) -> Result<bool> {
    let now = receipt.created_at;
    let removed: Option<(Option<Uuid>, Option<Uuid>, String)> = sqlx::query_as(
        "DELETE FROM sample WHERE memory_id = $1 AND file_id = $2 RETURNING active_version, staged_version, state",
    )
    .bind(memory_id.0)
    .bind(file_id.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((active, staged, state)) = removed else { return Ok(false) };
    receipt.counts.samples += 1;
    for version in [active, staged].into_iter().flatten() {
        part_with(tx, memory_id, version, Some(receipt), Readers::None).await?;
    }
    silence_former(tx, memory_id, file_id, receipt).await?;
    if receipt.memories.iter().all(|it| it.memory_id != memory_id) {
        let rev = bump_rev(tx, memory_id, now).await?;
        receipt.memories.push(MemoryRevision { memory_id, rev });
    }
    if state == SampleState::Processing.as_str() {
        sqlx::query(
            "UPDATE ingestion SET n_samples = n_samples - 1, updated_at = $2 WHERE memory_id = $1",
        )
        .bind(memory_id.0)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        announce_if_all_done(tx, memory_id, now).await?;
    }
    Ok(true)
}

/// Says that a file's bytes are others now: its samples wait for an ingestion, and what one under way makes of the former
/// bytes is not theirs any more.
pub(super) async fn outdate_samples(
    tx: &mut SqliteConnection,
    file_id: FileId,
    new_sample_id: Uuid,
    now: Micros,
) -> Result<()> {
    let staged: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT memory_id, staged_version FROM sample WHERE file_id = $1 AND staged_version IS NOT NULL",
    )
    .bind(file_id.0)
    .fetch_all(&mut *tx)
    .await?;
    for (memory_id, version) in staged {
        part_with(tx, MemoryId(memory_id), version, None, Readers::None).await?;
    }
    sqlx::query(
        "UPDATE sample SET sample_id = $2, staged_version = NULL, reason = NULL, updated_at = $3,
                           state = CASE state WHEN 'processing' THEN state ELSE 'pending' END
         WHERE file_id = $1",
    )
    .bind(file_id.0)
    .bind(new_sample_id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts one sample of the batch as done, and tells of it when it was the last.
pub(super) async fn count_done(
    tx: &mut SqliteConnection,
    job: &Job,
    n_passages: i64,
    n_sentences: i64,
    now: Micros,
) -> Result<()> {
    sqlx::query(
        "UPDATE ingestion SET n_done = n_done + 1, n_passages = n_passages + $2, n_sentences = n_sentences + $3,
                              n_parsed = 0, n_staged = 0, updated_at = $4
         WHERE memory_id = $1",
    )
    .bind(job.memory_id.0)
    .bind(n_passages)
    .bind(n_sentences)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    announce_if_all_done(tx, job.memory_id, now).await
}

/// Tells that all samples are done, if they are and the batch is under way.
pub(super) async fn announce_if_all_done(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    now: Micros,
) -> Result<()> {
    let all_done: Option<bool> = sqlx::query_scalar(
        "SELECT n_done >= n_samples FROM ingestion WHERE memory_id = $1 AND status = 'processing'",
    )
    .bind(memory_id.0)
    .fetch_optional(&mut *tx)
    .await?;
    if all_done == Some(true) {
        announce(tx, memory_id, Event::Building, now).await?;
    }
    Ok(())
}

/// Counts a visible change of a memory, and returns its revision after it.
pub(super) async fn bump_rev(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    now: Micros,
) -> Result<i64> {
    sqlx::query_scalar(
        "UPDATE memory SET rev = rev + 1, updated_at = $2 WHERE memory_id = $1 RETURNING rev",
    )
    .bind(memory_id.0)
    .bind(now)
    .fetch_one(tx)
    .await
    .map_err(Error::from)
}

pub(super) fn sample(row: SqliteRow) -> sqlx::Result<Sample> {
    let state: String = row.try_get("state")?;
    Ok(Sample {
        sample_id: row.try_get("sample_id")?,
        memory_id: MemoryId(row.try_get("memory_id")?),
        file_id: FileId(row.try_get("file_id")?),
        active_version: row.try_get("active_version")?,
        content_sha256: row.try_get("content_sha256")?,
        model_id: row.try_get("model_id")?,
        state: SampleState::parse(&state)
            .ok_or_else(|| sqlx::Error::Decode(format!("sample state `{state}`").into()))?,
        reason: row.try_get("reason")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
