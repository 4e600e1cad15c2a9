//! BM25 over the passages of a memory (Robertson and Zaragoza 2009; k1 = 1.2, b = 0.75), with postings in order of
//! impact, so that a frequent term can be cut off where it no longer matters.

use rustc_hash::FxHashMap;

use super::vectors::best;

const K1: f32 = 1.2;
const B: f32 = 0.75;
/// Postings read of one term: beyond the 50,000 of greatest impact a term is too common to lift a passage.
const MAX_POSTINGS_READ: usize = 50_000;
/// An impact is below `K1 + 1`; this is how it fits a byte.
const IMPACT_STEP: f32 = (K1 + 1.0) / 255.0;

/// Collects the terms of passages in order: six bytes for each term of a passage, which is most of what an index takes
/// while it is built.
#[derive(Debug, Default)]
pub(crate) struct Bm25Builder {
    terms: Vec<u32>,
    counts: Vec<u16>,
    passages: Vec<Counted>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    n_terms: u32,
    /// In words, repeated ones included.
    length: u32,
}

/// The finished index.
#[derive(Debug)]
pub(crate) struct Bm25 {
    starts: Vec<u32>,
    passages: Vec<u32>,
    impacts: Vec<u8>,
    n_passages: usize,
}

impl Bm25Builder {
    /// Adds the next passage by its terms, title included.
    pub(crate) fn push(&mut self, terms: impl Iterator<Item = u32>) {
        let mut counts = FxHashMap::<u32, u16>::default();
        let mut length = 0;
        for term in terms {
            let count = counts.entry(term).or_default();
            *count = count.saturating_add(1);
            length += 1;
        }
        self.passages.push(Counted { n_terms: counts.len() as u32, length });
        for (term, count) in counts {
            self.terms.push(term);
            self.counts.push(count);
        }
    }

    /// Builds the index over terms `0..n_terms`.
    pub(crate) fn finish(self, n_terms: usize) -> Bm25 {
        let n_passages = self.passages.len();
        let total: u64 = self.passages.iter().map(|it| u64::from(it.length)).sum();
        let mean_length = (total as f32 / n_passages.max(1) as f32).max(1.0);
        let mut starts = vec![0u32; n_terms + 1];
        for term in &self.terms {
            starts[*term as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut passages = vec![0u32; self.terms.len()];
        let mut impacts = vec![0u8; self.terms.len()];
        let mut postings = self.terms.iter().zip(&self.counts);
        for (passage, counted) in self.passages.iter().enumerate() {
            for (term, count) in postings.by_ref().take(counted.n_terms as usize) {
                let at = &mut next[*term as usize];
                let impact = impact(f32::from(*count), counted.length as f32 / mean_length);
                passages[*at as usize] = passage as u32;
                impacts[*at as usize] = (impact / IMPACT_STEP).round() as u8;
                *at += 1;
            }
        }
        let mut of_term = Vec::new();
        for term in starts.windows(2) {
            let range = term[0] as usize..term[1] as usize;
            let (passages, impacts) = (&mut passages[range.clone()], &mut impacts[range]);
            of_term.clear();
            of_term.extend(impacts.iter().copied().zip(passages.iter().copied()));
            of_term.sort_unstable_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
            for (i, (impact, passage)) in of_term.iter().enumerate() {
                (impacts[i], passages[i]) = (*impact, *passage);
            }
        }
        Bm25 { starts, passages, impacts, n_passages }
    }
}

impl Bm25 {
    /// The `k` best passages for a query's `terms` (each counts once), best first, with their scores (greater than 0,
    /// no upper bound).
    pub(crate) fn search(&self, terms: &[u32], k: usize) -> Vec<(u32, f32)> {
        let mut terms = terms.to_vec();
        terms.sort_unstable();
        terms.dedup();
        let mut scores = vec![0f32; self.n_passages];
        let mut touched = Vec::new();
        for term in terms {
            let weight = self.idf(term) * IMPACT_STEP;
            for at in self.postings(term).take(MAX_POSTINGS_READ) {
                let passage = self.passages[at];
                let score = &mut scores[passage as usize];
                if *score == 0.0 {
                    touched.push(passage);
                }
                *score += weight * f32::from(self.impacts[at].max(1));
            }
        }
        best(touched.into_iter().map(|it| (it, scores[it as usize])).collect(), k)
    }

    fn postings(&self, term: u32) -> std::ops::Range<usize> {
        self.starts[term as usize] as usize..self.starts[term as usize + 1] as usize
    }

    /// Bytes held.
    pub(crate) fn n_bytes(&self) -> usize {
        self.passages.len() * 5 + self.starts.len() * 4
    }

    /// ln(1 + (N − df + ½)/(df + ½)) of a term: how much it says.
    pub(crate) fn idf(&self, term: u32) -> f32 {
        let (n, df) = (self.n_passages as f32, self.postings(term).len() as f32);
        (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
    }
}

fn impact(count: f32, relative_length: f32) -> f32 {
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * relative_length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(passages: &[Vec<u32>]) -> Bm25 {
        let mut builder = Bm25Builder::default();
        passages.iter().for_each(|it| builder.push(it.iter().copied()));
        builder.finish(20)
    }

    /// The formula, word for word, without quantisation: a score a passage.
    fn naive(passages: &[Vec<u32>], query: &[u32]) -> Vec<f32> {
        let n = passages.len() as f32;
        let mean = (passages.iter().map(Vec::len).sum::<usize>() as f32 / n).max(1.0);
        let mut query = query.to_vec();
        query.sort_unstable();
        query.dedup();
        let score = |passage: &Vec<u32>| -> f32 {
            let of_term = |term: &u32| {
                let df = passages.iter().filter(|it| it.contains(term)).count() as f32;
                let tf = passage.iter().filter(|it| *it == term).count() as f32;
                (1.0 + (n - df + 0.5) / (df + 0.5)).ln() * tf * (K1 + 1.0)
                    / (tf + K1 * (1.0 - B + B * passage.len() as f32 / mean))
            };
            query.iter().map(of_term).sum()
        };
        passages.iter().map(score).collect()
    }

    proptest! {
        #[test]
        fn scores_follow_the_formula(
            passages in prop::collection::vec(prop::collection::vec(0u32..20, 0..12), 1..20),
            query in prop::collection::vec(0u32..20, 0..5),
        ) {
            let (got, want) = (index(&passages).search(&query, 100), naive(&passages, &query));
            prop_assert_eq!(got.len(), want.iter().filter(|it| **it > 0.0).count());
            for (passage, score) in got {
                let want = want[passage as usize];
                prop_assert!((score - want).abs() < 0.02 * want + 0.02, "{} for {}", score, want);
            }
        }
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        assert_eq!(index(&[]).search(&[1, 2], 5), []);
    }
}
