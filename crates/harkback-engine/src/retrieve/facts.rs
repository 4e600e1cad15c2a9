//! The facts that best support an answer, as sentences that stand alone.

use super::fact::{self_contained, speakable};
use super::query::Query;
use super::support::{Evidence, Support, named, supports};
use crate::index::Snapshot;
use crate::model::Fact;

/// Facts given at most.
const MAX_FACTS: usize = 3;

/// The sentences that bear most on the question, best first, each in words of its own passage and standing alone.
pub(crate) fn facts(snapshot: &Snapshot, query: &Query, evidence: &[Evidence]) -> Vec<Fact> {
    let supports = supports(snapshot, query, evidence);
    let fact = |it: &Support<'_>| {
        let mentions = named(snapshot, it.sentence);
        let alone = self_contained(it.sentence, &it.passage.title, &mentions, it.previous());
        Fact { text: speakable(&alone), relevance: it.score }
    };
    supports.iter().take(MAX_FACTS).map(fact).collect()
}
