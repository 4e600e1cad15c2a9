//! The façade the program uses: recall, ingest, forget.

use std::path::Path;

use crate::embed::Models;
use crate::error::Result;
use crate::model::{FileId, Job, MemoryRecord, Micros, Recall, RecallRequest};
use crate::store::Store;

/// All memories of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    store: Store,
    models: Models,
}

impl Memory {
    /// Opens the memories of the data directory `dir`, whose truth is `store`.
    ///
    /// # Errors
    /// If the blob directory cannot be made.
    pub async fn open(_dir: &Path, store: Store, models: Models) -> Result<Self> {
        Ok(Self { store, models })
    }

    /// Answers a question. The caller has checked that `record` is the asking account's.
    ///
    /// # Errors
    /// If the store or the embedder fails. A memory that holds nothing answers an empty [`Recall`].
    pub async fn recall(&self, _record: &MemoryRecord, _request: &RecallRequest) -> Result<Recall> {
        Ok(Recall::default())
    }

    /// Runs a leased ingestion job to its end, heart-beating the lease; `now` tells the time. Safe to run twice.
    ///
    /// # Errors
    /// [`LeaseLost`](crate::Error::LeaseLost) if another worker took over; otherwise if the store fails. A file that
    /// cannot be ingested is not an error: its sample is marked failed, with the reason.
    pub async fn run_job(
        &self,
        _job: &Job,
        _now: &(dyn Fn() -> Micros + Send + Sync),
    ) -> Result<()> {
        Ok(())
    }

    /// Takes a file and all that was derived from it out of a memory, before it returns. False if it was not in it.
    ///
    /// # Errors
    /// If the store fails; nothing is half done then.
    pub async fn forget_file(
        &self,
        _record: &MemoryRecord,
        _file: FileId,
        _now: Micros,
    ) -> Result<bool> {
        Ok(false)
    }

    /// The embedding model in use, `None` in lexical mode.
    pub fn embedder_id(&self) -> Option<&str> {
        None
    }
}
