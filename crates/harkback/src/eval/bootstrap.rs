//! Is a difference between two runs more than chance? The paired bootstrap over questions (Efron and Tibshirani 1993).

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A mean difference with its 95 % percentile interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean of the differences.
    pub mean: f64,
    /// 2.5 % of the resampled means are below.
    pub low: f64,
    /// 2.5 % of the resampled means are above.
    pub high: f64,
}

impl Interval {
    /// Whether zero is outside: the difference is hardly chance.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

const RESAMPLES: usize = 10_000;

/// The interval of `ours − theirs`, question by question; both have the same length, not 0. The same at every call of a build.
pub fn paired_bootstrap(ours: &[f64], theirs: &[f64]) -> Interval {
    assert_eq!(ours.len(), theirs.len(), "one figure a question in both runs");
    let differences: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a - b).collect();
    let n = differences.len();
    let mut draws = StdRng::seed_from_u64(0);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..n).map(|_| differences[draws.random_range(0..n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((RESAMPLES - 1) as f64 * share).round() as usize];
    Interval { mean: differences.iter().sum::<f64>() / n as f64, low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_runs_differ_by_nothing() {
        let interval = paired_bootstrap(&[0.5, 1.0, 0.0], &[0.5, 1.0, 0.0]);
        assert_eq!(interval, Interval { mean: 0.0, low: 0.0, high: 0.0 });
        assert!(!interval.excludes_zero());
    }

    #[test]
    fn a_clear_gain_excludes_zero_and_a_mixed_one_does_not() {
        let theirs = vec![0.0; 50];
        assert!(paired_bootstrap(&[1.0; 50], &theirs).excludes_zero());
        let mixed: Vec<f64> = (0..50).map(|it| if it % 2 == 0 { 1.0 } else { -0.96 }).collect();
        let interval = paired_bootstrap(&mixed, &theirs);
        assert!(!interval.excludes_zero());
        assert!(interval.low < interval.mean && interval.mean < interval.high);
    }
}
