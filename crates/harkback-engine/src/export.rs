//! What does a memory hold, piece by piece, as one revision of it? Read for archives, a few passages at a time.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::model::{ExportedPassage, MemoryRecord};
use crate::retrieve::knowledge;
use crate::store::{PassageKey, Store};

/// Passages that are held at once.
const AT_ONCE: usize = 64;

/// A memory at one revision. Holds its index, and no texts.
#[derive(Debug)]
pub struct Export {
    store: Store,
    snapshot: Arc<Snapshot>,
    record: MemoryRecord,
}

impl Export {
    /// The revision of `record` that `snapshot` was built from.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) while files are being ingested, because the index is behind then.
    pub(crate) fn new(store: Store, snapshot: Arc<Snapshot>, record: MemoryRecord) -> Result<Self> {
        if snapshot.rev == record.rev {
            return Ok(Self { store, snapshot, record });
        }
        Err(Error::BadInput("Memory is being changed; export it when the ingestion is done".into()))
    }

    /// The revision.
    pub fn rev(&self) -> i64 {
        self.record.rev
    }

    /// How many passages there are.
    pub fn n_passages(&self) -> usize {
        self.snapshot.n_passages()
    }

    /// How many entities there are.
    pub fn n_entities(&self) -> usize {
        self.snapshot.n_entities()
    }

    /// The next passages from number `from` on; empty at the end.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if the memory has changed since; otherwise if the store fails.
    pub async fn passages(&self, from: usize) -> Result<Vec<ExportedPassage>> {
        let numbers = from..self.n_passages().min(from + AT_ONCE);
        let key = |number: usize| {
            let (file_id, version_id, seq) = self.snapshot.passage_place(number as u32);
            PassageKey { file_id, version_id, seq }
        };
        let keys: Vec<PassageKey> = numbers.clone().map(key).collect();
        let texts = self.store.passage_texts(self.record.memory_id, &keys).await?;
        if texts.len() < keys.len() {
            return Err(changed());
        }
        let (snapshot, ontology) = (Arc::clone(&self.snapshot), self.record.ontology);
        let exporting = spawn_blocking(move || {
            let passages = numbers.zip(texts).map(|(number, text)| {
                let (mentions, relations) = knowledge(&snapshot, &text, ontology);
                ExportedPassage {
                    number,
                    file_id: text.file_id,
                    record_id: text.record_id,
                    title: text.title,
                    text: text.text,
                    place: text.place,
                    n_tokens: text.n_tokens,
                    sentences: text.sentences,
                    mentions,
                    relations,
                }
            });
            passages.collect()
        });
        exporting.await.map_err(|e| Error::Io(e.into()))
    }

    /// Whether the memory is still what was exported.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if it has changed since; otherwise if the store fails.
    pub async fn check(&self) -> Result<()> {
        match self.store.memory(self.record.memory_id).await? {
            Some(now) if now.rev == self.record.rev => Ok(()),
            _ => Err(changed()),
        }
    }
}

fn changed() -> Error {
    Error::BadInput("Memory was changed while it was exported".into())
}
