//! The only file that knows bytes: vectors as little-endian f16, sentence spans as little-endian `u32` pairs, places as
//! JSON.

use half::f16;

use crate::error::{Error, Result};
use crate::model::{Place, Span};

/// f32 values to little-endian f16.
pub(super) fn encode_vector(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|it| f16::from_f32(*it).to_le_bytes()).collect()
}

/// Little-endian f16 to f32 values.
pub(super) fn decode_vector(bytes: &[u8]) -> Result<Vec<f32>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::Corrupt(format!("a vector of {} bytes", bytes.len())));
    }
    Ok(pairs.iter().map(|it| f16::from_le_bytes(*it).to_f32()).collect())
}

/// Spans to little-endian pairs.
pub(super) fn encode_spans(spans: &[Span]) -> Vec<u8> {
    spans.iter().flat_map(|it| [it.start.to_le_bytes(), it.end.to_le_bytes()]).flatten().collect()
}

/// Little-endian pairs to spans; each must lie in `text`, on character boundaries.
pub(super) fn decode_spans(bytes: &[u8], text: &str) -> Result<Vec<Span>> {
    let (words, rest) = bytes.as_chunks::<4>();
    let (pairs, odd) = words.as_chunks::<2>();
    if !rest.is_empty() || !odd.is_empty() {
        return Err(Error::Corrupt(format!("sentence spans of {} bytes", bytes.len())));
    }
    pairs
        .iter()
        .map(|[start, end]| {
            let span = Span { start: u32::from_le_bytes(*start), end: u32::from_le_bytes(*end) };
            if text.get(span.start as usize..span.end as usize).is_none() {
                return Err(Error::Corrupt("a sentence outside its passage".to_owned()));
            }
            Ok(span)
        })
        .collect()
}

/// A place to its JSON.
pub(super) fn encode_place(place: &Place) -> String {
    serde_json::to_string(place).expect("numbers and texts are JSON")
}

/// JSON to a place.
pub(super) fn decode_place(json: &str) -> Result<Place> {
    serde_json::from_str(json).map_err(|e| Error::Corrupt(format!("a passage's place: {e}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_survive_within_f16(values in prop::collection::vec(-1f32..1.0, 0..50)) {
            let back = decode_vector(&encode_vector(&values)).unwrap();
            prop_assert_eq!(values.len(), back.len());
            prop_assert!(values.iter().zip(&back).all(|(a, b)| (a - b).abs() < 0.001));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = decode_vector(&bytes);
            let _ = decode_spans(&bytes, "añb");
        }
    }

    #[test]
    fn spans_must_lie_in_the_text() {
        let spans = [Span { start: 0, end: 1 }, Span { start: 1, end: 3 }];
        assert_eq!(decode_spans(&encode_spans(&spans), "añb").unwrap(), spans);
        assert!(decode_spans(&encode_spans(&spans), "ab").is_err());
        assert!(decode_spans(&encode_spans(&[Span { start: 0, end: 2 }]), "añb").is_err());
    }
}
