//! The answer to be spoken: one or two sentences of the passages, never invented ones.
//!
//! A cross-encoder reads the sentences that bear on the question ([`readings`]); [`choose`] takes the passage that reads
//! best and, where the question needs a chain, the sentence of the passage at the chain's other end.

use super::query::Query;
use super::support::{Evidence, Support, supports};
use crate::index::Snapshot;

/// Passages of which sentences are read, sentences read of each, and of all: each costs some milliseconds.
const PASSAGES_READ: usize = 5;
const SENTENCES_READ: usize = 3;
const MAX_READ: usize = 12;
/// Below both of these nothing supports an answer.
const MIN_FIT: f32 = 0.01;
const MIN_COVERAGE: f32 = 0.35;
/// A second sentence that is no link of the chain must fit the question this well by itself.
const MIN_FIT_ALONE: f32 = 0.5;

/// Said when nothing in the memory supports an answer.
const UNKNOWN: &str = "I'm sorry, I don't know that.";

/// A sentence for the cross-encoder to read.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a> {
    /// What it reads: the title and the sentence.
    pub(crate) text: String,
    support: Support<'a>,
}

/// The sentences to be read, best first: the best of each of the first passages.
pub(crate) fn readings<'a>(
    snapshot: &Snapshot,
    query: &Query,
    evidence: &'a [Evidence],
) -> Vec<Reading<'a>> {
    let mut n_of_passage = [0; PASSAGES_READ];
    let mut readings = Vec::new();
    for support in supports(snapshot, query, evidence) {
        if support.place >= PASSAGES_READ || n_of_passage[support.place] == SENTENCES_READ {
            continue;
        }
        n_of_passage[support.place] += 1;
        let text = match support.passage.title.as_str() {
            "" => support.sentence.to_owned(),
            title => format!("{title}: {}", support.sentence),
        };
        readings.push(Reading { text, support });
        if readings.len() == MAX_READ {
            break;
        }
    }
    readings
}

/// How well each reading would fit without a cross-encoder: 0..=1.
pub(crate) fn fits_without_model(readings: &[Reading<'_>]) -> Vec<f32> {
    readings.iter().map(|it| it.support.score).collect()
}

/// Puts the answer together from the readings and how well each fits the question, 0..=1.
pub(crate) fn choose(evidence: &[Evidence], readings: &[Reading<'_>], fits: &[f32]) -> String {
    let best = best_of_passages(readings, fits);
    let value = |it: &Best<'_>| it.fit + it.support.score;
    let Some(first) = best.iter().max_by(|a, b| value(a).total_cmp(&value(b))) else {
        return UNKNOWN.to_owned();
    };
    if first.fit < MIN_FIT && first.support.coverage < MIN_COVERAGE {
        return UNKNOWN.to_owned();
    }
    let second = best
        .iter()
        .filter(|it| it.support.place != first.support.place)
        .filter(|it| is_linked(evidence, first, it) || it.fit >= MIN_FIT_ALONE)
        .max_by(|a, b| value(a).total_cmp(&value(b)));
    let mut spoken = vec![first.support];
    if let Some(second) = second {
        spoken.push(second.support);
        let is_bridge = |it: &Support<'_>| evidence[it.place].ranked.from.is_some();
        spoken.sort_by_key(|it| (is_bridge(it), it.place));
    }
    spoken.iter().map(|it| it.sentence).collect::<Vec<_>>().join(" ")
}

/// The sentence of a passage that fits best.
struct Best<'a> {
    support: Support<'a>,
    fit: f32,
}

fn best_of_passages<'a>(readings: &[Reading<'a>], fits: &[f32]) -> Vec<Best<'a>> {
    let mut best = Vec::<Best<'a>>::new();
    for (reading, fit) in readings.iter().zip(fits) {
        match best.iter_mut().find(|it| it.support.place == reading.support.place) {
            Some(known) if known.fit >= *fit => {}
            Some(known) => *known = Best { support: reading.support, fit: *fit },
            None => best.push(Best { support: reading.support, fit: *fit }),
        }
    }
    best
}

/// Whether one passage leads to the other, or both are about entities of the question.
fn is_linked(evidence: &[Evidence], a: &Best<'_>, b: &Best<'_>) -> bool {
    let (a, b) = (&evidence[a.support.place].ranked, &evidence[b.support.place].ranked);
    a.from == Some(b.passage) || b.from == Some(a.passage) || (a.is_own() && b.is_own())
}
