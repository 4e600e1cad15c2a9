//! Signal: what is said in similar words or with a similar meaning. BM25 and dense passages, joined by reciprocal rank
//! (Cormack, Clarke and Büttcher 2009, k = 60).

use rustc_hash::FxHashMap;

use super::query::Query;
use super::rank::{Gathered, spread};
use crate::index::{PassageNo, Snapshot, best};

/// Passages taken from each list.
const LIST_LENGTH: usize = 100;
const RRF_K: f32 = 60.0;

/// A list of passages, best first, with the scores that order them.
pub(super) type List = Vec<(PassageNo, f32)>;

/// The lists there are, by name: what is said in the same words and, where the question has a vector, with a similar
/// meaning.
pub(super) fn lists(snapshot: &Snapshot, query: &Query) -> Vec<(&'static str, List)> {
    let mut lists = vec![("words", snapshot.bm25.search(&query.terms, LIST_LENGTH))];
    if let Some(vector) = &query.vector {
        lists.push(("meaning", snapshot.vectors.nearest(vector, LIST_LENGTH)));
    }
    lists
}

/// Passages by similarity, best first, with scores of 0..=1: 1 is first in every list there is.
pub(super) fn similar(snapshot: &Snapshot, query: &Query) -> List {
    let lists = lists(snapshot, query);
    let greatest = lists.len() as f32 / (RRF_K + 1.0);
    let mut scores = FxHashMap::<PassageNo, f32>::default();
    for (_, list) in &lists {
        for (rank, (passage, _)) in list.iter().enumerate() {
            *scores.entry(*passage).or_default() += 1.0 / (RRF_K + 1.0 + rank as f32) / greatest;
        }
    }
    best(scores.into_iter().collect(), usize::MAX)
}

/// The signal's values: cosines with the candidates, in lexical mode shares of the best similarity, moved to 0..=1.
pub(super) fn values(gathered: &Gathered<'_>, candidates: &[PassageNo]) -> Vec<f32> {
    let Gathered { snapshot, query, similar, .. } = gathered;
    if query.vector.is_some() {
        return spread(candidates, |it| query.cosine(snapshot, it));
    }
    let scores: FxHashMap<PassageNo, f32> = similar.iter().copied().collect();
    spread(candidates, |it| scores.get(&it).copied().unwrap_or(0.0))
}
