//! How well does a sentence answer a question?

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::cores::{Cores, Urgency};
use super::manifest::ModelManifest;
use super::pace::{Pace, Size};
use super::transformer::{Leave, Transformer};
use super::{WARM_UP, WARM_UPS};
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
    pace: Pace,
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
            transformer: Transformer::new(manifest, onnx, &tokenizer, "logits")?,
            id: manifest.id.clone(),
            cores: Cores::new(Urgency::Question),
            pace: Pace::new(),
        };
        let reranker = Self { cross_encoder: Arc::new(cross_encoder) };
        for _ in 0..WARM_UPS {
            reranker.cross_encoder.pace.forget();
            reranker.score(&[(WARM_UP.to_owned(), WARM_UP.to_owned())])?;
        }
        Ok(Some(reranker))
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
        self.score_unless_left(pairs, Leave::Never)
    }

    /// As [`Self::score`].
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was left; otherwise if the model cannot be run.
    pub(crate) fn score_unless_left(
        &self,
        pairs: &[(String, String)],
        leave: Leave<'_>,
    ) -> Result<Vec<f32>> {
        let CrossEncoder { transformer, cores, pace, .. } = &*self.cross_encoder;
        let room = transformer.room(3);
        let started = Instant::now();
        let scores = cores.map(pairs, |(question, text), threads| {
            let question = transformer.first_tokens(question, room / 2)?;
            let text = transformer.first_tokens(text, room - question.len())?;
            let logits: NdTensor<f32, 2> =
                transformer.run_pair(&question, &text, threads, leave)?;
            let logit = logits
                .iter()
                .next()
                .ok_or_else(|| Error::Model("the reranker gave no score".to_owned()))?;
            Ok(sigmoid(*logit))
        });
        if !pairs.is_empty() {
            pace.note(self.size(pairs), started.elapsed(), &scores);
        }
        scores
    }

    /// How many pairs are read side by side.
    pub(crate) fn n_at_once(&self) -> usize {
        self.cross_encoder.cores.len()
    }

    /// Whether these pairs may be scored because they are likely to be done within `time`.
    pub(crate) fn admits(&self, pairs: &[(String, String)], time: Duration) -> bool {
        self.cross_encoder.pace.admits(self.size(pairs), time)
    }

    fn size(&self, pairs: &[(String, String)]) -> Size {
        Size::of_all(pairs.iter().map(|it| it.0.len() + it.1.len()), self.n_at_once())
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
