//! Truth: one SQLite database. Nothing outside this folder writes SQL; one file an aggregate.
//!
//! All writes go through one connection (`BEGIN IMMEDIATE`), reads through a pool of their own, so a reader never waits
//! for a writer and a commit is durable when the call returns (WAL, `synchronous=FULL`).

mod accounts;
mod answers;
mod codec;
mod copy;
mod deliveries;
mod erasure;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod ingestions;
mod integrity;
mod jobs;
mod memories;
mod messages;
mod page;
mod passages;
mod receipts;
mod samples;
mod sessions;
mod users;
mod verify;
mod versions;
mod websites;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Encode, Sqlite, SqlitePool, Transaction, Type};

use crate::error::{Error, Result};
use crate::model::{AccountId, Owned};

pub use files::{ExtractedText, FilePatch, NewContent};
pub use ingestions::{IngestionCost, Progress, Start, StartIds};
pub use jobs::Finish;
pub use memories::MemoryPatch;
pub(crate) use passages::{
    ActivePassage, PassageKey, PassageText, StagedPassage, StagedVector, TextHash,
};
pub use samples::{FailedSample, SampleCounts, StagedVersion};
pub(crate) use verify::{Inspection, StoredPassage, StoredUpload, is_malformed};

/// How long a statement waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a write waits for its turn.
const WRITER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a read waits for a connection.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// The database of a data directory.
#[derive(Clone, Debug)]
pub struct Store {
    reader: SqlitePool,
    writer: SqlitePool,
}

impl Store {
    /// Opens (and creates or migrates) the database `harkback.db` in `dir`, which must exist.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if the file was written by a newer version; otherwise if it cannot be opened or brought up
    /// to date.
    pub async fn open(dir: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("harkback.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // What was deleted is overwritten, not merely forgotten.
            .pragma("secure_delete", "ON")
            // Of each connection, in KiB; what is read often lies in the mapped file.
            .pragma("cache_size", "-16384")
            .pragma("mmap_size", "268435456");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WRITER_TIMEOUT)
            // Under load everybody waits: a warning of each would bury the log.
            .acquire_slow_threshold(WRITER_TIMEOUT)
            .connect_with(options.clone())
            .await?;
        migrate(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(READER_TIMEOUT)
            .acquire_slow_threshold(READER_TIMEOUT)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { reader, writer })
    }

    /// A write transaction: everything in it becomes visible and durable at once, or not at all.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// What a look-up by an id means: `found` in the caller's own account, or else whether `foreign` finds a row, a statement
    /// of the id and the caller's account that looks in all others. Nothing else of another account's row is read: the answer
    /// takes as long as if there were none.
    async fn owned<'q, T, I>(
        &self,
        found: Option<T>,
        foreign: &'static str,
        account_id: AccountId,
        id: I,
    ) -> Result<Owned<T>>
    where
        I: Encode<'q, Sqlite> + Type<Sqlite> + 'q,
    {
        if let Some(found) = found {
            return Ok(Owned::Mine(found));
        }
        let elsewhere: Option<i64> = sqlx::query_scalar(foreign)
            .bind(id)
            .bind(account_id.0)
            .fetch_optional(&self.reader)
            .await?;
        Ok(if elsewhere.is_some() { Owned::Foreign } else { Owned::Absent })
    }

    /// Copies what the write-ahead log holds into the database file and empties the log, so that neither holds what was
    /// deleted. False if a reader was in the way.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn fold_log(&self) -> Result<bool> {
        let mut writer = self.writer.acquire().await?;
        // Who writes must not wait for a reader that takes long.
        sqlx::query("PRAGMA busy_timeout = 0").execute(&mut *writer).await?;
        let is_busy = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *writer)
            .await;
        let patience = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
        sqlx::query(AssertSqlSafe(patience)).execute(&mut *writer).await?;
        Ok(is_busy? == 0)
    }

    /// Closes all connections, so that the write-ahead log is folded into the database file.
    pub async fn close(&self) {
        self.reader.close().await;
        // A reader that closes late would leave it to nobody. What fails here is done at the next start.
        _ = self.fold_log().await;
        self.writer.close().await;
    }
}

/// Version, name and statements; released ones never change.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "init", include_str!("migrations/0001_init.sql")),
    (2, "passage place", include_str!("migrations/0002_passage_place.sql")),
    (3, "websites", include_str!("migrations/0003_websites.sql")),
    (4, "receipts and reuse", include_str!("migrations/0004_receipts_and_reuse.sql")),
    (5, "idempotency and rotation", include_str!("migrations/0005_idempotency_and_rotation.sql")),
    (
        6,
        "kept answers go with their subject",
        include_str!("migrations/0006_kept_answers_go_with_their_subject.sql"),
    ),
    (7, "former versions", include_str!("migrations/0007_former_versions.sql")),
];

/// Brings the schema up to date, or leaves it as it was. One program at a time does so: who comes second finds it done.
async fn migrate(writer: &SqlitePool) -> Result<()> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    migrator().run(&mut *tx).await.map_err(migration_error)?;
    Ok(tx.commit().await?)
}

fn migration_error(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::BadInput(format!(
            "the data directory was written by a newer version of harkback (its schema is {version}, this one's {}): use that one",
            MIGRATIONS.len()
        )),
        other => Error::Database(other.into()),
    }
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        let sql = sqlx::SqlStr::from_static(sql);
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
    });
    Migrator { migrations: Cow::Owned(migrations.collect()), ..Migrator::DEFAULT }
}

#[cfg(test)]
pub(crate) mod ingestion_tests;

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn programs_that_open_a_new_directory_at_once_all_can() {
        for _ in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let opened = join_all((0..12).map(|_| Store::open(dir.path()))).await;
            let n_migrations: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations")
                .fetch_one(&opened[0].as_ref().unwrap().reader)
                .await
                .unwrap();
            assert_eq!(n_migrations, MIGRATIONS.len() as i64);
            assert!(opened.iter().all(Result::is_ok), "{opened:?}");
        }
    }

    #[tokio::test]
    async fn a_directory_of_a_newer_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                   VALUES (9999, 'of tomorrow', TRUE, x'00', 0)";
        sqlx::query(sql).execute(&store.writer).await.unwrap();
        store.close().await;
        let error = Store::open(dir.path()).await.unwrap_err();
        assert!(matches!(error, Error::BadInput(_)), "{error:?}");
        assert!(
            error.to_string().contains("newer version of harkback (its schema is 9999"),
            "{error}"
        );
    }
}
