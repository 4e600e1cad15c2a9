//! What does an OpenDocument text or presentation say, in the order it is read?
//!
//! Tracked deletions, comments, indexes, headers and footers are left out; notes follow the paragraph that refers to them.

use std::ops::ControlFlow;

use rustc_hash::{FxHashMap, FxHashSet};

use super::metadata;
use super::package::Package;
use super::prose::{CellKind, Prose};
use super::slide::Slide;
use super::xml::{Element, Node, Xml, decode};
use super::{Emit, ParseError, ParseInput, collapse};
use crate::model::Document;

/// One document for a text, one a slide for a presentation.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut package = Package::open(input.bytes, &input.extension.to_ascii_lowercase())?;
    let properties = metadata::title_in(&mut package, "meta.xml")?;
    let content = package.required("content.xml")?;
    let text = decode(&content, "content.xml")?;
    let mut reader = Reader::default();
    let mut xml = Xml::new(&text);
    let title = properties.as_deref();
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) if SKIPPED.contains(&element.name()) => xml.skip()?,
            Node::Start(element) if element.name() == "page" => {
                reader.start_slide(&element);
            }
            Node::Start(element) => reader.start(&element),
            Node::Text(text) => reader.push(&text),
            Node::End(name) if name == "page" => {
                input.done.note(xml.position(), text.len());
                let title = metadata::title(title, None, input.name);
                if let Some(slide) = reader.end_slide()
                    && let Some(document) = slide.finish(&title)
                    && emit(document).is_break()
                {
                    return Ok(());
                }
            }
            Node::End(name) => reader.end(&name),
        }
    }
    let (heading, text) = reader.finish();
    let title = metadata::title(title, heading, input.name);
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
        emit(Document { record_id: None, title, place: None, text });
    Ok(())
}

/// Elements whose text is not read.
const SKIPPED: &[&str] = &[
    "tracked-changes",
    "annotation",
    "note-citation",
    "forms",
    "sequence-decls",
    "table-of-content",
    "illustration-index",
    "table-index",
    "object-index",
    "user-index",
    "alphabetical-index",
    "bibliography",
    "ruby-text",
    "page-number",
    "page-count",
    "desc",
    "title",
    "master-styles",
    "settings",
];
/// Columns and spaces that one element may stand for: more would be a lie.
const MAX_REPEATED: usize = 64;

#[derive(Default)]
struct Reader {
    prose: Prose,
    /// Levels of each list style that are numbered.
    numbered: FxHashSet<(String, usize)>,
    hidden_pages: FxHashSet<String>,
    parent_of: FxHashMap<String, String>,
    open_style: String,
    list_styles: Vec<String>,
    list_level: usize,
    n_tables: usize,
    is_header_row: bool,
    n_repeated: usize,
    /// Whether text is content: within a paragraph or heading.
    n_paragraphs: usize,
    note: Option<String>,
    waiting: Vec<String>,
    slide: Option<Slide>,
    n_slides: u32,
    frame_class: String,
    is_in_notes: bool,
}

impl Reader {
    fn push(&mut self, text: &str) {
        if self.n_paragraphs == 0 {
            return;
        }
        if let Some(note) = &mut self.note {
            note.push_str(text);
        } else if let Some(slide) = &mut self.slide {
            match self.frame_class.as_str() {
                "page-number" | "date-time" | "footer" | "header" => {}
                "title" if !self.is_in_notes => slide.title.push_str(text),
                _ if self.is_in_notes => slide.notes.push_str(text),
                _ => slide.prose.push(text),
            }
        } else {
            self.prose.push(text);
        }
    }

    fn prose(&mut self) -> &mut Prose {
        match &mut self.slide {
            Some(slide) => &mut slide.prose,
            None => &mut self.prose,
        }
    }

    fn start(&mut self, element: &Element<'_>) {
        let style = || element.attribute("style-name").unwrap_or_default();
        match element.name() {
            "h" => {
                self.n_paragraphs += 1;
                let level = element.attribute("outline-level").and_then(|it| it.parse().ok());
                if self.note.is_none() && self.n_tables == 0 && self.list_level == 0 {
                    self.prose().start_heading(level.unwrap_or(1));
                }
            }
            "p" => {
                self.n_paragraphs += 1;
                self.space_between_paragraphs();
                self.head_cell(&style());
            }
            "list" => self.start_list(style()),
            "list-item" if self.note.is_none() && !self.is_aside() => self.prose().start_item(),
            "table" if self.note.is_none() => {
                self.n_tables += 1;
                self.prose().start_table();
            }
            "table-header-rows" => self.is_header_row = true,
            "table-cell" | "covered-table-cell" => {
                self.n_repeated = count(element, "number-columns-repeated").clamp(1, MAX_REPEATED);
                let kind = if self.is_header_row { CellKind::Header } else { CellKind::Untold };
                self.prose().start_cell(kind);
            }
            "s" => self.push(&" ".repeat(count(element, "c").clamp(1, MAX_REPEATED))),
            "tab" => self.push(" "),
            "line-break" if self.note.is_none() && !self.is_aside() => self.prose().break_line(),
            "line-break" => self.push(" "),
            "note" => self.note = Some(String::new()),
            "frame" | "custom-shape" => {
                self.frame_class = element.attribute("class").unwrap_or_default();
            }
            "notes" => self.is_in_notes = true,
            _ => self.start_style(element),
        }
    }

    /// Styles come before the text that uses them.
    fn start_style(&mut self, element: &Element<'_>) {
        let name = || element.attribute("style:name").unwrap_or_default();
        match element.name() {
            "list-style" => self.open_style = name(),
            "list-level-style-number" => {
                let level = count(element, "level");
                let is_marked = element.attribute("num-format").is_some_and(|it| !it.is_empty());
                if is_marked {
                    self.numbered.insert((self.open_style.clone(), level));
                }
            }
            "style" => {
                self.open_style = name();
                if let Some(parent) = element.attribute("parent-style-name") {
                    self.parent_of.insert(self.open_style.clone(), parent);
                }
            }
            "drawing-page-properties"
                if element.attribute("visibility").is_some_and(|it| it == "hidden") =>
            {
                self.hidden_pages.insert(self.open_style.clone());
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "h" => {
                self.n_paragraphs = self.n_paragraphs.saturating_sub(1);
                if self.note.is_none() {
                    self.prose().end_heading();
                    self.write_notes();
                }
            }
            "p" => {
                self.n_paragraphs = self.n_paragraphs.saturating_sub(1);
                if self.note.is_none() && !self.is_aside() {
                    self.prose().end_block();
                    self.write_notes();
                }
            }
            "list" => self.end_list(),
            "table" if self.note.is_none() => {
                self.n_tables = self.n_tables.saturating_sub(1);
                self.prose().end_table();
                self.write_notes();
            }
            "table-header-rows" => self.is_header_row = false,
            "table-row" => self.prose().end_row(),
            "table-cell" | "covered-table-cell" => {
                self.prose().end_cell();
                for _ in 1..self.n_repeated {
                    self.prose().start_cell(CellKind::Data);
                    self.prose().end_cell();
                }
                self.n_repeated = 1;
            }
            "note" => {
                let note = collapse(&self.note.take().unwrap_or_default());
                self.waiting.extend(Some(note).filter(|it| !it.is_empty()));
            }
            "frame" | "custom-shape" => self.frame_class.clear(),
            "notes" => self.is_in_notes = false,
            _ => {}
        }
    }

    fn start_list(&mut self, style: String) {
        if self.note.is_some() || self.is_aside() {
            return;
        }
        // A list without a style of its own has the one it lies in.
        let inherited = self.list_styles.last().cloned().unwrap_or_default();
        let style = if style.is_empty() { inherited } else { style };
        self.list_level += 1;
        let is_numbered = self.numbered.contains(&(style.clone(), self.list_level));
        self.list_styles.push(style);
        self.prose().start_list(is_numbered.then_some(1));
    }

    fn end_list(&mut self) {
        if self.note.is_some() || self.is_aside() {
            return;
        }
        self.list_level = self.list_level.saturating_sub(1);
        self.list_styles.pop();
        self.prose().end_list();
        self.write_notes();
    }

    /// The first row's paragraphs in the style of table headings make it one of headers.
    fn head_cell(&mut self, style: &str) {
        if self.n_tables == 0 || self.is_header_row {
            return;
        }
        let parent = self.parent_of.get(style).map_or(style, String::as_str);
        if parent == "Table_20_Heading" {
            self.prose().head_cell();
        }
    }

    fn space_between_paragraphs(&mut self) {
        if let Some(note) = &mut self.note {
            note.push(' ');
        } else if let Some(slide) = &mut self.slide {
            if self.is_in_notes {
                slide.notes.push(' ');
            } else if self.frame_class == "title" {
                slide.title.push(' ');
            } else {
                slide.prose.end_block();
            }
        } else {
            self.prose.end_block();
        }
    }

    /// Text of a slide that is not of its body.
    fn is_aside(&self) -> bool {
        self.slide.is_some() && (self.is_in_notes || self.frame_class == "title")
    }

    fn write_notes(&mut self) {
        if self.list_level > 0 || self.n_tables > 0 {
            return;
        }
        for note in std::mem::take(&mut self.waiting) {
            let prose = self.prose();
            prose.push(&format!("Note: {note}"));
            prose.end_block();
        }
    }

    fn start_slide(&mut self, page: &Element<'_>) {
        self.n_slides += 1;
        let style = page.attribute("style-name").unwrap_or_default();
        let is_hidden = self.hidden_pages.contains(&style);
        self.slide = Some(Slide { is_hidden, number: self.n_slides, ..Slide::default() });
    }

    fn end_slide(&mut self) -> Option<Slide> {
        (self.n_tables, self.list_level) = (0, 0);
        self.slide.take()
    }

    fn finish(mut self) -> (Option<String>, String) {
        self.list_level = 0;
        self.n_tables = 0;
        self.prose.end_block();
        self.write_notes();
        self.prose.finish()
    }
}

fn count(element: &Element<'_>, attribute: &str) -> usize {
    element.attribute(attribute).and_then(|it| it.parse().ok()).unwrap_or(1)
}
