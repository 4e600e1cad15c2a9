//! How well does a sentence answer a question?

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::cores::{Cores, Urgency};
use super::manifest::ModelManifest;
use super::transformer::Transformer;
use crate::error::{Error, Result};

/// Scores texts against questions. Cheap to clone; may be called from any thread and blocks it.
#[derive(Clone)]
pub struct Reranker {
    cross_encoder: Arc<CrossEncoder>,
}

struct CrossEncoder {
    transformer: Transformer,
    id: String,
    cores: Cores,
}

impl Reranker {
    /// The reranker of `manifest` from the models directory `dir`; `None` if its files are not there.
    pub(super) fn load(manifest: &ModelManifest, dir: &Path) -> Result<Option<Self>> {
        let (Some(onnx), Some(tokenizer)) =
            (manifest.read(dir, "model.onnx")?, manifest.read(dir, "tokenizer.json")?)
        else {
            return Ok(None);
        };
        let cross_encoder = CrossEncoder {
            transformer: Transformer::new(onnx, &tokenizer, "logits", manifest.max_tokens)?,
            id: manifest.id.clone(),
            cores: Cores::new(Urgency::Question),
        };
        Ok(Some(Self { cross_encoder: Arc::new(cross_encoder) }))
    }

    /// The model's id in the manifest.
    pub fn id(&self) -> &str {
        &self.cross_encoder.id
    }

    /// How well each text answers the question before it, 0 to 1, in the order of the pairs, computed on all cores. Of a
    /// question no more than half the model's window is read, of a text what fits beside it.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn score(&self, pairs: &[(String, String)]) -> Result<Vec<f32>> {
        let CrossEncoder { transformer, cores, .. } = &*self.cross_encoder;
        let room = transformer.room(3);
        cores.map(pairs, |(question, text), threads| {
            let question = transformer.first_tokens(question, room / 2)?;
            let text = transformer.first_tokens(text, room - question.len())?;
            let logits: NdTensor<f32, 2> = transformer.run_pair(&question, &text, threads)?;
            let logit = logits
                .iter()
                .next()
                .ok_or_else(|| Error::Model("the reranker gave no score".to_owned()))?;
            Ok(sigmoid(*logit))
        })
    }
}

impl fmt::Debug for Reranker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reranker").field("id", &self.id()).finish_non_exhaustive()
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
