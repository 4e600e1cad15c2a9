//! SQL of memories: their settings, and their end with all that they hold.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

use super::Store;
use super::answers::{Deleted, erase_answers};
use super::page::{Listing, PageKey, fetch_page};
use super::receipts::write_receipt;
use super::versions::part_with_unseen;
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Cursor, DeletedCounts, DeletionKind, KeptAnswer, MemoryId, MemoryKind, MemoryRecord,
    MemoryRevision, Micros, Ontology, Owned, Page, PageRequest, Receipt,
};

/// A change of a memory's settings; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct MemoryPatch {
    /// New name, not empty.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New receiver of events; the inner `None` removes it.
    pub webhook_url: Option<Option<String>>,
    /// Stored and echoed.
    pub acceleration: Option<bool>,
    /// Stored and echoed.
    pub fact_extraction: Option<bool>,
}

impl Store {
    /// Stores a new memory as given. `answer` is kept with it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn create_memory(
        &self,
        record: &MemoryRecord,
        answer: Option<&KeptAnswer>,
    ) -> Result<()> {
        let made = sqlx::query(
            "INSERT INTO memory (account_id, memory_id, name, description, kind, ontology, chunk_size, chunk_overlap,
                                 webhook_url, acceleration, fact_extraction, step, rev, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(record.account_id.0)
        .bind(record.memory_id.0)
        .bind(&record.name)
        .bind(&record.description)
        .bind(record.kind.as_str())
        .bind(record.ontology.map(Ontology::as_str))
        .bind(record.chunk_size)
        .bind(record.chunk_overlap)
        .bind(&record.webhook_url)
        .bind(record.acceleration)
        .bind(record.fact_extraction)
        .bind(&record.step)
        .bind(record.rev)
        .bind(record.created_at)
        .bind(record.updated_at);
        self.execute_keeping(made, answer).await?;
        Ok(())
    }

    /// The memory that `id` names, by the text of its UUID.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find_memory(
        &self,
        account_id: AccountId,
        id: &str,
    ) -> Result<Owned<MemoryRecord>> {
        let Ok(id) = Uuid::try_parse(id) else { return Ok(Owned::Absent) };
        let found = sqlx::query("SELECT * FROM memory WHERE account_id = $1 AND memory_id = $2")
            .bind(account_id.0)
            .bind(id)
            .try_map(memory)
            .fetch_optional(&self.reader)
            .await?;
        self.owned(found, FOREIGN, account_id, id).await
    }

    /// The memory of that id, whoever owns it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn memory(&self, memory_id: MemoryId) -> Result<Option<MemoryRecord>> {
        sqlx::query("SELECT * FROM memory WHERE memory_id = $1")
            .bind(memory_id.0)
            .try_map(memory)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// An account's memories, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_memories(
        &self,
        account_id: AccountId,
        request: &PageRequest,
    ) -> Result<Page<MemoryRecord>> {
        let listing = Listing {
            select: || {
                let mut sql = QueryBuilder::new("SELECT * FROM memory WHERE account_id = ");
                sql.push_bind(account_id.0);
                sql
            },
            key: PageKey::Uuid("memory_id"),
            row: memory,
            cursor: |it| Cursor { created_at: it.created_at, id: it.memory_id.0.to_string() },
        };
        fetch_page(&self.reader, &listing, request).await
    }

    /// The memories that changed last, of all accounts, at most `limit`, the last one first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn recent_memories(&self, limit: i64) -> Result<Vec<MemoryRecord>> {
        sqlx::query("SELECT * FROM memory ORDER BY updated_at DESC, memory_id LIMIT $1")
            .bind(limit)
            .try_map(memory)
            .fetch_all(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// The memories, of all accounts, in which a file can be recalled whose vectors are not of the model `model_id`:
    /// another model's, or none. The one that changed last comes first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn memories_with_outdated_vectors(
        &self,
        model_id: &str,
    ) -> Result<Vec<MemoryRecord>> {
        sqlx::query(
            "SELECT * FROM memory m
             WHERE EXISTS (SELECT 1 FROM sample s
                           WHERE s.memory_id = m.memory_id AND s.state = 'ready' AND s.model_id IS DISTINCT FROM $1)
             ORDER BY m.updated_at DESC, m.memory_id",
        )
        .bind(model_id)
        .try_map(memory)
        .fetch_all(&self.reader)
        .await
        .map_err(Error::from)
    }

    /// Changes a memory's settings and returns it as it is then; `None` if the account has none of that id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn update_memory(
        &self,
        account_id: AccountId,
        memory_id: MemoryId,
        patch: &MemoryPatch,
        now: Micros,
    ) -> Result<Option<MemoryRecord>> {
        sqlx::query(
            "UPDATE memory SET name = COALESCE($3, name), description = COALESCE($4, description),
                               webhook_url = CASE WHEN $5 THEN $6 ELSE webhook_url END,
                               acceleration = COALESCE($7, acceleration),
                               fact_extraction = COALESCE($8, fact_extraction), updated_at = $9
             WHERE account_id = $1 AND memory_id = $2 RETURNING *",
        )
        .bind(account_id.0)
        .bind(memory_id.0)
        .bind(&patch.name)
        .bind(&patch.description)
        .bind(patch.webhook_url.is_some())
        .bind(patch.webhook_url.clone().flatten())
        .bind(patch.acceleration)
        .bind(patch.fact_extraction)
        .bind(now)
        .try_map(memory)
        .fetch_optional(&self.writer)
        .await
        .map_err(Error::from)
    }

    /// Deletes a memory with everything derived in it, its jobs and its webhook deliveries; the files stay. A worker on
    /// it loses its lease. `None` if it is gone already. Nothing reads its passages from then on; they go by
    /// [`drop_versions_of`](Self::drop_versions_of), which is to be called before anyone is told.
    ///
    /// # Errors
    /// If the database fails.
    pub(crate) async fn delete_memory(
        &self,
        record: &MemoryRecord,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Option<Receipt>> {
        let memory_id = record.memory_id;
        let mut tx = self.begin().await?;
        let rev: Option<i64> = sqlx::query_scalar(
            "DELETE FROM memory WHERE account_id = $1 AND memory_id = $2 RETURNING rev",
        )
        .bind(record.account_id.0)
        .bind(memory_id.0)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(rev) = rev else { return Ok(None) };
        let mut counts = DeletedCounts { memories: 1, ..DeletedCounts::default() };
        let mut deleted = [0; 4];
        for (n, statement) in deleted.iter_mut().zip([
            "DELETE FROM sample WHERE memory_id = $1",
            "DELETE FROM job WHERE memory_id = $1",
            "DELETE FROM delivery WHERE memory_id = $1",
            "DELETE FROM ingestion WHERE memory_id = $1",
        ]) {
            let done = sqlx::query(statement).bind(memory_id.0).execute(&mut *tx).await?;
            *n = done.rows_affected() as i64;
        }
        [counts.samples, counts.jobs, counts.deliveries, ..] = deleted;
        let subject_id = memory_id.0.to_string();
        let memory = Deleted::Record(DeletionKind::Memory, &subject_id);
        counts.kept_answers = erase_answers(&mut tx, record.account_id, memory).await?;
        let receipt = Receipt {
            account_id: record.account_id,
            receipt_id,
            kind: DeletionKind::Memory,
            subject_id,
            memories: vec![MemoryRevision { memory_id, rev }],
            counts,
            created_at: now,
        };
        write_receipt(&mut tx, &receipt).await?;
        part_with_unseen(&mut tx, memory_id, Some(&receipt)).await?;
        tx.commit().await?;
        Ok(Some(receipt))
    }
}

const FOREIGN: &str = "SELECT 1 FROM memory WHERE memory_id = $1 AND account_id <> $2";

pub(super) fn memory(row: SqliteRow) -> sqlx::Result<MemoryRecord> {
    let kind: String = row.try_get("kind")?;
    let ontology: Option<String> = row.try_get("ontology")?;
    Ok(MemoryRecord {
        account_id: AccountId(row.try_get("account_id")?),
        memory_id: MemoryId(row.try_get("memory_id")?),
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        kind: MemoryKind::parse(&kind)
            .ok_or_else(|| sqlx::Error::Decode(format!("memory kind `{kind}`").into()))?,
        ontology: match ontology {
            None => None,
            Some(name) => Some(
                Ontology::parse(&name)
                    .ok_or_else(|| sqlx::Error::Decode(format!("ontology `{name}`").into()))?,
            ),
        },
        chunk_size: row.try_get("chunk_size")?,
        chunk_overlap: row.try_get("chunk_overlap")?,
        webhook_url: row.try_get("webhook_url")?,
        acceleration: row.try_get("acceleration")?,
        fact_extraction: row.try_get("fact_extraction")?,
        step: row.try_get("step")?,
        rev: row.try_get("rev")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
