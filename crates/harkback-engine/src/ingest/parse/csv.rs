//! CSV to one document a row: which character separates, and what is a row about?

use std::io::{Cursor, SeekFrom};

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::stream::Pieces;
use super::{Emit, ParseError, ParseInput, collapse, encoding, json, shorten, title_of_name};
use crate::model::Document;

/// See [`stream`].
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let text = encoding::decode(input.bytes, None)?;
    stream(input.name, &mut Cursor::new(text.as_bytes()), emit)
}

/// The first row names the columns. Each further row is a document of `name: value` lines, empty values left out, titled
/// by its `name`, `title` or such a column, else by its first column if that holds words, else by the file's name.
///
/// Rows may end early, as spreadsheets leave trailing empty cells out; a row with more values than there are columns fails
/// the file, since its values would be read under wrong names.
pub(super) fn stream(
    name: &str,
    pieces: &mut dyn Pieces,
    emit: &mut Emit<'_>,
) -> Result<(), ParseError> {
    let failed = |e: std::io::Error| ParseError::io(&e);
    let sample = pieces.fill_buf().map_err(failed)?;
    let delimiter = sniff_delimiter(sample);
    // The `csv` crate takes a row to begin before the line feed of the row above.
    let n_missed = u64::from(sample.windows(2).any(|it| it == b"\r\n"));
    let start = pieces.stream_position().map_err(failed)?;
    let file_title = title_of_name(name);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(true)
        .from_reader(&mut *pieces);
    let columns = column_names(reader.headers().map_err(|it| refused(&it))?);
    let title_column = title_column(&columns);
    let mut row = StringRecord::new();
    let mut last_row = None;
    while reader.read_record(&mut row).map_err(|it| refused(&it))? {
        refuse_extra_values(&row, columns.len(), line_of(row.position()) + n_missed)?;
        last_row = row.position().cloned();
        let title = title_of(&row, title_column).unwrap_or_else(|| file_title.clone());
        let text = record_text(&columns, &row);
        if emit(Document { record_id: None, title, place: None, text }).is_break() {
            return Ok(());
        }
    }
    drop(reader);
    let last_start = start + last_row.as_ref().map_or(0, csv::Position::byte);
    pieces.seek(SeekFrom::Start(last_start)).map_err(failed)?;
    refuse_open_quote(pieces, line_of(last_row.as_ref()) + n_missed)?;
    if last_row.is_none() {
        return Err(ParseError::new(
            "the file has a row of column names and no row below it: add rows",
        ));
    }
    Ok(())
}

/// The candidate that splits the first rows into the same number of values most often, and into more than one.
fn sniff_delimiter(text: &[u8]) -> u8 {
    const SAMPLE_ROWS: usize = 20;
    const SAMPLE_BYTES: usize = 64 << 10;
    let sample = &text[..text.len().min(SAMPLE_BYTES)];
    let score = |delimiter: u8| {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(sample);
        let mut row = ByteRecord::new();
        let mut widths = Vec::new();
        while widths.len() < SAMPLE_ROWS && matches!(reader.read_byte_record(&mut row), Ok(true)) {
            widths.push(row.len());
        }
        let width = widths.first().copied().unwrap_or(0);
        let n_alike = widths.iter().filter(|it| **it == width).count();
        if width > 1 { (n_alike * 100 / widths.len(), width) } else { (0, 0) }
    };
    let mut best = (b',', score(b','));
    for delimiter in [b';', b'\t', b'|'] {
        let its = score(delimiter);
        if its > best.1 {
            best = (delimiter, its);
        }
    }
    best.0
}

/// Column names are repeated in each row's text.
const MAX_COLUMN_CHARS: usize = 80;

fn column_names(header: &StringRecord) -> Vec<String> {
    let name = |(i, cell): (usize, &str)| {
        let name = collapse(&cell.replace('_', " "));
        if name.is_empty() { format!("column {}", i + 1) } else { shorten(&name, MAX_COLUMN_CHARS) }
    };
    header.iter().enumerate().map(name).collect()
}

fn title_column(columns: &[String]) -> Option<usize> {
    json::TITLE_KEYS
        .iter()
        .find_map(|key| columns.iter().position(|column| column.eq_ignore_ascii_case(key)))
}

fn title_of(row: &StringRecord, title_column: Option<usize>) -> Option<String> {
    let cell = collapse(row.get(title_column.unwrap_or(0))?);
    json::is_title(&cell).then_some(cell)
}

fn record_text(columns: &[String], row: &StringRecord) -> String {
    let mut text = String::new();
    for (column, cell) in columns.iter().zip(row) {
        json::push_line(&mut text, column, cell);
    }
    text
}

fn refuse_extra_values(row: &StringRecord, n_columns: usize, line: u64) -> Result<(), ParseError> {
    if row.iter().skip(n_columns).all(|it| it.trim().is_empty()) {
        return Ok(());
    }
    Err(ParseError(format!(
        "line {line} has {} values but the first row names {n_columns} columns: put values that contain the separator in \
         double quotes",
        row.len(),
    )))
}

/// A quote that is never closed swallows the rest of the file into the last row, which then has several lines and an odd
/// number of quotes. `rest` begins where that row does.
fn refuse_open_quote(rest: &mut dyn Pieces, line: u64) -> Result<(), ParseError> {
    let mut raw = Vec::new();
    rest.read_to_end(&mut raw).map_err(|e| ParseError::io(&e))?;
    let raw = raw.trim_ascii();
    if raw.contains(&b'\n') && raw.iter().filter(|it| **it == b'"').count() % 2 == 1 {
        return Err(ParseError(format!(
            "the row at line {line} opens a double quote that is never closed: close it, or write it twice if it is \
             meant itself"
        )));
    }
    Ok(())
}

fn line_of(position: Option<&csv::Position>) -> u64 {
    position.map_or(1, csv::Position::line)
}

fn refused(error: &csv::Error) -> ParseError {
    ParseError(format!("the CSV file cannot be read ({error}): correct it and upload it again"))
}
