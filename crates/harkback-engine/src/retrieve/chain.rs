//! Signals: the passages that a question's entities are the subject of, and one hop further the passages whose subject
//! is mentioned there. This is what completes a chain that no similarity sees.

use rustc_hash::FxHashMap;

use super::query::Query;
use super::rank::Gathered;
use crate::index::{Edge, MAX_LOOKED_AT, PassageNo, Snapshot};

/// Own passages of an entity that count, and those of them that the next hop starts from.
const MAX_OWN: usize = 20;
const ANCHORS: usize = 4;
/// Passages that a mentioned entity may lead to.
const MAX_NEXT: usize = 8;
/// What a bridge from a similar passage counts, where no own passage starts one.
const SIMILAR_SHARE: f32 = 0.5;

/// Scores of 0..=1.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Passages about an entity of the question: the strongest subject 1, then ½, ⅓ …
    pub(super) own: FxHashMap<PassageNo, f32>,
    /// Passages about what an own passage mentions.
    pub(super) bridge: FxHashMap<PassageNo, f32>,
    /// How each bridge was reached: the own passage it starts from.
    pub(super) from: FxHashMap<PassageNo, PassageNo>,
}

/// Follows the question's entities for one hop; where none has a passage of its own, the most `similar` passages stand in.
pub(super) fn follow(snapshot: &Snapshot, query: &Query, similar: &[PassageNo]) -> Chain {
    let mut chain = Chain::default();
    let mut anchors = Vec::new();
    for mention in &query.entities {
        let own = strongest(
            snapshot,
            query,
            snapshot.subject_passages.row(mention.entity),
            |it, cosine| it.weight + cosine,
        );
        for (rank, edge) in own.into_iter().take(MAX_OWN).enumerate() {
            raise(&mut chain.own, edge.to, edge.weight / (1.0 + rank as f32));
            if rank < ANCHORS && !anchors.contains(&edge.to) {
                anchors.push(edge.to);
            }
        }
    }
    let share_of_bridge = if anchors.is_empty() { SIMILAR_SHARE } else { 1.0 };
    if anchors.is_empty() {
        anchors.extend(similar);
    }
    for anchor in &anchors {
        for entity in snapshot.passage_entities.row(*anchor) {
            let mut next = snapshot.subject_passages.row(entity.to).to_vec();
            if next.len() > MAX_NEXT {
                next = strongest(snapshot, query, &next, |_, cosine| cosine);
                next.truncate(MAX_NEXT);
            }
            let share = (next.len() as f32).sqrt();
            for edge in next.iter().filter(|it| !anchors.contains(&it.to)) {
                if raise(&mut chain.bridge, edge.to, share_of_bridge * edge.weight / share) {
                    chain.from.insert(edge.to, *anchor);
                }
            }
        }
    }
    chain
}

/// The values of the signal "own".
pub(super) fn own(gathered: &Gathered<'_>, candidates: &[PassageNo]) -> Vec<f32> {
    values(&gathered.chain.own, candidates)
}

/// The values of the signal "bridge".
pub(super) fn bridge(gathered: &Gathered<'_>, candidates: &[PassageNo]) -> Vec<f32> {
    values(&gathered.chain.bridge, candidates)
}

fn values(scores: &FxHashMap<PassageNo, f32>, candidates: &[PassageNo]) -> Vec<f32> {
    candidates.iter().map(|it| scores.get(it).copied().unwrap_or(0.0)).collect()
}

fn strongest(
    snapshot: &Snapshot,
    query: &Query,
    edges: &[Edge],
    strength: impl Fn(&Edge, f32) -> f32,
) -> Vec<Edge> {
    let mut scored: Vec<(Edge, f32)> = edges
        .iter()
        .take(MAX_LOOKED_AT)
        .map(|it| (*it, strength(it, query.cosine(snapshot, it.to))))
        .collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.to.cmp(&b.0.to)));
    scored.into_iter().map(|it| it.0).collect()
}

fn raise(scores: &mut FxHashMap<PassageNo, f32>, passage: PassageNo, score: f32) -> bool {
    let best = scores.entry(passage).or_default();
    let is_better = score > *best;
    if is_better {
        *best = score;
    }
    is_better
}
