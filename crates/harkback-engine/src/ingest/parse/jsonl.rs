//! JSON Lines to one document a line, in BEIR's layout or any other.

use super::json::{self, Node};
use super::{Emit, ParseError, ParseInput, encoding};

/// Each line that is not blank is an object and becomes a document; see [`json::document`] for its title, id and text.
///
/// Lines are read one by one, so memory beside the file's text is that of the longest line.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let source = encoding::decode(input.bytes, None)?;
    for (i, line) in source.lines().enumerate().filter(|(_, it)| !it.trim().is_empty()) {
        let node: Node = serde_json::from_str(line).map_err(|it| refused(i + 1, &it))?;
        if !matches!(node, Node::Object(_)) {
            return Err(ParseError(format!(
                "line {} is not a JSON object: write one object a line, such as \
                 {{\"_id\": \"1\", \"title\": \"…\", \"text\": \"…\"}}",
                i + 1
            )));
        }
        // The file's name is every record's, so it names none of them.
        let document =
            json::document(node, "").map_err(|it| ParseError(format!("line {}: {it}", i + 1)))?;
        if emit(document).is_break() {
            return Ok(());
        }
    }
    Ok(())
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
