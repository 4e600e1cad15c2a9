//! The models: an embedder and a cross-encoder, run by rten, and the manifest that pins them.

mod cores;
mod embedder;
mod hashed;
mod manifest;
mod pace;
mod reranker;
#[cfg(test)]
mod tests;
mod transformer;

use std::path::Path;

use crate::error::Result;

pub use embedder::Embedder;
pub(crate) use embedder::QuestionVectors;
pub use manifest::{
    Manifest, ModelFile, ModelManifest, ModelRole, ModelSource, ModelState, Pooling, sha256_of,
};
pub use reranker::Reranker;
pub(crate) use transformer::Leave;

/// A model's first runs are slow: it makes some before anybody waits for it.
const WARM_UPS: usize = 3;
const WARM_UP: &str = "On which days can I see the doctor who treats migraine?";

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
    /// [`Error::Model`](crate::Error::Model) if a file is there but is not the pinned one, or cannot be run.
    pub fn load(dir: &Path) -> Result<Self> {
        let mut models = Self::default();
        for model in &Manifest::pinned().models {
            match model.role {
                ModelRole::Embedder => models.embedder = Embedder::load(model, dir)?,
                ModelRole::Reranker => models.reranker = Reranker::load(model, dir)?,
            }
        }
        Ok(models)
    }
}
