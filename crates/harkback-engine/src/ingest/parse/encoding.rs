//! In which encoding is a text file written, and what does it say?

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::ParseError;
use super::stream::is_stray;

/// Decodes a text file: by its byte order mark, as UTF-8, as UTF-16 without a mark, by the `declared` label, and at last
/// by `chardetng`'s guess, in this order. Line ends become `\n`; the mark is dropped.
///
/// # Errors
/// If the bytes are no text: NUL bytes, many control characters, or sequences that the encoding does not have.
pub(super) fn decode(bytes: &[u8], declared: Option<&str>) -> Result<String, ParseError> {
    let (encoding, body) = encoding_of(bytes, declared)?;
    let text = encoding
        .decode_without_bom_handling_and_without_replacement(body)
        .ok_or_else(|| malformed(encoding, body))?;
    refuse_binary(&text)?;
    Ok(unify_line_ends(text.into_owned()))
}

fn encoding_of<'a>(
    bytes: &'a [u8],
    declared: Option<&str>,
) -> Result<(&'static Encoding, &'a [u8]), ParseError> {
    if bytes.starts_with(b"\xFF\xFE\0\0") || bytes.starts_with(b"\0\0\xFE\xFF") {
        return Err(ParseError::new("the text is encoded in UTF-32: save it as UTF-8"));
    }
    if let Some((encoding, mark_len)) = Encoding::for_bom(bytes) {
        return Ok((encoding, &bytes[mark_len..]));
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return Ok((encoding, bytes));
    }
    if let Some(at) = bytes.iter().position(|it| *it == 0) {
        return Err(ParseError(format!(
            "the file contains NUL bytes (the first at byte {at}), so it is not text: upload a text file, or remove them"
        )));
    }
    if std::str::from_utf8(bytes).is_ok() {
        return Ok((UTF_8, bytes));
    }
    let declared = declared.and_then(|it| Encoding::for_label(it.as_bytes()));
    if let Some(encoding) = declared.filter(|it| *it != UTF_8 && it.is_ascii_compatible()) {
        return Ok((encoding, bytes));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    Ok((detector.guess(None, Utf8Detection::Deny), bytes))
}

/// UTF-16 shows by its zero bytes: the high halves of ASCII characters, all at odd places (little endian) or all at even
/// ones. Chinese or Japanese text has few of them, in its spaces and line ends, but is never valid UTF-8; without that
/// condition one stray NUL would turn a file into nonsense.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    const SAMPLE_BYTES: usize = 64 << 10;
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    if bytes.len() % 2 == 1 {
        return None;
    }
    let (mut even, mut odd) = (0, 0);
    let (mut spaces_be, mut spaces_le) = (0, 0);
    for pair in sample.chunks_exact(2) {
        even += usize::from(pair[0] == 0);
        odd += usize::from(pair[1] == 0);
        spaces_be += usize::from(matches!(pair, [0, b' ' | b'\n' | b'\r']));
        spaces_le += usize::from(matches!(pair, [b' ' | b'\n' | b'\r', 0]));
    }
    if (even + odd) * 4 < sample.len() && std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    match (even, odd) {
        (0, 0) => None,
        (0, _) => Some(UTF_16LE),
        (_, 0) => Some(UTF_16BE),
        // Characters such as Ā (U+0100) and the wide space (U+3000) have a zero on the other side.
        _ if spaces_le > 10 * spaces_be => Some(UTF_16LE),
        _ if spaces_be > 10 * spaces_le => Some(UTF_16BE),
        _ => None,
    }
}

fn malformed(encoding: &'static Encoding, body: &[u8]) -> ParseError {
    if encoding == UTF_8 {
        let at = std::str::from_utf8(body).err().map_or(0, |it| it.valid_up_to());
        return ParseError(format!(
            "the file is marked as UTF-8 but is not valid UTF-8 at byte {at}: save it as UTF-8"
        ));
    }
    ParseError(format!(
        "the file does not decode as text (tried {}): upload a text file, saved as UTF-8",
        encoding.name()
    ))
}

/// Text has hardly any control characters; bytes of pictures or programs have 10 % and more in any encoding.
fn refuse_binary(text: &str) -> Result<(), ParseError> {
    if text.contains('\0') {
        return Err(ParseError::new(
            "the text contains NUL characters, so it is not text: upload a text file, or remove them",
        ));
    }
    let n_stray = text.chars().filter(|it| is_stray(*it)).count();
    if n_stray * 100 > text.len().max(200) {
        return Err(ParseError::new(
            "the file looks binary (more than one in a hundred characters is a control character): upload a text file",
        ));
    }
    Ok(())
}

fn unify_line_ends(text: String) -> String {
    if !text.contains('\r') {
        return text;
    }
    text.replace("\r\n", "\n").replace('\r', "\n")
}
