//! Vectors of a memory in RAM: int8 with a scale each, and sign codes for the flat scan that needs no build, deletes
//! exactly and filters for free. Measurements behind this choice are in docs/decisions.

use super::kernels::{Code, DIM, dot, hamming_all};

/// Below this many vectors the int8 scan alone is as fast as the sign codes.
const SCAN_ALL_BELOW: usize = 20_000;

/// A unit vector in int8 with its scale: element = value × scale.
#[derive(Clone, Debug)]
pub(crate) struct Quantised {
    values: Vec<i8>,
    scale: f32,
}

impl Quantised {
    /// Quantises `vector`, [`DIM`] elements, by its greatest element.
    pub(crate) fn new(vector: &[f32]) -> Self {
        let mut values = Vec::with_capacity(DIM);
        let scale = quantise(vector, &mut values);
        Self { values, scale }
    }

    fn code(&self) -> Code {
        sign_code(&self.values)
    }
}

/// Vectors by number, 0-based; scores are cosines because all are of unit length.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    values: Vec<i8>,
    scales: Vec<f32>,
    codes: Vec<Code>,
}

impl Vectors {
    /// Adds a vector of [`DIM`] elements; its number is the count before.
    pub(crate) fn push(&mut self, vector: &[f32]) {
        let scale = quantise(vector, &mut self.values);
        self.scales.push(scale);
        self.codes.push(sign_code(&self.values[self.values.len() - DIM..]));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.scales.len()
    }

    /// Bytes held.
    pub(crate) fn n_bytes(&self) -> usize {
        self.values.len() + self.scales.len() * 4 + self.codes.len() * size_of::<Code>()
    }

    /// Cosine of `query` with vector `number`.
    pub(crate) fn cosine(&self, query: &Quantised, number: usize) -> f32 {
        dot(&query.values, self.row(number)) as f32 * query.scale * self.scales[number]
    }

    /// The `k` nearest of all vectors, best first, with their cosines. Ties go to the lower number.
    ///
    /// Large sets: the nearest 400, or 1 % up to 2,000, by Hamming distance of sign codes are scored in int8, and never
    /// more, however many lie at the same distance. On real embeddings 99.4 % of the true ten best lie within the nearest
    /// 400 codes.
    pub(crate) fn nearest(&self, query: &Quantised, k: usize) -> Vec<(u32, f32)> {
        let n = self.len();
        let scored = if n < SCAN_ALL_BELOW {
            (0..n).map(|i| (i as u32, self.cosine(query, i))).collect()
        } else {
            let wanted = (n / 100).clamp(400, 2_000).max(k);
            let candidates = self.nearest_codes(&query.code(), wanted);
            candidates.into_iter().map(|i| (i, self.cosine(query, i as usize))).collect()
        };
        best(scored, k)
    }

    /// The numbers of the `wanted` nearest codes, ascending; of those at the greatest distance the lowest numbers.
    fn nearest_codes(&self, query: &Code, wanted: usize) -> Vec<u32> {
        let mut distances = Vec::with_capacity(self.codes.len());
        hamming_all(query, &self.codes, &mut distances);
        let mut n_at = [0usize; DIM + 1];
        for &distance in &distances {
            n_at[distance as usize] += 1;
        }
        let (mut limit, mut n_closer) = (0, 0);
        while limit < DIM && n_closer + n_at[limit] < wanted {
            n_closer += n_at[limit];
            limit += 1;
        }
        let (limit, mut n_left) = (limit as u16, wanted.saturating_sub(n_closer));
        let within = (0..).zip(&distances).filter(|(_, it)| **it <= limit);
        let mut near: Vec<u32> = within.map(|(number, _)| number).collect();
        near.retain(|number| {
            let is_closer = distances[*number as usize] < limit;
            let stays = is_closer || n_left > 0;
            n_left -= usize::from(stays && !is_closer);
            stays
        });
        near
    }

    fn row(&self, number: usize) -> &[i8] {
        &self.values[number * DIM..(number + 1) * DIM]
    }
}

/// The `k` best of `scored`, best first; ties go to the lower number.
pub(crate) fn best(mut scored: Vec<(u32, f32)>, k: usize) -> Vec<(u32, f32)> {
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if k < scored.len() && k > 0 {
        scored.select_nth_unstable_by(k - 1, order);
    }
    scored.truncate(k);
    scored.sort_unstable_by(order);
    scored
}

fn quantise(vector: &[f32], values: &mut Vec<i8>) -> f32 {
    assert_eq!(vector.len(), DIM, "vectors have {DIM} dimensions");
    let greatest = vector.iter().fold(0f32, |acc, it| acc.max(it.abs()));
    let scale = if greatest > 0.0 { greatest / 127.0 } else { 1.0 };
    values.extend(vector.iter().map(|it| (it / scale).round() as i8));
    scale
}

fn sign_code(values: &[i8]) -> Code {
    let mut code = Code::default();
    for (i, value) in values.iter().enumerate() {
        code[i / 64] |= u64::from(*value > 0) << (i % 64);
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clustered unit vectors from a small linear congruential generator: the same at every run.
    fn clustered(n: usize) -> Vec<Vec<f32>> {
        let mut state = 1u64;
        let mut uniform = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let centres: Vec<Vec<f32>> =
            (0..50).map(|_| (0..DIM).map(|_| uniform()).collect()).collect();
        (0..n)
            .map(|i| {
                let vector: Vec<f32> =
                    centres[i % 50].iter().map(|c| c + 0.8 * uniform()).collect();
                let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
                vector.iter().map(|it| it / length).collect()
            })
            .collect()
    }

    #[test]
    fn the_code_scan_finds_what_the_exact_scan_finds() {
        let base = clustered(SCAN_ALL_BELOW + 5_000);
        let mut vectors = Vectors::default();
        base.iter().for_each(|it| vectors.push(it));
        let mut n_found = 0;
        for query in clustered(70).into_iter().skip(50) {
            let scored = base.iter().map(|it| it.iter().zip(&query).map(|(a, b)| a * b).sum());
            let exact = best((0..).zip(scored).collect(), 10);
            let got = vectors.nearest(&Quantised::new(&query), 10);
            n_found += exact.iter().filter(|(i, _)| got.iter().any(|(j, _)| i == j)).count();
        }
        assert!(n_found >= 190, "recall@10 is {n_found} of 200");
    }

    #[test]
    fn no_more_codes_are_scored_than_wanted() {
        let base = clustered(40);
        let mut vectors = Vectors::default();
        for number in 0..300 {
            match number {
                7 | 290 => vectors.push(&base[0]),
                it if it % 2 == 0 => vectors.push(&base[1]),
                _ => vectors.push(&[0.0; DIM]),
            }
        }
        let code = Quantised::new(&base[0]).code();
        assert_eq!(vectors.nearest_codes(&code, 1), [7]);
        assert_eq!(vectors.nearest_codes(&code, 2), [7, 290]);
        // Half of the rest are alike, and all of it lies at two distances.
        assert_eq!(vectors.nearest_codes(&code, 5).len(), 5);
        assert_eq!(vectors.nearest_codes(&code, 250).len(), 250);
        assert_eq!(vectors.nearest_codes(&code, 300).len(), 300);
        assert_eq!(vectors.nearest_codes(&code, 301).len(), 300);
        assert!(vectors.nearest_codes(&code, 0).is_empty());
        let alike = (0..100).fold(Vectors::default(), |mut vectors, _| {
            vectors.push(&base[2]);
            vectors
        });
        assert_eq!(alike.nearest_codes(&code, 3), [0, 1, 2]);
    }

    #[test]
    fn a_cosine_in_int8_is_close_to_the_true_one() {
        let base = clustered(60);
        let mut vectors = Vectors::default();
        base.iter().for_each(|it| vectors.push(it));
        let truth: f32 = base[3].iter().zip(&base[53]).map(|(a, b)| a * b).sum();
        assert!((vectors.cosine(&Quantised::new(&base[3]), 53) - truth).abs() < 0.004);
    }

    #[test]
    fn best_is_stable_for_ties() {
        let scored = vec![(4, 1.0), (1, 1.0), (2, 3.0), (0, 0.5)];
        assert_eq!(best(scored.clone(), 3), [(2, 3.0), (1, 1.0), (4, 1.0)]);
        assert_eq!(best(scored, 0), []);
    }
}
