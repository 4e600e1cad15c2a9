//! A memory made for one evaluation: its own data directory, one account, one graph memory, the corpus as one file.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use harkback_engine::model::{
    AccountId, FileId, FileType, MemoryId, MemoryRecord, Micros, NewFile, Ontology, PageRequest,
    Upload,
};
use harkback_engine::{Error, JobEnd, Memory, Models, Parsing, Result, Start, StartIds};
use tokio::net::TcpListener;

use crate::api;
use crate::app::{App, AppState};
use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::keys::{create_key, ensure_account};

const NAME: &str = "corpus.jsonl";
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The memory of an evaluation.
#[derive(Debug)]
pub struct Scratch {
    app: AppState,
    account: AccountId,
    record: MemoryRecord,
}

impl Scratch {
    /// Opens the memory that an earlier evaluation kept in the directory `data`, or makes an empty one there. The corpus
    /// will be read as `parsing` says.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub async fn open(data: &Path, models: Models, parsing: Parsing) -> Result<Self> {
        let config = Config { data: data.to_owned(), ..Config::default() };
        let app = App::open(config, models, Clock::System, Ids::Random, parsing).await?;
        let account = ensure_account(&app.store, "eval", &app.clock, &app.ids).await?.account_id;
        let newest = PageRequest { limit: 1, from: None };
        let kept = app.store.list_memories(account, &newest).await?.items.pop();
        let record = match kept {
            Some(record) => record,
            None => {
                let id = MemoryId(app.new_id());
                let record = MemoryRecord::graph(account, id, "eval", Ontology::Culture, app.now());
                app.store.create_memory(&record, None).await?;
                record
            }
        };
        Ok(Self { app, account, record })
    }

    /// Ingests a corpus in JSON Lines to its end; `progress` is told the number of passages staged so far. To be called once,
    /// on an empty memory.
    ///
    /// # Errors
    /// If the corpus cannot be ingested, or there is nothing in it; the error says why.
    pub async fn ingest(&mut self, corpus: Vec<u8>, progress: &dyn Fn(u64)) -> Result<()> {
        let file = self.add(corpus).await?;
        let app = &self.app;
        app.store.add_samples(&self.record, &[file], &[app.new_id()], app.now()).await?;
        let ids = StartIds { job_id: app.new_id(), batch_id: app.new_id() };
        let started = app
            .store
            .start_ingestion(&self.record, ids, app.memory.embedder_id(), app.now())
            .await?;
        let Start::Started { .. } = started else {
            return Err(Error::Corrupt("there is nothing to ingest".into()));
        };
        let mut working = Box::pin(self.work());
        loop {
            tokio::select! {
                done = &mut working => { done?; break; }
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {
                    let ingestion = app.store.last_ingestion(self.record.memory_id).await?;
                    progress(ingestion.map_or(0, |it| it.n_staged as u64));
                }
            }
        }
        drop(working);
        let counts = app.store.count_samples(&self.record).await?;
        if let Some(failed) = counts.failed.first() {
            return Err(Error::BadInput(format!("the corpus is refused: {}", failed.reason)));
        }
        if counts.n_passages == 0 {
            return Err(Error::BadInput("the corpus has no text".into()));
        }
        let fresh = app.store.memory(self.record.memory_id).await?;
        self.record = fresh.ok_or_else(|| Error::Corrupt("the scratch memory is gone".into()))?;
        Ok(())
    }

    /// The memory to ask.
    pub fn memory(&self) -> (&Memory, &MemoryRecord) {
        (&self.app.memory, &self.record)
    }

    /// How many passages it holds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn n_passages(&self) -> Result<i64> {
        Ok(self.app.store.count_samples(&self.record).await?.n_passages)
    }

    /// Serves the memory on a loopback port of the system's choice until the scratch is closed; returns the URL and a key.
    ///
    /// # Errors
    /// If there is no port or the store fails.
    pub async fn serve(&self) -> Result<(String, String)> {
        let app = &self.app;
        let key = create_key(&app.store, "eval", &app.clock, &app.ids).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::clone(app);
        app.spawn(async move {
            if let Err(error) = api::serve(&shared, listener).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the listener failed");
            }
        });
        Ok((url, key))
    }

    /// Closes the data directory.
    pub async fn close(self) {
        self.app.shutdown().await;
    }

    /// Runs the one job there is. Nobody else serves this directory, so its lease lasts for ever; and what fails is told to
    /// the caller, not tried again.
    async fn work(&self) -> Result<()> {
        let app = &self.app;
        let claimed = app.store.claim_job(app.new_id(), app.now(), Micros::MAX).await?;
        let job = claimed.ok_or_else(|| Error::Corrupt("the ingestion has no job".into()))?;
        match app.memory.run_job(&job, &|| app.now()).await? {
            JobEnd::Done => Ok(()),
            JobEnd::Websites => Err(Error::Corrupt("a corpus has no websites to fetch".into())),
        }
    }

    async fn add(&self, bytes: Vec<u8>) -> Result<FileId> {
        let app = &self.app;
        let file_id = FileId(app.new_id());
        let key = format!("{}/{}.jsonl", self.account.0, app.new_id());
        let size = bytes.len() as i64;
        let upload = Upload {
            key: key.clone(),
            account_id: self.account,
            file_name: NAME.into(),
            size: None,
            created_at: app.now(),
            uploaded_at: None,
        };
        app.store.create_upload(&upload).await?;
        let whole = stream::iter([Ok::<_, Error>(Bytes::from(bytes))]);
        app.blobs.put(&key, app.new_id(), size as u64, whole).await?;
        app.store.finish_upload(&key, size, app.now()).await?;
        let file = NewFile {
            file_id,
            id: file_id.0.to_string(),
            name: NAME.into(),
            extension: "jsonl".into(),
            file_type: FileType::Text,
            blob_key: Some(key),
            external_uri: None,
        };
        app.store.create_file(self.account, &file, app.now(), |_| None).await?;
        Ok(file_id)
    }
}
