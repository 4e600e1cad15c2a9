//! The inner loops: Hamming distance of sign codes and dot products of int8 vectors, with the best instructions the
//! processor has, chosen once at run time, and a plain version that they are tested against.

#![expect(unsafe_code, reason = "vendor intrinsics; each call is guarded by run-time detection")]

use std::sync::OnceLock;

/// Dimensions of every vector; the embedder's own.
pub(crate) const DIM: usize = 384;
/// Sign code of a vector: one bit a dimension.
pub(crate) type Code = [u64; DIM / 64];

#[derive(Clone, Copy)]
struct Kernels {
    dot: fn(&[i8], &[i8]) -> i32,
    hamming_all: fn(&Code, &[Code], &mut Vec<u16>),
}

/// Dot product of two int8 vectors of [`DIM`] elements. Exact: every sum fits an `i32`.
pub(crate) fn dot(a: &[i8], b: &[i8]) -> i32 {
    assert!(a.len() == DIM && b.len() == DIM, "vectors have {DIM} dimensions");
    (kernels().dot)(a, b)
}

/// Hamming distance (0..=384) of `query` to every code, in order; `out` is overwritten.
pub(crate) fn hamming_all(query: &Code, codes: &[Code], out: &mut Vec<u16>) {
    out.clear();
    (kernels().hamming_all)(query, codes, out);
}

fn kernels() -> Kernels {
    static KERNELS: OnceLock<Kernels> = OnceLock::new();
    *KERNELS.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Kernels {
    let mut res = Kernels { dot: dot_plain, hamming_all: hamming_all_plain };
    if is_x86_feature_detected!("popcnt") {
        // SAFETY: popcnt is there, as just checked.
        res.hamming_all = |query, codes, out| unsafe { x86::hamming_all_popcnt(query, codes, out) };
    }
    if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there, as just checked; `dot` has checked the lengths.
        res.dot = |a, b| unsafe { x86::dot_avx2(a, b) };
    }
    res
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Kernels {
    Kernels { dot: dot_plain, hamming_all: hamming_all_plain }
}

fn dot_plain(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

fn hamming_all_plain(query: &Code, codes: &[Code], out: &mut Vec<u16>) {
    out.extend(codes.iter().map(|code| hamming(query, code)));
}

#[inline(always)]
fn hamming(a: &Code, b: &Code) -> u16 {
    let n: u32 = a.iter().zip(b).map(|(x, y)| (x ^ y).count_ones()).sum();
    n as u16
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm256_add_epi32,
        _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_madd_epi16,
        _mm256_setzero_si256,
    };

    use super::{Code, DIM, hamming};

    #[target_feature(enable = "popcnt")]
    pub(super) fn hamming_all_popcnt(query: &Code, codes: &[Code], out: &mut Vec<u16>) {
        out.extend(codes.iter().map(|code| hamming(query, code)));
    }

    /// Both slices must have [`DIM`] elements.
    #[target_feature(enable = "avx2")]
    pub(super) fn dot_avx2(a: &[i8], b: &[i8]) -> i32 {
        let mut sum = _mm256_setzero_si256();
        for at in (0..DIM).step_by(16) {
            // SAFETY: `at + 16 <= DIM`, the length of both; the load has no alignment demand.
            let (x, y) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().add(at).cast()),
                    _mm_loadu_si128(b.as_ptr().add(at).cast()),
                )
            };
            let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(x), _mm256_cvtepi8_epi16(y));
            sum = _mm256_add_epi32(sum, products);
        }
        let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b00_00_11_10>(half));
        let last = _mm_add_epi32(quarter, _mm_shuffle_epi32::<0b00_00_00_01>(quarter));
        _mm_cvtsi128_si32(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn dot_equals_the_plain_sum(
            a in prop::collection::vec(any::<i8>(), DIM),
            b in prop::collection::vec(any::<i8>(), DIM),
        ) {
            prop_assert_eq!(dot(&a, &b), dot_plain(&a, &b));
        }

        #[test]
        fn hamming_equals_the_count_of_differing_bits(
            query in any::<[u64; 6]>(),
            codes in prop::collection::vec(any::<[u64; 6]>(), 0..40),
        ) {
            let mut got = Vec::new();
            hamming_all(&query, &codes, &mut got);
            let want: Vec<u16> = codes
                .iter()
                .map(|code| (0..DIM).filter(|i| (query[i / 64] ^ code[i / 64]) >> (i % 64) & 1 == 1).count() as u16)
                .collect();
            prop_assert_eq!(got, want);
        }
    }
}
