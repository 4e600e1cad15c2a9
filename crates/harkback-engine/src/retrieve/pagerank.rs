//! Signals: where random walks from the question's entities and from similar passages arrive. Personalised PageRank over passages and entities by forward push
//! (Andersen, Chung and Lang 2006): cost follows the neighbourhood of the seeds, not the size of the graph.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::query::Query;
use super::rank::Gathered;
use crate::index::{Edge, EntityId, Mention, PassageNo, Snapshot, best};

/// Chance to go on walking.
const DAMPING: f32 = 0.5;
/// A node is pushed while its residue is at least this times its degree, which keeps hubs from being opened for nothing.
pub(super) const EPSILON: f32 = 1e-4;

/// Share of the mass that starts from similar passages, where the question's entities have 1.
const SEED_SHARE: f32 = 0.5;
/// A rank r counts K/(K + 1 + r).
const RANK_K: f32 = 10.0;
/// What the first rank counts.
pub(super) const MOST: f32 = RANK_K / (RANK_K + 1.0);

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Passage(PassageNo),
    Entity(EntityId),
}

/// Masses of the passages reached.
pub(super) struct Walks {
    /// From all entities and the seeds.
    pub(super) total: FxHashMap<PassageNo, f32>,
    by_entity: Vec<FxHashMap<PassageNo, f32>>,
    /// Share of each entity by its idf; they sum to 1.
    shares: Vec<f32>,
}

/// One walk from each entity of the question, weighted by its idf, and one from the passages `seeds`.
pub(super) fn walk(snapshot: &Snapshot, query: &Query, seeds: &[PassageNo]) -> Walks {
    let by_entity: Vec<_> =
        query.entities.iter().map(|it| push(snapshot, &[(Node::Entity(it.entity), 1.0)])).collect();
    let idf = |it: &Mention| snapshot.idf[it.entity as usize];
    let total_idf: f32 = query.entities.iter().map(idf).sum();
    let shares: Vec<f32> = query.entities.iter().map(|it| idf(it) / total_idf).collect();
    let mut total = FxHashMap::default();
    for (share, walk) in shares.iter().zip(&by_entity) {
        add(&mut total, walk, *share);
    }
    let cosine = |it: &PassageNo| (*it, query.cosine(snapshot, *it).max(1e-6));
    let seeds: Vec<(PassageNo, f32)> = seeds.iter().map(cosine).collect();
    let sum: f32 = seeds.iter().map(|it| it.1).sum();
    let seeds: Vec<(Node, f32)> =
        seeds.into_iter().map(|it| (Node::Passage(it.0), it.1 / sum)).collect();
    let share = if by_entity.is_empty() { 1.0 } else { SEED_SHARE };
    add(&mut total, &push(snapshot, &seeds), share);
    Walks { total, by_entity, shares }
}

/// The first signal's values: ranks by the mass of all walks.
pub(super) fn of_all(gathered: &Gathered<'_>, candidates: &[PassageNo]) -> Vec<f32> {
    let ranks = ranks(candidates, &gathered.walks.total);
    candidates.iter().map(|it| ranks.get(it).copied().unwrap_or(0.0)).collect()
}

/// The second signal's values: ranks by the walk from each entity, weighted by its share.
pub(super) fn of_each(gathered: &Gathered<'_>, candidates: &[PassageNo]) -> Vec<f32> {
    let Walks { by_entity, shares, .. } = &gathered.walks;
    let ranks: Vec<_> = by_entity.iter().map(|it| ranks(candidates, it)).collect();
    let each = |it: &PassageNo| {
        let values = ranks.iter().map(|ranks| ranks.get(it).copied().unwrap_or(0.0));
        values.zip(shares).fold(0.0, |sum, (value, share)| sum + share * value)
    };
    candidates.iter().map(each).collect()
}

/// The rank, from 1, that has this value; `None` of 0.
pub(super) fn place_of(value: f32) -> Option<usize> {
    (value > 0.0).then(|| (RANK_K / value - RANK_K).round() as usize)
}

fn ranks(candidates: &[PassageNo], mass: &FxHashMap<PassageNo, f32>) -> FxHashMap<PassageNo, f32> {
    let scored =
        candidates.iter().filter_map(|it| mass.get(it).filter(|m| **m > 0.0).map(|m| (*it, *m)));
    let ranked = best(scored.collect(), usize::MAX).into_iter().enumerate();
    ranked.map(|(rank, (passage, _))| (passage, RANK_K / (RANK_K + 1.0 + rank as f32))).collect()
}

fn add(total: &mut FxHashMap<PassageNo, f32>, walk: &FxHashMap<PassageNo, f32>, weight: f32) {
    for (passage, mass) in walk {
        *total.entry(*passage).or_default() += weight * mass;
    }
}

/// Mass of the passages reached from `seeds`, whose weights sum to 1.
pub(super) fn push(snapshot: &Snapshot, seeds: &[(Node, f32)]) -> FxHashMap<PassageNo, f32> {
    let mut residue: FxHashMap<Node, f32> = seeds.iter().copied().collect();
    let mut settled = FxHashMap::<Node, f32>::default();
    let mut queue: VecDeque<Node> = seeds.iter().map(|it| it.0).collect();
    let mut queued: FxHashSet<Node> = queue.iter().copied().collect();
    while let Some(node) = queue.pop_front() {
        queued.remove(&node);
        let edges = neighbours(snapshot, node);
        let mass = residue.get(&node).copied().unwrap_or(0.0);
        if mass < EPSILON * edges.len().max(1) as f32 {
            continue;
        }
        residue.insert(node, 0.0);
        *settled.entry(node).or_default() += (1.0 - DAMPING) * mass;
        for edge in edges {
            let next = match node {
                Node::Passage(_) => Node::Entity(edge.to),
                Node::Entity(_) => Node::Passage(edge.to),
            };
            let mass_there = residue.entry(next).or_default();
            *mass_there += DAMPING * mass * edge.weight;
            if *mass_there >= EPSILON && queued.insert(next) {
                queue.push_back(next);
            }
        }
    }
    for (node, mass) in residue {
        if mass > 0.0 {
            *settled.entry(node).or_default() += (1.0 - DAMPING) * mass;
        }
    }
    let passage = |(node, mass)| match node {
        Node::Passage(passage) => Some((passage, mass)),
        Node::Entity(_) => None,
    };
    settled.into_iter().filter_map(passage).collect()
}

fn neighbours(snapshot: &Snapshot, node: Node) -> &[Edge] {
    match node {
        Node::Passage(passage) => snapshot.passage_entities.row(passage),
        Node::Entity(entity) => snapshot.entity_passages.row(entity),
    }
}
