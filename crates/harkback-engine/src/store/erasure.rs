//! SQL of the deletion of users, sessions and messages: the record alone, or with everything that was said.
//!
//! A session stays as a tombstone (its id and when it was deleted), because its id cannot be used again. Erased with
//! everything, the tombstone says nothing else.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::Store;
use super::answers::{Deleted, erase_answers};
use super::receipts::write_receipt;
use crate::error::Result;
use crate::model::{
    AccountId, DeletedCounts, DeletionKind, Extent, Micros, Owned, Receipt, SessionDeletion,
};

impl Store {
    /// Deletes a message.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn delete_message(
        &self,
        account_id: AccountId,
        id: &str,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Owned<Receipt>> {
        let mut receipt = Receipt::new(account_id, receipt_id, DeletionKind::Message, id, now);
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM message WHERE account_id = $1 AND id = $2")
            .bind(account_id.0)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            drop(tx);
            return self.owned(None, FOREIGN_MESSAGE, account_id, id).await;
        }
        receipt.counts.messages = 1;
        let message = Deleted::Record(DeletionKind::Message, id);
        receipt.counts.kept_answers = erase_answers(&mut tx, account_id, message).await?;
        write_receipt(&mut tx, &receipt).await?;
        tx.commit().await?;
        Ok(Owned::Mine(receipt))
    }

    /// Soft-deletes a session: it and its messages are no longer shown. With [`Extent::Everything`] its messages,
    /// its metadata and its end user's id are erased, also if it was deleted without them before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn delete_session(
        &self,
        account_id: AccountId,
        id: &str,
        extent: Extent,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Owned<SessionDeletion>> {
        let mut receipt = Receipt::new(account_id, receipt_id, DeletionKind::Session, id, now);
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE session SET deleted_at = $3, updated_at = $3
             WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL",
        )
        .bind(account_id.0)
        .bind(id)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        receipt.counts.sessions = done.rows_affected() as i64;
        let mut is_done = done.rows_affected() > 0;
        receipt.counts.kept_answers = erase_answers_of_session(&mut tx, account_id, id).await?;
        if extent == Extent::Everything {
            is_done |= erase_session(&mut tx, account_id, id, &mut receipt.counts).await?;
        }
        if is_done {
            write_receipt(&mut tx, &receipt).await?;
            tx.commit().await?;
            return Ok(Owned::Mine(SessionDeletion::Done(Box::new(receipt))));
        }
        drop(tx);
        Ok(match self.session(account_id, id).await? {
            Owned::Mine(_) => Owned::Mine(SessionDeletion::DoneBefore),
            Owned::Foreign => Owned::Foreign,
            Owned::Absent => Owned::Absent,
        })
    }

    /// Deletes a user. The user's sessions and messages stay, unless [`Extent::Everything`] is asked for: then they are
    /// erased, whether or not there is a record of the user.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn delete_user(
        &self,
        account_id: AccountId,
        id: &str,
        extent: Extent,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Owned<Receipt>> {
        let mut receipt = Receipt::new(account_id, receipt_id, DeletionKind::User, id, now);
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM end_user WHERE account_id = $1 AND id = $2")
            .bind(account_id.0)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        receipt.counts.users = done.rows_affected() as i64;
        if extent == Extent::Everything {
            erase_what_was_said_by(&mut tx, account_id, id, &mut receipt).await?;
        }
        if receipt.counts == DeletedCounts::default() {
            drop(tx);
            return self.owned(None, FOREIGN_USER, account_id, id).await;
        }
        let user = Deleted::Record(DeletionKind::User, id);
        receipt.counts.kept_answers += erase_answers(&mut tx, account_id, user).await?;
        write_receipt(&mut tx, &receipt).await?;
        tx.commit().await?;
        Ok(Owned::Mine(receipt))
    }
}

const FOREIGN_MESSAGE: &str = "SELECT 1 FROM message WHERE id = $1 AND account_id <> $2 LIMIT 1";
const FOREIGN_USER: &str = "SELECT 1 FROM end_user WHERE id = $1 AND account_id <> $2 LIMIT 1";

/// Takes the answers that tell of a session and of its messages, which must still be there.
async fn erase_answers_of_session(
    tx: &mut SqliteConnection,
    account_id: AccountId,
    id: &str,
) -> Result<i64> {
    let session = Deleted::Record(DeletionKind::Session, id);
    let n_of_messages = erase_answers(tx, account_id, Deleted::MessagesIn(id)).await?;
    Ok(n_of_messages + erase_answers(tx, account_id, session).await?)
}

/// Erases what a deleted session says. False if that was nothing.
async fn erase_session(
    tx: &mut SqliteConnection,
    account_id: AccountId,
    id: &str,
    counts: &mut DeletedCounts,
) -> Result<bool> {
    let messages = sqlx::query("DELETE FROM message WHERE account_id = $1 AND session_id = $2")
        .bind(account_id.0)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    let session = sqlx::query(
        "UPDATE session SET customer_user_id = NULL, metadata = '[]'
         WHERE account_id = $1 AND id = $2 AND (customer_user_id IS NOT NULL OR metadata <> '[]')",
    )
    .bind(account_id.0)
    .bind(id)
    .execute(tx)
    .await?;
    counts.messages += messages.rows_affected() as i64;
    Ok(messages.rows_affected() + session.rows_affected() > 0)
}

async fn erase_what_was_said_by(
    tx: &mut SqliteConnection,
    account_id: AccountId,
    user: &str,
    receipt: &mut Receipt,
) -> Result<()> {
    let sessions: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM session WHERE account_id = $1 AND customer_user_id = $2",
    )
    .bind(account_id.0)
    .bind(user)
    .fetch_all(&mut *tx)
    .await?;
    for session in &sessions {
        receipt.counts.kept_answers += erase_answers_of_session(tx, account_id, session).await?;
        erase_session(tx, account_id, session, &mut receipt.counts).await?;
        sqlx::query(
            "UPDATE session SET deleted_at = COALESCE(deleted_at, $3), updated_at = $3
             WHERE account_id = $1 AND id = $2",
        )
        .bind(account_id.0)
        .bind(session)
        .bind(receipt.created_at)
        .execute(&mut *tx)
        .await?;
    }
    // Those in sessions of nobody or of somebody else.
    let theirs = Deleted::MessagesOf(user);
    receipt.counts.kept_answers += erase_answers(tx, account_id, theirs).await?;
    let messages =
        sqlx::query("DELETE FROM message WHERE account_id = $1 AND customer_user_id = $2")
            .bind(account_id.0)
            .bind(user)
            .execute(tx)
            .await?;
    receipt.counts.sessions += sessions.len() as i64;
    receipt.counts.messages += messages.rows_affected() as i64;
    Ok(())
}
