//! The models: an embedder and a cross-encoder, run by rten, and the manifest that pins them.

use std::path::Path;

use crate::error::Result;

/// The pinned files of one model.
#[derive(Debug)]
pub struct ModelManifest {}

/// The models of a data directory; without them the memory works in lexical mode.
#[derive(Clone, Debug, Default)]
pub struct Models {
    /// Turns texts into vectors.
    pub embedder: Option<Embedder>,
    /// Scores a sentence against a question.
    pub reranker: Option<Reranker>,
}

impl Models {
    /// Loads the models in `dir` after checking their hashes; one that is not there is `None`.
    ///
    /// # Errors
    /// If a file is there but is not the pinned one, or cannot be run.
    pub fn load(_dir: &Path) -> Result<Self> {
        Ok(Self::default())
    }
}

/// bge-small-en-v1.5: 384 dimensions, unit length. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Embedder {}

/// ms-marco-MiniLM-L-12-v2. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reranker {}
