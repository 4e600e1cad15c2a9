//! Signal: where a random walk from the seeds arrives. Personalised PageRank over passages and entities by forward push
//! (Andersen, Chung and Lang 2006): cost follows the neighbourhood of the seeds, not the size of the graph.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::index::{Edge, EntityId, PassageNo, Snapshot};

/// Chance to go on walking.
const DAMPING: f32 = 0.5;
/// A node is pushed while its residue is at least this times its degree, which keeps hubs from being opened for nothing.
const EPSILON: f32 = 1e-4;

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Passage(PassageNo),
    Entity(EntityId),
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
