//! JSON Lines to one document a line, in BEIR's layout or any other.

use std::io::{BufRead, Cursor, Read};

use super::json::{self, Node};
use super::stream::Pieces;
use super::{Emit, ParseError, ParseInput, encoding};
use crate::model::Document;

/// See [`stream`].
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let source = encoding::decode(input.bytes, None)?;
    stream(input.name, &mut Cursor::new(source.as_bytes()), emit)
}

/// Longer lines than any record's are a mistake, and would take memory without bound.
const MAX_LINE_BYTES: usize = 32 << 20;

/// Each line that is not blank is an object and becomes a document; see [`json::document`] for its title, id and text.
///
/// Lines are read one by one, so it takes memory for the longest line only.
pub(super) fn stream(
    _name: &str,
    pieces: &mut dyn Pieces,
    emit: &mut Emit<'_>,
) -> Result<(), ParseError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let room = MAX_LINE_BYTES as u64 + 1;
        let n = (&mut *pieces)
            .take(room)
            .read_until(b'\n', &mut line)
            .map_err(|e| ParseError::io(&e))?;
        if n == 0 {
            break;
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(ParseError(format!(
                "line {number} is longer than {} MB: split the record",
                MAX_LINE_BYTES >> 20
            )));
        }
        if !line.trim_ascii().is_empty() && emit(record(&line, number)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn record(line: &[u8], number: usize) -> Result<Document, ParseError> {
    let node: Node =
        serde_json::from_slice(line.trim_ascii_end()).map_err(|it| refused(number, &it))?;
    if !matches!(node, Node::Object(_)) {
        return Err(ParseError(format!(
            "line {number} is not a JSON object: write one object a line, such as \
             {{\"_id\": \"1\", \"title\": \"…\", \"text\": \"…\"}}"
        )));
    }
    // The file's name is every record's, so it names none of them.
    json::document(node, "").map_err(|it| ParseError(format!("line {number}: {it}")))
}

fn refused(line: usize, error: &serde_json::Error) -> ParseError {
    // serde_json counts lines within what it was given, which is always its first.
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    ParseError(format!(
        "line {line} is not valid JSON ({reason} at column {}): correct that line, or leave it out",
        error.column()
    ))
}
