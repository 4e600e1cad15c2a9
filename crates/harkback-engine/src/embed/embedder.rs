//! How does a text become a vector?

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rten::ThreadPool;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};

use super::cores::{Cores, Urgency};
use super::hashed;
use super::manifest::ModelManifest;
use super::transformer::{Token, Transformer};
use crate::error::{Error, Result};
use crate::model::{Passage, Span};

/// Turns texts into vectors of unit length. Cheap to clone; every method may be called from any thread and blocks it.
#[derive(Clone)]
pub struct Embedder {
    kind: Arc<Kind>,
}

/// The vectors of a passage and of its sentences, all of unit length.
#[derive(Clone, Debug, PartialEq)]
pub struct PassageVectors {
    /// The passage as a whole.
    pub passage: Vec<f32>,
    /// One a sentence, in the order of [`Passage::sentences`].
    pub sentences: Vec<Vec<f32>>,
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
            transformer: Transformer::new(
                onnx,
                &tokenizer,
                "last_hidden_state",
                manifest.max_tokens,
            )?,
            id: manifest.id.clone(),
            dim: manifest
                .dimension
                .ok_or_else(|| Error::Model(format!("`{}` has no dimension", manifest.id)))?,
            query_prefix: manifest.query_prefix.clone(),
            query_cores: Cores::new(Urgency::Question),
            passage_cores: Cores::new(Urgency::Background),
        };
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
            Kind::Transformer(bert) => Ok(bert.transformer.tokens(text)?.len()),
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
        match &*self.kind {
            Kind::Transformer(bert) => {
                let text = format!("{}{question}", bert.query_prefix);
                bert.query_cores.run(|threads| bert.text(&text, threads))
            }
            Kind::Hashed => Ok(hashed::embed(question)),
        }
    }

    /// The vectors of texts to be found, in their order, computed on all cores. Beyond [`Self::max_tokens`] a text is
    /// not read. A text's vector does not depend on the other texts.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        match &*self.kind {
            Kind::Transformer(bert) => {
                bert.passage_cores.map(texts, |text, threads| bert.text(text, threads))
            }
            Kind::Hashed => Ok(texts.iter().map(|text| hashed::embed(text)).collect()),
        }
    }

    /// The vector of `"{title}. {text}"` and, from the same reading, the mean of the states of each sentence's own
    /// tokens: a sentence's vector knows what stands around it. Sentences that do not fit into the model's window with
    /// what goes before them are read in windows of their own, each under the title.
    /// A span that holds no token gets the passage's vector.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn embed_document(
        &self,
        title: &str,
        text: &str,
        sentences: &[Span],
    ) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
        match &*self.kind {
            Kind::Transformer(bert) => {
                bert.passage_cores.run(|threads| bert.document(title, text, sentences, threads))
            }
            Kind::Hashed => Ok(hashed::document(title, text, sentences)),
        }
    }

    /// [`Self::embed_document`] of many passages, in their order, computed on all cores.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn embed_documents(&self, passages: &[Passage]) -> Result<Vec<PassageVectors>> {
        let vectors = match &*self.kind {
            Kind::Transformer(bert) => bert.passage_cores.map(passages, |p, threads| {
                bert.document(&p.title, &p.text, &p.sentences, threads)
            })?,
            Kind::Hashed => {
                passages.iter().map(|p| hashed::document(&p.title, &p.text, &p.sentences)).collect()
            }
        };
        Ok(vectors
            .into_iter()
            .map(|(passage, sentences)| PassageVectors { passage, sentences })
            .collect())
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Bert {
    fn text(&self, text: &str, threads: &Arc<ThreadPool>) -> Result<Vec<f32>> {
        let tokens = self.transformer.first_tokens(text, self.transformer.room(2))?;
        let states: NdTensor<f32, 3> = self.transformer.run_single(&tokens, threads)?;
        Ok(cls(&states.view()))
    }

    fn document(
        &self,
        title: &str,
        text: &str,
        sentences: &[Span],
        threads: &Arc<ThreadPool>,
    ) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
        let room = self.transformer.room(2);
        let head = super::head(title);
        let tokens = self.transformer.tokens(&format!("{head}{text}"))?;
        let ranges: Vec<_> =
            sentences.iter().map(|span| tokens_of(&tokens, *span, head.len())).collect();
        let n_head = tokens.partition_point(|token| token.start < head.len()).min(room / 2);

        let first = &tokens[..tokens.len().min(room)];
        let states: NdTensor<f32, 3> = self.transformer.run_single(first, threads)?;
        let passage = cls(&states.view());
        let mut vectors = Vec::with_capacity(sentences.len());
        while let Some(range) = ranges.get(vectors.len()).filter(|range| range.end <= first.len()) {
            vectors.push(mean(&states.view(), range.clone()).unwrap_or_else(|| passage.clone()));
        }

        while vectors.len() < ranges.len() {
            let rest = &ranges[vectors.len()..];
            let start = rest[0].start;
            let fitting = rest
                .iter()
                .take_while(|range| n_head + range.end.saturating_sub(start) <= room)
                .count();
            let taken = &rest[..fitting.max(1)];
            let end = taken[taken.len() - 1].end.clamp(start, start + room - n_head);
            let window: Vec<Token> = [&tokens[..n_head], &tokens[start..end]].concat();
            let states: NdTensor<f32, 3> = self.transformer.run_single(&window, threads)?;
            let at = |token: usize| token.clamp(start, end) - start + n_head;
            for range in taken {
                let own = at(range.start)..at(range.end);
                vectors.push(mean(&states.view(), own).unwrap_or_else(|| passage.clone()));
            }
        }
        Ok((passage, vectors))
    }
}

/// The tokens that begin within a span of the text that follows `n_head` bytes.
fn tokens_of(tokens: &[Token], span: Span, n_head: usize) -> Range<usize> {
    let first = tokens.partition_point(|token| token.start < n_head + span.start as usize);
    let end = tokens.partition_point(|token| token.start < n_head + span.end as usize);
    first..end.max(first)
}

fn cls(states: &NdTensorView<f32, 3>) -> Vec<f32> {
    unit(states.slice((0, 0)).iter().copied().collect())
}

/// The mean state of some tokens of the text; the state before them all is that of the special token.
fn mean(states: &NdTensorView<f32, 3>, tokens: Range<usize>) -> Option<Vec<f32>> {
    if tokens.is_empty() {
        return None;
    }
    let mut sum = vec![0.0; states.size(2)];
    for token in tokens {
        for (total, x) in sum.iter_mut().zip(states.slice((0, token + 1)).iter()) {
            *total += x;
        }
    }
    Some(unit(sum))
}

pub(super) fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length.max(f32::MIN_POSITIVE));
    vector
}
