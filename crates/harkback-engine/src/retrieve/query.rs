//! A question as retrieval sees it: its vector, its terms and the entities it names.

use crate::index::{Mention, Quantised, Snapshot};

/// A question against one snapshot.
#[derive(Debug)]
pub(crate) struct Query {
    /// Its vector, `None` in lexical mode.
    pub(crate) vector: Option<Quantised>,
    /// Its BM25 terms.
    pub(crate) terms: Vec<u32>,
    /// The entities it names, each once.
    pub(crate) entities: Vec<Mention>,
}

impl Query {
    /// Reads a question; `vector` is of unit length.
    pub(crate) fn new(snapshot: &Snapshot, text: &str, vector: Option<&[f32]>) -> Self {
        Self {
            vector: vector.filter(|_| snapshot.has_vectors).map(Quantised::new),
            terms: snapshot.terms(text),
            entities: snapshot.query_entities(text),
        }
    }

    /// Cosine of the question with a passage; 0 in lexical mode.
    pub(crate) fn cosine(&self, snapshot: &Snapshot, passage: u32) -> f32 {
        self.vector.as_ref().map_or(0.0, |it| snapshot.vectors.cosine(it, passage as usize))
    }
}
