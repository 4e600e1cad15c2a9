//! Measures of a ranking against the relevant records, for one question; a set's figure is the mean.

/// Names of the measures, in the order of [`Measures`].
pub const MEASURES: [&str; 6] = ["R@2", "R@5", "R@10", "all@8", "MRR", "nDCG@10"];

/// One question's figures, each 0..=1: share of the relevant records among the first 2, 5 and 10; whether all of them
/// are among the first 8; the reciprocal of the first one's rank; the normalised discounted cumulative gain of the first
/// 10 with binary gains (Järvelin and Kekäläinen 2002).
pub type Measures = [f64; MEASURES.len()];

/// Measures a ranking of distinct record ids, best first. `gold` is not empty.
pub fn measure(ranking: &[String], gold: &[String]) -> Measures {
    let is_gold: Vec<bool> = ranking.iter().map(|it| gold.contains(it)).collect();
    let n_found = |k: usize| is_gold.iter().take(k).filter(|it| **it).count();
    let recall = |k: usize| n_found(k) as f64 / gold.len() as f64;
    let first = is_gold.iter().position(|it| *it);
    let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let ideal: f64 = (0..gold.len().min(10)).map(gain).sum();
    let found: f64 =
        is_gold.iter().take(10).enumerate().filter(|it| *it.1).map(|it| gain(it.0)).sum();
    [
        recall(2),
        recall(5),
        recall(10),
        f64::from(n_found(8) == gold.len()),
        first.map_or(0.0, |it| 1.0 / (it as f64 + 1.0)),
        found / ideal,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_perfect_ranking_is_1_everywhere() {
        assert_eq!(measure(&ids("a b c"), &ids("b a")), [1.0; 6]);
    }

    #[test]
    fn figures_by_hand() {
        let [r2, r5, r10, all, mrr, ndcg] = measure(&ids("x a y b"), &ids("a b c"));
        assert_eq!((r2, r5, r10, all, mrr), (1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 0.0, 0.5));
        let by_hand = (1.0 / 3f64.log2() + 1.0 / 5f64.log2()) / (1.0 + 1.0 / 3f64.log2() + 0.5);
        assert!((ndcg - by_hand).abs() < 1e-12);
    }

    #[test]
    fn nothing_found_is_0_everywhere() {
        assert_eq!(measure(&ids("x y"), &ids("a")), [0.0; 6]);
        assert_eq!(measure(&[], &ids("a")), [0.0; 6]);
    }
}
