//! Which paragraphs of a Word document are headings, list items or contents, by their own properties and their styles'?

use rustc_hash::FxHashMap;

use super::super::flat_list::Marker;
use super::super::package::Package;
use super::super::xml::{Node, Xml, decode};
use super::ParseError;

/// What is said of a paragraph or of a style.
#[derive(Clone, Debug, Default)]
pub(super) struct Properties {
    style: Option<String>,
    /// From 0; 9 is body text.
    outline_level: Option<u8>,
    list_id: Option<u32>,
    list_level: Option<usize>,
}

/// Paragraph styles by id.
#[derive(Debug, Default)]
pub(super) struct Styles(FxHashMap<String, Style>);

#[derive(Debug, Default)]
struct Style {
    name: String,
    /// Its `style` is the one it is based on.
    properties: Properties,
}

/// How the lists of a document are marked.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// By abstract list and level.
    levels: FxHashMap<(u32, usize), Level>,
    abstract_of: FxHashMap<u32, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    start: u64,
    is_bullet: bool,
    is_unmarked: bool,
}

/// Styles based on styles: more is a circle.
const MAX_BASES: usize = 16;

impl Properties {
    /// Reads to the end of the element that has just started.
    pub(super) fn read(xml: &mut Xml<'_>) -> Result<Self, ParseError> {
        let mut properties = Self::default();
        let mut depth = 1;
        while depth > 0 {
            let Some(node) = xml.next()? else { break };
            let element = match node {
                Node::Start(element) => element,
                Node::End(_) => {
                    depth -= 1;
                    continue;
                }
                Node::Text(_) => continue,
            };
            // The properties before a tracked change are not the paragraph's.
            if matches!(element.name(), "pPrChange" | "rPr") {
                xml.skip()?;
                continue;
            }
            depth += 1;
            let value = || element.attribute("val");
            match element.name() {
                "pStyle" => properties.style = value(),
                "outlineLvl" => properties.outline_level = value().and_then(|it| it.parse().ok()),
                "ilvl" => properties.list_level = value().and_then(|it| it.parse().ok()),
                "numId" => properties.list_id = value().and_then(|it| it.parse().ok()),
                _ => {}
            }
        }
        Ok(properties)
    }
}

impl Styles {
    pub(super) fn read(package: &mut Package<'_>) -> Result<Self, ParseError> {
        let mut styles = Self::default();
        let Some(bytes) = package.part("word/styles.xml")? else { return Ok(styles) };
        let text = decode(&bytes, "word/styles.xml")?;
        let mut xml = Xml::new(&text);
        let mut id = String::new();
        let mut style = Style::default();
        while let Some(node) = xml.next()? {
            match node {
                Node::Start(element) => match element.name() {
                    "style" => id = element.attribute("styleId").unwrap_or_default(),
                    "name" => style.name = element.attribute("val").unwrap_or_default(),
                    "basedOn" => style.properties.style = element.attribute("val"),
                    "pPr" => {
                        let base = style.properties.style.take();
                        style.properties =
                            Properties { style: base, ..Properties::read(&mut xml)? };
                    }
                    _ => {}
                },
                Node::End(name) if name == "style" => {
                    styles.0.insert(std::mem::take(&mut id), std::mem::take(&mut style));
                }
                Node::End(_) | Node::Text(_) => {}
            }
        }
        Ok(styles)
    }

    /// 0 for the highest headings, `None` for body text.
    pub(super) fn outline_level(&self, paragraph: &Properties) -> Option<u8> {
        let by_name = |it: &Style| match it.name.to_ascii_lowercase().as_str() {
            "title" => Some(0),
            name => name.strip_prefix("heading ")?.parse::<u8>().ok()?.checked_sub(1),
        };
        let level = paragraph.outline_level.or_else(|| {
            self.chain(paragraph).find_map(|it| it.properties.outline_level.or_else(|| by_name(it)))
        });
        level.filter(|it| *it < 9)
    }

    /// The list that the paragraph is an item of, and its level from 0.
    pub(super) fn list(&self, paragraph: &Properties) -> Option<(u32, usize)> {
        let in_style = |it: &Style| Some((it.properties.list_id?, it.properties.list_level));
        let (id, level) = match paragraph.list_id {
            Some(id) => (id, None),
            None => self.chain(paragraph).find_map(in_style)?,
        };
        (id != 0).then_some((id, paragraph.list_level.or(level).unwrap_or(0)))
    }

    /// Whether the paragraph is a line of a table of contents.
    pub(super) fn is_contents(&self, paragraph: &Properties) -> bool {
        let name = self.chain(paragraph).next().map(|it| it.name.to_ascii_lowercase());
        name.is_some_and(|it| {
            let level = it.strip_prefix("toc ").or_else(|| it.strip_prefix("contents "));
            level.is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
                || it == "toc heading"
                || it == "table of figures"
        })
    }

    fn chain(&self, paragraph: &Properties) -> impl Iterator<Item = &Style> {
        let first = paragraph.style.as_ref().and_then(|it| self.0.get(it));
        let next = |it: &&Style| it.properties.style.as_ref().and_then(|base| self.0.get(base));
        std::iter::successors(first, next).take(MAX_BASES)
    }
}

impl Numbering {
    pub(super) fn read(package: &mut Package<'_>) -> Result<Self, ParseError> {
        let mut numbering = Self::default();
        let Some(bytes) = package.part("word/numbering.xml")? else { return Ok(numbering) };
        let text = decode(&bytes, "word/numbering.xml")?;
        let mut xml = Xml::new(&text);
        let (mut abstract_id, mut id, mut level) = (0, None, None);
        while let Some(node) = xml.next()? {
            let Node::Start(element) = node else { continue };
            let number = |name: &str| element.attribute(name).and_then(|it| it.parse::<u32>().ok());
            match element.name() {
                "abstractNum" => {
                    (abstract_id, id) = (number("abstractNumId").unwrap_or(0), None);
                }
                "num" => id = number("numId"),
                "abstractNumId" => {
                    numbering.abstract_of.extend(id.zip(number("val")));
                }
                // Overrides of single lists have levels as well; they seldom change the marker.
                "lvl" => level = number("ilvl").filter(|_| id.is_none()),
                "start" => {
                    if let Some(its) = numbering.level(abstract_id, level) {
                        its.start = number("val").unwrap_or(1).into();
                    }
                }
                "numFmt" => {
                    if let Some(its) = numbering.level(abstract_id, level) {
                        let format = element.attribute("val").unwrap_or_default();
                        its.is_bullet = format == "bullet";
                        its.is_unmarked = format == "none";
                    }
                }
                _ => {}
            }
        }
        Ok(numbering)
    }

    /// `None` if the level is not marked at all.
    pub(super) fn marker(&self, list_id: u32, level: usize) -> Option<Marker> {
        let its = self.abstract_of.get(&list_id).and_then(|it| self.levels.get(&(*it, level)));
        match its {
            Some(its) if its.is_unmarked => None,
            Some(its) if !its.is_bullet => Some(Marker::Number(its.start)),
            _ => Some(Marker::Bullet),
        }
    }

    fn level(&mut self, abstract_id: u32, level: Option<u32>) -> Option<&mut Level> {
        let level = level.filter(|it| *it < 16)? as usize;
        let plain = Level { start: 1, is_bullet: true, is_unmarked: false };
        Some(self.levels.entry((abstract_id, level)).or_insert(plain))
    }
}
