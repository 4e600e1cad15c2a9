//! The answer to be spoken: one or two sentences of the passages, never invented ones.
//!
//! A cross-encoder reads the sentences that bear on the question ([`readings`]). It sees one hop at a time, so for a
//! passage at the end of a chain the words that stand for it are replaced by its name: `When did Ann's mother die?` is
//! read as `When did Eve die?` against the sentences about Eve. [`choose`] puts the best together.

use super::fact::{self_contained, speakable};
use super::phrase::Phrase;
use super::query::Query;
use super::support::{Evidence, Support, named, supports};
use crate::index::{Mention, Snapshot};

/// Passages of which sentences are read where no chain is asked for, sentences read of each passage, and of all: each
/// costs some milliseconds.
const PASSAGES_READ: usize = 5;
const SENTENCES_READ: usize = 3;
const MAX_READ: usize = 12;
/// Passages at the end of a chain that are read.
const ENDS_READ: usize = 2;
/// What a link that is put in the question's own words adds to a passage's score.
const LINK_BONUS: f32 = 0.5;
/// Words of an answer: what is comfortably said in one breath.
const MAX_WORDS: usize = 55;
/// Nothing supports an answer below this sum of the greatest cosine and a fifth of the terms' coverage; the cosine is
/// bge-small's. Measured in docs/BENCHMARKS.md.
const MIN_SUPPORT: f32 = 0.75;
/// The same where a passage is about a thing that the question names.
const MIN_SUPPORT_OF_NAMED: f32 = 0.68;
const COVERAGE_SHARE: f32 = 0.2;
/// The same in lexical mode, by coverage alone.
const MIN_COVERAGE: f32 = 0.35;

/// A sentence that names nothing new of the question must fit it this well to be said too.
const MIN_FIT_ALONE: f32 = 0.5;

/// Said when nothing in the memory supports an answer.
pub(crate) const UNKNOWN: &str = "I'm sorry, I don't know that.";

/// A sentence for the cross-encoder to read.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a> {
    /// What it is asked.
    pub(crate) question: String,
    /// What it reads: the title and the sentence.
    pub(crate) text: String,
    support: Support<'a>,
    /// What is known before it is read: 0..=2.
    prior: f32,
}

/// The sentences to be read, those with the same question together; none if nothing supports an answer.
pub(crate) fn readings<'a>(
    snapshot: &Snapshot,
    question: &str,
    query: &Query,
    evidence: &'a [Evidence],
) -> Vec<Reading<'a>> {
    let supports = supports(snapshot, query, evidence);
    if !is_supported(snapshot, query, evidence, &supports) {
        return Vec::new();
    }
    let mut readings = chain_readings(snapshot, question, query, evidence, &supports);
    let mut n_of_passage = vec![0; evidence.len()];
    for support in supports.iter().filter(|it| it.place < PASSAGES_READ) {
        let is_read = |it: &Reading<'_>| {
            (it.support.place, it.support.number) == (support.place, support.number)
        };
        if readings.len() >= MAX_READ {
            break;
        }
        if n_of_passage[support.place] < SENTENCES_READ && !readings.iter().any(is_read) {
            n_of_passage[support.place] += 1;
            readings.push(reading(question.to_owned(), *support, support.score));
        }
    }
    readings
}

/// How well each reading would fit without a cross-encoder: 0..=1.
pub(crate) fn fits_without_model(readings: &[Reading<'_>]) -> Vec<f32> {
    readings.iter().map(|it| it.support.coverage).collect()
}

/// Puts the answer together from the readings and how well each fits its question, 0..=1.
pub(crate) fn choose(
    snapshot: &Snapshot,
    evidence: &[Evidence],
    readings: &[Reading<'_>],
    fits: &[f32],
) -> String {
    let value = |(reading, fit): (_, &f32)| Valued { reading, fit: *fit };
    let mut valued: Vec<Valued<'_, '_>> = readings.iter().zip(fits).map(value).collect();
    valued.sort_by(|a, b| b.value().total_cmp(&a.value()));
    let Some(first) = valued.first() else { return UNKNOWN.to_owned() };
    let n_words = |it: &Support<'_>| spoken(snapshot, it).split_whitespace().count();
    let room = MAX_WORDS.saturating_sub(n_words(&first.support()));
    let adds = |it: &Valued<'_, '_>| {
        let (said, more) = (first.support().found, it.support().found);
        it.fit >= MIN_FIT_ALONE || more & !said != 0
    };
    let rest = || valued[1..].iter().filter(|it| adds(it) && n_words(&it.support()) <= room);
    let elsewhere =
        rest().find(|it| is_linked(evidence, first.support().place, it.support().place));
    let here =
        || rest().find(|it| it.support().place == first.support().place && it.fit >= MIN_FIT_ALONE);
    let mut answer = vec![first.support()];
    answer.extend(elsewhere.or_else(here).map(Valued::support));
    let is_end = |it: &Support<'_>| evidence[it.place].ranked.from.is_some();
    answer.sort_by_key(|it| (is_end(it), it.place, it.number));
    answer.iter().map(|it| spoken(snapshot, it)).collect::<Vec<_>>().join(" ")
}

/// A reading and how well it fits its question.
struct Valued<'r, 'a> {
    reading: &'r Reading<'a>,
    fit: f32,
}

impl<'a> Valued<'_, 'a> {
    fn support(&self) -> Support<'a> {
        self.reading.support
    }

    fn value(&self) -> f32 {
        self.fit + self.reading.prior
    }
}

fn is_supported(
    snapshot: &Snapshot,
    query: &Query,
    evidence: &[Evidence],
    supports: &[Support<'_>],
) -> bool {
    let coverage = supports.iter().map(|it| it.coverage).fold(0.0, f32::max);
    if query.vector.is_none() {
        return coverage >= MIN_COVERAGE;
    }
    let cosine =
        evidence.iter().map(|it| query.cosine(snapshot, it.ranked.passage)).fold(0.0, f32::max);
    let is_named = evidence.iter().any(|it| it.ranked.is_own());
    let needed = if is_named { MIN_SUPPORT_OF_NAMED } else { MIN_SUPPORT };
    cosine + COVERAGE_SHARE * coverage >= needed
}

/// Sentences of the passages at the end of the chain that the question asks for, each with the question it answers.
fn chain_readings<'a>(
    snapshot: &Snapshot,
    question: &str,
    query: &Query,
    evidence: &'a [Evidence],
    supports: &[Support<'a>],
) -> Vec<Reading<'a>> {
    let phrase =
        |it: &Mention| Phrase::around(question, it.start, it.end).map(|phrase| (it.entity, phrase));
    let Some((entity, phrase)) = query.entities.iter().rev().find_map(phrase) else {
        return Vec::new();
    };
    let anchors = snapshot.subject_passages.row(entity);
    let mut ends: Vec<(usize, f32)> = Vec::new();
    for (place, end) in evidence.iter().enumerate() {
        let Some(anchor) = end.ranked.from.filter(|it| anchors.iter().any(|edge| edge.to == *it))
        else {
            continue;
        };
        let link = evidence.iter().find(|it| it.ranked.passage == anchor);
        let is_named = link.is_some_and(|it| is_link(snapshot, it, end, &phrase));
        ends.push((place, end.ranked.score + if is_named { LINK_BONUS } else { 0.0 }));
    }
    ends.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut readings = Vec::new();
    for (place, prior) in ends.into_iter().take(ENDS_READ) {
        let asked = phrase.replaced(question, &evidence[place].text.title);
        let of_end = supports.iter().filter(|it| it.place == place).take(SENTENCES_READ);
        readings.extend(of_end.map(|it| reading(asked.clone(), *it, prior + 0.5 * it.coverage)));
    }
    readings
}

/// Whether a sentence of `anchor` that mentions the subject of `end` uses a word of the phrase.
fn is_link(snapshot: &Snapshot, anchor: &Evidence, end: &Evidence, phrase: &Phrase) -> bool {
    let Some(entity) = snapshot.find_entity(&end.text.title) else { return false };
    let wanted: Vec<u32> = phrase.relation.iter().flat_map(|it| snapshot.terms(it)).collect();
    anchor.text.sentences.iter().any(|span| {
        let sentence = &anchor.text.text[span.start as usize..span.end as usize];
        let mentions = snapshot.mentions(sentence).iter().any(|it| it.entity == entity);
        mentions && snapshot.terms(sentence).iter().any(|it| wanted.contains(it))
    })
}

fn reading(question: String, support: Support<'_>, prior: f32) -> Reading<'_> {
    let text = match support.passage.title.as_str() {
        "" => support.sentence.to_owned(),
        title => format!("{title}: {}", support.sentence),
    };
    Reading { question, text, support, prior }
}

/// The sentence as it stands alone when it is heard. A title in front of it is for reading, not for hearing.
fn spoken(snapshot: &Snapshot, support: &Support<'_>) -> String {
    let title = &support.passage.title;
    let mentions = named(snapshot, support.sentence);
    let alone = self_contained(support.sentence, title, &mentions, support.previous());
    let said =
        alone.strip_prefix(title.as_str()).and_then(|it| it.strip_prefix(": ")).unwrap_or(&alone);
    speakable(said)
}

/// Whether two passages belong together: one leads to the other, or they are about different things that the question
/// names.
fn is_linked(evidence: &[Evidence], a: usize, b: usize) -> bool {
    let (a, b) = (&evidence[a].ranked, &evidence[b].ranked);
    a.passage != b.passage
        && (a.from == Some(b.passage) || b.from == Some(a.passage) || (a.is_own() && b.is_own()))
}
