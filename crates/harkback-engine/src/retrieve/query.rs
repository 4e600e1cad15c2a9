//! A question as retrieval sees it: its vectors, its terms and the entities it names.

use super::without_names::without_names;
use crate::embed::QuestionVectors;
use crate::index::{Mention, Quantised, Snapshot};

/// Entities of a question that are followed, the rarest: a walk starts from each. The richest of the 620 questions of the
/// evaluation sets names 7.
const MAX_ENTITIES: usize = 16;

/// A question against one snapshot.
#[derive(Debug)]
pub(crate) struct Query {
    /// Its vector, `None` in lexical mode.
    pub(crate) vector: Option<Quantised>,
    /// What remains of its vector without the names in it, `None` where there are none.
    pub(crate) vector_without_names: Option<Quantised>,
    /// Its BM25 terms.
    pub(crate) terms: Vec<u32>,
    /// Words of it that say something, known to the memory or not.
    pub(crate) n_words: usize,
    /// The entities it names, each once, in the order they were found.
    pub(crate) entities: Vec<Mention>,
}

impl Query {
    /// Reads a question, in lexical mode.
    pub(crate) fn new(snapshot: &Snapshot, text: &str) -> Self {
        let mut entities = snapshot.query_entities(text);
        if entities.len() > MAX_ENTITIES {
            let idf = |it: &Mention| snapshot.idf[it.entity as usize];
            let mut all: Vec<f32> = entities.iter().map(idf).collect();
            all.sort_by(|a, b| b.total_cmp(a));
            entities.retain(|it| idf(it) >= all[MAX_ENTITIES - 1]);
            entities.truncate(MAX_ENTITIES);
        }
        Self {
            vector: None,
            vector_without_names: None,
            terms: snapshot.terms(text),
            n_words: snapshot.n_telling_words(text),
            entities,
        }
    }

    /// From now on meaning counts too.
    pub(crate) fn compare_with(&mut self, vectors: &QuestionVectors) {
        self.vector = Some(Quantised::new(&vectors.whole));
        self.vector_without_names =
            without_names(&vectors.whole, &vectors.names).map(|it| Quantised::new(&it));
    }

    /// The names in the question's `text` that it was read from, each once; of names that overlap the one that begins last.
    pub(crate) fn names(&self, text: &str) -> Vec<String> {
        let mut places: Vec<(usize, usize)> =
            self.entities.iter().map(|it| (it.start, it.end)).collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        let mut names = Vec::<String>::new();
        let mut before = usize::MAX;
        for (start, end) in places {
            if end > before {
                continue;
            }
            before = start;
            let name = &text[start..end];
            if !names.iter().any(|it| it == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Cosine of the question with a passage; 0 in lexical mode.
    pub(crate) fn cosine(&self, snapshot: &Snapshot, passage: u32) -> f32 {
        self.vector.as_ref().map_or(0.0, |it| snapshot.vectors.cosine(it, passage as usize))
    }
}
