//! SQL of sessions.

use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row};

use super::Store;
use super::page::{Listing, PageKey, fetch_page};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Cursor, KeptAnswer, MetadataEntry, Owned, Page, PageRequest, Session,
};

impl Store {
    /// Stores a new session. `answer` is kept with it.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists) if the account has one of that id, deleted or not; otherwise if the
    /// database fails.
    pub async fn create_session(
        &self,
        session: &Session,
        answer: Option<&KeptAnswer>,
    ) -> Result<()> {
        let made = sqlx::query(
            "INSERT INTO session
                 (account_id, id, customer_user_id, metadata, created_at, updated_at, ended_at, deleted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account_id, id) DO NOTHING",
        )
        .bind(session.account_id.0)
        .bind(&session.id)
        .bind(&session.customer_user_id)
        .bind(Json(&session.metadata))
        .bind(session.created_at)
        .bind(session.updated_at)
        .bind(session.ended_at)
        .bind(session.deleted_at);
        let n_made = self.execute_keeping(made, answer).await?;
        if n_made == 0 { Err(Error::AlreadyExists) } else { Ok(()) }
    }

    /// The session of that id, deleted or not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn session(&self, account_id: AccountId, id: &str) -> Result<Owned<Session>> {
        let found = sqlx::query("SELECT * FROM session WHERE account_id = $1 AND id = $2")
            .bind(account_id.0)
            .bind(id)
            .try_map(session)
            .fetch_optional(&self.reader)
            .await?;
        self.owned(found, FOREIGN, account_id, id).await
    }

    /// A page of the account's sessions that are not deleted, of one end user if one is named.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_sessions(
        &self,
        account_id: AccountId,
        customer_user_id: Option<&str>,
        request: &PageRequest,
    ) -> Result<Page<Session>> {
        let listing = Listing {
            select: || {
                let mut sql = QueryBuilder::new("SELECT * FROM session WHERE account_id = ");
                sql.push_bind(account_id.0).push(" AND deleted_at IS NULL");
                if let Some(user) = customer_user_id {
                    sql.push(" AND customer_user_id = ").push_bind(user.to_owned());
                }
                sql
            },
            key: PageKey::Text("id"),
            row: session,
            cursor: |it| Cursor { created_at: it.created_at, id: it.id.clone() },
        };
        fetch_page(&self.reader, &listing, request).await
    }
}

const FOREIGN: &str = "SELECT 1 FROM session WHERE id = $1 AND account_id <> $2 LIMIT 1";

fn session(row: SqliteRow) -> sqlx::Result<Session> {
    let Json(metadata): Json<Vec<MetadataEntry>> = row.try_get("metadata")?;
    Ok(Session {
        account_id: AccountId(row.try_get("account_id")?),
        id: row.try_get("id")?,
        customer_user_id: row.try_get("customer_user_id")?,
        metadata,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        ended_at: row.try_get("ended_at")?,
        deleted_at: row.try_get("deleted_at")?,
    })
}
