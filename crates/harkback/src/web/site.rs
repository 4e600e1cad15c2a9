//! The pages of one site: each visited once, stored, kept, failed or dropped.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use harkback_engine::model::{
    FetchedPage, FileId, FileType, Job, PageIds, Site, SitePage, Upload, Validators,
};
use harkback_engine::{Error, Put};
use jiff::Timestamp;
use reqwest::Url;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::fetch::{Content, Fetched, Fetcher};
use super::page::{Page, page_again, page_of};
use crate::app::App;

const MAX_PAGE_BYTES: usize = 10 << 20;
/// A site that takes longer keeps what was fetched until then.
const MAX_TIME: Duration = Duration::from_secs(30 * 60);

/// Why the visits of a site end early.
pub(super) enum Stop {
    /// The site was taken out of the memory meanwhile.
    Removed,
    /// The store, the disk or the lease fails.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How a visit came out.
#[derive(Debug)]
pub(super) enum Visit {
    /// A page is stored, or was before; where it is and leads.
    Page {
        url: Url,
        links: Vec<Url>,
    },
    /// It says what another page says.
    Double,
    Missed(Miss),
}

/// Why a page is not there.
#[derive(Clone, Debug)]
pub(super) enum Miss {
    /// It does not exist any more.
    Gone(String),
    /// `robots.txt` forbids it.
    Forbidden(String),
    /// It is no page.
    NoPage(String),
    /// It did not come this time; where it led when it came.
    Failed(String, Vec<Url>),
}

impl Miss {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Gone(it) | Self::Forbidden(it) | Self::NoPage(it) | Self::Failed(it, _) => it,
        }
    }
}

/// The visits of a site's pages, in the name of a job.
pub(super) struct Visits<'a> {
    pub(super) app: &'a App,
    pub(super) job: &'a Job,
    pub(super) site: &'a Site,
    pub(super) fetcher: Fetcher<'a>,
    /// Pages that were known before, by the address that was asked and by the one they have.
    known: HashMap<String, SitePage>,
    /// Addresses and contents of the pages that were seen this time.
    pub(super) urls: HashSet<String>,
    contents: HashSet<[u8; 32]>,
    /// Files that stay.
    stay: HashSet<FileId>,
    pub(super) n_pages: usize,
    n_bytes: u64,
    /// What was left out, in words fit for the caller.
    pub(super) notes: Vec<String>,
    /// Whether all pages were found, so that those that were not are no more.
    pub(super) is_complete: bool,
    ends_at: Instant,
}

impl<'a> Visits<'a> {
    pub(super) async fn begin(app: &'a App, job: &'a Job, site: &'a Site) -> Result<Self, Error> {
        let mut known = HashMap::new();
        for page in app.store.site_pages(&site.file).await? {
            if let Some(url) = &page.url {
                known.entry(url.clone()).or_insert_with(|| page.clone());
            }
            known.insert(page.asked.clone(), page);
        }
        Ok(Self {
            app,
            job,
            site,
            fetcher: Fetcher::new(app),
            known,
            urls: HashSet::new(),
            contents: HashSet::new(),
            stay: HashSet::new(),
            n_pages: 0,
            n_bytes: 0,
            notes: Vec::new(),
            is_complete: true,
            ends_at: Instant::now() + MAX_TIME,
        })
    }

    /// Whether the time or the bytes for a site are used up; a note says so.
    pub(super) fn is_spent(&mut self) -> bool {
        let why = if Instant::now() > self.ends_at {
            format!("the fetch was ended after {} minutes", MAX_TIME.as_secs() / 60)
        } else if self.n_bytes > self.app.config.max_file_bytes {
            format!("the fetch was ended after {} bytes (max_file_bytes)", self.n_bytes)
        } else {
            return false;
        };
        self.notes.push(why);
        self.is_complete = false;
        true
    }

    /// Fetches a page and stores it; keeps one that did not change, or that an attempt before has fetched.
    pub(super) async fn visit(&mut self, asked: &Url) -> Result<Visit, Stop> {
        let known = self.known.get(asked.as_str()).filter(|it| it.blob_key.is_some()).cloned();
        if let Some(known) = &known
            && known.fetched_at > Some(self.site.sample.updated_at)
        {
            return self.keep(known.clone()).await;
        }
        let validators = known.as_ref().map(|it| it.validators.clone()).unwrap_or_default();
        match (self.fetcher.fetch(asked, &validators, MAX_PAGE_BYTES).await, known) {
            (Fetched::Content(content), known) => self.take(asked, content, known).await,
            (Fetched::Unchanged(validators), Some(known)) => {
                self.keep(SitePage { validators, ..known }).await
            }
            (Fetched::Unchanged(_), None) => {
                self.miss("the site answered HTTP 304 to what was not asked".into(), None).await
            }
            (Fetched::Failed(reason), known) => self.miss(reason, known).await,
            (Fetched::Gone(reason), known) => {
                if let Some(known) = known.filter(|it| it.file_id != self.site.file.file_id) {
                    self.drop_page(known.file_id).await?;
                }
                Ok(Visit::Missed(Miss::Gone(reason)))
            }
            (Fetched::Forbidden(reason), _) => Ok(Visit::Missed(Miss::Forbidden(reason))),
        }
    }

    /// Has the file of a page say why it is not there.
    pub(super) async fn fail(&mut self, asked: &str, miss: &Miss) -> Result<(), Stop> {
        let url = self.known.get(asked).and_then(|it| it.url.as_deref()).unwrap_or(asked);
        let now = self.app.now();
        let failed = self.app.store.fail_page(
            self.job,
            self.site,
            (url, asked),
            miss.reason(),
            self.new_ids(),
            now,
        );
        let file_id = failed.await?.ok_or(Stop::Removed)?;
        self.stay.insert(file_id);
        Ok(())
    }

    /// Deletes the pages that were known before and are no more.
    pub(super) async fn drop_the_rest(&mut self) -> Result<(), Stop> {
        let gone: Vec<FileId> =
            self.known.values().map(|it| it.file_id).filter(|it| !self.stay.contains(it)).collect();
        for file_id in gone {
            self.drop_page(file_id).await?;
        }
        Ok(())
    }

    async fn drop_page(&self, file_id: FileId) -> Result<(), Stop> {
        if let Some(key) = self.app.store.drop_page(self.job, file_id, self.app.now()).await? {
            self.app.blobs.delete(&key).await?;
        }
        Ok(())
    }

    /// Goes on with a page as it is stored.
    async fn keep(&mut self, known: SitePage) -> Result<Visit, Stop> {
        let Some(stored) = self.stored(&known).await? else {
            return self.miss("its stored bytes cannot be read any more".into(), None).await;
        };
        if !self.is_new(&stored) {
            return Ok(Visit::Double);
        }
        let (sample_id, now) = (self.app.new_id(), self.app.now());
        if !self.app.store.keep_page(self.job, self.site, &known, sample_id, now).await? {
            return Err(Stop::Removed);
        }
        self.note_page(known.file_id, &stored);
        Ok(Visit::Page { url: stored.url, links: stored.links })
    }

    /// Stores what came, unless it is no page or says what another one says.
    async fn take(
        &mut self,
        asked: &Url,
        content: Content,
        known: Option<SitePage>,
    ) -> Result<Visit, Stop> {
        let validators = content.validators.clone();
        let parsing = self.app.memory.parsing().clone();
        let read = spawn_blocking(move || page_of(&content, &parsing)).await;
        let page = match read.map_err(|error| Error::Io(error.into()))? {
            Ok(page) => page,
            Err(Error::BadInput(why)) => return Ok(Visit::Missed(Miss::NoPage(why))),
            Err(error) => return Err(error.into()),
        };
        if let Some(known) = known
            && let Some(stored) = self.stored(&known).await?
            && (stored.sha256, stored.url.as_str()) == (page.sha256, page.url.as_str())
        {
            // A token or a date in its code may have changed, but nothing that it says.
            return self.keep(SitePage { validators, ..known }).await;
        }
        if !self.is_new(&page) {
            return Ok(Visit::Double);
        }
        self.store(asked, &page, validators).await?;
        Ok(Visit::Page { url: page.url, links: page.links })
    }

    async fn store(
        &mut self,
        asked: &Url,
        page: &Page,
        validators: Validators,
    ) -> Result<(), Stop> {
        let app = self.app;
        let account_id = self.job.account_id;
        let blob_key = format!("{}/{}.{}", account_id.0, app.new_id().simple(), page.extension);
        let upload = Upload {
            key: blob_key.clone(),
            account_id,
            file_name: page.title.clone(),
            size: None,
            created_at: app.now(),
            uploaded_at: None,
        };
        // Bytes that come to nothing belong to an upload that nobody uses, which the sweep takes.
        app.store.create_upload(&upload).await?;
        let bytes = futures_util::stream::iter([Ok::<Bytes, std::io::Error>(page.bytes.clone())]);
        let put = app.blobs.put(&blob_key, app.new_id(), u64::MAX, bytes).await?;
        if !matches!(put, Put::Stored { .. }) {
            return Err(Error::Corrupt(format!("a new key is not free: {put:?}")).into());
        }
        let fetched = FetchedPage {
            asked: asked.to_string(),
            url: page.url.to_string(),
            title: page.title.clone(),
            extension: page.extension.to_owned(),
            blob_key,
            size: page.bytes.len() as i64,
            validators,
        };
        let ids = self.new_ids();
        let stored = app.store.store_page(self.job, self.site, &fetched, ids, app.now()).await?;
        let stored = stored.ok_or(Stop::Removed)?;
        if let Some(unused) = stored.unused {
            app.blobs.delete(&unused).await?;
        }
        self.note_page(stored.file_id, page);
        Ok(())
    }

    /// What is held of a page that did not come stays, and the reason says so.
    async fn miss(&mut self, reason: String, known: Option<SitePage>) -> Result<Visit, Stop> {
        let Some(known) = known else {
            return Ok(Visit::Missed(Miss::Failed(reason, Vec::new())));
        };
        let since = known.fetched_at.and_then(|it| Timestamp::from_microsecond(it).ok());
        let since = since.map(|it| format!("{it:.0}")).unwrap_or_default();
        let reason = format!("{reason}; what was fetched at {since} is kept");
        let links = match self.stored(&known).await? {
            Some(stored) => {
                self.note_page(known.file_id, &stored);
                stored.links
            }
            None => Vec::new(),
        };
        Ok(Visit::Missed(Miss::Failed(reason, links)))
    }

    async fn stored(&self, known: &SitePage) -> Result<Option<Page>, Stop> {
        let (Some(key), Ok(url)) =
            (&known.blob_key, Url::parse(known.url.as_ref().unwrap_or(&known.asked)))
        else {
            return Ok(None);
        };
        let Some(bytes) = self.app.blobs.get(key).await? else { return Ok(None) };
        let extension = known.extension.clone();
        let parsing = self.app.memory.parsing().clone();
        let read = spawn_blocking(move || page_again(&url, &extension, bytes, &parsing)).await;
        match read.map_err(|error| Error::Io(error.into()))? {
            Ok(page) => Ok(Some(page)),
            Err(Error::BadInput(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether neither the address nor the content was seen this time.
    fn is_new(&self, page: &Page) -> bool {
        !self.urls.contains(page.url.as_str()) && !self.contents.contains(&page.sha256)
    }

    fn note_page(&mut self, file_id: FileId, page: &Page) {
        self.urls.insert(page.url.to_string());
        self.contents.insert(page.sha256);
        self.stay.insert(file_id);
        self.n_bytes += page.bytes.len() as u64;
        self.n_pages += 1;
    }

    fn new_ids(&self) -> PageIds {
        PageIds { file_id: FileId(self.app.new_id()), sample_id: self.app.new_id() }
    }

    pub(super) fn file_type(&self) -> FileType {
        self.site.file.file_type
    }
}
