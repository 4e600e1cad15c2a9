//! How do headings, paragraphs, lists, tables and code become one text that reads well aloud?
//!
//! Markdown, HTML and the office formats all write into [`Prose`]: blocks are separated by blank lines, headings are `#` lines, a list is one
//! block with a line an item, a table one block with a line a row (`first cell: header cell, header cell`), code is indented.

use super::row::{self, Field};
use super::{collapse, shorten};

/// A canonical text in the making. Inline text goes into the open line; closing a block writes it out.
#[derive(Debug, Default)]
pub(super) struct Prose {
    text: String,
    line: String,
    heading: Option<u8>,
    lists: Vec<Option<u64>>,
    item_marker: Option<String>,
    /// A term was written and its definition has not begun.
    is_after_term: bool,
    last: Block,
    first_heading: Option<(u8, String)>,
    table: Option<Table>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Paragraph,
    Item,
    Row,
}

#[derive(Debug, Default)]
struct Table {
    header: Vec<String>,
    row: Vec<Cell>,
    open_cell: Option<CellKind>,
    n_rows: usize,
}

#[derive(Debug)]
struct Cell {
    kind: CellKind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellKind {
    Header,
    Data,
    /// The file does not tell. The first row is one of headers if it has three cells or more and all are filled; of two
    /// cells the first heads the second.
    Untold,
}

/// Deeper lists are written at this depth: indentation means nothing aloud and must not grow with the input's nesting.
const MAX_INDENTED_LISTS: usize = 6;
/// Headers are repeated in each row.
const MAX_HEADER_CHARS: usize = 80;

impl Prose {
    /// Adds inline text; white space collapses as in a browser.
    pub(super) fn push(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.push_space();
        }
        let mut is_first = true;
        for word in text.split_whitespace() {
            if !is_first {
                self.line.push(' ');
            }
            self.line.push_str(word);
            is_first = false;
            self.is_after_term = false;
        }
        if !is_first && text.ends_with(char::is_whitespace) {
            self.push_space();
        }
    }

    /// A line break inside a block; a space in headings and table cells.
    pub(super) fn break_line(&mut self) {
        if self.heading.is_some() || self.is_in_cell() {
            self.push_space();
        } else if !self.line.is_empty() {
            self.line.truncate(self.line.trim_end().len());
            self.line.push('\n');
        }
    }

    /// Ends the open block, if any. Inside a table cell the text goes on in the same line.
    pub(super) fn end_block(&mut self) {
        if self.is_in_cell() {
            self.push_space();
        } else if !self.is_after_term {
            self.write_line();
        }
    }

    pub(super) fn start_heading(&mut self, level: u8) {
        self.is_after_term = false;
        self.leave_table_layout();
        self.end_block();
        self.heading = Some(level.clamp(1, 6));
    }

    pub(super) fn end_heading(&mut self) {
        self.end_block();
        self.heading = None;
    }

    /// Starts a list, numbered from `first` if given.
    pub(super) fn start_list(&mut self, first: Option<u64>) {
        self.end_block();
        self.lists.push(first);
    }

    pub(super) fn end_list(&mut self) {
        self.is_after_term = false;
        self.end_block();
        self.lists.pop();
        self.item_marker = None;
        if self.lists.is_empty() {
            self.last = Block::Paragraph;
        }
    }

    pub(super) fn start_item(&mut self) {
        self.is_after_term = false;
        self.end_block();
        if self.is_in_cell() {
            return;
        }
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(MAX_INDENTED_LISTS));
        self.item_marker = Some(match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{indent}{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            _ => format!("{indent}- "),
        });
    }

    /// Starts the definition of the term in the open line: `term: definition`.
    pub(super) fn start_definition(&mut self) {
        let term_len = self.line.trim_end().len();
        if term_len == 0 || self.is_in_cell() {
            return self.start_item();
        }
        self.line.truncate(term_len);
        self.line.push_str(if self.line.ends_with(':') { " " } else { ": " });
        self.is_after_term = true;
    }

    /// Starts a table. Inside a cell, the outer table was for layout: its cells are written as blocks.
    pub(super) fn start_table(&mut self) {
        self.leave_table_layout();
        self.end_block();
        self.last = Block::Paragraph;
        self.table = Some(Table::default());
    }

    pub(super) fn start_cell(&mut self, kind: CellKind) {
        self.end_cell();
        if self.table.is_some() {
            self.write_line();
        }
        if let Some(table) = &mut self.table {
            table.open_cell = Some(kind);
        }
    }

    /// The open cell turns out to be one of a header.
    pub(super) fn head_cell(&mut self) {
        if let Some(kind) = self.table.as_mut().and_then(|it| it.open_cell.as_mut()) {
            *kind = CellKind::Header;
        }
    }

    pub(super) fn end_cell(&mut self) {
        let Some(table) = &mut self.table else { return self.end_block() };
        let Some(kind) = table.open_cell.take() else { return };
        table.row.push(Cell { kind, text: collapse(&self.line) });
        self.line.clear();
    }

    pub(super) fn end_row(&mut self) {
        self.end_cell();
        let Some(table) = &mut self.table else { return };
        let row = std::mem::take(&mut table.row);
        if row.is_empty() {
            return;
        }
        table.n_rows += 1;
        let is_header = row.iter().all(|it| it.kind == CellKind::Header) || names_columns(&row);
        if table.n_rows == 1 && row.len() > 1 && is_header {
            table.header = row.into_iter().map(|it| shorten(&it.text, MAX_HEADER_CHARS)).collect();
            return;
        }
        for line in row_lines(&table.header, &row) {
            self.write_block(&line, Block::Row);
        }
    }

    pub(super) fn end_table(&mut self) {
        self.end_row();
        let header = self.table.take().filter(|it| it.n_rows == 1).map(|it| it.header);
        if let Some(header) = header.filter(|it| !it.is_empty()) {
            self.write_block(&header.join("; "), Block::Row);
        }
        self.last = Block::Paragraph;
    }

    /// A block of code, each line indented so that `#` comments are no headings; blank lines go.
    pub(super) fn code(&mut self, code: &str) {
        if self.is_in_cell() {
            self.push(code);
            return;
        }
        self.end_block();
        let mut block = String::with_capacity(code.len());
        for line in code.lines().map(str::trim_end).filter(|it| !it.is_empty()) {
            if !block.is_empty() {
                block.push('\n');
            }
            block.push_str("    ");
            block.push_str(line);
        }
        if !block.is_empty() {
            self.write_block(&block, Block::Paragraph);
        }
    }

    /// The first heading of the highest level that came first, the text so far.
    pub(super) fn finish(mut self) -> (Option<String>, String) {
        self.end_table();
        self.heading = None;
        self.write_line();
        (self.first_heading.map(|(_, title)| title), self.text)
    }

    fn is_in_cell(&self) -> bool {
        self.table.as_ref().is_some_and(|it| it.open_cell.is_some())
    }

    fn push_space(&mut self) {
        if !self.line.is_empty() && !self.line.ends_with([' ', '\n']) {
            self.line.push(' ');
        }
    }

    /// A table that holds headings or tables is no table of data: what is in its open row becomes blocks.
    fn leave_table_layout(&mut self) {
        if !self.is_in_cell() {
            return;
        }
        self.end_cell();
        let Some(table) = self.table.take() else { return };
        for text in table.header.into_iter().chain(table.row.into_iter().map(|it| it.text)) {
            if !text.is_empty() {
                self.write_block(&text, Block::Paragraph);
            }
        }
    }

    fn write_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        if let Some(level) = self.heading {
            let title = collapse(line);
            if self.first_heading.as_ref().is_none_or(|(best, _)| level < *best) {
                self.first_heading = Some((level, title.clone()));
            }
            self.write_block(&format!("{} {title}", "#".repeat(level.into())), Block::Paragraph);
        } else if self.lists.is_empty() {
            // A paragraph that begins with `#` would read as a heading.
            let guard = if line.starts_with('#') { " " } else { "" };
            self.write_block(&format!("{guard}{line}"), Block::Paragraph);
        } else {
            let marker = self.item_marker.take().unwrap_or_default();
            self.write_block(&format!("{marker}{line}"), Block::Item);
        }
    }

    fn write_block(&mut self, block: &str, kind: Block) {
        if !self.text.is_empty() {
            let continues = kind != Block::Paragraph && self.last == kind;
            self.text.push_str(if continues { "\n" } else { "\n\n" });
        }
        self.text.push_str(block);
        self.last = kind;
    }
}

fn names_columns(row: &[Cell]) -> bool {
    let is_name = |it: &Cell| {
        let has_letter = it.text.contains(char::is_alphabetic);
        it.kind == CellKind::Untold && has_letter && it.text.chars().count() <= MAX_HEADER_CHARS
    };
    row.len() > 2 && row.iter().all(is_name)
}

/// A row under a header begins with its first cell; of two cells without one, the first heads the second. Where a row has fewer
/// cells than the header, one from above reaches into it, and nobody knows which.
fn row_lines(header: &[String], row: &[Cell]) -> Vec<String> {
    let is_headed = !header.is_empty() && (row.len() == header.len() || row.len() == 1);
    let has_own_head = header.is_empty()
        && (row[0].kind == CellKind::Header && row.len() > 1 || row.len() == 2)
        && !row[0].text.is_empty();
    let first = row[0].text.as_str();
    let (label, rest) = match (is_headed, has_own_head) {
        (true, _) if !first.is_empty() => (row::label(&header[0], first), 1),
        (_, true) => (first.to_owned(), 1),
        _ => (String::new(), 0),
    };
    let field = |(i, cell): (usize, &Cell)| Field {
        name: if is_headed { header[i].clone() } else { String::new() },
        value: cell.text.clone(),
    };
    let cells = row.iter().enumerate().skip(rest).filter(|(_, it)| !it.text.is_empty());
    row::lines(&label, &cells.map(field).collect::<Vec<_>>())
}
