//! SQL of versions of files: what is staged, what goes when a version goes.

use std::collections::HashSet;

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::{DeletedCounts, MemoryId, Sample};

/// Adds the passages of a memory, or of one version of a file in it, to what a deletion takes.
pub(super) async fn count_passages(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    version: Option<Uuid>,
    counts: &mut DeletedCounts,
) -> Result<()> {
    let (n_passages, n_sentences, n_vectors): (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(SUM(length(sentence_spans) / 8), 0), COUNT(vector) FROM passage
         WHERE memory_id = $1 AND ($2 IS NULL OR version_id = $2)",
    )
    .bind(memory_id.0)
    .bind(version)
    .fetch_one(tx)
    .await?;
    counts.passages += n_passages;
    counts.sentences += n_sentences;
    counts.vectors += n_vectors;
    Ok(())
}

/// Says that `version` is what is being staged of a sample, and drops what was staged of it before.
pub(super) async fn mark_staged(
    tx: &mut SqliteConnection,
    sample: &Sample,
    version: Uuid,
) -> Result<()> {
    let before: Option<Option<Uuid>> = sqlx::query_scalar(
        "SELECT staged_version FROM sample WHERE memory_id = $1 AND file_id = $2 AND sample_id = $3",
    )
    .bind(sample.memory_id.0)
    .bind(sample.file_id.0)
    .bind(sample.sample_id)
    .fetch_optional(&mut *tx)
    .await?;
    match before {
        None => return Err(Error::BadInput("the file was taken out or changed".into())),
        Some(Some(before)) if before == version => return Ok(()),
        Some(Some(before)) => drop_version(tx, sample.memory_id, before).await?,
        Some(None) => {}
    }
    sqlx::query("UPDATE sample SET staged_version = $3 WHERE memory_id = $1 AND file_id = $2")
        .bind(sample.memory_id.0)
        .bind(sample.file_id.0)
        .bind(version)
        .execute(tx)
        .await?;
    Ok(())
}

/// Drops what is staged of a sample.
pub(super) async fn drop_staged(tx: &mut SqliteConnection, sample: &Sample) -> Result<()> {
    sqlx::query(
        "DELETE FROM passage WHERE memory_id = $1 AND version_id =
             (SELECT staged_version FROM sample WHERE memory_id = $1 AND file_id = $2 AND sample_id = $3)",
    )
    .bind(sample.memory_id.0)
    .bind(sample.file_id.0)
    .bind(sample.sample_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Drops a version's passages.
pub(super) async fn drop_version(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    version_id: Uuid,
) -> Result<()> {
    sqlx::query("DELETE FROM passage WHERE memory_id = $1 AND version_id = $2")
        .bind(memory_id.0)
        .bind(version_id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Drops what aborted attempts staged: every version of the memory that no sample shows.
pub(super) async fn drop_unseen_versions(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
) -> Result<()> {
    let staged: HashSet<Uuid> =
        sqlx::query_scalar("SELECT DISTINCT version_id FROM passage WHERE memory_id = $1")
            .bind(memory_id.0)
            .fetch_all(&mut *tx)
            .await?
            .into_iter()
            .collect();
    let seen: HashSet<Uuid> = sqlx::query_scalar(
        "SELECT active_version FROM sample WHERE memory_id = $1 AND active_version IS NOT NULL",
    )
    .bind(memory_id.0)
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .collect();
    for version in staged.difference(&seen) {
        drop_version(tx, memory_id, *version).await?;
    }
    Ok(())
}
