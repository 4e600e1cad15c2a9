//! What does a Word document say, in the order it is read?
//!
//! Deleted and moved-away text, headers, footers, tables of contents and field codes are left out; notes follow the
//! paragraph that refers to them.

mod styles;

use rustc_hash::FxHashMap;

use self::styles::{Numbering, Properties, Styles};
use super::flat_list::FlatLists;
use super::metadata;
use super::package::Package;
use super::prose::{CellKind, Prose};
use super::xml::{Element, Node, Xml, decode};
use super::{Emit, ParseError, ParseInput, collapse};
use crate::model::Document;

/// One document.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut package = Package::open(input.bytes, &input.extension.to_ascii_lowercase())?;
    let properties = metadata::title_in(&mut package, "docProps/core.xml")?;
    let mut reader = Reader {
        styles: Styles::read(&mut package)?,
        numbering: Numbering::read(&mut package)?,
        footnotes: notes(&mut package, "word/footnotes.xml")?,
        endnotes: notes(&mut package, "word/endnotes.xml")?,
        ..Reader::default()
    };
    let body = package.required("word/document.xml")?;
    reader.read(&decode(&body, "word/document.xml")?)?;
    let (heading, text) = reader.finish();
    let title = metadata::title(properties.as_deref(), heading, input.name);
    let _stop = emit(Document { record_id: None, title, place: None, text });
    Ok(())
}

/// Elements whose text is not read: what tracked changes took away, and second versions of the same drawing.
const SKIPPED: &[&str] = &["del", "moveFrom", "Fallback", "delText", "instrText"];
/// Columns that one cell may span: more would be a lie.
const MAX_SPAN: usize = 64;

type Notes = FxHashMap<String, String>;

#[derive(Default)]
struct Reader {
    styles: Styles,
    numbering: Numbering,
    footnotes: Notes,
    endnotes: Notes,
    prose: Prose,
    lists: FlatLists,
    /// Notes referred to and not yet written.
    waiting: Vec<String>,
    tables: Vec<Table>,
    /// Properties of the open paragraph until its first text comes: empty paragraphs mean nothing.
    paragraph: Option<Properties>,
    is_heading: bool,
}

#[derive(Default)]
struct Table {
    n_rows: usize,
    /// A style shows the first row as one of headers.
    has_header: bool,
    is_header_row: bool,
    n_columns_spanned: usize,
}

impl Reader {
    fn read(&mut self, text: &str) -> Result<(), ParseError> {
        let mut xml = Xml::new(text);
        let mut is_text = false;
        while let Some(node) = xml.next()? {
            match node {
                Node::Start(element) if SKIPPED.contains(&element.name()) => xml.skip()?,
                Node::Start(element) if element.name() == "pPr" => {
                    self.paragraph = Some(Properties::read(&mut xml)?);
                }
                Node::Start(element) => {
                    is_text = element.name() == "t";
                    self.start(&element);
                }
                Node::End(name) => {
                    is_text = false;
                    self.end(&name);
                }
                Node::Text(text) if is_text => self.push(&text),
                Node::Text(_) => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> (Option<String>, String) {
        self.lists.close(&mut self.prose);
        self.write_notes();
        self.prose.finish()
    }

    fn push(&mut self, text: &str) {
        let is_first = !text.trim().is_empty();
        if let Some(properties) = self.paragraph.take_if(|_| is_first) {
            self.start_paragraph(&properties);
        }
        let is_contents = self.paragraph.as_ref().is_some_and(|it| self.styles.is_contents(it));
        if !is_contents {
            self.prose.push(text);
        }
    }

    fn start_paragraph(&mut self, properties: &Properties) {
        if self.styles.is_contents(properties) {
            // What follows in this paragraph is passed over as well.
            self.paragraph = Some(properties.clone());
            return;
        }
        let level = self.styles.outline_level(properties);
        if let Some(level) = level.filter(|_| self.tables.is_empty()) {
            self.lists.close(&mut self.prose);
            self.write_notes();
            self.prose.start_heading(level + 1);
            self.is_heading = true;
            return;
        }
        let list = self.styles.list(properties);
        let marker = list.and_then(|(id, level)| self.numbering.marker(id, level));
        match list.zip(marker) {
            Some(((id, level), marker)) => {
                self.lists.start_item(&mut self.prose, id, level, marker);
            }
            None => {
                self.lists.close(&mut self.prose);
                self.write_notes();
            }
        }
    }

    fn start(&mut self, element: &Element<'_>) {
        let value = || element.attribute("val");
        match element.name() {
            "p" => {
                self.end_paragraph();
                self.paragraph = Some(Properties::default());
            }
            "tab" | "ptab" => self.prose.push(" "),
            "br" | "cr" => self.prose.break_line(),
            "noBreakHyphen" => self.prose.push("-"),
            "footnoteReference" => self.waiting.extend(take(&mut self.footnotes, element)),
            "endnoteReference" => self.waiting.extend(take(&mut self.endnotes, element)),
            "tbl" => {
                self.lists.close(&mut self.prose);
                self.write_notes();
                self.tables.push(Table::default());
                self.prose.start_table();
            }
            "tc" => self.start_cell(),
            name => {
                let Some(table) = self.tables.last_mut() else { return };
                match name {
                    "tr" => {
                        table.n_rows += 1;
                        table.is_header_row = table.n_rows == 1 && table.has_header;
                    }
                    "tblStyle" => {
                        let is_plain = |it: &str| matches!(it, "TableGrid" | "TableNormal");
                        table.has_header = value().is_some_and(|it| !is_plain(&it));
                    }
                    "tblLook" if element.attribute("firstRow").is_some_and(|it| it == "0") => {
                        table.has_header = false;
                    }
                    "tblHeader" => table.is_header_row = element.is_on(),
                    "gridSpan" => {
                        let n = value().and_then(|it| it.parse().ok()).unwrap_or(1);
                        table.n_columns_spanned = usize::min(n, MAX_SPAN);
                    }
                    _ => {}
                }
            }
        }
    }

    fn start_cell(&mut self) {
        let Some(table) = self.tables.last_mut() else { return };
        table.n_columns_spanned = 1;
        let kind = if table.is_header_row { CellKind::Header } else { CellKind::Untold };
        self.prose.start_cell(kind);
    }

    fn end(&mut self, name: &str) {
        match name {
            "p" => self.end_paragraph(),
            "tc" => {
                self.lists.close(&mut self.prose);
                self.prose.end_cell();
                let n = self.tables.last().map_or(1, |it| it.n_columns_spanned);
                for _ in 1..n {
                    self.prose.start_cell(CellKind::Data);
                    self.prose.end_cell();
                }
            }
            "tr" => self.prose.end_row(),
            "tbl" => {
                self.prose.end_table();
                self.tables.pop();
                self.write_notes();
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        if std::mem::take(&mut self.is_heading) {
            self.prose.end_heading();
        } else {
            self.prose.end_block();
        }
        self.paragraph = None;
        self.write_notes();
    }

    /// Writes the notes that wait, once no list or table would be cut by them.
    fn write_notes(&mut self) {
        if self.lists.is_open() || !self.tables.is_empty() {
            return;
        }
        for note in self.waiting.drain(..) {
            self.prose.end_block();
            self.prose.push(&format!("Note: {note}"));
            self.prose.end_block();
        }
    }
}

/// The text of the note that `element` refers to; a note is read once.
fn take(notes: &mut Notes, element: &Element<'_>) -> Option<String> {
    notes.remove(&element.attribute("id")?)
}

/// The text of each note in a part, by id.
fn notes(package: &mut Package<'_>, part: &str) -> Result<Notes, ParseError> {
    let Some(bytes) = package.part(part)? else { return Ok(Notes::default()) };
    let text = decode(&bytes, part)?;
    let mut xml = Xml::new(&text);
    let mut notes = Notes::default();
    let (mut id, mut note, mut is_text) = (None, String::new(), false);
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) if SKIPPED.contains(&element.name()) => xml.skip()?,
            Node::Start(element) => {
                is_text = element.name() == "t";
                match element.name() {
                    "footnote" | "endnote" => id = element.attribute("id"),
                    "p" | "tab" | "br" => note.push(' '),
                    _ => {}
                }
            }
            Node::End(name) => {
                is_text = false;
                if matches!(&*name, "footnote" | "endnote") {
                    let text = collapse(&std::mem::take(&mut note));
                    notes.extend(id.take().filter(|_| !text.is_empty()).map(|it| (it, text)));
                }
            }
            Node::Text(text) if is_text => note.push_str(&text),
            Node::Text(_) => {}
        }
    }
    Ok(notes)
}
