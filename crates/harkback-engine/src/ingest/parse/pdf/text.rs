//! How do a page's lines become headings, paragraphs, lists and notes?

use rustc_hash::FxHashSet;

use super::super::prose::{CellKind, Prose};
use super::layout::Part;
use super::page::{BULLETS, Line, NOTE_MARK, number_marker};

/// What a whole file tells about its lines.
#[derive(Debug, Default)]
pub(super) struct Style {
    /// Height of the lines of its running text.
    pub(super) body: f32,
    /// Heights of headings, from the highest.
    pub(super) headings: Vec<f32>,
    /// Words with a hyphen that stand within a line, in lower case.
    pub(super) hyphenated: FxHashSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Level from 1.
    Heading(usize, String),
    Paragraph(String),
    /// Depth from 0, and the text behind its marker.
    Item(usize, String),
    /// Rows that read as text.
    Table(String),
    /// What a note says, with its number.
    Note(String, String),
}

/// The blocks of a page in reading order; notes stand after the paragraph that refers to them.
pub(super) fn blocks(parts: Vec<Part>, page_height: f32, style: &Style) -> Vec<Block> {
    let mut reader =
        Reader { style, page_height, pitch: pitch(&parts), blocks: Vec::new(), items: Vec::new() };
    let mut chunk: Vec<Line> = Vec::new();
    let mut is_next_column = false;
    for part in parts {
        match part {
            Part::Line(line) if is_contents(&line.text) => reader.end_chunk(&mut chunk),
            Part::Line(line) => {
                let goes_on = chunk.last().is_none_or(|it| {
                    reader.is_same_chunk(it, &line)
                        || is_next_column && is_unfinished(&it.text) && starts_lower(&line.text)
                });
                if !goes_on {
                    reader.end_chunk(&mut chunk);
                }
                chunk.push(line);
                is_next_column = false;
            }
            Part::ColumnEnd => is_next_column = true,
            Part::Table(rows) => {
                reader.end_chunk(&mut chunk);
                reader.push_table(&rows);
            }
        }
    }
    reader.end_chunk(&mut chunk);
    place_notes(reader.blocks)
}

/// Whether a text breaks off within a sentence.
pub(super) fn is_unfinished(text: &str) -> bool {
    let text = text.trim_end_matches(['"', '”', '’', ')', ']', NOTE_MARK]);
    !text.is_empty() && !text.ends_with(['.', '!', '?', ':', ';', '…'])
}

pub(super) fn starts_lower(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_lowercase)
}

/// Puts two pieces of a paragraph together; a word divided at the line's end becomes one.
pub(super) fn join(text: &mut String, next: &str, style: &Style) {
    if let Some(head) = text.strip_suffix('\u{AD}') {
        text.truncate(head.len());
    } else if let Some(head) = text.strip_suffix(['-', '\u{2010}']) {
        let before =
            head.rsplit(|it: char| it.is_whitespace() || "(\"“/".contains(it)).next().unwrap_or("");
        let after: String =
            next.chars().take_while(|it| it.is_alphanumeric() || *it == '-').collect();
        let is_divided = before.ends_with(char::is_lowercase) && starts_lower(&after);
        let compound = format!("{before}-{after}").to_lowercase();
        if is_divided && !before.contains('-') && !style.hyphenated.contains(&compound) {
            text.truncate(head.len());
        } else if !before.ends_with(char::is_alphanumeric) {
            // A dash, not a hyphen.
            text.push(' ');
        }
    } else {
        text.push(' ');
    }
    text.push_str(next);
}

struct Reader<'a> {
    style: &'a Style,
    page_height: f32,
    /// From one line of running text to the next.
    pitch: f32,
    blocks: Vec<Block>,
    /// Left edges of the items that are open.
    items: Vec<f32>,
}

/// A heading of more is a text in large print.
const MAX_HEADING_CHARS: usize = 160;

impl Reader<'_> {
    /// Whether two lines are so near and alike that no paragraph can be told by the space between them.
    fn is_same_chunk(&self, above: &Line, line: &Line) -> bool {
        let pitch = line.y0 - above.y0;
        let is_alike = (above.size() - line.size()).abs() < 0.12 * above.size().max(line.size());
        let usual = self.pitch.max(0.9 * line.size());
        let usual = if self.level(line).is_some() { usual.max(1.25 * line.size()) } else { usual };
        is_alike && pitch > 0.0 && pitch < 1.35 * usual
    }

    fn level(&self, line: &Line) -> Option<usize> {
        let is_its = |it: &f32| (line.size() - it).abs() < 0.04 * it;
        Some(self.style.headings.iter().position(is_its)? + 1)
    }

    fn end_chunk(&mut self, chunk: &mut Vec<Line>) {
        let lines = std::mem::take(chunk);
        let Some(first) = lines.first() else { return };
        let n_chars: usize = lines.iter().map(|it| it.text.chars().count()).sum();
        let has_letter = lines.iter().any(|it| it.text.contains(char::is_alphabetic));
        if let Some(level) =
            self.level(first).filter(|_| n_chars <= MAX_HEADING_CHARS && has_letter)
        {
            self.items.clear();
            let mut text = String::new();
            for line in &lines {
                self.push_line(&mut text, line);
            }
            self.blocks.push(Block::Heading(level.min(6), text));
            return;
        }
        if first.y0 > 0.5 * self.page_height
            && let Some((number, _)) = note(first, self.style)
        {
            return self.push_notes(&lines, number.to_owned());
        }
        self.push_paragraphs(&lines);
    }

    fn push_paragraphs(&mut self, lines: &[Line]) {
        let left = lines.iter().map(|it| it.x0).fold(f32::INFINITY, f32::min);
        let right = lines.iter().map(|it| it.x1).fold(0.0, f32::max);
        let mut open: Option<(Block, &Line)> = None;
        for line in lines {
            let marker = marker(&line.text);
            let starts = marker.is_some()
                || open.as_ref().is_none_or(|(block, above)| match block {
                    // Back at the margin that the item's marker stands in.
                    Block::Item(..) => {
                        line.x0 < self.items.last().unwrap_or(&left) + 1.0
                            && !(is_unfinished(&above.text) && starts_lower(&line.text))
                    }
                    _ => ended(above, line, left, right),
                });
            if !starts
                && let Some((Block::Paragraph(text) | Block::Item(_, text), above)) = &mut open
            {
                if broke_early(above, line, right) && !starts_lower(&line.text) {
                    text.push('\n');
                    text.push_str(&line.text);
                } else {
                    join(text, &line.text, self.style);
                }
                *above = line;
                continue;
            }
            self.blocks.extend(open.take().map(|it| it.0));
            let block = match marker {
                Some((marker, text)) => {
                    let depth = self.item_depth(line.x0);
                    let marker = if BULLETS.contains(&marker) { "-" } else { marker };
                    Block::Item(depth, format!("{marker} {text}"))
                }
                None => {
                    self.items.clear();
                    Block::Paragraph(line.text.clone())
                }
            };
            open = Some((block, line));
        }
        self.blocks.extend(open.map(|it| it.0));
    }

    fn item_depth(&mut self, x0: f32) -> usize {
        while self.items.last().is_some_and(|it| *it > x0 + 3.0) {
            self.items.pop();
        }
        if self.items.last().is_none_or(|it| *it < x0 - 3.0) {
            self.items.push(x0);
        }
        self.items.len() - 1
    }

    fn push_notes(&mut self, lines: &[Line], number: String) {
        let mut open = (number, String::new());
        for line in lines {
            let (number, rest) = note(line, self.style).unwrap_or((&open.0, &line.text));
            if *number != *open.0 {
                let number = number.to_owned();
                let done = std::mem::replace(&mut open, (number, String::new()));
                self.blocks.push(Block::Note(done.0, done.1));
            }
            let piece = Line { text: rest.to_owned(), ..line.clone() };
            self.push_line(&mut open.1, &piece);
        }
        self.blocks.push(Block::Note(open.0, open.1));
    }

    fn push_line(&self, text: &mut String, line: &Line) {
        if text.is_empty() {
            text.push_str(&line.text);
        } else {
            join(text, &line.text, self.style);
        }
    }

    fn push_table(&mut self, rows: &[Vec<String>]) {
        self.items.clear();
        let mut prose = Prose::default();
        prose.start_table();
        for row in rows {
            for cell in row {
                prose.start_cell(CellKind::Untold);
                prose.push(&without_marks(cell));
                prose.end_cell();
            }
            prose.end_row();
        }
        self.blocks.push(Block::Table(prose.finish().1));
    }
}

/// The marker of an item, and what follows it.
fn marker(text: &str) -> Option<(&str, &str)> {
    let bullet =
        BULLETS.iter().find(|it| text.strip_prefix(**it).is_some_and(|it| it.starts_with(' ')));
    let marker = bullet.copied().or_else(|| number_marker(text))?;
    let rest = text.strip_prefix(marker)?.trim_start();
    // A dash before a word may as well be one of a dialogue; it reads the same.
    (!rest.is_empty()).then_some((marker, rest))
}

/// Number and text of a note: a small number, or one that touches its text.
fn note<'a>(line: &'a Line, style: &Style) -> Option<(&'a str, &'a str)> {
    let text = line.text.as_str();
    let end = text.find(|it: char| !it.is_ascii_digit() && !"*†‡§".contains(it))?;
    let (number, rest) = (&text[..end], &text[end..]);
    let rest = rest.strip_prefix(NOTE_MARK).unwrap_or(rest);
    if let Some((marked, rest)) = rest.split_once(NOTE_MARK).filter(|_| number.is_empty()) {
        return Some((marked, rest.trim_start()));
    }
    let touches = rest.starts_with(char::is_alphabetic);
    let is_small = line.size() < 0.93 * style.body;
    ((1..=3).contains(&number.len()) && (touches || is_small)).then(|| (number, rest.trim_start()))
}

/// Whether a paragraph ended with the line above.
fn ended(above: &Line, line: &Line, left: f32, right: f32) -> bool {
    let is_indented = line.x0 > left + 0.6 * line.size() && above.x0 < left + 0.3 * line.size();
    let is_broken = broke_early(above, line, right) && !is_unfinished(&above.text);
    (is_indented && !starts_lower(&line.text)) || is_broken
}

/// Whether the next line's first word would have fitted into the line above.
fn broke_early(above: &Line, line: &Line, right: f32) -> bool {
    let n_chars = line.text.chars().count().max(1) as f32;
    let first = line.text.split_whitespace().next().map_or(0, |it| it.chars().count()) as f32;
    let width = (line.x1 - line.x0) / n_chars * (first + 1.5);
    above.x1 + width < right - 0.02 * (right - line.x0)
}

/// A line of a table of contents: dots that lead to a page number.
fn is_contents(text: &str) -> bool {
    let body = text.trim_end_matches(|it: char| it.is_ascii_digit() || it.is_whitespace());
    body.len() < text.len()
        && (body.ends_with("....") || body.ends_with(". . .") || body.ends_with("……"))
}

fn pitch(parts: &[Part]) -> f32 {
    let lines: Vec<&Line> = parts
        .iter()
        .filter_map(|it| if let Part::Line(line) = it { Some(line) } else { None })
        .collect();
    let mut pitches: Vec<f32> = lines
        .windows(2)
        .map(|it| it[1].y0 - it[0].y0)
        .zip(lines.iter().map(|it| it.size()))
        .filter(|(pitch, size)| *pitch > 0.6 * size && *pitch < 2.2 * size)
        .map(|it| it.0)
        .collect();
    pitches.sort_by(f32::total_cmp);
    // The lower quarter: most lines of short paragraphs are a paragraph's first.
    pitches.get(pitches.len() / 4).copied().unwrap_or(0.0)
}

/// Moves each note behind the paragraph that refers to it, and takes the marks out of the text.
fn place_notes(blocks: Vec<Block>) -> Vec<Block> {
    let (mut notes, blocks): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|it| matches!(it, Block::Note(..)));
    let mut placed = Vec::with_capacity(blocks.len() + notes.len());
    for mut block in blocks {
        let mut here = Vec::new();
        if let Block::Heading(_, text) | Block::Paragraph(text) | Block::Item(_, text) = &mut block
        {
            for number in text.split(NOTE_MARK).skip(1).step_by(2) {
                let at =
                    notes.iter().position(|it| matches!(it, Block::Note(its, _) if its == number));
                here.extend(at.map(|at| notes.remove(at)));
            }
            *text = without_marks(text);
        }
        placed.push(block);
        placed.extend(here);
    }
    placed.extend(notes);
    placed
}

fn without_marks(text: &str) -> String {
    text.split(NOTE_MARK).step_by(2).collect()
}
