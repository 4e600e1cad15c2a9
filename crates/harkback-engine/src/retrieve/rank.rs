//! The order of passages: a sum of signals with fixed weights over one set of candidates.
//!
//! Weights learnt on two of three question sets and tested on the third stay within half a point of recall@5 of these
//! round ones, so they are not tuned to a set; the measurements are in docs/BENCHMARKS.md.

use rustc_hash::{FxHashMap, FxHashSet};

use super::chain::{Chain, follow};
use super::pagerank::{Node, push};
use super::query::Query;
use super::similarity::similar;
use crate::index::{Mention, PassageNo, Snapshot, best};

/// Best passages by similarity that seed the walk; wider seeding undoes the gain.
const SEEDS: usize = 3;
/// Their share of the mass, where the question's entities have 1.
const SEED_SHARE: f32 = 0.5;
/// Candidates by similarity and by PageRank; the chain adds all of its own.
const BY_SIMILARITY: usize = 50;
const BY_PAGERANK: usize = 100;
/// A rank r counts K/(K + 1 + r).
const RANK_K: f32 = 10.0;

/// Name, weight and greatest value of each signal, in the order of [`Signals`].
pub(crate) const WEIGHTS: [(&str, f32); N_SIGNALS] = [
    ("pagerank", 1.0),
    ("pagerank of each entity", 1.0),
    ("own", 1.0),
    ("bridge", 1.4),
    ("similarity", 2.0),
];
const N_SIGNALS: usize = 5;
/// What a passage would have that is best in everything it can be: own passages are no bridges.
pub(super) const GREATEST: f32 = 2.0 * RANK_K / (RANK_K + 1.0) + 1.4 + 2.0;

/// Values of the signals for one passage, each 0..=1.
pub(crate) type Signals = [f32; N_SIGNALS];

/// A passage in its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RankedNo {
    /// Which.
    pub(crate) passage: PassageNo,
    /// 0..=1, 1 best.
    pub(crate) score: f32,
    /// What the score is made of.
    pub(crate) signals: Signals,
    /// The own passage from which this one was reached as a bridge.
    pub(crate) from: Option<PassageNo>,
}

impl RankedNo {
    /// A passage that is looked at without having been ranked.
    pub(crate) fn unranked(passage: PassageNo) -> Self {
        Self { passage, score: 0.0, signals: Signals::default(), from: None }
    }

    /// Whether an entity of the question is its subject.
    pub(crate) fn is_own(&self) -> bool {
        self.signals[2] > 0.0
    }

    /// Its place where the walk's mass orders the candidates, 1 best; `None` where the walk does not arrive.
    pub(super) fn pagerank_place(&self) -> Option<usize> {
        let value = self.signals[0];
        (value > 0.0).then(|| (RANK_K / value - RANK_K).round() as usize)
    }
}

/// The `k` best passages for a question, best first; ties go to the lower number.
pub(crate) fn rank(snapshot: &Snapshot, query: &Query, k: usize) -> Vec<RankedNo> {
    let similar = similar(snapshot, query);
    let walks = walk(snapshot, query, &similar);
    let seeds: Vec<PassageNo> = similar.iter().take(SEEDS).map(|it| it.0).collect();
    let chain = follow(snapshot, query, &seeds);
    let candidates = candidates(&similar, &walks.total, &chain);
    let similarity = spread(&candidates, |it| similarity(snapshot, query, &similar, it));
    let by_total = ranks(&candidates, &walks.total);
    let by_entity: Vec<_> = walks.by_entity.iter().map(|it| ranks(&candidates, it)).collect();
    let signals_of = |place: usize, passage: PassageNo| -> Signals {
        let value = |it: &FxHashMap<PassageNo, f32>| it.get(&passage).copied().unwrap_or(0.0);
        let each = by_entity
            .iter()
            .zip(&walks.shares)
            .fold(0.0, |sum, (it, share)| sum + share * value(it));
        [value(&by_total), each, value(&chain.own), value(&chain.bridge), similarity[place]]
    };
    let all: Vec<Signals> =
        candidates.iter().enumerate().map(|(i, it)| signals_of(i, *it)).collect();
    let scored = all.iter().enumerate().map(|(i, it)| (i as u32, score(it))).collect();
    let ranked = |(place, score): (u32, f32)| {
        let passage = candidates[place as usize];
        let signals = all[place as usize];
        let is_bridge = signals[3] > 0.0 && signals[2] == 0.0;
        RankedNo {
            passage,
            score,
            signals,
            from: chain.from.get(&passage).copied().filter(|_| is_bridge),
        }
    };
    best(scored, k).into_iter().map(ranked).collect()
}

/// The `k` most similar chunks of a vector memory, best first.
pub(crate) fn rank_by_similarity(snapshot: &Snapshot, query: &Query, k: usize) -> Vec<RankedNo> {
    let ranked = |(passage, score)| RankedNo {
        passage,
        score,
        signals: [0.0, 0.0, 0.0, 0.0, score],
        from: None,
    };
    similar(snapshot, query).into_iter().take(k).map(ranked).collect()
}

struct Walks {
    total: FxHashMap<PassageNo, f32>,
    by_entity: Vec<FxHashMap<PassageNo, f32>>,
    /// Share of each entity by its idf; they sum to 1.
    shares: Vec<f32>,
}

/// One walk from each entity of the question, weighted by its idf, and one from the most similar passages.
fn walk(snapshot: &Snapshot, query: &Query, similar: &[(PassageNo, f32)]) -> Walks {
    let by_entity: Vec<_> =
        query.entities.iter().map(|it| push(snapshot, &[(Node::Entity(it.entity), 1.0)])).collect();
    let idf = |it: &Mention| snapshot.idf[it.entity as usize];
    let total_idf: f32 = query.entities.iter().map(idf).sum();
    let shares: Vec<f32> = query.entities.iter().map(|it| idf(it) / total_idf).collect();
    let mut total = FxHashMap::default();
    for (share, walk) in shares.iter().zip(&by_entity) {
        add(&mut total, walk, *share);
    }
    let seeds: Vec<(PassageNo, f32)> = similar
        .iter()
        .take(SEEDS)
        .map(|it| (it.0, query.cosine(snapshot, it.0).max(1e-6)))
        .collect();
    let sum: f32 = seeds.iter().map(|it| it.1).sum();
    let seeds: Vec<(Node, f32)> =
        seeds.into_iter().map(|it| (Node::Passage(it.0), it.1 / sum)).collect();
    let share = if by_entity.is_empty() { 1.0 } else { SEED_SHARE };
    add(&mut total, &push(snapshot, &seeds), share);
    Walks { total, by_entity, shares }
}

fn add(total: &mut FxHashMap<PassageNo, f32>, walk: &FxHashMap<PassageNo, f32>, weight: f32) {
    for (passage, mass) in walk {
        *total.entry(*passage).or_default() += weight * mass;
    }
}

fn candidates(
    similar: &[(PassageNo, f32)],
    mass: &FxHashMap<PassageNo, f32>,
    chain: &Chain,
) -> Vec<PassageNo> {
    let mut all: FxHashSet<PassageNo> = similar.iter().take(BY_SIMILARITY).map(|it| it.0).collect();
    all.extend(
        best(mass.iter().map(|it| (*it.0, *it.1)).collect(), BY_PAGERANK)
            .into_iter()
            .map(|it| it.0),
    );
    all.extend(chain.own.keys().chain(chain.bridge.keys()));
    let mut all: Vec<PassageNo> = all.into_iter().collect();
    all.sort_unstable();
    all
}

/// Cosine; in lexical mode the share of the best similarity.
fn similarity(
    snapshot: &Snapshot,
    query: &Query,
    similar: &[(PassageNo, f32)],
    passage: PassageNo,
) -> f32 {
    match query.vector {
        Some(_) => query.cosine(snapshot, passage),
        None => similar.iter().find(|it| it.0 == passage).map_or(0.0, |it| it.1),
    }
}

/// The values of all candidates, moved to 0..=1.
fn spread(candidates: &[PassageNo], value: impl Fn(PassageNo) -> f32) -> Vec<f32> {
    let values: Vec<f32> = candidates.iter().map(|it| value(*it)).collect();
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter().map(|it| (it - least) / (greatest - least + 1e-9)).collect()
}

fn ranks(candidates: &[PassageNo], mass: &FxHashMap<PassageNo, f32>) -> FxHashMap<PassageNo, f32> {
    let scored =
        candidates.iter().filter_map(|it| mass.get(it).filter(|m| **m > 0.0).map(|m| (*it, *m)));
    let ranked = best(scored.collect(), usize::MAX).into_iter().enumerate();
    ranked.map(|(rank, (passage, _))| (passage, RANK_K / (RANK_K + 1.0 + rank as f32))).collect()
}

fn score(signals: &Signals) -> f32 {
    signals.iter().zip(WEIGHTS).map(|(value, (_, weight))| value * weight).sum::<f32>() / GREATEST
}
