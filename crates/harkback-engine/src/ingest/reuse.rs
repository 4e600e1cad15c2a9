//! Which passages of a new version must go through the model? Those whose text the version it replaces does not have.

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::embed::Embedder;
use crate::error::Result;
use crate::model::{MemoryId, Sample};
use crate::store::{StagedVector, Store, TextHash};

/// Where the vectors of a file's passages come from: the version that readers see, or else the model.
pub(super) struct Vectors {
    store: Store,
    memory_id: MemoryId,
    embedder: Embedder,
    /// The version to be replaced, if its vectors are the embedder's.
    replaced: Option<Uuid>,
    runtime: Handle,
}

impl Vectors {
    /// For the next version of `sample`; `None` in lexical mode. To be called within the runtime.
    pub(super) fn for_sample(
        store: &Store,
        sample: &Sample,
        embedder: Option<&Embedder>,
    ) -> Option<Self> {
        let embedder = embedder?;
        let is_same_model = sample.model_id.as_deref() == Some(embedder.id());
        Some(Self {
            store: store.clone(),
            memory_id: sample.memory_id,
            embedder: embedder.clone(),
            replaced: sample.active_version.filter(|_| is_same_model),
            runtime: Handle::current(),
        })
    }

    /// The vectors of `texts`, in their order. Blocks: it waits for the store and computes.
    ///
    /// # Errors
    /// If the store or the model fails.
    pub(super) fn of(&self, texts: &[String]) -> Result<Vec<StagedVector>> {
        let hashes: Vec<TextHash> = texts.iter().map(|it| hash(it)).collect();
        let known = match self.replaced {
            Some(version) => self.runtime.block_on(self.store.vectors_of_texts(
                self.memory_id,
                version,
                &hashes,
            ))?,
            None => vec![None; texts.len()],
        };
        let new: Vec<&str> =
            texts.iter().zip(&known).filter(|it| it.1.is_none()).map(|it| it.0.as_str()).collect();
        let mut made = self.embedder.embed_passages(&new)?.into_iter();
        let vectors = hashes.into_iter().zip(known).map(|(text, known)| {
            let is_reused = known.is_some();
            let values = known.or_else(|| made.next()).expect("the model gives a vector a text");
            StagedVector { values, text, is_reused }
        });
        Ok(vectors.collect())
    }
}

/// The text whose vector stands for a passage.
pub(super) fn embedded_text(title: &str, text: &str) -> String {
    if title.is_empty() { text.to_owned() } else { format!("{title}\n{text}") }
}

/// Names the text whose vector stands for a passage.
pub(crate) fn text_hash(title: &str, text: &str) -> TextHash {
    hash(&embedded_text(title, text))
}

fn hash(text: &str) -> TextHash {
    let digest: [u8; 32] = Sha256::digest(text).into();
    *digest.first_chunk().expect("a digest has 32 bytes")
}
