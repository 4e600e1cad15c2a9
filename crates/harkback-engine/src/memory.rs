//! The façade the program uses: recall, ingest, forget.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::blobs::Blobs;
use crate::embed::Models;
use crate::error::Result;
use crate::ingest::Ingest;
use crate::model::{FileId, Job, MemoryId, MemoryRecord, Micros, Recall, RecallRequest};
use crate::recall::{self, Deadline};
use crate::resident::{MAX_BYTES, Residents};
use crate::store::{Finish, Progress, Store};

/// Left of a question's budget when it stops waiting for an index that is being built.
const INDEX_RESERVE: Duration = Duration::from_millis(8);

/// All memories of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    store: Store,
    blobs: Blobs,
    models: Models,
    residents: Arc<Residents>,
}

impl Memory {
    /// Bytes of indexes kept in RAM; the one in use is kept whatever its size.
    pub const MAX_RESIDENT_BYTES: usize = MAX_BYTES;

    /// Opens the memories of the data directory `dir`, whose truth is `store`.
    ///
    /// # Errors
    /// If the blob directory cannot be made.
    pub async fn open(dir: &Path, store: Store, models: Models) -> Result<Self> {
        let blobs = Blobs::open(dir).await?;
        let residents = Arc::new(Residents::new(store.clone()));
        Ok(Self { store, blobs, models, residents })
    }

    /// Answers a question. The caller has checked that `record` is the asking account's. Where the budget does not allow to
    /// wait for an index of the record's revision, the last one answers, with texts that are live all the same.
    ///
    /// # Errors
    /// If the store or a model fails. A memory that holds nothing answers an empty [`Recall`].
    pub async fn recall(&self, record: &MemoryRecord, request: &RecallRequest) -> Result<Recall> {
        let deadline = Deadline::after(request.budget);
        let (snapshot, is_behind) =
            match deadline.wait(INDEX_RESERVE, self.residents.snapshot(record)).await {
                Some(snapshot) => (snapshot?, false),
                None => match self.residents.last(record.memory_id) {
                    Some(snapshot) => (snapshot, true),
                    None => return Ok(Recall { is_partial: true, ..Recall::default() }),
                },
            };
        let mut recall =
            recall::recall(&self.store, &self.models, snapshot, record, request, deadline).await?;
        recall.is_partial |= is_behind;
        Ok(recall)
    }

    /// Runs a leased ingestion job to its end; `now` tells the time. The caller keeps the lease alive meanwhile. Safe to
    /// run twice: what an aborted run has staged is taken up again.
    ///
    /// # Errors
    /// [`LeaseLost`](crate::Error::LeaseLost) if another worker took over; otherwise if the store fails. A file that
    /// cannot be ingested is not an error: its sample is marked failed, with the reason.
    pub async fn run_job(&self, job: &Job, now: &(dyn Fn() -> Micros + Send + Sync)) -> Result<()> {
        let Some(record) = self.store.memory(job.memory_id).await? else { return Ok(()) };
        let _ingesting = self.residents.ingesting(job.memory_id);
        let embedder = self.models.embedder.as_ref();
        let ingest = Ingest { store: &self.store, blobs: &self.blobs, embedder, now };
        loop {
            for sample in self.store.begin_batch(job, now()).await? {
                ingest.sample(job, &record, &sample).await?;
            }
            let snapshot = self.residents.rebuild(job.memory_id).await?;
            let progress = Progress {
                n_entities: Some(snapshot.n_entities() as i64),
                n_relations: Some(snapshot.n_relations() as i64),
                ..Progress::default()
            };
            self.store.update_progress(job, progress, now()).await?;
            self.store.collect_dead_versions(job).await?;
            if let Finish::Done(_) = self.store.finish_job(job, now()).await? {
                return Ok(());
            }
        }
    }

    /// Takes a file and all that was derived from it out of a memory, before it returns. False if it was not in it.
    ///
    /// # Errors
    /// If the store fails; nothing is half done then.
    pub async fn forget_file(
        &self,
        record: &MemoryRecord,
        file: FileId,
        now: Micros,
    ) -> Result<bool> {
        let was_in = self.store.remove_sample(record.memory_id, file, now).await?;
        if was_in {
            self.residents.rebuild_if_resident(record.memory_id).await?;
        }
        Ok(was_in)
    }

    /// Drops what is held in RAM of a memory that the store no longer has.
    pub fn drop_memory(&self, memory: MemoryId) {
        self.residents.drop_memory(memory);
    }

    /// Builds a memory's index before the first question asks for it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn warm(&self, record: &MemoryRecord) -> Result<()> {
        self.residents.snapshot(record).await.map(|_| ())
    }

    /// Bytes of the indexes in RAM; those asked longest ago give way when they become more than
    /// [`MAX_RESIDENT_BYTES`](Self::MAX_RESIDENT_BYTES).
    pub fn resident_bytes(&self) -> usize {
        self.residents.n_bytes()
    }

    /// The embedding model in use, `None` in lexical mode.
    pub fn embedder_id(&self) -> Option<&str> {
        self.models.embedder.as_ref().map(|it| it.id())
    }
}
