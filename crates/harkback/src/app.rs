//! What does every part of the program share? Configuration, store, memory, time, ids, secrets, background tasks.

use std::fs;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use harkback_engine::model::Micros;
use harkback_engine::{Blobs, Error, Memory, Models, Parsing, Store};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::api::idempotency::Turns;
use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::egress::Egress;
use crate::transcription;

/// So that a long ingestion does not hold up a short one.
const INGESTIONS: usize = 2;
/// How long a shutdown waits for background tasks.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(20);

/// The running program, shared by every request and task.
pub type AppState = Arc<App>;

/// What every part of the program shares.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The truth.
    pub store: Store,
    /// The memories.
    pub memory: Memory,
    /// The bytes of files.
    pub blobs: Blobs,
    /// The client for addresses that callers name.
    pub egress: Egress,
    /// Time; use [`App::now`] for anything stored.
    pub clock: Clock,
    /// Ids and secrets.
    pub ids: Ids,
    /// Wakes a worker when a job is due.
    pub job_ready: Notify,
    /// Cancelled when the program is to end: every task watches it.
    pub ending: CancellationToken,
    /// Requests a key may still make.
    pub(crate) rate_limit: DefaultKeyedRateLimiter<String>,
    /// Requests that a website's host may still be sent.
    pub(crate) site_limit: DefaultKeyedRateLimiter<String>,
    /// Ingestions that may still run; fetching websites is not counted.
    pub(crate) ingesting: Semaphore,
    /// Requests that may still be under way.
    pub(crate) slots: Semaphore,
    /// Uploads that may still be under way.
    pub(crate) upload_slots: Semaphore,
    /// Idempotency keys whose first request is under way.
    pub(crate) turns: Turns,
    secret: [u8; 32],
    last_now: AtomicI64,
    tasks: TaskTracker,
}

impl App {
    /// Opens the data directory of `config`, made if it is not there. Files are read as `parsing` says.
    ///
    /// # Errors
    /// If the directory or the database in it cannot be used.
    pub async fn open(
        config: Config,
        models: Models,
        clock: Clock,
        ids: Ids,
        parsing: Parsing,
    ) -> Result<AppState, Error> {
        make_data_dir(&config.data)?;
        let store = Store::open(&config.data).await?;
        let secret = store.ensure_secret(ids.bytes()).await?;
        let blobs = Blobs::open(&config.data).await?;
        let egress = Egress::new(&config.allowed_private_hosts)
            .map_err(|error| Error::Io(io::Error::other(error)))?;
        let memory = Memory::open(&config.data, store.clone(), models, parsing).await?;
        let transcriber = transcription::transcriber(&config)
            .map_err(|error| Error::Io(io::Error::other(error)))?;
        let memory = memory.with_transcriber(transcriber);
        let burst = config.requests_per_second.saturating_mul(2.try_into().expect("2 is not zero"));
        let quota = Quota::per_second(config.requests_per_second).allow_burst(burst);
        Ok(Arc::new(Self {
            slots: Semaphore::new(config.max_requests),
            upload_slots: Semaphore::new(config.max_requests),
            turns: Turns::default(),
            site_limit: RateLimiter::keyed(Quota::per_second(config.site_requests_per_second)),
            ingesting: Semaphore::new(INGESTIONS),
            config,
            store,
            memory,
            blobs,
            egress,
            clock,
            ids,
            job_ready: Notify::new(),
            ending: CancellationToken::new(),
            rate_limit: RateLimiter::keyed(quota),
            secret,
            last_now: AtomicI64::new(0),
            tasks: TaskTracker::new(),
        }))
    }

    /// The time, never the same twice: what is made later has a later time, whatever the clock does.
    pub fn now(&self) -> Micros {
        let shown = self.clock.now();
        let last = self
            .last_now
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(shown.max(last + 1)))
            .expect("the closure always returns a value");
        shown.max(last + 1)
    }

    /// A new UUID, later ones sorting after earlier ones.
    pub fn new_id(&self) -> Uuid {
        self.ids.uuid(self.clock.now())
    }

    /// The key for one purpose, derived from the installation's secret: the same after a restart.
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes any key");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Runs a task beside the requests; a shutdown waits for it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Tells every task to end, waits for them, and folds the database into one file.
    pub async fn shutdown(&self) {
        self.ending.cancel();
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks.left = self.tasks.len(), "background tasks did not end in time");
        }
        self.store.close().await;
    }
}

/// Makes the data directory if it is not there. Documents lie in it as they are, so only its owner can read it.
///
/// # Errors
/// If it cannot be made.
pub fn make_data_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}
