//! SQL of files and their uploads: who owns which bytes, and what was read out of them.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::answers::{self, Deleted, erase_answers};
use super::page::{Listing, PageKey, fetch_page};
use super::receipts::{add_to_receipt, write_receipt};
use super::samples::{outdate_samples, remove_sample};
use super::websites::pages_of;
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Cursor, DeletionKind, FileId, FileRecord, FileType, KeptAnswer, MemoryId,
    MemoryKind, Micros, NewFile, Owned, Page, PageRequest, Receipt, Upload,
};

/// A change of a file; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct FilePatch {
    /// New name, not empty.
    pub name: Option<String>,
    /// Other bytes.
    pub content: Option<NewContent>,
}

/// The bytes that a file is to have from now on.
#[derive(Clone, Debug)]
pub struct NewContent {
    /// Key of a finished upload.
    pub blob_key: String,
    /// Extension in lower case without a dot, or empty.
    pub extension: String,
    /// Type.
    pub file_type: FileType,
    /// For the samples of the file: what an ingestion under way makes of the bytes it had is not taken any more.
    pub sample_id: Uuid,
    /// For the receipt of the bytes it had, if nothing else uses them.
    pub receipt_id: Uuid,
}

/// The text that was read out of a file, as a memory holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtractedText {
    /// The text in reading order, whole or up to the limit.
    pub text: String,
    /// Whether more follows.
    pub truncated: bool,
    /// Tokens of the whole text.
    pub n_tokens: i64,
}

impl Store {
    /// Stores a place for bytes.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn create_upload(&self, upload: &Upload) -> Result<()> {
        sqlx::query(
            "INSERT INTO upload (key, account_id, file_name, size, created_at, uploaded_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&upload.key)
        .bind(upload.account_id.0)
        .bind(&upload.file_name)
        .bind(upload.size)
        .bind(upload.created_at)
        .bind(upload.uploaded_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The upload of that key.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find_upload(&self, key: &str) -> Result<Option<Upload>> {
        sqlx::query("SELECT * FROM upload WHERE key = $1")
            .bind(key)
            .try_map(upload)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// Records that the bytes of an upload are on disk. False if that was recorded before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn finish_upload(&self, key: &str, size: i64, now: Micros) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE upload SET size = $2, uploaded_at = $3 WHERE key = $1 AND uploaded_at IS NULL",
        )
        .bind(key)
        .bind(size)
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Drops the uploads made before `before` that no file uses, so that their bytes belong to nobody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn drop_unused_uploads(&self, before: Micros) -> Result<u64> {
        let done = sqlx::query(
            "DELETE FROM upload WHERE created_at < $1
               AND NOT EXISTS (SELECT 1 FROM file f WHERE f.account_id = upload.account_id AND f.blob_key = upload.key)",
        )
        .bind(before)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// Stores a new file. A `blob_key` must be that of a finished upload of the account. What `answer` makes of it is kept with it.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists) if the account has a file of that id, [`BadInput`](Error::BadInput) if the
    /// key is not such a one; otherwise if the database fails.
    pub async fn create_file(
        &self,
        account_id: AccountId,
        file: &NewFile,
        now: Micros,
        answer: impl FnOnce(&FileRecord) -> Option<KeptAnswer> + Send,
    ) -> Result<FileRecord> {
        let mut tx = self.begin().await?;
        let size = match &file.blob_key {
            None => None,
            Some(key) => Some(uploaded_size(&mut tx, account_id, key).await?),
        };
        let stored = sqlx::query(
            "INSERT INTO file (account_id, file_id, id, name, extension, file_type, category, blob_key, external_uri,
                               size, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
             ON CONFLICT (account_id, id) DO NOTHING RETURNING *",
        )
        .bind(account_id.0)
        .bind(file.file_id.0)
        .bind(&file.id)
        .bind(&file.name)
        .bind(&file.extension)
        .bind(file.file_type.as_str())
        .bind(file.file_type.category())
        .bind(&file.blob_key)
        .bind(&file.external_uri)
        .bind(size)
        .bind(now)
        .try_map(record)
        .fetch_optional(&mut *tx)
        .await?;
        let stored = stored.ok_or(Error::AlreadyExists)?;
        if let Some(answer) = answer(&stored) {
            answers::keep(&mut *tx, &answer).await?;
        }
        tx.commit().await?;
        Ok(stored)
    }

    /// Changes a file and returns it as it is then, with the key of its former bytes if nothing uses them any more: they
    /// can be deleted now. Memories answer from what they made of the former bytes until they are ingested again.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if the key is not that of a finished upload of the account; otherwise if the database
    /// fails. `None` if the file is gone.
    pub async fn update_file(
        &self,
        file: &FileRecord,
        patch: &FilePatch,
        now: Micros,
    ) -> Result<Option<(FileRecord, Option<String>)>> {
        let mut tx = self.begin().await?;
        let mut unused = None;
        if let Some(content) = &patch.content {
            let size = uploaded_size(&mut tx, file.account_id, &content.blob_key).await?;
            sqlx::query(
                "UPDATE file SET blob_key = $3, extension = $4, file_type = $5, category = $6, size = $7,
                                 page_uri = NULL, etag = NULL, last_modified = NULL, fetched_at = NULL
                 WHERE account_id = $1 AND file_id = $2",
            )
            .bind(file.account_id.0)
            .bind(file.file_id.0)
            .bind(&content.blob_key)
            .bind(&content.extension)
            .bind(content.file_type.as_str())
            .bind(content.file_type.category())
            .bind(size)
            .execute(&mut *tx)
            .await?;
            outdate_samples(&mut tx, file.file_id, content.sample_id, now).await?;
            let (id, kind) = (content.receipt_id, DeletionKind::Refresh);
            let mut receipt = Receipt::new(file.account_id, id, kind, &file.id, now);
            unused = drop_unused_upload(&mut tx, file.blob_key.as_deref(), &mut receipt).await?;
            add_to_receipt(&mut tx, &receipt).await?;
        }
        let updated = sqlx::query(
            "UPDATE file SET name = COALESCE($3, name), updated_at = $4
             WHERE account_id = $1 AND file_id = $2 RETURNING *",
        )
        .bind(file.account_id.0)
        .bind(file.file_id.0)
        .bind(&patch.name)
        .bind(now)
        .try_map(record)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(updated) = updated else { return Ok(None) };
        tx.commit().await?;
        Ok(Some((updated, unused)))
    }

    /// The file that a caller's `id` names.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find_file(&self, account_id: AccountId, id: &str) -> Result<Owned<FileRecord>> {
        let found = sqlx::query("SELECT * FROM file WHERE account_id = $1 AND id = $2")
            .bind(account_id.0)
            .bind(id)
            .try_map(record)
            .fetch_optional(&self.reader)
            .await?;
        self.owned(found, FOREIGN, account_id, id).await
    }

    /// The file of that inner id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn file(&self, account_id: AccountId, file_id: FileId) -> Result<Option<FileRecord>> {
        sqlx::query("SELECT * FROM file WHERE account_id = $1 AND file_id = $2")
            .bind(account_id.0)
            .bind(file_id.0)
            .try_map(record)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// An account's files, all or those of one category, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_files(
        &self,
        account_id: AccountId,
        category: Option<&str>,
        request: &PageRequest,
    ) -> Result<Page<FileRecord>> {
        let listing = Listing {
            select: || {
                let mut sql = QueryBuilder::new("SELECT * FROM file WHERE account_id = ");
                sql.push_bind(account_id.0).push(" AND parent_id IS NULL");
                if let Some(category) = category {
                    sql.push(" AND category = ").push_bind(category.to_owned());
                }
                sql
            },
            key: PageKey::Text("id"),
            row: record,
            cursor: |it| Cursor { created_at: it.created_at, id: it.id.clone() },
        };
        fetch_page(&self.reader, &listing, request).await
    }

    /// Deletes a file and the pages of it if it is a website, takes them out of every memory, and returns the receipt with
    /// the keys of the bytes that nothing else uses: they can be deleted now, and no file can be made of them any more.
    /// `None` if the file is gone already. Nothing reads its passages from then on; they go by
    /// [`drop_versions_of`](Self::drop_versions_of), which is to be called before anyone is told.
    ///
    /// # Errors
    /// If the database fails.
    pub(crate) async fn delete_file(
        &self,
        file: &FileRecord,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Option<(Receipt, Vec<String>)>> {
        let mut tx = self.begin().await?;
        let kind = DeletionKind::File;
        let mut receipt = Receipt::new(file.account_id, receipt_id, kind, &file.id, now);
        let pages = pages_of(&mut tx, file).await?;
        let mut unused = Vec::new();
        for file_id in [file.file_id].into_iter().chain(pages) {
            unused.extend(erase_file(&mut tx, file_id, &mut receipt).await?);
        }
        if receipt.counts.files == 0 {
            return Ok(None);
        }
        let subject = Deleted::Record(DeletionKind::File, &file.id);
        receipt.counts.kept_answers = erase_answers(&mut tx, file.account_id, subject).await?;
        write_receipt(&mut tx, &receipt).await?;
        tx.commit().await?;
        Ok(Some((receipt, unused)))
    }

    /// The first memory that a file was put into, if it is in any.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn memory_of_file(&self, file_id: FileId) -> Result<Option<MemoryId>> {
        let found: Option<Uuid> = sqlx::query_scalar(
            "SELECT memory_id FROM sample WHERE file_id = $1 ORDER BY created_at, sample_id LIMIT 1",
        )
        .bind(file_id.0)
        .fetch_optional(&self.reader)
        .await?;
        Ok(found.map(MemoryId))
    }

    /// The text that was read out of a file, up to about `max_bytes`; `None` until it is ingested somewhere. A graph
    /// memory is asked first, because its passages do not overlap.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn extracted_text(
        &self,
        file_id: FileId,
        max_bytes: usize,
    ) -> Result<Option<ExtractedText>> {
        let found: Option<(Uuid, Uuid, i64, String)> = sqlx::query_as(
            "SELECT s.memory_id, s.active_version, s.n_tokens, m.kind
             FROM sample s JOIN memory m ON m.account_id = s.account_id AND m.memory_id = s.memory_id
             WHERE s.file_id = $1 AND s.active_version IS NOT NULL
             ORDER BY m.kind = 'graph' DESC, s.created_at LIMIT 1",
        )
        .bind(file_id.0)
        .fetch_optional(&self.reader)
        .await?;
        let Some((memory_id, version_id, n_tokens, kind)) = found else { return Ok(None) };
        let mut passages = sqlx::query_scalar::<_, String>(
            "SELECT text FROM passage WHERE memory_id = $1 AND version_id = $2 ORDER BY seq",
        )
        .bind(memory_id)
        .bind(version_id)
        .fetch(&self.reader);
        let mut text = String::new();
        let mut truncated = false;
        while let Some(next) = passages.try_next().await? {
            if text.len() + next.len() > max_bytes {
                truncated = true;
                break;
            }
            if kind == MemoryKind::Vector.as_str() {
                append_chunk(&mut text, &next);
            } else {
                append_passage(&mut text, &next);
            }
        }
        Ok(Some(ExtractedText { text, truncated, n_tokens }))
    }
}

const FOREIGN: &str = "SELECT 1 FROM file WHERE id = $1 AND account_id <> $2 LIMIT 1";

/// Deletes one file, takes it out of every memory, and adds to the receipt what that took. Returns the key of its bytes if
/// nothing else uses them.
pub(super) async fn erase_file(
    tx: &mut SqliteConnection,
    file_id: FileId,
    receipt: &mut Receipt,
) -> Result<Option<String>> {
    let account_id = receipt.account_id;
    let deleted: Option<Option<String>> = sqlx::query_scalar(
        "DELETE FROM file WHERE account_id = $1 AND file_id = $2 RETURNING blob_key",
    )
    .bind(account_id.0)
    .bind(file_id.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(blob_key) = deleted else { return Ok(None) };
    receipt.counts.files += 1;
    let memories: Vec<Uuid> = sqlx::query_scalar("SELECT memory_id FROM sample WHERE file_id = $1")
        .bind(file_id.0)
        .fetch_all(&mut *tx)
        .await?;
    for memory_id in memories {
        remove_sample(tx, MemoryId(memory_id), file_id, receipt).await?;
    }
    drop_unused_upload(tx, blob_key.as_deref(), receipt).await
}

/// Drops the upload of that key if no file is made of it, and adds to the receipt what that took. Returns the key then: its
/// bytes can be deleted.
pub(super) async fn drop_unused_upload(
    tx: &mut SqliteConnection,
    key: Option<&str>,
    receipt: &mut Receipt,
) -> Result<Option<String>> {
    let unused: Option<(String, i64)> = sqlx::query_as(
        "DELETE FROM upload WHERE key = $2 AND account_id = $1
           AND NOT EXISTS (SELECT 1 FROM file WHERE account_id = $1 AND blob_key = $2)
         RETURNING key, COALESCE(size, 0)",
    )
    .bind(receipt.account_id.0)
    .bind(key)
    .fetch_optional(tx)
    .await?;
    Ok(unused.map(|(key, size)| {
        receipt.counts.blobs += 1;
        receipt.counts.blob_bytes += size;
        key
    }))
}

fn append_passage(text: &mut String, passage: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(passage);
}

/// Appends a chunk without what it repeats of the chunk before it.
fn append_chunk(text: &mut String, chunk: &str) {
    let repeated = chunk
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .rev()
        .find(|len| text.ends_with(&chunk[..*len]))
        .unwrap_or(0);
    if repeated == 0 && !text.is_empty() {
        text.push(' ');
    }
    text.push_str(&chunk[repeated..]);
}

async fn uploaded_size(tx: &mut SqliteConnection, account_id: AccountId, key: &str) -> Result<i64> {
    let size: Option<i64> = sqlx::query_scalar(
        "SELECT size FROM upload WHERE key = $1 AND account_id = $2 AND uploaded_at IS NOT NULL",
    )
    .bind(key)
    .bind(account_id.0)
    .fetch_optional(tx)
    .await?;
    size.ok_or_else(|| Error::BadInput("key must be the key of a finished upload".into()))
}

fn upload(row: SqliteRow) -> sqlx::Result<Upload> {
    Ok(Upload {
        key: row.try_get("key")?,
        account_id: AccountId(row.try_get("account_id")?),
        file_name: row.try_get("file_name")?,
        size: row.try_get("size")?,
        created_at: row.try_get("created_at")?,
        uploaded_at: row.try_get("uploaded_at")?,
    })
}

fn record(row: SqliteRow) -> sqlx::Result<FileRecord> {
    let file_type: String = row.try_get("file_type")?;
    Ok(FileRecord {
        account_id: AccountId(row.try_get("account_id")?),
        file_id: FileId(row.try_get("file_id")?),
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        extension: row.try_get("extension")?,
        file_type: FileType::parse(&file_type)
            .ok_or_else(|| sqlx::Error::Decode(format!("file type `{file_type}`").into()))?,
        blob_key: row.try_get("blob_key")?,
        external_uri: row.try_get("external_uri")?,
        page_uri: row.try_get("page_uri")?,
        parent_id: row.try_get::<Option<Uuid>, _>("parent_id")?.map(FileId),
        size: row.try_get("size")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_without_their_overlap() {
        let mut text = String::new();
        for chunk in ["Anna lives in Bern.", "in Bern. She paints", "She paints houses.", "A cat."]
        {
            append_chunk(&mut text, chunk);
        }
        assert_eq!(text, "Anna lives in Bern. She paints houses. A cat.");
    }
}
