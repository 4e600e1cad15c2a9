//! What does a PDF say, page by page?
//!
//! Both readers, poppler's `pdftotext` and the `pdf-extract` crate, tell which word stands where. Order, columns, tables,
//! headings and paragraphs are found here, in the same way for both.

mod edges;
mod glyphs;
mod layout;
mod page;
mod poppler;
mod text;

use std::ops::ControlFlow;

use rustc_hash::{FxHashMap, FxHashSet};

use self::page::{Pages, Row, Sheet};
use self::poppler::Outcome;
use self::text::{Block, Style, is_unfinished, join, starts_lower};
use super::{Emit, ParseError, ParseInput, metadata};
use crate::model::{Document, Place};

/// One document a page that holds text. A paragraph that runs over a page's end belongs to the page where it begins.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    const PROGRAM: &str = "pdftotext";
    let beginning = &input.bytes[..input.bytes.len().min(1024)];
    if !beginning.windows(5).any(|it| it == b"%PDF-") {
        return Err(ParseError::new(
            "the file is named .pdf but is none: give it its right name, or save it as .pdf again",
        ));
    }
    let pages = match poppler::pages(input.bytes, PROGRAM)? {
        Outcome::Read(pages) => pages,
        Outcome::Absent => glyphs::pages(input.bytes)?,
    };
    read(pages, input, emit)
}

/// What [`parse`] makes of an `input` that is the output of `pdftotext -bbox`.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn parse_boxes(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    read(poppler::read(input.bytes).map_err(|it| ParseError::io(&it))?, input, emit)
}

fn read(pages: Pages, input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut sheets = pages.sheets;
    if sheets.iter().all(|it| it.rows.is_empty()) {
        return Err(ParseError::new(
            "the PDF holds pictures of pages and no text: recognise its text (OCR) first, and upload that",
        ));
    }
    let style = Style::of(&sheets);
    edges::drop_running(&mut sheets, &style);
    let mut book = Book { style: &style, title: None, headings: Vec::new(), open: None };
    let title = metadata::title(pages.title.as_deref(), first_heading(&sheets, &style), input.name);
    book.title = Some(title);
    let n_sheets = sheets.len();
    for (i, sheet) in sheets.into_iter().enumerate() {
        // A page becomes a document when the next one is known.
        input.done.note(i, n_sheets);
        let blocks = text::blocks(layout::parts(sheet.rows), sheet.height, &style);
        if book.turn(sheet.number, blocks, emit).is_break() {
            return Ok(());
        }
    }
    let _stop = book.emit_open(emit);
    Ok(())
}

impl Style {
    /// The height that most characters have is the body's; what is clearly higher is of headings.
    fn of(sheets: &[Sheet]) -> Self {
        let mut n_chars = FxHashMap::<u32, usize>::default();
        let mut hyphenated = FxHashSet::default();
        for line in sheets.iter().flat_map(|it| &it.rows).flat_map(|it| &it.0) {
            let tenths = (line.size() * 10.0).round() as u32;
            *n_chars.entry(tenths).or_default() += line.text.chars().count();
            let words = line.text.split(|it: char| !it.is_alphanumeric() && it != '-');
            let compounds = words.filter(|it| it.trim_matches('-').contains('-'));
            hyphenated.extend(compounds.map(str::to_lowercase));
        }
        let body = n_chars.iter().max_by_key(|(tenths, n)| (**n, **tenths)).map_or(0, |it| *it.0);
        let body = body as f32 / 10.0;
        let mut sizes: Vec<f32> = n_chars.keys().map(|it| *it as f32 / 10.0).collect();
        sizes.retain(|it| *it > 1.13 * body);
        sizes.sort_by(|a, b| b.total_cmp(a));
        sizes.dedup_by(|next, above| *next > 0.96 * *above);
        Self { body, headings: sizes, hyphenated }
    }
}

fn first_heading(sheets: &[Sheet], style: &Style) -> Option<String> {
    let is_first = |it: &&Row| {
        it.first().size() > 1.13 * style.body && it.text().contains(char::is_alphabetic)
    };
    let row = sheets.iter().take(2).find_map(|it| it.rows.iter().find(is_first))?;
    Some(row.text()).filter(|it| it.chars().count() <= 120)
}

/// Pages that become documents while the next is known.
struct Book<'a> {
    style: &'a Style,
    title: Option<String>,
    /// Headings that the text so far stands under.
    headings: Vec<(usize, String)>,
    /// The page before, until it is known whether its last paragraph goes on.
    open: Option<(u32, Vec<Block>)>,
}

/// Characters of a last line's paragraph that may go on with a capital.
const MIN_PROSE_CHARS: usize = 60;
/// A paragraph longer than this is continued for a sentence only.
const MAX_CONTINUED_BYTES: usize = 2000;

impl Book<'_> {
    fn turn(
        &mut self,
        number: u32,
        mut blocks: Vec<Block>,
        emit: &mut Emit<'_>,
    ) -> ControlFlow<()> {
        if let Some((_, before)) = &mut self.open {
            continue_paragraph(before, &mut blocks, self.style);
        }
        self.emit_open(emit)?;
        self.open = Some((number, blocks));
        ControlFlow::Continue(())
    }

    fn emit_open(&mut self, emit: &mut Emit<'_>) -> ControlFlow<()> {
        let Some((number, blocks)) = self.open.take().filter(|it| !it.1.is_empty()) else {
            return ControlFlow::Continue(());
        };
        let mut page = String::new();
        // What stands above on earlier pages, so that the text is found under its heading.
        if !matches!(blocks[0], Block::Heading(..)) {
            for (level, heading) in &self.headings {
                push_block(&mut page, &format!("{} {heading}", "#".repeat(*level)), "\n\n");
            }
        }
        let mut is_item = false;
        for block in blocks {
            let between = if is_item && matches!(block, Block::Item(..)) { "\n" } else { "\n\n" };
            is_item = matches!(block, Block::Item(..));
            match block {
                Block::Heading(level, text) => {
                    self.headings.retain(|it| it.0 < level);
                    push_block(&mut page, &format!("{} {text}", "#".repeat(level)), between);
                    self.headings.push((level, text));
                }
                Block::Item(depth, text) => {
                    push_block(&mut page, &format!("{}{text}", "  ".repeat(depth.min(6))), between);
                }
                Block::Note(_, text) => push_block(&mut page, &format!("Note: {text}"), between),
                Block::Paragraph(text) if text.starts_with('#') => {
                    push_block(&mut page, &format!(" {text}"), between);
                }
                Block::Paragraph(text) | Block::Table(text) => {
                    push_block(&mut page, &text, between);
                }
            }
        }
        let title = self.title.clone().unwrap_or_default();
        emit(Document { record_id: None, title, text: page, place: Some(Place::Page(number)) })
    }
}

fn push_block(text: &mut String, block: &str, between: &str) {
    if !text.is_empty() {
        text.push_str(between);
    }
    text.push_str(block);
}

/// Takes from a page what finishes the last sentence of the page before.
fn continue_paragraph(before: &mut [Block], blocks: &mut Vec<Block>, style: &Style) {
    let last = before.iter_mut().rev().find(|it| !matches!(it, Block::Note(..)));
    let Some(Block::Paragraph(open) | Block::Item(_, open)) = last else { return };
    let Some(Block::Paragraph(next)) = blocks.first_mut() else { return };
    // A short line without a full stop is a line of an address or a label.
    let is_prose = open.chars().count() >= MIN_PROSE_CHARS && !open.contains('\n');
    if !is_unfinished(open) || !(is_prose || starts_lower(next)) {
        return;
    }
    if next.len() <= MAX_CONTINUED_BYTES {
        join(open, next, style);
        blocks.remove(0);
        return;
    }
    if let Some(end) = next.find(". ").filter(|it| *it < MAX_CONTINUED_BYTES) {
        let rest = next.split_off(end + 1);
        join(open, next, style);
        *next = rest.trim_start().to_owned();
    }
}

#[cfg(test)]
mod tests;
