//! Which formats can be read, and what is a file that cannot?
//!
//! A format is one file of this folder and one row of [`PARSERS`]. Every parser answers any bytes with documents or with
//! a reason, in time linear in the file, without recursion that the file's content could deepen.

mod child;
mod csv;
mod docx;
mod eml;
mod encoding;
mod epub;
mod flat_list;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod html;
mod json;
mod jsonl;
mod limits;
mod markdown;
mod metadata;
mod odt;
mod package;
mod pdf;
mod pptx;
mod prose;
mod row;
mod rows;
mod rtf;
mod sheet;
mod signature;
mod slide;
mod stream;
mod text;
mod web;
mod xml;

#[cfg(test)]
mod documents_tests;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use crate::model::{Document, Place};

pub use child::parse_stdin;
pub(super) use frame::{Frame, read_frame};
pub use limits::ParserLimits;
pub use web::WebPage;
pub(super) use web::read_web_page;

/// Stands for the extension of HTML that was fetched from a website: of such a page, only the content is read.
pub(crate) const WEB_PAGE: &str = "webpage";

/// Stands for the extension of HTML that was fetched from a website, where only [`WebPage`] is asked for.
pub(super) const WEB_PAGE_LINKS: &str = "webpage-links";

/// A file as it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParseInput<'a> {
    /// File name with or without extension; it becomes the title where the file has none of its own.
    pub(crate) name: &'a str,
    /// Extension without the dot, in any case. It alone chooses the parser.
    pub(crate) extension: &'a str,
    /// The whole file.
    pub(crate) bytes: &'a [u8],
    /// Where a parser notes how far it is, if it can tell.
    pub(crate) done: &'a Done,
}

/// How much of a file makes up the documents so far, the next one included; nothing until a parser has noted it.
#[derive(Debug, Default)]
pub(crate) struct Done(Cell<Option<f32>>);

impl Done {
    fn note(&self, n: usize, of_all: usize) {
        self.0.set(Some((n as f32 / of_all.max(1) as f32).min(1.0)));
    }
}

/// Takes documents one by one, with how much of the file has been read, 0..=1, where that can be told.
pub(crate) type Take<'a> = dyn FnMut(Document, Option<f32>) -> ControlFlow<()> + 'a;

/// Why a file cannot be read. The text is meant for the file's owner and says what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseError(String);

/// Takes documents one by one; `Break` stops the parser, which then answers `Ok`.
pub(crate) type Emit<'a> = dyn FnMut(Document) -> ControlFlow<()> + 'a;

/// Reads a file and emits its documents in order: one for a prose file, one a page, slide, sheet or chapter
/// where it has them, one a record for CSV, JSON arrays and JSON Lines.
///
/// Emitted texts are never blank. Documents may have been emitted before an error is found; the caller drops them.
///
/// # Errors
/// A [`ParseError`] if the format is not supported, the content is not of that format, or there is no text in it.
pub(crate) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let extension = input.extension.trim_start_matches('.').to_ascii_lowercase();
    let parser = parser_of(&extension)?;
    if input.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ParseError::new("the file is empty: upload a file with text in it"));
    }
    let is_its_own = parser.begins.iter().any(|it| input.bytes.starts_with(it));
    if let Some(looks_like) = signature::of(input.bytes).filter(|_| !is_its_own) {
        return Err(ParseError(format!(
            "the file is named .{extension} but looks like {looks_like}: give it its right name, or save it as text"
        )));
    }
    counted(parser, emit, |emit| (parser.parse)(input, emit))
}

/// As [`parse`], from an open file, which is read in little memory where its format and encoding allow it.
pub(crate) fn parse_file(
    name: &str,
    extension: &str,
    mut file: &File,
    take: &mut Take<'_>,
) -> Result<(), ParseError> {
    let lower = extension.trim_start_matches('.').to_ascii_lowercase();
    let parser = parser_of(&lower)?;
    let failed = |e: io::Error| ParseError::io(&e);
    if let Some((_, stream)) = STREAMS.iter().find(|it| it.0 == parser.name)
        && let Some(start) = stream::utf8_body(&mut file).map_err(failed)?
    {
        let n_bytes = file.metadata().map_err(failed)?.len().max(1);
        let mut pieces = BufReader::with_capacity(64 << 10, file);
        pieces.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut emit = |document| {
            let at = file.stream_position().ok();
            take(document, at.map(|it| it as f32 / n_bytes as f32))
        };
        return counted(parser, &mut emit, |emit| stream(name, &mut pieces, emit));
    }
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(failed)?;
    let done = Done::default();
    let input = ParseInput { name, extension, bytes: &bytes, done: &done };
    // One document is held back: the last one ends the file, which tells the length of a file of one document at once.
    let mut held = None;
    let mut emit = |document: Document| match held.replace((document, done.0.get())) {
        Some((document, done)) => take(document, done),
        None => ControlFlow::Continue(()),
    };
    let mut is_stopped = false;
    let parsed = parse(&input, &mut |document| {
        let flow = emit(document);
        is_stopped |= flow.is_break();
        flow
    });
    if let Some((document, noted)) = held.filter(|_| !is_stopped) {
        let _stop = take(document, if parsed.is_ok() { Some(1.0) } else { noted });
    }
    parsed
}

/// The row of [`PARSERS`] for an extension.
fn parser_of(extension: &str) -> Result<&'static Parser, ParseError> {
    let parser = PARSERS.iter().find(|it| it.extensions.contains(&extension));
    parser.ok_or_else(|| unsupported(extension))
}

/// Runs a parser over what every format has in common: bounds of titles and texts, and that there is any text.
fn counted(
    parser: &Parser,
    emit: &mut Emit<'_>,
    run: impl FnOnce(&mut Emit<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let mut n_documents = 0;
    run(&mut |mut document: Document| {
        if document.text.trim().is_empty() {
            return ControlFlow::Continue(());
        }
        document.title = shorten(&document.title, MAX_TITLE_CHARS);
        if let Some(Place::Sheet(name) | Place::Chapter(name)) = &mut document.place {
            *name = shorten(name, MAX_TITLE_CHARS);
        }
        n_documents += 1;
        emit_pieces(document, emit)
    })?;
    if n_documents == 0 {
        return Err(ParseError(format!(
            "no text was found in this {} file: upload a file with text in it",
            parser.name
        )));
    }
    Ok(())
}

/// No document is longer, so that whoever takes them needs no more memory than for a few.
const MAX_TEXT_BYTES: usize = 4 << 20;

/// Emits a long document in pieces of the same title and place, cut at a heading, a paragraph or a line.
fn emit_pieces(mut document: Document, emit: &mut Emit<'_>) -> ControlFlow<()> {
    while document.text.len() > MAX_TEXT_BYTES {
        let window = &document.text[..document.text.floor_char_boundary(MAX_TEXT_BYTES)];
        let bound = ["\n\n#", "\n\n", "\n", " "].iter().find_map(|it| window.rfind(it));
        let rest = document.text.split_off(bound.filter(|it| *it > 0).unwrap_or(window.len()));
        let rest = Document { text: rest, ..document.clone() };
        if !document.text.trim().is_empty() {
            emit(std::mem::replace(&mut document, rest))?;
        } else {
            document = rest;
        }
    }
    if document.text.trim().is_empty() { ControlFlow::Continue(()) } else { emit(document) }
}

/// A title out of a file name: without folder and extension, with spaces for `_` and `-`.
pub(crate) fn title_of_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = match base.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && is_extension(extension) => stem,
        _ => base,
    };
    collapse(&stem.replace(['_', '-'], " "))
}

struct Parser {
    name: &'static str,
    extensions: &'static [&'static str],
    /// Signatures that its files may begin with; text formats have none.
    begins: &'static [&'static [u8]],
    parse: fn(&ParseInput<'_>, &mut Emit<'_>) -> Result<(), ParseError>,
}

/// ZIP packages, and what Office makes of them when it encrypts.
const PACKAGE: &[&[u8]] = &[b"PK", package::OLE];

const PARSERS: &[Parser] = &[
    Parser { name: "text", extensions: &["txt", "text"], begins: &[], parse: text::parse },
    Parser {
        name: "Markdown",
        extensions: &["md", "markdown"],
        begins: &[],
        parse: markdown::parse,
    },
    Parser { name: "HTML", extensions: &["html", "htm", "xhtml"], begins: &[], parse: html::parse },
    Parser { name: "web page", extensions: &[WEB_PAGE], begins: &[], parse: web::parse },
    Parser { name: "CSV", extensions: &["csv", "tsv"], begins: &[], parse: csv::parse },
    Parser { name: "JSON", extensions: &["json"], begins: &[], parse: json::parse },
    Parser {
        name: "JSON Lines",
        extensions: &["jsonl", "ndjson"],
        begins: &[],
        parse: jsonl::parse,
    },
    Parser {
        name: "Word",
        extensions: &["docx", "docm", "dotx"],
        begins: PACKAGE,
        parse: docx::parse,
    },
    Parser {
        name: "PowerPoint",
        extensions: &["pptx", "pptm", "ppsx"],
        begins: PACKAGE,
        parse: pptx::parse,
    },
    Parser {
        name: "OpenDocument",
        extensions: &["odt", "odp"],
        begins: PACKAGE,
        parse: odt::parse,
    },
    Parser { name: "PDF", extensions: &["pdf"], begins: &[b"%PDF-"], parse: pdf::parse },
    Parser { name: "RTF", extensions: &["rtf"], begins: &[b"{\\rtf"], parse: rtf::parse },
    Parser { name: "EPUB", extensions: &["epub"], begins: PACKAGE, parse: epub::parse },
    Parser { name: "e-mail", extensions: &["eml"], begins: &[], parse: eml::parse },
    Parser {
        name: "Excel",
        extensions: &["xlsx", "xlsm"],
        begins: PACKAGE,
        parse: sheet::parse_xlsx,
    },
    Parser { name: "OpenDocument", extensions: &["ods"], begins: PACKAGE, parse: sheet::parse_ods },
];

type Stream = fn(&str, &mut dyn stream::Pieces, &mut Emit<'_>) -> Result<(), ParseError>;

/// Formats that are read piece by piece if the file is UTF-8, by the names they have in [`PARSERS`].
const STREAMS: &[(&str, Stream)] = &[
    ("text", text::stream),
    ("CSV", csv::stream),
    ("JSON", json::stream),
    ("JSON Lines", jsonl::stream),
];

const SUPPORTED: &str = "PDF, Word, OpenDocument, text, Markdown, HTML, CSV or JSON";

impl ParseError {
    fn new(reason: &str) -> Self {
        Self(reason.to_owned())
    }

    fn io(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::OutOfMemory {
            return Self::new(
                "the file needs more memory to be read than a parser may use: split it",
            );
        }
        Self(format!("the file cannot be read from the disk ({error}): start the ingestion again"))
    }
}

fn unsupported(extension: &str) -> ParseError {
    if extension.is_empty() {
        return ParseError::new(
            "the file name has no extension, so its format is unknown: name it .pdf, .docx, .odt, .txt, .md, .html, .csv, .json or .jsonl",
        );
    }
    let shown: String = extension.chars().take(16).collect();
    let old_office =
        [("doc", "docx"), ("xls", "xlsx"), ("ppt", "pptx"), ("dot", "docx"), ("xlsb", "xlsx")];
    if let Some((_, new)) = old_office.iter().find(|(old, _)| *old == shown) {
        return ParseError(format!(
            "old Office files (.{shown}) are not supported: save the document as .{new}"
        ));
    }
    ParseError(match shown.as_str() {
        "pages" | "numbers" | "key" => {
            format!(
                ".{shown} files are not supported: export the document as Word, Excel or PowerPoint"
            )
        }
        "msg" | "mbox" | "xml" => {
            format!(".{shown} files are not supported: save the content as {SUPPORTED}")
        }
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" | "bmp" | "tif" | "tiff" | "heic" => {
            format!(
                "image files (.{shown}) are not supported yet: upload their text as {SUPPORTED}"
            )
        }
        "mp3" | "wav" | "m4a" | "flac" | "ogg" | "opus" | "aac" | "mp4" | "mov" | "mkv"
        | "webm" | "avi" => {
            format!(
                "audio and video files (.{shown}) are not supported yet: upload a transcript as {SUPPORTED}"
            )
        }
        "zip" | "gz" | "tar" | "tgz" | "7z" | "rar" | "bz2" | "xz" | "zst" => {
            format!("archives (.{shown}) are not supported yet: upload the files in it one by one")
        }
        _ => format!(".{shown} files are not supported yet: save the content as {SUPPORTED}"),
    })
}

fn is_extension(extension: &str) -> bool {
    (1..=8).contains(&extension.len()) && extension.bytes().all(|it| it.is_ascii_alphanumeric())
}

/// Titles are repeated for each passage, so no file may bring a long one.
const MAX_TITLE_CHARS: usize = 200;

/// The first `max_chars` characters, with an ellipsis for what is cut.
pub(super) fn shorten(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Runs of white space become one space, ends are trimmed.
fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
