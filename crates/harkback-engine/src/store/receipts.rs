//! SQL of receipts: what each deletion took, written in the deletion's own transaction.
//!
//! An ingestion deletes too: the versions that it replaces and the pages that a website no longer has. It takes them one by
//! one, and one receipt for each file that callers know adds up what went.

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::page::{Listing, PageKey, fetch_page};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Cursor, DeletedCounts, DeletionKind, FileId, Job, Micros, Owned, Page, PageRequest,
    Receipt,
};

impl Store {
    /// The receipt of that id, by the text of its UUID.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn receipt(&self, account_id: AccountId, id: &str) -> Result<Owned<Receipt>> {
        let Ok(receipt_id) = Uuid::try_parse(id) else { return Ok(Owned::Absent) };
        let found = self.written_receipt(account_id, receipt_id).await?;
        self.owned(found, FOREIGN, account_id, receipt_id).await
    }

    /// The newest receipt of the deletion of what callers know by that id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_receipt(
        &self,
        account_id: AccountId,
        kind: DeletionKind,
        subject_id: &str,
    ) -> Result<Option<Receipt>> {
        sqlx::query(
            "SELECT * FROM receipt WHERE account_id = $1 AND kind = $2 AND subject_id = $3
             ORDER BY created_at DESC LIMIT 1",
        )
        .bind(account_id.0)
        .bind(kind.as_str())
        .bind(subject_id)
        .try_map(receipt)
        .fetch_optional(&self.reader)
        .await
        .map_err(Error::from)
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

    /// A receipt as it is written.
    pub(super) async fn written_receipt(
        &self,
        account_id: AccountId,
        receipt_id: Uuid,
    ) -> Result<Option<Receipt>> {
        sqlx::query("SELECT * FROM receipt WHERE account_id = $1 AND receipt_id = $2")
            .bind(account_id.0)
            .bind(receipt_id)
            .try_map(receipt)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
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

const FOREIGN: &str = "SELECT 1 FROM receipt WHERE receipt_id = $1 AND account_id <> $2";

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

/// The receipt of what a job replaces of a file, or of the website whose page the file is. Empty; to be given to
/// [`add_to_receipt`] when it is known what was taken.
pub(super) async fn refresh_receipt(
    tx: &mut SqliteConnection,
    job: &Job,
    file_id: FileId,
    now: Micros,
) -> Result<Receipt> {
    let found: Option<(String, Uuid)> = sqlx::query_as(
        "SELECT COALESCE(p.id, f.id), COALESCE(p.file_id, f.file_id)
         FROM file f LEFT JOIN file p ON p.account_id = f.account_id AND p.file_id = f.parent_id
         WHERE f.account_id = $1 AND f.file_id = $2",
    )
    .bind(job.account_id.0)
    .bind(file_id.0)
    .fetch_optional(tx)
    .await?;
    // Of a file that is gone, nothing can be taken.
    let (subject_id, subject) = found.unwrap_or_else(|| (file_id.0.to_string(), file_id.0));
    let digest = Sha256::new().chain_update(job.job_id).chain_update(subject).finalize();
    let (id, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
    let receipt_id = uuid::Builder::from_custom_bytes(*id).into_uuid();
    Ok(Receipt::new(job.account_id, receipt_id, DeletionKind::Refresh, &subject_id, now))
}

/// Adds what was taken to the receipt of that id, which is written if there is none. Nothing taken needs no receipt.
pub(super) async fn add_to_receipt(tx: &mut SqliteConnection, taken: &Receipt) -> Result<()> {
    if taken.counts == DeletedCounts::default() {
        return Ok(());
    }
    open_receipt(tx, taken).await
}

/// As [`add_to_receipt`], also if nothing is taken yet: what is parted with is counted in it when it goes.
pub(super) async fn open_receipt(tx: &mut SqliteConnection, taken: &Receipt) -> Result<()> {
    let found = sqlx::query("SELECT * FROM receipt WHERE account_id = $1 AND receipt_id = $2")
        .bind(taken.account_id.0)
        .bind(taken.receipt_id)
        .try_map(receipt)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(mut receipt) = found else { return write_receipt(tx, taken).await };
    receipt.counts.add(&taken.counts);
    for changed in &taken.memories {
        match receipt.memories.iter_mut().find(|it| it.memory_id == changed.memory_id) {
            Some(known) => known.rev = changed.rev,
            None => receipt.memories.push(*changed),
        }
    }
    sqlx::query(
        "UPDATE receipt SET memories = $3, counts = $4 WHERE account_id = $1 AND receipt_id = $2",
    )
    .bind(receipt.account_id.0)
    .bind(receipt.receipt_id)
    .bind(Json(&receipt.memories))
    .bind(Json(&receipt.counts))
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds what was taken to a receipt that is written, if it is.
pub(super) async fn add_to_written_receipt(
    tx: &mut SqliteConnection,
    account_id: AccountId,
    receipt_id: Uuid,
    taken: &DeletedCounts,
) -> Result<()> {
    let sql = "SELECT counts FROM receipt WHERE account_id = $1 AND receipt_id = $2";
    let found: Option<Json<DeletedCounts>> = sqlx::query_scalar(sql)
        .bind(account_id.0)
        .bind(receipt_id)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(Json(mut counts)) = found else { return Ok(()) };
    counts.add(taken);
    sqlx::query("UPDATE receipt SET counts = $3 WHERE account_id = $1 AND receipt_id = $2")
        .bind(account_id.0)
        .bind(receipt_id)
        .bind(Json(&counts))
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
