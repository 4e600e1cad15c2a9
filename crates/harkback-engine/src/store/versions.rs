//! SQL of versions of files: what is staged, and how the passages of a version go that is no file's any more.
//!
//! A version is parted with in the transaction of the change, which is short, and its passages go afterwards in steps, so
//! that others write in between: a large file has millions. Whatever stops that, [`Store::drop_unread_versions`] goes on.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::Store;
use super::jobs::check_lease;
use super::receipts::add_to_written_receipt;
use crate::error::{Error, Result};
use crate::model::{AccountId, DeletedCounts, FileId, Job, MemoryId, Receipt, Sample};

/// Passages that go in one transaction, for which other writes wait some 200 ms: with fewer the whole takes longer, for each
/// transaction writes the same pages of the indexes again.
const STEP: i64 = 5000;

/// Who reads a version that is parted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Nobody.
    None,
    /// Questions that use an index which names it, as long as the file is in the memory.
    OlderIndexesOf(FileId),
}

impl Store {
    /// Drops the passages of the versions that a deletion parted with, and returns its receipt as it is then.
    ///
    /// # Errors
    /// If the database fails. Those that are left go by [`drop_unread_versions`](Self::drop_unread_versions).
    pub(crate) async fn drop_versions_of(&self, receipt: Receipt) -> Result<Receipt> {
        let versions: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "SELECT memory_id, version_id FROM former_version
             WHERE account_id = $1 AND receipt_id = $2 AND file_id IS NULL",
        )
        .bind(receipt.account_id.0)
        .bind(receipt.receipt_id)
        .fetch_all(&self.reader)
        .await?;
        self.drop_versions(&versions).await?;
        Ok(self.written_receipt(receipt.account_id, receipt.receipt_id).await?.unwrap_or(receipt))
    }

    /// Drops the passages that nobody reads and that a deletion or a job which was interrupted has left.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn drop_unread_versions(&self) -> Result<()> {
        let sql = "SELECT memory_id, version_id FROM former_version WHERE file_id IS NULL";
        let versions: Vec<(Uuid, Uuid)> = sqlx::query_as(sql).fetch_all(&self.reader).await?;
        self.drop_versions(&versions).await
    }

    /// Drops the versions of a job's memory that no sample shows, in bounded steps, while the job holds its lease: a
    /// version that another worker is staging is never one of them. To be called when no question reads a replaced one.
    ///
    /// # Errors
    /// [`LeaseLost`](crate::Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub(crate) async fn collect_dead_versions(&self, job: &Job) -> Result<()> {
        let memory = job.memory_id;
        let unseen = {
            let mut reader = self.reader.acquire().await?;
            unseen_versions(&mut reader, memory).await?
        };
        for version in unseen {
            loop {
                let mut tx = self.begin().await?;
                check_lease(&mut tx, job).await?;
                let n_left = drop_step(&mut tx, memory, version).await?;
                tx.commit().await?;
                if n_left == Left::Nothing {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn drop_versions(&self, versions: &[(Uuid, Uuid)]) -> Result<()> {
        for (memory, version) in versions {
            loop {
                let mut tx = self.begin().await?;
                // A job may have taken it up again.
                let is_former: Option<i64> = sqlx::query_scalar(
                    "SELECT 1 FROM former_version WHERE memory_id = $1 AND version_id = $2 AND file_id IS NULL",
                )
                .bind(memory)
                .bind(version)
                .fetch_optional(&mut *tx)
                .await?;
                if is_former.is_none() {
                    break;
                }
                let left = drop_step(&mut tx, MemoryId(*memory), *version).await?;
                tx.commit().await?;
                if left == Left::Nothing {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Says that `version` is what is being staged of a sample now, and returns how many passages of it are there already;
    /// they are always the first ones.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if the file was taken out of the memory meanwhile, or has other bytes now; otherwise if
    /// the database fails.
    pub(crate) async fn begin_version(&self, sample: &Sample, version: Uuid) -> Result<u32> {
        let mut tx = self.begin().await?;
        mark_staged(&mut tx, sample, version).await?;
        sqlx::query("DELETE FROM former_version WHERE memory_id = $1 AND version_id = $2")
            .bind(sample.memory_id.0)
            .bind(version)
            .execute(&mut *tx)
            .await?;
        let sql = "SELECT COUNT(*) FROM passage WHERE memory_id = $1 AND version_id = $2";
        let n: i64 = sqlx::query_scalar(sql)
            .bind(sample.memory_id.0)
            .bind(version)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        u32::try_from(n).map_err(|e| Error::Corrupt(e.to_string()))
    }
}

/// Says that `version` is what is being staged of a sample, and parts with what was staged of it before.
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
        Some(Some(before)) => {
            part_with(tx, sample.memory_id, before, None, Readers::None).await?;
        }
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

/// Says that a version is no file's any more. Its passages go later, and are counted in the receipt, which must be written
/// in the same transaction.
pub(super) async fn part_with(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    version: Uuid,
    receipt: Option<&Receipt>,
    readers: Readers,
) -> Result<()> {
    let file_id = match readers {
        Readers::None => None,
        Readers::OlderIndexesOf(file_id) => Some(file_id.0),
    };
    sqlx::query(
        "INSERT INTO former_version (memory_id, version_id, file_id, account_id, receipt_id) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (memory_id, version_id) DO UPDATE SET file_id = excluded.file_id,
             account_id = COALESCE(excluded.account_id, account_id), receipt_id = COALESCE(excluded.receipt_id, receipt_id)",
    )
    .bind(memory_id.0)
    .bind(version)
    .bind(file_id)
    .bind(receipt.map(|it| it.account_id.0))
    .bind(receipt.map(|it| it.receipt_id))
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes the former versions of a file from the questions that may still read them, because it is deleted.
pub(super) async fn silence_former(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    file_id: FileId,
    receipt: &Receipt,
) -> Result<()> {
    sqlx::query(
        "UPDATE former_version SET file_id = NULL, account_id = $3, receipt_id = $4 WHERE memory_id = $1 AND file_id = $2",
    )
    .bind(memory_id.0)
    .bind(file_id.0)
    .bind(receipt.account_id.0)
    .bind(receipt.receipt_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Parts with every version of the memory that no sample shows, or with all if it has no sample any more.
pub(super) async fn part_with_unseen(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    receipt: Option<&Receipt>,
) -> Result<()> {
    for version in unseen_versions(tx, memory_id).await? {
        part_with(tx, memory_id, version, receipt, Readers::None).await?;
    }
    Ok(())
}

/// By a seek for each version, however many passages they have.
async fn unseen_versions(tx: &mut SqliteConnection, memory_id: MemoryId) -> Result<Vec<Uuid>> {
    let unseen = sqlx::query_scalar(
        "WITH RECURSIVE held (version) AS (
             SELECT (SELECT MIN(version_id) FROM passage WHERE memory_id = $1)
             UNION ALL
             SELECT (SELECT MIN(version_id) FROM passage WHERE memory_id = $1 AND version_id > held.version)
             FROM held WHERE held.version IS NOT NULL)
         SELECT version FROM held WHERE version IS NOT NULL AND version NOT IN
             (SELECT active_version FROM sample WHERE memory_id = $1 AND active_version IS NOT NULL)
         UNION SELECT version_id FROM former_version WHERE memory_id = $1",
    );
    Ok(unseen.bind(memory_id.0).fetch_all(tx).await?)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Passages,
}

/// Drops the last passages of a version, so that what is left is its beginning, and adds them to the receipt that is to
/// count them. When none is left, the version is forgotten.
async fn drop_step(tx: &mut SqliteConnection, memory_id: MemoryId, version: Uuid) -> Result<Left> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(seq) FROM passage WHERE memory_id = $1 AND version_id = $2")
            .bind(memory_id.0)
            .bind(version)
            .fetch_one(&mut *tx)
            .await?;
    let Some(last) = last else {
        sqlx::query("DELETE FROM former_version WHERE memory_id = $1 AND version_id = $2")
            .bind(memory_id.0)
            .bind(version)
            .execute(tx)
            .await?;
        return Ok(Left::Nothing);
    };
    let (passages, sentences, vectors): (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(SUM(length(sentence_spans) / 8), 0), COUNT(vector) FROM passage
         WHERE memory_id = $1 AND version_id = $2 AND seq > $3",
    )
    .bind(memory_id.0)
    .bind(version)
    .bind(last - STEP)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM passage WHERE memory_id = $1 AND version_id = $2 AND seq > $3")
        .bind(memory_id.0)
        .bind(version)
        .bind(last - STEP)
        .execute(&mut *tx)
        .await?;
    let receipt: Option<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT account_id, receipt_id FROM former_version
         WHERE memory_id = $1 AND version_id = $2 AND receipt_id IS NOT NULL",
    )
    .bind(memory_id.0)
    .bind(version)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some((account_id, receipt_id)) = receipt {
        let taken = DeletedCounts { passages, sentences, vectors, ..DeletedCounts::default() };
        add_to_written_receipt(tx, AccountId(account_id), receipt_id, &taken).await?;
    }
    Ok(Left::Passages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PassageKey;
    use crate::store::ingestion_tests::Fixture;

    const SECOND: i64 = 1_000_000;

    async fn is_read(f: &Fixture, sample: &Sample, version: u128) -> bool {
        let (file_id, version_id) = (sample.file_id, Uuid::from_u128(version));
        let keys = [PassageKey { file_id, version_id, seq: 0 }];
        !f.store.passage_texts(sample.memory_id, &keys).await.unwrap().is_empty()
    }

    #[tokio::test]
    async fn a_replaced_version_answers_until_it_is_collected_and_a_deleted_one_never() {
        let f = Fixture::new().await;
        let samples = [f.add(1).await, f.add(2).await];
        f.start(1, None).await;
        let job = f.claim(1, SECOND).await.unwrap();
        for (version, sample) in (1..).zip(samples.iter().chain(&samples).chain(&samples)) {
            assert!(f.publish(&job, sample, version).await.unwrap());
        }
        for version in [1, 3, 5] {
            assert!(is_read(&f, &samples[0], version).await, "{version}: an index may name it");
            assert!(!is_read(&f, &samples[1], version).await, "it is another file's");
        }
        assert!(f.remove(&samples[1]).await);
        let ids = [samples[1].file_id];
        let again = [Uuid::from_u128(9)];
        f.store.add_samples(&f.record, &ids, &again, SECOND).await.unwrap();
        for version in [2, 4, 6] {
            assert!(!is_read(&f, &samples[1], version).await, "{version} was deleted");
        }
        assert_eq!(f.n_passages().await, 3, "they went at once");
        f.store.collect_dead_versions(&job).await.unwrap();
        let after = [1, 3, 5].map(|it| is_read(&f, &samples[0], it));
        assert_eq!(futures_util::future::join_all(after).await, [false, false, true]);
        assert_eq!(f.n_passages().await, 1);
        let counted: Vec<i64> = sqlx::query_scalar(
            "SELECT counts ->> 'passages' FROM receipt ORDER BY kind, subject_id",
        )
        .fetch_all(&f.store.reader)
        .await
        .unwrap();
        assert_eq!(counted, [3, 2, 0], "taken out with what it replaced; refreshed; both");
    }

    #[tokio::test]
    async fn a_large_file_goes_in_steps_and_what_is_left_goes_later() {
        let f = Fixture::new().await;
        let sample = f.add(1).await;
        f.start(1, None).await;
        let job = f.claim(1, SECOND).await.unwrap();
        assert!(f.publish(&job, &sample, 1).await.unwrap());
        sqlx::query(
            "INSERT INTO passage (memory_id, version_id, seq, title, text, n_tokens, sentence_spans)
             WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < $1)
             SELECT memory_id, version_id, n.seq, title, text, n_tokens, x'0000000001000000' FROM passage, n",
        )
        .bind(2 * STEP)
        .execute(&f.store.writer)
        .await
        .unwrap();
        let file = f.store.file(f.record.account_id, sample.file_id).await.unwrap().unwrap();
        let id = Uuid::from_u128(9);
        let (receipt, _) = f.store.delete_file(&file, id, SECOND).await.unwrap().unwrap();
        assert!(!is_read(&f, &sample, 1).await);
        let mut tx = f.store.begin().await.unwrap();
        let left = drop_step(&mut tx, sample.memory_id, Uuid::from_u128(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((left, f.n_passages().await), (Left::Passages, STEP + 1), "and the power fails");

        f.store.drop_unread_versions().await.unwrap();
        assert_eq!(f.n_passages().await, 0);
        let receipt = f.store.drop_versions_of(receipt).await.unwrap();
        assert_eq!((receipt.counts.passages, receipt.counts.sentences), (2 * STEP + 1, 2 * STEP));
        assert_eq!(receipt.counts.files, 1);
        let n_left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM former_version")
            .fetch_one(&f.store.reader)
            .await
            .unwrap();
        assert_eq!(n_left, 0);
    }

    #[tokio::test]
    async fn a_version_that_is_staged_again_goes_on_where_it_is() {
        let f = Fixture::new().await;
        let sample = f.add(1).await;
        f.start(1, None).await;
        let job = f.claim(1, SECOND).await.unwrap();
        assert!(f.publish(&job, &sample, 1).await.unwrap());
        assert!(f.publish(&job, &sample, 2).await.unwrap());
        let begin = async |n| f.store.begin_version(&sample, Uuid::from_u128(n)).await.unwrap();
        assert_eq!((begin(1).await, begin(3).await), (1, 0), "1 is nobody's now");
        assert_eq!(begin(1).await, 1, "and is taken up before it goes");
        f.store.drop_unread_versions().await.unwrap();
        assert_eq!(begin(1).await, 1);
        assert_eq!(begin(3).await, 0);
        f.store.drop_unread_versions().await.unwrap();
        assert_eq!(begin(1).await, 0);
    }
}
