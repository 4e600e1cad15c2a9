//! What do the slides of a PowerPoint presentation say, and their speaker notes?

use rustc_hash::FxHashMap;

use super::flat_list::{FlatLists, Marker};
use super::metadata;
use super::package::{Package, damaged};
use super::prose::CellKind;
use super::slide::Slide;
use super::xml::{Element, Node, Xml, decode};
use super::{Emit, ParseError, ParseInput};

/// One document a slide that is not hidden, in the order they are shown.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut package = Package::open(input.bytes, &input.extension.to_ascii_lowercase())?;
    let properties = metadata::title_in(&mut package, "docProps/core.xml")?;
    let title = metadata::title(properties.as_deref(), None, input.name);
    let parts = slide_parts(&mut package)?;
    for (i, part) in parts.iter().enumerate() {
        input.done.note(i + 1, parts.len());
        let mut reader = Reader::default();
        reader.slide.number = u32::try_from(i + 1).unwrap_or(u32::MAX);
        let bytes = package.required(part)?;
        reader.read(&decode(&bytes, part)?)?;
        let notes = related(&mut package, part)?.into_iter().find(|it| it.kind == "notesSlide");
        if let Some(notes) = notes
            && let Some(bytes) = package.part(&notes.target)?
        {
            reader.slide.notes = notes_text(&decode(&bytes, &notes.target)?)?;
        }
        reader.lists.close(&mut reader.slide.prose);
        if let Some(document) = reader.slide.finish(&title)
            && emit(document).is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// The parts of the slides, in the order they are shown.
fn slide_parts(package: &mut Package<'_>) -> Result<Vec<String>, ParseError> {
    const PRESENTATION: &str = "ppt/presentation.xml";
    let targets: FxHashMap<String, String> =
        related(package, PRESENTATION)?.into_iter().map(|it| (it.id, it.target)).collect();
    let bytes = package.required(PRESENTATION)?;
    let text = decode(&bytes, PRESENTATION)?;
    let mut xml = Xml::new(&text);
    let mut parts = Vec::new();
    while let Some(node) = xml.next()? {
        if let Node::Start(element) = node
            && element.name() == "sldId"
        {
            let target = element.attribute("r:id").and_then(|it| targets.get(&it));
            parts.push(target.ok_or_else(|| damaged("a slide is missing"))?.clone());
        }
    }
    Ok(parts)
}

struct Relationship {
    id: String,
    /// The last word of its type.
    kind: String,
    /// The full name of the part.
    target: String,
}

fn related(package: &mut Package<'_>, part: &str) -> Result<Vec<Relationship>, ParseError> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let name = format!("{folder}/_rels/{file}.rels");
    let Some(bytes) = package.part(&name)? else { return Ok(Vec::new()) };
    let text = decode(&bytes, &name)?;
    let mut xml = Xml::new(&text);
    let mut related = Vec::new();
    while let Some(node) = xml.next()? {
        if let Node::Start(element) = node
            && element.name() == "Relationship"
        {
            let attribute = |it: &str| element.attribute(it).unwrap_or_default();
            related.push(Relationship {
                id: attribute("Id"),
                kind: attribute("Type").rsplit('/').next().unwrap_or("").to_owned(),
                target: resolved(folder, &attribute("Target")),
            });
        }
    }
    Ok(related)
}

/// A target is told from the folder of the part that names it, or from the root.
fn resolved(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').collect();
    for step in target.split('/') {
        match step {
            ".." => drop(path.pop()),
            "." | "" => {}
            _ => path.push(step),
        }
    }
    path.join("/")
}

#[derive(Default)]
struct Reader {
    slide: Slide,
    lists: FlatLists,
    /// `type` of the open shape's placeholder.
    placeholder: Option<String>,
    n_shapes: u32,
    paragraph: Paragraph,
    has_header_row: bool,
    n_rows: usize,
    n_tables: usize,
}

/// What is known of a paragraph before its first text.
#[derive(Default)]
struct Paragraph {
    level: usize,
    marker: Option<Marker>,
    is_unmarked: bool,
    is_begun: bool,
}

/// Placeholders whose text is not the slide's own.
const ASIDE: &[&str] = &["sldNum", "dt", "ftr", "hdr"];

impl Reader {
    fn read(&mut self, text: &str) -> Result<(), ParseError> {
        let mut xml = Xml::new(text);
        let mut is_text = false;
        while let Some(node) = xml.next()? {
            match node {
                Node::Start(element) if matches!(element.name(), "Fallback" | "fld") => {
                    xml.skip()?
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

    fn start(&mut self, element: &Element<'_>) {
        match element.name() {
            "sld" => self.slide.is_hidden = element.attribute("show").is_some_and(|it| it == "0"),
            "sp" => {
                self.placeholder = None;
                self.n_shapes += 1;
            }
            "ph" => {
                self.placeholder = Some(element.attribute("type").unwrap_or_else(|| "obj".into()));
            }
            "p" => self.paragraph = Paragraph::default(),
            "pPr" => {
                let level = element.attribute("lvl").and_then(|it| it.parse().ok());
                self.paragraph.level = level.unwrap_or(0);
            }
            "buNone" => self.paragraph.is_unmarked = true,
            "buChar" | "buBlip" => self.paragraph.marker = Some(Marker::Bullet),
            "buAutoNum" => {
                let first = element.attribute("startAt").and_then(|it| it.parse().ok());
                self.paragraph.marker = Some(Marker::Number(first.unwrap_or(1)));
            }
            "br" if self.is_title() => self.slide.title.push(' '),
            "br" => self.slide.prose.break_line(),
            "tbl" => {
                self.lists.close(&mut self.slide.prose);
                (self.n_rows, self.has_header_row) = (0, false);
                self.n_tables += 1;
                self.slide.prose.start_table();
            }
            "tblPr" => {
                let is_on = |it: String| it == "1" || it == "true";
                self.has_header_row = element.attribute("firstRow").is_some_and(is_on);
            }
            "tr" => self.n_rows += 1,
            "tc" => self.start_cell(),
            _ => {}
        }
    }

    fn start_cell(&mut self) {
        // Cells that a span has swallowed are in the file as well, empty, so no columns need filling up.
        let is_header = self.has_header_row && self.n_rows == 1;
        self.slide.prose.start_cell(if is_header { CellKind::Header } else { CellKind::Untold });
    }

    fn end(&mut self, name: &str) {
        match name {
            "p" if self.is_title() => self.slide.title.push(' '),
            "p" if !self.is_aside() => self.slide.prose.end_block(),
            "sp" => {
                self.lists.close(&mut self.slide.prose);
                self.placeholder = None;
            }
            "tc" => {
                self.lists.close(&mut self.slide.prose);
                self.slide.prose.end_cell();
            }
            "tr" => self.slide.prose.end_row(),
            "tbl" => {
                self.n_tables -= usize::from(self.n_tables > 0);
                self.slide.prose.end_table();
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.is_title() {
            self.slide.title.push_str(text);
        } else if !self.is_aside() {
            if !self.paragraph.is_begun && !text.trim().is_empty() {
                self.begin_paragraph();
            }
            self.slide.prose.push(text);
        }
    }

    /// Texts in the slide's body are bulleted unless told otherwise, others only if told.
    fn begin_paragraph(&mut self) {
        self.paragraph.is_begun = true;
        let is_body = matches!(self.placeholder.as_deref(), Some("body" | "obj"));
        let marker = self.paragraph.marker.or(is_body.then_some(Marker::Bullet));
        match marker.filter(|_| !self.paragraph.is_unmarked && self.n_tables == 0) {
            Some(marker) => self.lists.start_item(
                &mut self.slide.prose,
                self.n_shapes,
                self.paragraph.level,
                marker,
            ),
            None => self.lists.close(&mut self.slide.prose),
        }
    }

    fn is_title(&self) -> bool {
        matches!(self.placeholder.as_deref(), Some("title" | "ctrTitle"))
    }

    fn is_aside(&self) -> bool {
        self.placeholder.as_deref().is_some_and(|it| ASIDE.contains(&it))
    }
}

/// The text of the notes' body; the picture of the slide and page numbers are left out.
fn notes_text(text: &str) -> Result<String, ParseError> {
    let mut xml = Xml::new(text);
    let (mut notes, mut is_body, mut is_text) = (String::new(), false, false);
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) => {
                is_text = element.name() == "t";
                match element.name() {
                    "sp" => is_body = false,
                    "ph" => is_body = element.attribute("type").is_some_and(|it| it == "body"),
                    "p" | "br" => notes.push(' '),
                    _ => {}
                }
            }
            Node::Text(text) if is_text && is_body => notes.push_str(&text),
            Node::Text(_) => {}
            Node::End(_) => is_text = false,
        }
    }
    Ok(notes)
}
