//! What do the chapters of an EPUB book say?

use rustc_hash::FxHashMap;

use super::package::{Package, damaged};
use super::prose::Prose;
use super::xml::{Node, Xml, decode};
use super::{Emit, ParseError, ParseInput, collapse, html, metadata};
use crate::model::{Document, Place};

/// One document a chapter that holds text, in reading order. The table of contents is left out.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let mut package = Package::open(input.bytes, &input.extension.to_ascii_lowercase())?;
    let book = Book::read(&mut package)?;
    let title = metadata::title(book.title.as_deref(), None, input.name);
    let mut n_chapters = 0;
    for (i, part) in book.chapters.iter().enumerate() {
        input.done.note(i + 1, book.chapters.len());
        let bytes = package.required(part)?;
        let source = decode(&bytes, part)?;
        let page = html::read_into(Prose::default(), &html::with_ends(&source));
        let (heading, text) = page.prose.finish();
        // A title page says nothing that the title does not.
        if text.lines().all(|it| it.is_empty() || it.starts_with('#')) {
            continue;
        }
        n_chapters += 1;
        let chapter = heading.unwrap_or_else(|| format!("Part {n_chapters}"));
        let place = Some(Place::Chapter(chapter));
        let document = Document { record_id: None, title: title.clone(), text, place };
        if emit(document).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

#[derive(Default)]
struct Book {
    title: Option<String>,
    /// Full names of the parts, in reading order.
    chapters: Vec<String>,
}

impl Book {
    fn read(package: &mut Package<'_>) -> Result<Self, ParseError> {
        let opf = package_document(package)?;
        let folder = opf.rsplit_once('/').map_or("", |it| it.0).to_owned();
        let bytes = package.required(&opf)?;
        let text = decode(&bytes, &opf)?;
        let mut xml = Xml::new(&text);
        let mut book = Self::default();
        let mut parts = FxHashMap::<String, String>::default();
        while let Some(node) = xml.next()? {
            let Node::Start(element) = node else { continue };
            let attribute = |name: &str| element.attribute(name).unwrap_or_default();
            match element.name() {
                "title" if book.title.is_none() => {
                    book.title = Some(collapse(&xml.text()?)).filter(|it| !it.is_empty());
                }
                "item" => {
                    let is_text = matches!(
                        attribute("media-type").as_str(),
                        "application/xhtml+xml" | "text/html"
                    );
                    let is_contents = attribute("properties").split(' ').any(|it| it == "nav");
                    if is_text && !is_contents {
                        parts.insert(attribute("id"), resolved(&folder, &attribute("href")));
                    }
                }
                "itemref" => book.chapters.extend(parts.remove(&attribute("idref"))),
                _ => {}
            }
        }
        Ok(book)
    }
}

fn package_document(package: &mut Package<'_>) -> Result<String, ParseError> {
    const CONTAINER: &str = "META-INF/container.xml";
    let bytes = package.required(CONTAINER)?;
    let text = decode(&bytes, CONTAINER)?;
    let mut xml = Xml::new(&text);
    while let Some(node) = xml.next()? {
        if let Node::Start(element) = node
            && element.name() == "rootfile"
        {
            return element.attribute("full-path").ok_or_else(|| damaged("it names no book"));
        }
    }
    Err(damaged("it names no book"))
}

/// The name of a part that a link from a file in `folder` leads to.
fn resolved(folder: &str, link: &str) -> String {
    let link = link.split('#').next().unwrap_or(link);
    let mut path: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    for step in link.split('/') {
        match step {
            ".." => drop(path.pop()),
            "." | "" => {}
            _ => path.push(step),
        }
    }
    percent_decoded(&path.join("/"))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        match hex.and_then(|it| u8::from_str_radix(it, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
