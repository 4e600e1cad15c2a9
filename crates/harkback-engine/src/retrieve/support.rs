//! Which sentences of the ranked passages bear on the question, before any model reads them.

use rustc_hash::FxHashSet;

use super::query::Query;
use super::rank::RankedNo;
use super::relation::Named;
use crate::index::Snapshot;
use crate::store::PassageText;

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
            let score = (coverage + ranked.score) / 2.0;
            supports.push(Support { place, number, passage, sentence, coverage, score });
        }
    }
    supports.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then((a.place, a.number).cmp(&(b.place, b.number)))
    });
    supports
}
