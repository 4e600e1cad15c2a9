//! How does a text become a vector?

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rten::ThreadPool;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::cores::{Cores, Urgency};
use super::hashed;
use super::manifest::ModelManifest;
use super::pace::{Pace, Size};
use super::transformer::{Leave, Transformer};
use super::{WARM_UP, WARM_UPS};
use crate::error::{Error, Result};

/// The vectors of a question, of unit length.
#[derive(Clone, Debug)]
pub(crate) struct QuestionVectors {
    /// Of the whole question, to search with.
    pub(crate) whole: Vec<f32>,
    /// Of each name in it, as a text to be found.
    pub(crate) names: Vec<Vec<f32>>,
}

/// Turns texts into vectors of unit length. Cheap to clone; every method may be called from any thread and blocks it.
#[derive(Clone)]
pub struct Embedder {
    kind: Arc<Kind>,
}

enum Kind {
    Transformer(Box<Bert>),
    Hashed,
}

struct Bert {
    transformer: Transformer,
    id: String,
    dim: usize,
    query_prefix: String,
    /// Questions have lanes of their own, so that they never queue behind ingestion.
    query_cores: Cores,
    passage_cores: Cores,
    query_pace: Pace,
}

impl Embedder {
    /// The embedder of `manifest` from the models directory `dir`; `None` if its files are not there.
    pub(super) fn load(manifest: &ModelManifest, dir: &Path) -> Result<Option<Self>> {
        let (Some(onnx), Some(tokenizer)) =
            (manifest.read(dir, "model.onnx")?, manifest.read(dir, "tokenizer.json")?)
        else {
            return Ok(None);
        };
        let bert = Bert {
            transformer: Transformer::new(manifest, onnx, &tokenizer, "last_hidden_state")?,
            id: manifest.id.clone(),
            dim: manifest
                .dimension
                .ok_or_else(|| Error::Model(format!("`{}` has no dimension", manifest.id)))?,
            query_prefix: manifest.query_prefix.clone(),
            query_cores: Cores::new(Urgency::Question),
            passage_cores: Cores::new(Urgency::Background),
            query_pace: Pace::new(),
        };
        for _ in 0..WARM_UPS {
            bert.query_pace.forget();
            bert.question(WARM_UP, &[], Leave::Never)?;
        }
        Ok(Some(Self { kind: Arc::new(Kind::Transformer(Box::new(bert))) }))
    }

    /// A deterministic bag of hashed words, for tests of logic only: texts that share words are near each other, and
    /// that is all it knows. No configuration leads here.
    #[doc(hidden)]
    pub fn for_tests() -> Self {
        Self { kind: Arc::new(Kind::Hashed) }
    }

    /// The model's id in the manifest: vectors of different ids cannot be compared.
    pub fn id(&self) -> &str {
        match &*self.kind {
            Kind::Transformer(bert) => &bert.id,
            Kind::Hashed => hashed::ID,
        }
    }

    /// Length of every vector.
    pub fn dim(&self) -> usize {
        match &*self.kind {
            Kind::Transformer(bert) => bert.dim,
            Kind::Hashed => hashed::DIM,
        }
    }

    /// How many tokens a text has, special ones not counted. A passage with its title may have [`Self::max_tokens`].
    ///
    /// # Errors
    /// If the text cannot be tokenised.
    pub fn count_tokens(&self, text: &str) -> Result<usize> {
        match &*self.kind {
            Kind::Transformer(bert) => bert.transformer.count_tokens(text),
            Kind::Hashed => Ok(hashed::words(text).count()),
        }
    }

    /// The longest text that is read to its end, in tokens, special ones not counted.
    pub fn max_tokens(&self) -> usize {
        match &*self.kind {
            Kind::Transformer(bert) => bert.transformer.room(2),
            Kind::Hashed => usize::MAX,
        }
    }

    /// The vector to search with for a question. Beyond [`Self::max_tokens`] it is not read.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn embed_query(&self, question: &str) -> Result<Vec<f32>> {
        Ok(self.embed_question(question, &[], Leave::Never)?.whole)
    }

    /// The vectors of a question and of the names in it, computed side by side on all cores.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was left; otherwise if the model cannot be run.
    pub(crate) fn embed_question(
        &self,
        question: &str,
        names: &[String],
        leave: Leave<'_>,
    ) -> Result<QuestionVectors> {
        match &*self.kind {
            Kind::Transformer(bert) => bert.question(question, names, leave),
            Kind::Hashed => Ok(QuestionVectors {
                whole: hashed::embed(question),
                names: names.iter().map(|it| hashed::embed(it)).collect(),
            }),
        }
    }

    /// Whether a question and its names may be embedded because they are likely to be done within `time`.
    pub(crate) fn admits(&self, question: &str, names: &[String], time: Duration) -> bool {
        match &*self.kind {
            Kind::Transformer(bert) => bert.query_pace.admits(bert.size(question, names), time),
            Kind::Hashed => true,
        }
    }

    /// The vectors of texts to be found, in their order, computed on all cores. Beyond [`Self::max_tokens`] a text is
    /// not read. A text's vector does not depend on the other texts.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        match &*self.kind {
            Kind::Transformer(bert) => bert
                .passage_cores
                .map(texts, |text, threads| bert.text(text, threads, Leave::Never)),
            Kind::Hashed => Ok(texts.iter().map(|text| hashed::embed(text)).collect()),
        }
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Bert {
    fn question(
        &self,
        question: &str,
        names: &[String],
        leave: Leave<'_>,
    ) -> Result<QuestionVectors> {
        let mut texts = vec![(format!("{}{question}", self.query_prefix), leave)];
        texts.extend(names.iter().map(|it| (it.clone(), leave.of_short())));
        let started = Instant::now();
        let vectors =
            self.query_cores.map(&texts, |(text, leave), threads| self.text(text, threads, *leave));
        self.query_pace.note(self.size(question, names), started.elapsed(), &vectors);
        let mut vectors = vectors?.into_iter();
        let whole = vectors.next().expect("there is a vector a text");
        Ok(QuestionVectors { whole, names: vectors.collect() })
    }

    fn size(&self, question: &str, names: &[String]) -> Size {
        let texts = [question].into_iter().chain(names.iter().map(String::as_str));
        Size::of_all(texts.map(str::len), self.query_cores.len())
    }

    fn text(&self, text: &str, threads: &Arc<ThreadPool>, leave: Leave<'_>) -> Result<Vec<f32>> {
        let tokens = self.transformer.first_tokens(text, self.transformer.room(2))?;
        let states: NdTensor<f32, 3> = self.transformer.run_single(&tokens, threads, leave)?;
        Ok(unit(states.slice((0, 0)).iter().copied().collect()))
    }
}

pub(super) fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length.max(f32::MIN_POSITIVE));
    vector
}
