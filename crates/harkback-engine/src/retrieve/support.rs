//! Which sentences of the ranked passages bear on the question, before any model reads them.

use rustc_hash::FxHashSet;

use super::query::Query;
use super::rank::RankedNo;
use super::relation::{Named, is_possessive_pronoun, is_pronoun};
use crate::embed::{Manifest, ModelRole};
use crate::index::{Snapshot, words};
use crate::store::PassageText;

/// What the coverage of the terms counts beside a cosine, and what the share of the words does.
const COVERAGE_SHARE: f32 = 0.1;
const WORDS_SHARE: f32 = 0.3;
/// Without a cosine nothing supports an answer below this share of the question's terms.
pub(super) const MIN_COVERAGE: f32 = 0.35;

/// A ranked passage with its texts.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// Its place and score.
    pub(crate) ranked: RankedNo,
    /// Its texts, from the store.
    pub(crate) text: PassageText,
}

/// A sentence of a ranked passage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Support<'a> {
    /// Place of its passage in the ranking, from 0.
    pub(super) place: usize,
    /// Place in its passage, from 0.
    pub(super) number: usize,
    /// The passage.
    pub(super) passage: &'a PassageText,
    /// The sentence.
    pub(super) sentence: &'a str,
    /// Share of the question's terms, by idf, that stand in the sentence or its title: 0..=1.
    pub(super) coverage: f32,
    /// Share of the question's words, known to the memory or not, that stand there: 0..=1.
    pub(super) words: f32,
    /// Coverage and the passage's score in equal parts: 0..=1.
    pub(super) score: f32,
}

impl<'a> Support<'a> {
    /// The sentence before it in its passage.
    pub(super) fn previous(&self) -> Option<&'a str> {
        let span = self.passage.sentences.get(self.number.checked_sub(1)?)?;
        Some(self.passage.text[span.start as usize..span.end as usize].trim())
    }
}

/// The entities of a sentence under the names it gives them.
pub(super) fn named(snapshot: &Snapshot, sentence: &str) -> Vec<Named> {
    let name = |it: crate::index::Mention| Named {
        start: it.start,
        end: it.end,
        name: sentence[it.start..it.end].to_owned(),
    };
    snapshot.mentions(sentence).into_iter().map(name).collect()
}

/// All sentences of `evidence`, the best first; ties in reading order.
pub(super) fn supports<'a>(
    snapshot: &Snapshot,
    query: &Query,
    evidence: &'a [Evidence],
) -> Vec<Support<'a>> {
    let mut wanted = query.terms.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let n_words = query.n_words.max(1) as f32;
    let total: f32 = wanted.iter().map(|it| snapshot.bm25.idf(*it)).sum();
    let mut supports = Vec::new();
    for (place, Evidence { ranked, text: passage }) in evidence.iter().enumerate() {
        let title: FxHashSet<u32> = snapshot.terms(&passage.title).into_iter().collect();
        for (number, span) in passage.sentences.iter().enumerate() {
            let sentence = passage.text[span.start as usize..span.end as usize].trim();
            let mut terms: FxHashSet<u32> = snapshot.terms(sentence).into_iter().collect();
            terms.extend(&title);
            let is_found = |it: &&u32| terms.contains(it);
            let covered: f32 =
                wanted.iter().filter(is_found).map(|it| snapshot.bm25.idf(*it)).sum();
            let coverage = if total > 0.0 { covered / total } else { 0.0 };
            // A sentence that begins with "She" is about whom the one before it is about.
            if let Some(before) = number.checked_sub(1).filter(|_| opens_with_pronoun(sentence)) {
                let span = &passage.sentences[before];
                terms.extend(snapshot.terms(&passage.text[span.start as usize..span.end as usize]));
            }
            let n_found = query.terms.iter().filter(|it| terms.contains(it)).count();
            let words = (n_found as f32 / n_words).min(1.0);
            let score = (coverage + ranked.score) / 2.0;
            supports.push(Support { place, number, passage, sentence, coverage, words, score });
        }
    }
    supports.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then((a.place, a.number).cmp(&(b.place, b.number)))
    });
    supports
}

fn opens_with_pronoun(sentence: &str) -> bool {
    let word = words(sentence).next().map(|it| it.text.to_lowercase());
    word.is_some_and(|it| is_pronoun(&it) || is_possessive_pronoun(&it))
}

/// A text as it is compared: its words in lower case.
pub(super) fn plain(text: &str) -> String {
    words(text).map(|it| it.text.to_lowercase()).collect::<Vec<_>>().join(" ")
}

/// How much of a question the ranked passages bear on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ground {
    /// The greatest cosine; `None` in lexical mode.
    cosine: Option<f32>,
    /// The greatest coverage.
    coverage: f32,
}

impl Ground {
    pub(super) fn of(
        snapshot: &Snapshot,
        query: &Query,
        evidence: &[Evidence],
        supports: &[Support<'_>],
    ) -> Self {
        let cosines = evidence.iter().map(|it| query.cosine(snapshot, it.ranked.passage));
        Self {
            cosine: query.vector.as_ref().map(|_| cosines.fold(0.0, f32::max)),
            coverage: supports.iter().map(|it| it.coverage).fold(0.0, f32::max),
        }
    }

    /// Whether a sentence may be said that has this share of the question's words. `fit`: what reading it adds, in the unit of a
    /// cosine; 0 where nobody has.
    pub(super) fn bears(&self, words: f32, fit: f32) -> bool {
        let Some(cosine) = self.cosine else { return self.coverage >= MIN_COVERAGE };
        let model = Manifest::pinned().model(ModelRole::Embedder).expect("a test finds it");
        let needed = model.min_support.expect("a test reads it");
        cosine + COVERAGE_SHARE * self.coverage + WORDS_SHARE * words + fit >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_common_and_the_reader_make_up_for_a_small_cosine() {
        let ground = Ground { cosine: Some(0.55), coverage: 0.8 };
        assert!(ground.bears(1.0, 0.0) && !ground.bears(0.3, 0.0));
        assert!(!ground.bears(0.45, -0.04) && ground.bears(0.45, 0.04));
        let near = Ground { cosine: Some(0.8), coverage: 0.0 };
        assert!(near.bears(0.0, 0.0), "other words for the same thing");
        let lexical = |coverage| Ground { cosine: None, coverage };
        assert!(lexical(0.5).bears(0.0, 0.0) && !lexical(0.2).bears(1.0, 0.04));
    }
}
