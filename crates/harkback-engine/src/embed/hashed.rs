//! Which vectors do tests of logic use? A bag of hashed words: deterministic, instant, and of no use in production.

use unicode_segmentation::UnicodeSegmentation;

use super::embedder::unit;

pub(super) const ID: &str = "for-tests-only";
pub(super) const DIM: usize = 384;

pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.unicode_words().map(str::to_lowercase)
}

pub(super) fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIM];
    vector[0] = 1e-3; // a text without words still has a direction
    for word in words(text) {
        let hash = fnv1a(word.as_bytes());
        vector[(hash % DIM as u64) as usize] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    }
    unit(vector)
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
