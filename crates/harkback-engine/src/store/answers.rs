//! SQL of the answers kept under idempotency keys. The deletion of what an answer tells of takes the answer; the key stays
//! used, so that a request that is sent again does not make it anew.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Executor, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::Store;
use crate::error::{Error, Result};
use crate::model::{AccountId, DeletionKind, Kept, KeptAnswer, Micros};

/// What is being deleted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deleted<'a> {
    /// A record, by its kind and the id that callers know.
    Record(DeletionKind, &'a str),
    /// The messages of a session. They must still be there.
    MessagesIn(&'a str),
    /// The messages that name an end user. They must still be there.
    MessagesOf(&'a str),
}

impl Store {
    /// What is kept under a key of the account, unless it was stored before `since`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn kept_answer(
        &self,
        account_id: AccountId,
        key: &str,
        since: Micros,
    ) -> Result<Option<Kept>> {
        sqlx::query(
            "SELECT * FROM kept_answer WHERE account_id = $1 AND key = $2 AND created_at > $3",
        )
        .bind(account_id.0)
        .bind(key)
        .bind(since)
        .try_map(kept)
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
        "INSERT INTO kept_answer (account_id, key, fingerprint, status, body, created_at, subject_kind, subject_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (account_id, key) DO UPDATE SET
             fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
             created_at = excluded.created_at, subject_kind = excluded.subject_kind, subject_id = excluded.subject_id",
    )
    .bind(answer.account_id.0)
    .bind(&answer.key)
    .bind(&answer.fingerprint)
    .bind(i64::from(answer.status))
    .bind(&answer.body)
    .bind(answer.created_at)
    .bind(answer.subject.as_ref().map(|it| it.0.as_str()))
    .bind(answer.subject.as_ref().map(|it| &it.1))
    .execute(sql)
    .await?;
    Ok(())
}

/// Empties the answers that tell of what is being deleted, in its transaction. Returns how many those were.
pub(super) async fn erase_answers(
    tx: &mut SqliteConnection,
    account_id: AccountId,
    deleted: Deleted<'_>,
) -> Result<i64> {
    let mut sql = QueryBuilder::new(
        "UPDATE kept_answer SET fingerprint = x'', body = x'', subject_kind = NULL, subject_id = NULL WHERE account_id = ",
    );
    sql.push_bind(account_id.0).push(" AND ");
    let messages = match deleted {
        Deleted::Record(kind, id) => {
            sql.push("subject_kind = ").push_bind(kind.as_str());
            sql.push(" AND subject_id = ").push_bind(id);
            None
        }
        Deleted::MessagesIn(session) => Some(("session_id", session)),
        Deleted::MessagesOf(user) => Some(("customer_user_id", user)),
    };
    if let Some((column, value)) = messages {
        sql.push("subject_kind = 'message' AND subject_id IN (SELECT id FROM message WHERE account_id = ");
        sql.push_bind(account_id.0).push(format!(" AND {column} = ")).push_bind(value).push(")");
    }
    let done = sql.build().execute(tx).await?;
    Ok(done.rows_affected() as i64)
}

fn kept(row: SqliteRow) -> sqlx::Result<Kept> {
    let fingerprint: Vec<u8> = row.try_get("fingerprint")?;
    if fingerprint.is_empty() {
        return Ok(Kept::Erased);
    }
    let kind: Option<String> = row.try_get("subject_kind")?;
    let kind = kind.and_then(|it| DeletionKind::parse(&it));
    let id: Option<String> = row.try_get("subject_id")?;
    Ok(Kept::Answer(KeptAnswer {
        account_id: AccountId(row.try_get("account_id")?),
        key: row.try_get("key")?,
        fingerprint,
        status: row.try_get("status")?,
        body: row.try_get("body")?,
        subject: kind.zip(id),
        created_at: row.try_get("created_at")?,
    }))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::path::Path;

    use sqlx::migrate::Migrator;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{Connection, SqliteConnection};
    use uuid::Uuid;

    use super::super::migrator;
    use super::*;

    const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

    /// What lay in a data directory before answers knew what they tell of.
    const BEFORE: &str = r#"
        INSERT INTO account (account_id, name, webhook_secret, created_at) VALUES (x'00000000000000000000000000000001', 'a', x'00', 1);
        INSERT INTO message (account_id, id, role, content, created_at, updated_at) SELECT account_id, 'm1', 'user', '', 1, 1 FROM account;
        INSERT INTO session (account_id, id, created_at, updated_at, deleted_at) SELECT account_id, 's1', 1, 1, 2 FROM account;
        INSERT INTO memory (account_id, memory_id, name, kind, chunk_size, chunk_overlap, created_at, updated_at)
            SELECT account_id, x'00000000000000000000000000000002', 'm', 'graph', 1, 1, 1, 1 FROM account;
        INSERT INTO kept_answer (account_id, key, fingerprint, status, body, created_at) VALUES
            (x'00000000000000000000000000000001', 'm1', x'01', 201, CAST('{"data":{"id":"m1","role":"user"}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'm2', x'01', 201, CAST('{"data":{"id":"m2","role":"user"}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 's1', x'01', 201, CAST('{"data":{"id":"s1","endedAt":null}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'u1', x'01', 201, CAST('{"data":{"id":"u1","firstName":"A"}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'f1', x'01', 201, CAST('{"data":{"id":"f1","bronzeKey":null}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'g1', x'01', 201,
             CAST('{"data":{"id":"00000000-0000-0000-0000-000000000002","memoryType":"graph"}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'd1', x'01', 200,
             CAST('{"data":{"id":"d","attempts":0,"memoryID":"00000000-0000-0000-0000-000000000009"}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'add', x'01', 201, CAST('{"data":{"id":"x","fileID":"f1"}}' AS BLOB), 1),
            (x'00000000000000000000000000000001', 'bad', x'01', 400, CAST('{"error":"x"}' AS BLOB), 1);
    "#;

    async fn store_of_before(dir: &Path) -> Store {
        let options = SqliteConnectOptions::new().filename(dir.join("harkback.db"));
        let mut connection =
            SqliteConnection::connect_with(&options.create_if_missing(true)).await.unwrap();
        let before = migrator().migrations.iter().filter(|it| it.version < 6).cloned().collect();
        let before = Migrator { migrations: Cow::Owned(before), ..Migrator::DEFAULT };
        before.run(&mut connection).await.unwrap();
        sqlx::raw_sql(BEFORE).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Store::open(dir).await.unwrap()
    }

    #[tokio::test]
    async fn older_answers_are_told_what_they_tell_of() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_of_before(dir.path()).await;
        let erased = ["m2", "s1", "u1", "f1", "d1"];
        let subjects = [
            ("m1", Some(DeletionKind::Message)),
            ("g1", Some(DeletionKind::Memory)),
            ("add", None),
            ("bad", None),
        ];
        for key in erased {
            assert_eq!(
                store.kept_answer(ACCOUNT, key, 0).await.unwrap(),
                Some(Kept::Erased),
                "{key}"
            );
        }
        for (key, kind) in subjects {
            let Some(Kept::Answer(it)) = store.kept_answer(ACCOUNT, key, 0).await.unwrap() else {
                panic!("{key} is gone");
            };
            assert_eq!(it.subject.map(|it| it.0), kind, "{key}");
        }
        let found = crate::verify(dir.path()).await.unwrap();
        assert_eq!(found.defects, [""; 0]);
    }
}
