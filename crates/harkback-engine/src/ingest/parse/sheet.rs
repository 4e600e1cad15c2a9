//! What do the sheets of an XLSX or ODS workbook say?
//!
//! Hidden sheets are left out. Cells are read as a stream: the size that a sheet claims, and rows that repeat an empty one
//! a million times, cost nothing.

use std::io::Cursor;
use std::ops::ControlFlow;

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetVisible, Xlsx, XlsxError};
use rustc_hash::FxHashSet;

use super::package::{Package, damaged};
use super::rows::{Cell, Rows};
use super::xml::{Node, Xml, decode};
use super::{Emit, ParseError, ParseInput, title_of_name};

/// One document a row under column names, one a sheet without them.
pub(super) fn parse_xlsx(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut package = Package::open(input.bytes, &input.extension.to_ascii_lowercase())?;
    package.measure()?;
    let mut book = Xlsx::new(Cursor::new(input.bytes)).map_err(|it| unreadable(&it))?;
    let file_title = title_of_name(input.name);
    let mut sheets = book.sheets_metadata().to_vec();
    sheets.retain(|it| it.visible == SheetVisible::Visible);
    for (i, sheet) in sheets.iter().enumerate() {
        let mut cells = match book.worksheet_cells_reader(&sheet.name) {
            Ok(cells) => cells,
            // A chart on a sheet of its own has no cells.
            Err(XlsxError::NotAWorksheet(_)) => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        let mut rows = Rows::new(&file_title, &sheet.name);
        // As the sheet claims. Each counts the same, as nothing is known of the next ones.
        let n_rows = cells.dimensions().end.0 as usize + 1;
        let (mut row, mut row_number) = (Vec::new(), 0);
        while let Some(cell) = cells.next_cell().map_err(|it| unreadable(&it))? {
            let (number, column) = cell.get_position();
            if number != row_number {
                row_number = number;
                let n_read = i * n_rows + (number as usize).min(n_rows);
                input.done.note(n_read, sheets.len() * n_rows);
                if rows.push(std::mem::take(&mut row), emit).is_break() {
                    return Ok(());
                }
            }
            if let Some((text, is_words)) = shown(cell.get_value())
                && row.len() < MAX_COLUMNS
            {
                row.push(Cell { column, text, is_words });
            }
        }
        if rows.push(row, emit).is_break() || rows.finish(emit).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// As [`parse_xlsx`].
pub(super) fn parse_ods(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut package = Package::open(input.bytes, &input.extension.to_ascii_lowercase())?;
    let content = package.required("content.xml")?;
    let text = decode(&content, "content.xml")?;
    let file_title = title_of_name(input.name);
    let mut xml = Xml::new(&text);
    let mut hidden = FxHashSet::default();
    let mut style = String::new();
    while let Some(node) = xml.next()? {
        let Node::Start(element) = node else { continue };
        match element.name() {
            "style" => style = element.attribute("style:name").unwrap_or_default(),
            "table-properties" if element.attribute("display").is_some_and(|it| it == "false") => {
                hidden.insert(std::mem::take(&mut style));
            }
            "tracked-changes" => xml.skip()?,
            "table" => {
                let its = element.attribute("style-name").unwrap_or_default();
                if hidden.contains(&its) {
                    xml.skip()?;
                    continue;
                }
                let name = element.attribute("table:name").unwrap_or_default();
                let mut rows = Rows::new(&file_title, &name);
                let done = |xml: &Xml<'_>| input.done.note(xml.position(), text.len());
                if read_table(&mut xml, &mut rows, &done, emit)?.is_break()
                    || rows.finish(emit).is_break()
                {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Cells of one row: XLSX allows as many.
const MAX_COLUMNS: usize = 16_384;

/// Reads to the end of the `table:table` that has just started.
fn read_table(
    xml: &mut Xml<'_>,
    rows: &mut Rows<'_>,
    note_done: &dyn Fn(&Xml<'_>),
    emit: &mut Emit<'_>,
) -> Result<ControlFlow<()>, ParseError> {
    let (mut row, mut column, mut n_repeated, mut is_words) = (Vec::new(), 0, 1, false);
    let (mut text, mut is_text) = (String::new(), false);
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) => match element.name() {
                "annotation" | "shapes" | "forms" => xml.skip()?,
                "table-row" => column = 0,
                "table-cell" | "covered-table-cell" => {
                    n_repeated = element
                        .attribute("number-columns-repeated")
                        .and_then(|it| it.parse().ok())
                        .unwrap_or(1);
                    is_words =
                        element.attribute("office:value-type").is_none_or(|it| it == "string");
                }
                "p" => {
                    is_text = true;
                    text.push(' ');
                }
                "s" | "tab" | "line-break" => text.push(' '),
                _ => {}
            },
            Node::Text(part) if is_text => text.push_str(&part),
            Node::Text(_) => {}
            Node::End(name) => match &*name {
                "p" => is_text = false,
                "table-cell" | "covered-table-cell" => {
                    let shown = text.trim();
                    if !shown.is_empty() && row.len() < MAX_COLUMNS {
                        row.push(Cell { column, text: shown.to_owned(), is_words });
                    }
                    text.clear();
                    column = u32::saturating_add(column, n_repeated);
                }
                // A row that is repeated says the same again.
                "table-row" => {
                    note_done(xml);
                    if rows.push(std::mem::take(&mut row), emit).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                "table" => return Ok(ControlFlow::Continue(())),
                _ => {}
            },
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The text that a cell shows, and whether it is words; `None` if it shows nothing or an error.
fn shown(value: &DataRef<'_>) -> Option<(String, bool)> {
    let (text, is_words) = match value {
        DataRef::String(text) => (text.clone(), true),
        DataRef::SharedString(text) => ((*text).to_owned(), true),
        DataRef::Int(number) => (number.to_string(), false),
        DataRef::Float(number) => (number_text(*number), false),
        DataRef::Bool(is_true) => ((if *is_true { "yes" } else { "no" }).to_owned(), false),
        DataRef::DateTime(time) => (time_text(time), false),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => (text.clone(), false),
        DataRef::Error(_) | DataRef::Empty => return None,
    };
    let text = text.trim();
    (!text.is_empty()).then(|| (text.to_owned(), is_words))
}

/// Ten significant digits: what a sheet shows of 0.1 + 0.2.
fn number_text(number: f64) -> String {
    let rounded = format!("{number:.9e}").parse().unwrap_or(number);
    format!("{rounded}")
}

fn time_text(time: &ExcelDateTime) -> String {
    if time.is_duration() {
        let minutes = (time.as_f64() * 24.0 * 60.0).round();
        return format!("{}:{:02}", (minutes / 60.0).floor(), (minutes % 60.0).abs());
    }
    let (year, month, day, hour, minute, ..) = time.to_ymd_hms_milli();
    let clock = format!("{hour:02}:{minute:02}");
    match (time.as_f64() < 1.0, clock.as_str()) {
        (true, _) => clock,
        (false, "00:00") => format!("{year}-{month:02}-{day:02}"),
        (false, _) => format!("{year}-{month:02}-{day:02} {clock}"),
    }
}

fn unreadable(error: &XlsxError) -> ParseError {
    match error {
        XlsxError::Password => super::package::protected(),
        _ => damaged(&error.to_string()),
    }
}
