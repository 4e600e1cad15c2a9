//! SQL of receipts: what each deletion took, written in the deletion's own transaction.

use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::page::{Listing, PageKey, fetch_page};
use crate::error::Result;
use crate::model::{AccountId, Cursor, DeletionKind, Owned, Page, PageRequest, Receipt};

impl Store {
    /// The receipt of that id, by the text of its UUID.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn receipt(&self, account_id: AccountId, id: &str) -> Result<Owned<Receipt>> {
        let Ok(receipt_id) = Uuid::try_parse(id) else { return Ok(Owned::Absent) };
        let found = sqlx::query("SELECT * FROM receipt WHERE receipt_id = $1")
            .bind(receipt_id)
            .try_map(receipt)
            .fetch_optional(&self.reader)
            .await?;
        Ok(match found {
            None => Owned::Absent,
            Some(it) if it.account_id == account_id => Owned::Mine(it),
            Some(_) => Owned::Foreign,
        })
    }

    /// A page of the account's receipts.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_receipts(
        &self,
        account_id: AccountId,
        request: &PageRequest,
    ) -> Result<Page<Receipt>> {
        let listing = Listing {
            select: || {
                let mut sql = QueryBuilder::new("SELECT * FROM receipt WHERE account_id = ");
                sql.push_bind(account_id.0);
                sql
            },
            key: PageKey::Uuid("receipt_id"),
            row: receipt,
            cursor: |it| Cursor { created_at: it.created_at, id: it.receipt_id.to_string() },
        };
        fetch_page(&self.reader, &listing, request).await
    }

    /// Writes down the counts of the graph, which are known only after the deletion.
    pub(crate) async fn complete_receipt(&self, receipt: &Receipt) -> Result<()> {
        sqlx::query("UPDATE receipt SET counts = $3 WHERE account_id = $1 AND receipt_id = $2")
            .bind(receipt.account_id.0)
            .bind(receipt.receipt_id)
            .bind(Json(&receipt.counts))
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// Stores a receipt inside the transaction of its deletion.
pub(super) async fn write_receipt(tx: &mut SqliteConnection, receipt: &Receipt) -> Result<()> {
    sqlx::query(
        "INSERT INTO receipt (account_id, receipt_id, kind, subject_id, memories, counts, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(receipt.account_id.0)
    .bind(receipt.receipt_id)
    .bind(receipt.kind.as_str())
    .bind(&receipt.subject_id)
    .bind(Json(&receipt.memories))
    .bind(Json(&receipt.counts))
    .bind(receipt.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

fn receipt(row: SqliteRow) -> sqlx::Result<Receipt> {
    let kind: String = row.try_get("kind")?;
    let (Json(memories), Json(counts)) = (row.try_get("memories")?, row.try_get("counts")?);
    Ok(Receipt {
        account_id: AccountId(row.try_get("account_id")?),
        receipt_id: row.try_get("receipt_id")?,
        kind: DeletionKind::parse(&kind)
            .ok_or_else(|| sqlx::Error::Decode(format!("receipt kind `{kind}`").into()))?,
        subject_id: row.try_get("subject_id")?,
        memories,
        counts,
        created_at: row.try_get("created_at")?,
    })
}
