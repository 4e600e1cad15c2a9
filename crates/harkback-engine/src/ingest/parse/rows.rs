//! How does a spreadsheet, row by row, become records under their column names, or lines of text?

use std::ops::ControlFlow;

use super::{Emit, collapse, json, shorten, title_of_name};
use crate::model::{Document, Place};

/// One sheet in the making. Rows come in order; what is held is bounded.
pub(super) struct Rows<'a> {
    file_title: &'a str,
    sheet: &'a str,
    columns: Vec<Column>,
    /// Rows that are not known to be of a table yet, with the numbers of their cells' columns from 0.
    undecided: Vec<Vec<Cell>>,
    /// Rows that are part of no table, as lines.
    text: String,
}

pub(super) struct Cell {
    pub(super) column: u32,
    pub(super) text: String,
    /// Words rather than a number or a date.
    pub(super) is_words: bool,
}

struct Column {
    number: u32,
    name: String,
}

/// A header stands within the first rows of a sheet, below a title and remarks.
const MAX_UNDECIDED_ROWS: usize = 20;
/// Lines of a sheet without a table that make one document.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// Column names are repeated in each record.
const MAX_COLUMN_CHARS: usize = 80;

impl<'a> Rows<'a> {
    pub(super) fn new(file_title: &'a str, sheet: &'a str) -> Self {
        Self { file_title, sheet, columns: Vec::new(), undecided: Vec::new(), text: String::new() }
    }

    /// Takes the cells of the next row that are not empty.
    pub(super) fn push(&mut self, row: Vec<Cell>, emit: &mut Emit<'_>) -> ControlFlow<()> {
        if row.is_empty() {
            return ControlFlow::Continue(());
        }
        if !self.columns.is_empty() {
            return emit(self.record(&row));
        }
        self.undecided.push(row);
        let n = self.undecided.len();
        if n >= 2 && heads(&self.undecided[n - 2], &self.undecided[n - 1]) {
            return self.start_table(emit);
        }
        if n > MAX_UNDECIDED_ROWS {
            let oldest = self.undecided.remove(0);
            return self.push_line(&oldest, emit);
        }
        ControlFlow::Continue(())
    }

    /// Emits what is left.
    pub(super) fn finish(mut self, emit: &mut Emit<'_>) -> ControlFlow<()> {
        for row in std::mem::take(&mut self.undecided) {
            self.push_line(&row, emit)?;
        }
        self.emit_text(emit)
    }

    /// The last two undecided rows are the column names and the first record.
    fn start_table(&mut self, emit: &mut Emit<'_>) -> ControlFlow<()> {
        let mut undecided = std::mem::take(&mut self.undecided);
        let record = undecided.pop().unwrap_or_default();
        let names = undecided.pop().unwrap_or_default();
        for row in undecided {
            self.push_line(&row, emit)?;
        }
        self.emit_text(emit)?;
        let column = |it: Cell| Column {
            number: it.column,
            name: shorten(&collapse(&it.text), MAX_COLUMN_CHARS),
        };
        self.columns = names.into_iter().map(column).collect();
        emit(self.record(&record))
    }

    fn record(&self, row: &[Cell]) -> Document {
        let mut text = String::new();
        for cell in row {
            match self.columns.iter().find(|it| it.number == cell.column) {
                Some(column) => json::push_line(&mut text, &column.name, &cell.text),
                None => {
                    text.push_str(&collapse(&cell.text));
                    text.push('\n');
                }
            }
        }
        let title = self.record_title(row).unwrap_or_else(|| self.title());
        Document { record_id: None, title, place: self.place(), text }
    }

    /// What the name column says, else the first column if that holds words.
    fn record_title(&self, row: &[Cell]) -> Option<String> {
        let is_named =
            |key: &&str| self.columns.iter().find(|it| it.name.eq_ignore_ascii_case(key));
        let column = json::TITLE_KEYS.iter().find_map(is_named).or(self.columns.first())?;
        let cell = collapse(&row.iter().find(|it| it.column == column.number)?.text);
        json::is_title(&cell).then_some(cell)
    }

    /// The sheet's name if somebody chose it.
    fn title(&self) -> String {
        let lower = self.sheet.to_lowercase();
        let stem = lower.trim_end_matches(|it: char| it.is_ascii_digit()).trim_end();
        let is_default =
            ["sheet", "tabelle", "feuille", "feuil", "hoja", "foglio", "blad", "table"]
                .contains(&stem)
                || stem.is_empty();
        if is_default { title_of_name(self.file_title) } else { self.sheet.to_owned() }
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Sheet(self.sheet.to_owned()))
    }

    fn push_line(&mut self, row: &[Cell], emit: &mut Emit<'_>) -> ControlFlow<()> {
        let cells: Vec<String> = row.iter().map(|it| collapse(&it.text)).collect();
        let line = match cells.as_slice() {
            [head, value] if row[0].is_words && !head.ends_with(':') => format!("{head}: {value}"),
            [head, value] if row[0].is_words => format!("{head} {value}"),
            cells => cells.join("; "),
        };
        self.text.push_str(&line);
        self.text.push('\n');
        if self.text.len() > MAX_TEXT_BYTES {
            self.emit_text(emit)
        } else {
            ControlFlow::Continue(())
        }
    }

    fn emit_text(&mut self, emit: &mut Emit<'_>) -> ControlFlow<()> {
        let text = std::mem::take(&mut self.text);
        if text.trim().is_empty() {
            return ControlFlow::Continue(());
        }
        emit(Document {
            record_id: None,
            title: self.title(),
            place: self.place(),
            text: text.trim_end().to_owned(),
        })
    }
}

/// Whether `names` may be column names over `record`: words only, one a column, and the record has nothing beside them.
fn heads(names: &[Cell], record: &[Cell]) -> bool {
    let is_name = |it: &Cell| it.is_words && it.text.chars().count() <= MAX_COLUMN_CHARS;
    let is_under = |it: &Cell| names.iter().any(|name| name.column == it.column);
    names.len() >= 2
        && names.iter().all(is_name)
        && record.len() >= 2
        && record.iter().all(is_under)
        // Two columns of words may as well be names and values.
        && (names.len() > 2 || record.iter().any(|it| !it.is_words) || looks_like_names(names))
}

/// Column names rather than a first record: the usual ones.
fn looks_like_names(names: &[Cell]) -> bool {
    let is_key = |it: &Cell| json::TITLE_KEYS.iter().any(|key| it.text.eq_ignore_ascii_case(key));
    names.iter().any(is_key)
}
