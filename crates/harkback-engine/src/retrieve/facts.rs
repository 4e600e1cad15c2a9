//! The facts that best support an answer, as sentences that stand alone.

use rustc_hash::FxHashSet;

use super::answer::spoken;
use super::query::Query;
use super::support::{Evidence, Ground, Support, plain, supports};
use crate::index::Snapshot;
use crate::model::Fact;

/// Facts given at most.
const MAX_FACTS: usize = 3;

/// The sentences that bear most on the question, best first, each once, in words of its own passage and standing alone. None where
/// nothing bears on it.
pub(crate) fn facts(snapshot: &Snapshot, query: &Query, evidence: &[Evidence]) -> Vec<Fact> {
    let supports = supports(snapshot, query, evidence);
    let ground = Ground::of(snapshot, query, evidence, &supports);
    let mut said = FxHashSet::default();
    let fact = |it: &Support<'_>| Fact { text: spoken(snapshot, it), relevance: it.score };
    supports
        .iter()
        .filter(|it| it.coverage > 0.0 && ground.bears(it.words, 0.0))
        .map(fact)
        .filter(|it| said.insert(plain(&it.text)))
        .take(MAX_FACTS)
        .collect()
}
