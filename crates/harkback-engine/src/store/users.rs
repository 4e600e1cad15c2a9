//! SQL of users: the caller's end users.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::Store;
use super::page::{Listing, PageKey, fetch_page};
use crate::error::{Error, Result};
use crate::model::{AccountId, Cursor, EndUser, KeptAnswer, Owned, Page, PageRequest};

impl Store {
    /// Stores a new user. `answer` is kept with it.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists) if the account has one of that id; otherwise if the database fails.
    pub async fn create_user(&self, user: &EndUser, answer: Option<&KeptAnswer>) -> Result<()> {
        let made = sqlx::query(
            "INSERT INTO end_user (account_id, id, first_name, last_name, email, phone, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account_id, id) DO NOTHING",
        )
        .bind(user.account_id.0)
        .bind(&user.id)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(&user.email)
        .bind(&user.phone)
        .bind(user.created_at)
        .bind(user.updated_at);
        let n_made = self.execute_keeping(made, answer).await?;
        if n_made == 0 { Err(Error::AlreadyExists) } else { Ok(()) }
    }

    /// The user of that id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn user(&self, account_id: AccountId, id: &str) -> Result<Owned<EndUser>> {
        let found = sqlx::query("SELECT * FROM end_user WHERE account_id = $1 AND id = $2")
            .bind(account_id.0)
            .bind(id)
            .try_map(user)
            .fetch_optional(&self.reader)
            .await?;
        self.owned(found, FOREIGN, account_id, id).await
    }

    /// A page of the account's users.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_users(
        &self,
        account_id: AccountId,
        request: &PageRequest,
    ) -> Result<Page<EndUser>> {
        let listing = Listing {
            select: || {
                let mut sql = QueryBuilder::new("SELECT * FROM end_user WHERE account_id = ");
                sql.push_bind(account_id.0);
                sql
            },
            key: PageKey::Text("id"),
            row: user,
            cursor: |it| Cursor { created_at: it.created_at, id: it.id.clone() },
        };
        fetch_page(&self.reader, &listing, request).await
    }
}

const FOREIGN: &str = "SELECT 1 FROM end_user WHERE id = $1 AND account_id <> $2 LIMIT 1";

fn user(row: SqliteRow) -> sqlx::Result<EndUser> {
    Ok(EndUser {
        account_id: AccountId(row.try_get("account_id")?),
        id: row.try_get("id")?,
        first_name: row.try_get("first_name")?,
        last_name: row.try_get("last_name")?,
        email: row.try_get("email")?,
        phone: row.try_get("phone")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
