//! Pages of websites: what was fetched, and what a later fetch asks.

use uuid::Uuid;

use super::{FileId, FileRecord, Micros, Sample};

/// What a server gave to ask it later whether a page changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag`.
    pub etag: Option<String>,
    /// The `Last-Modified`.
    pub last_modified: Option<String>,
}

/// A website, sitemap or bulk whose turn it is to be fetched.
#[derive(Clone, Debug)]
pub struct Site {
    /// The file.
    pub file: FileRecord,
    /// Its place in the memory.
    pub sample: Sample,
}

/// A page as stored: of a `website` the file itself, else a hidden file.
#[derive(Clone, Debug)]
pub struct SitePage {
    /// The file.
    pub file_id: FileId,
    /// The address that was asked.
    pub asked: String,
    /// The address that it has; `None` if nothing came yet.
    pub url: Option<String>,
    /// Key of its bytes; `None` if nothing came yet.
    pub blob_key: Option<String>,
    /// Extension that tells its format.
    pub extension: String,
    /// For the next time.
    pub validators: Validators,
    /// When an answer came last.
    pub fetched_at: Option<Micros>,
}

/// A page that came, its bytes on disk under a key that has an upload.
#[derive(Clone, Debug)]
pub struct FetchedPage {
    /// The address that was asked.
    pub asked: String,
    /// The address that it has.
    pub url: String,
    /// Title, not empty.
    pub title: String,
    /// Extension that tells its format.
    pub extension: String,
    /// Key of its bytes.
    pub blob_key: String,
    /// How many.
    pub size: i64,
    /// For the next time.
    pub validators: Validators,
}

/// Ids for what a page may need: a hidden file and a sample.
#[derive(Clone, Copy, Debug)]
pub struct PageIds {
    /// For the file.
    pub file_id: FileId,
    /// For the sample.
    pub sample_id: Uuid,
}

/// A page that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPage {
    /// The file that holds it.
    pub file_id: FileId,
    /// Key of the bytes it had before, if nothing uses them any more: they can be deleted now.
    pub unused: Option<String>,
}

/// How the fetch of a site came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEnd {
    /// The file holds its page now, which is to be ingested.
    Page,
    /// The hidden files hold the pages; `note` says what was left out, if anything was.
    Pages {
        /// In words fit for the caller.
        note: Option<String>,
    },
    /// Nothing came; what was fetched before stays.
    Failed(String),
    /// The page does not exist any more: what the memory holds of it goes.
    Gone(String),
}

/// How far the fetch and the ingestion of a site's pages have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Pages known of.
    pub n_found: i64,
    /// Those with a hidden file.
    pub n_created: i64,
    /// Those that were fetched.
    pub n_fetched: i64,
    /// Those that some memory can recall.
    pub n_ingested: i64,
    /// What was left out at the last fetch, in words fit for the caller.
    pub note: Option<String>,
}
