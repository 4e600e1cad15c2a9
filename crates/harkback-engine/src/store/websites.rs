//! SQL of websites: which are to be fetched, and what became of their pages.
//!
//! A page belongs to the file of its site, whichever memory asked for it; that a memory is to ingest it is a sample, as for
//! every file. Each write proves that the job is still the worker's and that the site is still in the memory.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::files::{drop_unused_upload, erase_file};
use super::jobs::check_lease;
use super::receipts::{add_to_receipt, open_receipt, refresh_receipt};
use super::samples::{bump_rev, count_done, outdate_samples, sample};
use super::versions::{Readers, part_with, silence_former};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, FetchEnd, FetchedPage, FileId, FileRecord, FileType, Job, MemoryRevision, Micros,
    PageCounts, PageIds, Receipt, Sample, Site, SitePage, StoredPage, Validators,
};

impl Store {
    /// The sites that a job has to fetch, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sites_to_fetch(&self, job: &Job) -> Result<Vec<Site>> {
        let samples = sqlx::query(
            "SELECT * FROM sample WHERE memory_id = $1 AND to_fetch = 1 AND state = 'processing'
             ORDER BY created_at, sample_id",
        )
        .bind(job.memory_id.0)
        .try_map(sample)
        .fetch_all(&self.reader)
        .await?;
        let mut sites = Vec::with_capacity(samples.len());
        for sample in samples {
            if let Some(file) = self.file(job.account_id, sample.file_id).await? {
                sites.push(Site { file, sample });
            }
        }
        Ok(sites)
    }

    /// The pages of a site that are known: the file itself, if it is one, and the hidden ones, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn site_pages(&self, file: &FileRecord) -> Result<Vec<SitePage>> {
        sqlx::query(
            "SELECT * FROM file WHERE account_id = $1 AND (file_id = $2 AND file_type = 'website' OR parent_id = $2)
             ORDER BY created_at, id",
        )
        .bind(file.account_id.0)
        .bind(file.file_id.0)
        .try_map(site_page)
        .fetch_all(&self.reader)
        .await
        .map_err(Error::from)
    }

    /// Stores a page and asks for its ingestion: in the file itself if it is a `website`, else in the hidden file of its
    /// address, made of `ids` if there is none. `None` if the site was taken out of the memory meanwhile: the bytes belong
    /// to nobody then.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn store_page(
        &self,
        job: &Job,
        site: &Site,
        page: &FetchedPage,
        ids: PageIds,
        now: Micros,
    ) -> Result<Option<StoredPage>> {
        let mut tx = self.begin().await?;
        if !is_wanted(&mut tx, job, site).await? {
            return Ok(None);
        }
        sqlx::query(
            "UPDATE upload SET size = $3, uploaded_at = $4 WHERE key = $1 AND account_id = $2",
        )
        .bind(&page.blob_key)
        .bind(job.account_id.0)
        .bind(page.size)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let file_id = page_file(&mut tx, site, &page.url, &page.asked, ids, now).await?;
        let former: Option<String> =
            sqlx::query_scalar("SELECT blob_key FROM file WHERE account_id = $1 AND file_id = $2")
                .bind(job.account_id.0)
                .bind(file_id.0)
                .fetch_one(&mut *tx)
                .await?;
        write_page(&mut tx, job.account_id, file_id, page, now).await?;
        outdate_samples(&mut tx, file_id, ids.sample_id, now).await?;
        if file_id != site.file.file_id {
            ask_for(&mut tx, job, file_id, ids.sample_id, Asked::Anyway, now).await?;
        }
        let mut receipt = refresh_receipt(&mut tx, job, site.file.file_id, now).await?;
        let unused = drop_unused_upload(&mut tx, former.as_deref(), &mut receipt).await?;
        add_to_receipt(&mut tx, &receipt).await?;
        tx.commit().await?;
        Ok(Some(StoredPage { file_id, unused }))
    }

    /// Notes that a page is as it was, and asks for its ingestion if the memory does not hold it. False if the site was
    /// taken out of the memory meanwhile.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn keep_page(
        &self,
        job: &Job,
        site: &Site,
        page: &SitePage,
        sample_id: Uuid,
        now: Micros,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        if !is_wanted(&mut tx, job, site).await? {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE file SET fetched_at = $3, etag = $4, last_modified = $5 WHERE account_id = $1 AND file_id = $2",
        )
        .bind(job.account_id.0)
        .bind(page.file_id.0)
        .bind(now)
        .bind(&page.validators.etag)
        .bind(&page.validators.last_modified)
        .execute(&mut *tx)
        .await?;
        if page.file_id != site.file.file_id {
            ask_for(&mut tx, job, page.file_id, sample_id, Asked::Unless("ready"), now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that a page of a sitemap or bulk could not be fetched, and why. What memories hold of it stays. `None` if the
    /// site was taken out of the memory meanwhile.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn fail_page(
        &self,
        job: &Job,
        site: &Site,
        (url, asked): (&str, &str),
        reason: &str,
        ids: PageIds,
        now: Micros,
    ) -> Result<Option<FileId>> {
        let mut tx = self.begin().await?;
        if !is_wanted(&mut tx, job, site).await? {
            return Ok(None);
        }
        let file_id = page_file(&mut tx, site, url, asked, ids, now).await?;
        ask_for(&mut tx, job, file_id, ids.sample_id, Asked::Anyway, now).await?;
        sqlx::query(
            "UPDATE sample SET state = 'failed', reason = $3, updated_at = $4 WHERE memory_id = $1 AND file_id = $2",
        )
        .bind(job.memory_id.0)
        .bind(file_id.0)
        .bind(reason)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        count_done(&mut tx, job, 0, 0, now).await?;
        tx.commit().await?;
        Ok(Some(file_id))
    }

    /// Deletes a hidden page that its site does not have any more, from every memory, and returns the key of its bytes: they
    /// can be deleted now. The receipt is the site's.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn drop_page(&self, job: &Job, page: FileId, now: Micros) -> Result<Option<String>> {
        let mut tx = self.begin().await?;
        check_lease(&mut tx, job).await?;
        let mut receipt = refresh_receipt(&mut tx, job, page, now).await?;
        let unused = erase_file(&mut tx, page, &mut receipt).await?;
        add_to_receipt(&mut tx, &receipt).await?;
        tx.commit().await?;
        self.drop_versions_of(receipt).await?;
        Ok(unused)
    }

    /// Notes how many pages of a site are known.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn note_pages_found(&self, file: &FileRecord, n_found: usize) -> Result<()> {
        sqlx::query("UPDATE file SET n_found = $3 WHERE account_id = $1 AND file_id = $2")
            .bind(file.account_id.0)
            .bind(file.file_id.0)
            .bind(i64::try_from(n_found).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Ends the fetch of a site. Returns the key of the page's bytes if they can be deleted now.
    ///
    /// # Errors
    /// [`LeaseLost`](Error::LeaseLost) if the job is no longer this worker's; otherwise if the database fails.
    pub async fn end_fetch(
        &self,
        job: &Job,
        site: &Site,
        end: &FetchEnd,
        now: Micros,
    ) -> Result<Option<String>> {
        let mut tx = self.begin().await?;
        if !is_wanted(&mut tx, job, site).await? {
            return Ok(None);
        }
        let (state, reason, note) = match end {
            FetchEnd::Page => ("processing", None, None),
            FetchEnd::Pages { note } => ("ready", None, note.as_deref()),
            FetchEnd::Failed(reason) | FetchEnd::Gone(reason) => {
                ("failed", Some(reason.as_str()), Some(reason.as_str()))
            }
        };
        let emptied = match end {
            FetchEnd::Gone(_) => Some(empty_page(&mut tx, job, site, now).await?),
            _ => None,
        };
        sqlx::query(
            "UPDATE sample SET to_fetch = 0, state = $3, reason = $4, updated_at = $5
             WHERE memory_id = $1 AND file_id = $2",
        )
        .bind(job.memory_id.0)
        .bind(site.file.file_id.0)
        .bind(state)
        .bind(reason)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if *end != FetchEnd::Page {
            count_done(&mut tx, job, 0, 0, now).await?;
        }
        sqlx::query("UPDATE file SET fetch_note = $3, n_found = NULL WHERE account_id = $1 AND file_id = $2")
            .bind(job.account_id.0)
            .bind(site.file.file_id.0)
            .bind(note)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        let Some((receipt, unused)) = emptied else { return Ok(None) };
        self.drop_versions_of(receipt).await?;
        Ok(unused)
    }

    /// How far the pages of a site have come; `None` if the file has none and can have none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count_pages(&self, file: &FileRecord) -> Result<Option<PageCounts>> {
        if !matches!(file.file_type, FileType::Sitemap | FileType::WebsiteBulk) {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT COUNT(*) AS n_created, COUNT(fetched_at) AS n_fetched,
                    COALESCE(SUM(EXISTS (SELECT 1 FROM sample s
                                         WHERE s.file_id = file.file_id AND s.active_version IS NOT NULL)), 0) AS n_ingested,
                    (SELECT n_found FROM file WHERE account_id = $1 AND file_id = $2) AS n_found,
                    (SELECT fetch_note FROM file WHERE account_id = $1 AND file_id = $2) AS note
             FROM file WHERE account_id = $1 AND parent_id = $2",
        )
        .bind(file.account_id.0)
        .bind(file.file_id.0)
        .fetch_one(&self.reader)
        .await?;
        let n_created = row.try_get("n_created")?;
        Ok(Some(PageCounts {
            n_found: row.try_get::<Option<i64>, _>("n_found")?.unwrap_or(n_created).max(n_created),
            n_created,
            n_fetched: row.try_get("n_fetched")?,
            n_ingested: row.try_get("n_ingested")?,
            note: row.try_get("note")?,
        }))
    }
}

/// The ids of a file's hidden pages.
pub(super) async fn pages_of(tx: &mut SqliteConnection, file: &FileRecord) -> Result<Vec<FileId>> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT file_id FROM file WHERE account_id = $1 AND parent_id = $2")
            .bind(file.account_id.0)
            .bind(file.file_id.0)
            .fetch_all(tx)
            .await?;
    Ok(ids.into_iter().map(FileId).collect())
}

/// Whether the site is still in the memory, and still to be fetched.
async fn is_wanted(tx: &mut SqliteConnection, job: &Job, site: &Site) -> Result<bool> {
    check_lease(tx, job).await?;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM sample WHERE memory_id = $1 AND file_id = $2 AND to_fetch = 1 AND state = 'processing'",
    )
    .bind(job.memory_id.0)
    .bind(site.file.file_id.0)
    .fetch_optional(tx)
    .await?;
    Ok(found.is_some())
}

/// The file of a page: the site's own, or the hidden one of that address, made if there is none.
async fn page_file(
    tx: &mut SqliteConnection,
    site: &Site,
    url: &str,
    asked: &str,
    ids: PageIds,
    now: Micros,
) -> Result<FileId> {
    if site.file.file_type == FileType::Website {
        return Ok(site.file.file_id);
    }
    let account_id = site.file.account_id;
    let found: Option<Uuid> = sqlx::query_scalar(
        "SELECT file_id FROM file WHERE account_id = $1 AND parent_id = $2
           AND (page_uri = $3 OR page_uri IS NULL AND external_uri = $4) ORDER BY page_uri IS NULL LIMIT 1",
    )
    .bind(account_id.0)
    .bind(site.file.file_id.0)
    .bind(url)
    .bind(asked)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(found) = found {
        return Ok(FileId(found));
    }
    sqlx::query(
        "INSERT INTO file (account_id, file_id, id, name, file_type, category, external_uri, parent_id, created_at,
                           updated_at)
         VALUES ($1, $2, $3, $4, 'website', 'web', $4, $5, $6, $6)",
    )
    .bind(account_id.0)
    .bind(ids.file_id.0)
    .bind(ids.file_id.0.to_string())
    .bind(asked)
    .bind(site.file.file_id.0)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(ids.file_id)
}

/// A file that bears its address as its name gets the page's title.
async fn write_page(
    tx: &mut SqliteConnection,
    account_id: AccountId,
    file_id: FileId,
    page: &FetchedPage,
    now: Micros,
) -> Result<()> {
    sqlx::query(
        "UPDATE file SET name = CASE WHEN parent_id IS NOT NULL OR name = external_uri THEN $3 ELSE name END,
                         external_uri = $4, page_uri = $5, extension = $6, blob_key = $7, size = $8, etag = $9,
                         last_modified = $10, fetched_at = $11, updated_at = $11
         WHERE account_id = $1 AND file_id = $2",
    )
    .bind(account_id.0)
    .bind(file_id.0)
    .bind(&page.title)
    .bind(&page.asked)
    .bind(&page.url)
    .bind(&page.extension)
    .bind(&page.blob_key)
    .bind(page.size)
    .bind(&page.validators.etag)
    .bind(&page.validators.last_modified)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

enum Asked {
    Anyway,
    /// Unless the sample has this state.
    Unless(&'static str),
}

/// Puts a page into the job's memory if it is not in it, and counts it among what the job has to do.
async fn ask_for(
    tx: &mut SqliteConnection,
    job: &Job,
    page: FileId,
    sample_id: Uuid,
    asked: Asked,
    now: Micros,
) -> Result<()> {
    let unless = match asked {
        Asked::Anyway => "",
        Asked::Unless(state) => state,
    };
    let done = sqlx::query(
        "INSERT INTO sample (memory_id, file_id, sample_id, account_id, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'processing', $5, $5)
         ON CONFLICT (memory_id, file_id) DO UPDATE SET state = 'processing', reason = NULL, updated_at = $5
         WHERE state <> 'processing' AND state <> $6",
    )
    .bind(job.memory_id.0)
    .bind(page.0)
    .bind(sample_id)
    .bind(job.account_id.0)
    .bind(now)
    .bind(unless)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE ingestion SET n_samples = n_samples + $2 WHERE memory_id = $1")
        .bind(job.memory_id.0)
        .bind(i64::try_from(done.rows_affected()).unwrap_or(0))
        .execute(tx)
        .await?;
    Ok(())
}

/// Drops what the memory and the file hold of a page that is no more.
async fn empty_page(
    tx: &mut SqliteConnection,
    job: &Job,
    site: &Site,
    now: Micros,
) -> Result<(Receipt, Option<String>)> {
    let Sample { memory_id, file_id, .. } = site.sample;
    let mut receipt = refresh_receipt(&mut *tx, job, file_id, now).await?;
    let version: Option<Uuid> = sqlx::query_scalar(
        "SELECT active_version FROM sample WHERE memory_id = $1 AND file_id = $2",
    )
    .bind(memory_id.0)
    .bind(file_id.0)
    .fetch_one(&mut *tx)
    .await?;
    if let Some(version) = version {
        part_with(tx, memory_id, version, Some(&receipt), Readers::None).await?;
    }
    silence_former(tx, memory_id, file_id, &receipt).await?;
    sqlx::query(
        "UPDATE sample SET active_version = NULL, content_sha256 = NULL, model_id = NULL, staged_version = NULL,
                           n_passages = 0, n_sentences = 0, n_tokens = 0
         WHERE memory_id = $1 AND file_id = $2",
    )
    .bind(memory_id.0)
    .bind(file_id.0)
    .execute(&mut *tx)
    .await?;
    let rev = bump_rev(tx, memory_id, now).await?;
    receipt.memories.push(MemoryRevision { memory_id, rev });
    sqlx::query(
        "UPDATE file SET blob_key = NULL, size = NULL, etag = NULL, last_modified = NULL
         WHERE account_id = $1 AND file_id = $2",
    )
    .bind(job.account_id.0)
    .bind(file_id.0)
    .execute(&mut *tx)
    .await?;
    let unused = drop_unused_upload(tx, site.file.blob_key.as_deref(), &mut receipt).await?;
    open_receipt(tx, &receipt).await?;
    Ok((receipt, unused))
}

fn site_page(row: SqliteRow) -> sqlx::Result<SitePage> {
    let asked: Option<String> = row.try_get("external_uri")?;
    Ok(SitePage {
        file_id: FileId(row.try_get("file_id")?),
        asked: asked.unwrap_or_default(),
        url: row.try_get("page_uri")?,
        blob_key: row.try_get("blob_key")?,
        extension: row.try_get("extension")?,
        validators: Validators {
            etag: row.try_get("etag")?,
            last_modified: row.try_get("last_modified")?,
        },
        fetched_at: row.try_get("fetched_at")?,
    })
}
