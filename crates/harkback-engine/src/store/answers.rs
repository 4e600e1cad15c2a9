//! SQL of the answers kept under idempotency keys.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Executor, Row, Sqlite};

use super::Store;
use crate::error::{Error, Result};
use crate::model::{AccountId, KeptAnswer, Micros};

impl Store {
    /// The answer kept under a key of the account, unless it was stored before `since`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn kept_answer(
        &self,
        account_id: AccountId,
        key: &str,
        since: Micros,
    ) -> Result<Option<KeptAnswer>> {
        sqlx::query(
            "SELECT * FROM kept_answer WHERE account_id = $1 AND key = $2 AND created_at > $3",
        )
        .bind(account_id.0)
        .bind(key)
        .bind(since)
        .try_map(kept_answer)
        .fetch_optional(&self.reader)
        .await
        .map_err(Error::from)
    }

    /// Keeps an answer, in the place of one that the key had before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn keep_answer(&self, answer: &KeptAnswer) -> Result<()> {
        keep(&self.writer, answer).await
    }

    /// Executes a statement and, if it changed a row, keeps the answer in the same transaction. Returns how many rows it
    /// changed.
    pub(super) async fn execute_keeping(
        &self,
        statement: Query<'_, Sqlite, SqliteArguments>,
        answer: Option<&KeptAnswer>,
    ) -> Result<u64> {
        let Some(answer) = answer else {
            return Ok(statement.execute(&self.writer).await?.rows_affected());
        };
        let mut tx = self.begin().await?;
        let n_changed = statement.execute(&mut *tx).await?.rows_affected();
        if n_changed > 0 {
            keep(&mut *tx, answer).await?;
        }
        tx.commit().await?;
        Ok(n_changed)
    }

    /// Drops the answers stored up to `before`; returns how many there were.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn drop_kept_answers(&self, before: Micros) -> Result<u64> {
        let done = sqlx::query("DELETE FROM kept_answer WHERE created_at <= $1")
            .bind(before)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }
}

/// Keeps an answer in the transaction of what it tells.
pub(super) async fn keep<'c>(
    sql: impl Executor<'c, Database = Sqlite>,
    answer: &KeptAnswer,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO kept_answer (account_id, key, fingerprint, status, body, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (account_id, key) DO UPDATE SET
             fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
             created_at = excluded.created_at",
    )
    .bind(answer.account_id.0)
    .bind(&answer.key)
    .bind(&answer.fingerprint)
    .bind(i64::from(answer.status))
    .bind(&answer.body)
    .bind(answer.created_at)
    .execute(sql)
    .await?;
    Ok(())
}

fn kept_answer(row: SqliteRow) -> sqlx::Result<KeptAnswer> {
    Ok(KeptAnswer {
        account_id: AccountId(row.try_get("account_id")?),
        key: row.try_get("key")?,
        fingerprint: row.try_get("fingerprint")?,
        status: row.try_get("status")?,
        body: row.try_get("body")?,
        created_at: row.try_get("created_at")?,
    })
}
