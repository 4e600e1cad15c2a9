//! The facts that best support an answer, as sentences that stand alone.

use super::query::Query;
use super::support::{Evidence, supports};
use crate::index::Snapshot;
use crate::model::Fact;

/// Facts given at most.
const MAX_FACTS: usize = 3;

/// The sentences that bear most on the question, best first.
pub(crate) fn facts(snapshot: &Snapshot, query: &Query, evidence: &[Evidence]) -> Vec<Fact> {
    let supports = supports(snapshot, query, evidence);
    supports
        .iter()
        .take(MAX_FACTS)
        .map(|it| Fact { text: it.sentence.to_owned(), relevance: it.score })
        .collect()
}
