//! SQL of messages.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::Store;
use super::answers;
use super::page::{Listing, PageKey, fetch_page};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Cursor, KeptAnswer, Message, MessageFilter, MessagePlace, Micros, Owned, Page,
    PageRequest, Role,
};

impl Store {
    /// Stores a new message, unless the session it names cannot take one. Where the message names no end user it gets
    /// the session's; it is returned as stored. What `answer` makes of it is kept with it.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists) if the account has one of that id; otherwise if the database fails.
    pub async fn create_message(
        &self,
        message: &Message,
        answer: impl FnOnce(&Message) -> Option<KeptAnswer> + Send,
    ) -> Result<Owned<MessagePlace>> {
        let mut message = message.clone();
        let mut tx = self.begin().await?;
        if let Some(session_id) = message.session_id.as_deref() {
            let found: Option<(Option<String>, Option<Micros>)> = sqlx::query_as(
                "SELECT customer_user_id, deleted_at FROM session WHERE account_id = $1 AND id = $2",
            )
            .bind(message.account_id.0)
            .bind(session_id)
            .fetch_optional(&mut *tx)
            .await?;
            match found {
                None => {
                    tx.rollback().await?;
                    return self.owned(None, FOREIGN_SESSION, message.account_id, session_id).await;
                }
                Some((_, Some(_))) => return Ok(Owned::Mine(MessagePlace::SessionDeleted)),
                Some((user, None)) => {
                    message.customer_user_id = message.customer_user_id.or(user);
                }
            }
        }
        let made = sqlx::query(
            "INSERT INTO message
                 (account_id, id, session_id, customer_user_id, role, content, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account_id, id) DO NOTHING",
        )
        .bind(message.account_id.0)
        .bind(&message.id)
        .bind(&message.session_id)
        .bind(&message.customer_user_id)
        .bind(message.role.as_str())
        .bind(&message.content)
        .bind(message.created_at)
        .bind(message.updated_at)
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Err(Error::AlreadyExists);
        }
        if let Some(answer) = answer(&message) {
            answers::keep(&mut *tx, &answer).await?;
        }
        tx.commit().await?;
        Ok(Owned::Mine(MessagePlace::Stored(message)))
    }

    /// The message of that id, unless its session is deleted.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn message(&self, account_id: AccountId, id: &str) -> Result<Owned<Message>> {
        let sql = format!("SELECT * FROM message m WHERE account_id = $1 AND id = $2{SHOWN}");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(account_id.0)
            .bind(id)
            .try_map(message)
            .fetch_optional(&self.reader)
            .await?;
        self.owned(found, FOREIGN, account_id, id).await
    }

    /// A page of the account's messages that pass the filter and belong to no deleted session, and how many there are
    /// in all.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_messages(
        &self,
        account_id: AccountId,
        filter: &MessageFilter,
        request: &PageRequest,
    ) -> Result<(Page<Message>, u64)> {
        let listing = Listing {
            select: || select_messages("*", account_id, filter),
            key: PageKey::Text("id"),
            row: message,
            cursor: |it| Cursor { created_at: it.created_at, id: it.id.clone() },
        };
        let page = fetch_page(&self.reader, &listing, request).await?;
        let total: i64 = select_messages("COUNT(*)", account_id, filter)
            .build_query_scalar()
            .fetch_one(&self.reader)
            .await?;
        Ok((page, total.unsigned_abs()))
    }
}

const FOREIGN: &str = "SELECT 1 FROM message WHERE id = $1 AND account_id <> $2 LIMIT 1";
const FOREIGN_SESSION: &str = "SELECT 1 FROM session WHERE id = $1 AND account_id <> $2 LIMIT 1";

/// Of a message `m`: its session is not deleted.
const SHOWN: &str = " AND NOT EXISTS (SELECT 1 FROM session s WHERE s.account_id = m.account_id AND s.id = m.session_id
                                      AND s.deleted_at IS NOT NULL)";

fn select_messages(
    columns: &str,
    account_id: AccountId,
    filter: &MessageFilter,
) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(format!("SELECT {columns} FROM message m WHERE account_id = "));
    sql.push_bind(account_id.0);
    let texts = [
        (" AND session_id = ", filter.session_id.clone()),
        (" AND customer_user_id = ", filter.customer_user_id.clone()),
        (" AND role = ", filter.role.map(|it| it.as_str().to_owned())),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            sql.push(condition).push_bind(value);
        }
    }
    sql.push(SHOWN);
    sql
}

fn message(row: SqliteRow) -> sqlx::Result<Message> {
    let role: String = row.try_get("role")?;
    Ok(Message {
        account_id: AccountId(row.try_get("account_id")?),
        id: row.try_get("id")?,
        session_id: row.try_get("session_id")?,
        customer_user_id: row.try_get("customer_user_id")?,
        role: Role::parse(&role)
            .ok_or_else(|| sqlx::Error::Decode(format!("message role `{role}`").into()))?,
        content: row.try_get("content")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
