//! Plain text to one document: what is its title, and which line ends are real?

use std::io::{BufRead, Cursor, Read};

use super::super::stamp::is_turn;
use super::stream::Pieces;
use super::{Emit, ParseError, ParseInput, encoding, title_of_name};
use crate::model::Document;

/// See [`stream`].
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let text = encoding::decode(input.bytes, None)?;
    stream(input.name, &mut Cursor::new(text.as_bytes()), emit)
}

/// Long texts become several documents of one title, cut between paragraphs after so many bytes.
const PIECE_BYTES: usize = 1 << 20;
/// And within a paragraph after so many.
const MAX_PIECE_BYTES: usize = 4 << 20;

/// The title is the first line if it stands alone, is short and is no sentence; the file's name otherwise.
pub(super) fn stream(
    name: &str,
    pieces: &mut dyn Pieces,
    emit: &mut Emit<'_>,
) -> Result<(), ParseError> {
    let mut title = None;
    let mut bytes = Vec::new();
    loop {
        let line_start = bytes.len();
        let room = (MAX_PIECE_BYTES - line_start) as u64;
        let n = (&mut *pieces)
            .take(room)
            .read_until(b'\n', &mut bytes)
            .map_err(|e| ParseError::io(&e))?;
        let is_full = bytes.len() == MAX_PIECE_BYTES;
        let is_end = n == 0 && !is_full;
        let is_blank = bytes[line_start..].iter().all(u8::is_ascii_whitespace);
        if !(is_end || is_full || is_blank && bytes.len() >= PIECE_BYTES) {
            continue;
        }
        // A full piece may end within a character.
        let n_whole = std::str::from_utf8(&bytes).map_or_else(|e| e.valid_up_to(), str::len);
        let rest = bytes.split_off(n_whole);
        let piece = String::from_utf8(std::mem::replace(&mut bytes, rest)).expect("it is valid");
        let text = unwrap_lines(&piece);
        let title = title.get_or_insert_with(|| {
            first_line_as_title(&text).map_or_else(|| title_of_name(name), str::to_owned)
        });
        let document = Document { record_id: None, title: title.clone(), place: None, text };
        if emit(document).is_break() || is_end {
            return Ok(());
        }
    }
}

/// Joins the lines of hard-wrapped paragraphs, so that a sentence is not cut where an editor's margin was.
///
/// A line end is taken for a margin's if the paragraph's widest line has a usual width (40 to 120 characters), and the
/// next line's first word would not have fitted into it any more or goes on in lower case. List items, headings, indented lines and
/// `key: value` lines keep their own line. White space at line ends goes; runs of blank lines become one.
pub(super) fn unwrap_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().map(str::trim_end).peekable();
    let mut paragraph: Vec<&str> = Vec::new();
    while lines.peek().is_some() {
        paragraph.clear();
        while let Some(line) = lines.next_if(|it| !it.trim_start().is_empty()) {
            paragraph.push(line);
        }
        if !paragraph.is_empty() {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            push_paragraph(&mut out, &paragraph);
        }
        while lines.next_if(|it| it.trim_start().is_empty()).is_some() {}
    }
    out
}

fn push_paragraph(out: &mut String, lines: &[&str]) {
    let width = lines.iter().map(|it| it.chars().count()).max().unwrap_or(0);
    for (i, line) in lines.iter().enumerate() {
        if i == 0 {
            out.push_str(line);
        } else if is_wrapped(lines[i - 1], line, width) {
            out.push(' ');
            out.push_str(line.trim_start());
        } else {
            out.push('\n');
            out.push_str(line);
        }
    }
}

fn is_wrapped(above: &str, line: &str, width: usize) -> bool {
    if !(40..=120).contains(&width) || starts_own_line(line) || is_heading(above) {
        return false;
    }
    let first_word = line.split_whitespace().next().unwrap_or("");
    let above_chars = above.chars().count();
    let goes_on =
        first_word.starts_with(char::is_lowercase) && !above.ends_with(['.', '!', '?', ':']);
    above_chars + 1 + first_word.chars().count() > width || goes_on && above_chars >= 40
}

fn starts_own_line(line: &str) -> bool {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let first = trimmed.chars().next().unwrap_or(' ');
    let number = trimmed.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_numbered = number.len() < trimmed.len() && number.starts_with(['.', ')']);
    let is_field = trimmed.split_whitespace().take(3).any(|it| it.ends_with(':'));
    indent >= 4
        || is_turn(line)
        || matches!(first, '-' | '*' | '+' | '•' | '·' | '–' | '|' | '#')
        || is_numbered
        || is_field
}

fn is_heading(line: &str) -> bool {
    line.starts_with('#')
}

fn first_line_as_title(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once("\n\n")?;
    let first = first.trim_start_matches('#').trim();
    let is_short = (1..=80).contains(&first.chars().count()) && !first.contains('\n');
    let is_name = !first.ends_with(['.', '!', '?', ':', ',', ';']) && !starts_own_line(first);
    (is_short && is_name && !rest.trim().is_empty()).then_some(first)
}
