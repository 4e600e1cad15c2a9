//! Is a difference between two runs more than chance? The paired bootstrap over questions (Efron and Tibshirani 1993).

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

/// The interval of `ours − theirs`, question by question; both have the same length, not 0. The same at every call.
pub fn paired_bootstrap(ours: &[f64], theirs: &[f64]) -> Interval {
    assert_eq!(ours.len(), theirs.len(), "one figure a question in both runs");
    let differences: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a - b).collect();
    let n = differences.len();
    let mut draw = Draws(0x9E37_79B9_7F4A_7C15);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..n).map(|_| differences[draw.below(n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((RESAMPLES - 1) as f64 * share).round() as usize];
    Interval { mean: differences.iter().sum::<f64>() / n as f64, low: at(0.025), high: at(0.975) }
}

/// SplitMix64 (Steele, Lea and Flood 2014): a fixed seed, so that a report can be made again to the digit.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
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
