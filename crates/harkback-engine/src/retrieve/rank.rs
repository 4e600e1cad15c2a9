//! The order of passages: a sum of signals with fixed weights over one set of candidates.
//!
//! A signal is a function in a file of its own and a row of [`SIGNALS`]. Weights learnt on two of three question sets and tested on
//! the third stay within half a point of recall@5 of these round ones, so they are not tuned to a set; the measurements are in
//! docs/BENCHMARKS.md.

use rustc_hash::FxHashSet;

use super::chain::{self, Chain};
use super::pagerank::{self, Walks};
use super::query::Query;
use super::similarity::{self, List, similar};
use super::without_names;
use crate::index::{PassageNo, Snapshot, best};

/// Best passages by similarity that seed the walk and the chain; wider seeding undoes the gain.
const SEEDS: usize = 3;
/// Candidates by similarity and by PageRank; the chain adds all of its own.
const BY_SIMILARITY: usize = 50;
const BY_PAGERANK: usize = 100;

/// A term of a passage's score.
pub(crate) struct Signal {
    /// As explanations name it.
    pub(crate) name: &'static str,
    /// What it counts.
    pub(crate) weight: f32,
    /// Its greatest value.
    most: f32,
    /// Its values for the candidates, in their order, each from 0 to `most`.
    values: fn(&Gathered<'_>, &[PassageNo]) -> Vec<f32>,
}

/// All terms. The weight of the last was not chosen: it is what each of the first has.
pub(crate) const SIGNALS: [Signal; 6] = [
    Signal { name: "pagerank", weight: 1.0, most: pagerank::MOST, values: pagerank::of_all },
    Signal {
        name: "pagerank of each entity",
        weight: 1.0,
        most: pagerank::MOST,
        values: pagerank::of_each,
    },
    Signal { name: "own", weight: 1.0, most: 1.0, values: chain::own },
    Signal { name: "bridge", weight: 1.4, most: 1.0, values: chain::bridge },
    Signal { name: "similarity", weight: 2.0, most: 1.0, values: similarity::values },
    Signal {
        name: "similarity without names",
        weight: 1.0,
        most: 1.0,
        values: without_names::values,
    },
];
const PAGERANK: usize = 0;
const OWN: usize = 2;
const BRIDGE: usize = 3;
const SIMILARITY: usize = 4;

/// What a passage would have that is best in everything it can be: own passages are no bridges.
pub(super) const GREATEST: f32 = {
    let (mut sum, mut place) = (-SIGNALS[OWN].weight, 0);
    while place < SIGNALS.len() {
        sum += SIGNALS[place].weight * SIGNALS[place].most;
        place += 1;
    }
    sum
};

/// Values of the signals for one passage, in the order of [`SIGNALS`].
pub(crate) type Signals = [f32; SIGNALS.len()];

/// What signals are read from.
pub(super) struct Gathered<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) query: &'a Query,
    /// Passages by similarity.
    pub(super) similar: List,
    /// Where the walks from the question's entities and the most similar passages arrive.
    pub(super) walks: Walks,
    /// Passages about the question's entities, and the next hop.
    pub(super) chain: Chain,
}

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
        self.signals[OWN] > 0.0
    }

    /// Its place where the walk's mass orders the candidates, 1 best; `None` where the walk does not arrive.
    pub(super) fn pagerank_place(&self) -> Option<usize> {
        pagerank::place_of(self.signals[PAGERANK])
    }
}

/// The candidates for a question, best first; ties go to the lower number.
pub(crate) fn rank(snapshot: &Snapshot, query: &Query) -> Vec<RankedNo> {
    let similar = similar(snapshot, query);
    let seeds: Vec<PassageNo> = similar.iter().take(SEEDS).map(|it| it.0).collect();
    let walks = pagerank::walk(snapshot, query, &seeds);
    let chain = chain::follow(snapshot, query, &seeds);
    let gathered = Gathered { snapshot, query, similar, walks, chain };
    let candidates = candidates(&gathered);
    let values = SIGNALS.map(|it| (it.values)(&gathered, &candidates));
    let signals = |place: usize| -> Signals { std::array::from_fn(|it| values[it][place]) };
    let scored = (0..candidates.len()).map(|it| (it as u32, score(&signals(it)))).collect();
    let ranked = |(place, score): (u32, f32)| {
        let (passage, signals) = (candidates[place as usize], signals(place as usize));
        let is_bridge = signals[BRIDGE] > 0.0 && signals[OWN] == 0.0;
        let from = gathered.chain.from.get(&passage).copied().filter(|_| is_bridge);
        RankedNo { passage, score, signals, from }
    };
    best(scored, usize::MAX).into_iter().map(ranked).collect()
}

/// The most similar chunks of a vector memory, best first.
pub(crate) fn rank_by_similarity(snapshot: &Snapshot, query: &Query) -> Vec<RankedNo> {
    let ranked = |(passage, score)| {
        let mut signals = Signals::default();
        signals[SIMILARITY] = score;
        RankedNo { passage, score, signals, from: None }
    };
    similar(snapshot, query).into_iter().map(ranked).collect()
}

/// The values of all candidates, moved to 0..=1.
pub(super) fn spread(candidates: &[PassageNo], value: impl Fn(PassageNo) -> f32) -> Vec<f32> {
    let values: Vec<f32> = candidates.iter().map(|it| value(*it)).collect();
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter().map(|it| (it - least) / (greatest - least + 1e-9)).collect()
}

fn candidates(gathered: &Gathered<'_>) -> Vec<PassageNo> {
    let Gathered { similar, walks, chain, .. } = gathered;
    let mut all: FxHashSet<PassageNo> = similar.iter().take(BY_SIMILARITY).map(|it| it.0).collect();
    let mass = walks.total.iter().map(|it| (*it.0, *it.1)).collect();
    all.extend(best(mass, BY_PAGERANK).into_iter().map(|it| it.0));
    all.extend(chain.own.keys().chain(chain.bridge.keys()));
    let mut all: Vec<PassageNo> = all.into_iter().collect();
    all.sort_unstable();
    all
}

fn score(signals: &Signals) -> f32 {
    signals.iter().zip(&SIGNALS).map(|(value, it)| value * it.weight).sum::<f32>() / GREATEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_they_are_looked_for() {
        let names = [PAGERANK, OWN, BRIDGE, SIMILARITY].map(|it| SIGNALS[it].name);
        assert_eq!(names, ["pagerank", "own", "bridge", "similarity"]);
        assert!(SIGNALS[OWN].weight * SIGNALS[OWN].most <= SIGNALS[BRIDGE].weight);
    }
}
