//! What must hold of bytes that are read from the database, whatever damaged them?

use super::codec::{
    decode_place, decode_spans, decode_vector, encode_place, encode_spans, encode_vector,
};

/// Vectors, sentence spans and places: what is refused is an error, what is read is written as it was.
pub(crate) fn check_columns(bytes: &[u8]) {
    if let Ok(vector) = decode_vector(bytes)
        && vector.iter().all(|it| !it.is_nan())
    {
        assert_eq!(encode_vector(&vector), bytes);
    }
    let text = "Der Käse liegt im Kühlschrank. 東京";
    if let Ok(spans) = decode_spans(bytes, text) {
        assert_eq!(encode_spans(&spans), bytes);
        for span in spans {
            let _sentence = &text[span.start as usize..span.end as usize];
        }
    }
    if let Ok(json) = str::from_utf8(bytes)
        && let Ok(place) = decode_place(json)
    {
        assert_eq!(decode_place(&encode_place(&place)).ok(), Some(place));
    }
}
