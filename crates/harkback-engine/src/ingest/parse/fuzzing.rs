//! What must hold of every file, whatever is in it? One function a group of formats, for fuzz targets and the replay of
//! their seeds.

use std::io::{Cursor, Seek, SeekFrom};
use std::ops::ControlFlow;

use super::frame::{Frame, read_frame, write_frame};
use super::{
    Done, Emit, MAX_TEXT_BYTES, MAX_TITLE_CHARS, ParseError, ParseInput, Parser, STREAMS, WEB_PAGE,
    counted, parse, parser_of, pdf, read_web_page, stream,
};
use crate::ingest::fuzzing::check_passages;
use crate::model::{Document, Place};

const NAME: &str = "harbour_office-hours.txt";
/// What all texts of one file may come to, beside [`MAX_GROWTH`]: packages unpack.
const MAX_OUTPUT_BYTES: usize = 64 << 20;
/// Column names and paths are repeated in each record.
const MAX_GROWTH: usize = 500;

/// Plain text and Markdown in any encoding.
pub fn text(bytes: &[u8]) {
    check("txt", bytes);
    check("md", bytes);
}

/// HTML as a file and as a page of a website.
pub fn html(bytes: &[u8]) {
    check("html", bytes);
    check(WEB_PAGE, bytes);
    if let Some(page) = read_web_page(bytes) {
        assert_eq!(read_web_page(bytes), Some(page), "a page reads the same every time");
    }
}

/// CSV, JSON and JSON Lines.
pub fn records(bytes: &[u8]) {
    for extension in ["csv", "json", "jsonl"] {
        check(extension, bytes);
    }
}

/// RTF.
pub fn rtf(bytes: &[u8]) {
    check("rtf", bytes);
}

/// E-mails.
pub fn mail(bytes: &[u8]) {
    check("eml", bytes);
}

/// PDF files as `pdftotext -bbox` tells of them: its output, not the file.
pub fn pdf(boxes: &[u8]) {
    let parser = parser_of("pdf").expect("it is in the table");
    check_with("pdf", boxes, |input, emit| {
        counted(parser, emit, |emit| pdf::parse_boxes(input, emit))
    });
}

/// Word.
pub fn docx(bytes: &[u8]) {
    check("docx", bytes);
}

/// PowerPoint.
pub fn pptx(bytes: &[u8]) {
    check("pptx", bytes);
}

/// OpenDocument: texts, slides and sheets.
pub fn opendocument(bytes: &[u8]) {
    for extension in ["odt", "odp", "ods"] {
        check(extension, bytes);
    }
}

/// Excel.
pub fn xlsx(bytes: &[u8]) {
    check("xlsx", bytes);
}

/// EPUB.
pub fn epub(bytes: &[u8]) {
    check("epub", bytes);
}

/// What the process that parses a file writes to its pipe: read, each frame is written as it was read.
pub(crate) fn check_frames(mut pipe: &[u8]) {
    while let Ok(Some(frame)) = read_frame(&mut pipe) {
        assert_eq!(written_and_read(&frame), frame);
    }
}

fn check(extension: &str, bytes: &[u8]) {
    let whole = check_with(extension, bytes, parse);
    let parser = parser_of(extension).expect("it is in the table");
    if let Some(pieces) = read_in_pieces(parser, bytes) {
        assert_eq!(whole, pieces, "a file says the same in pieces as in one");
    }
}

/// Runs a parser and checks what comes: the documents, or nothing if there is a reason.
fn check_with(
    extension: &str,
    bytes: &[u8],
    run: impl Fn(&ParseInput<'_>, &mut Emit<'_>) -> Result<(), ParseError>,
) -> Option<Vec<Document>> {
    let done = Done::default();
    let input = ParseInput { name: NAME, extension, bytes, done: &done };
    let (mut documents, mut before) = (Vec::new(), 0.0);
    let parsed = run(&input, &mut |it| {
        documents.push(it);
        let read = done.0.get().unwrap_or_default();
        assert!((before..=1.0).contains(&read), "read up to {before}, and then to {read}");
        before = read;
        ControlFlow::Continue(())
    });
    check_documents(bytes.len(), &documents);
    match parsed {
        Err(reason) => {
            let reason = reason.to_string();
            assert!(reason.len() > 20, "a reason says what to do: {reason}");
            assert!(reason.len() < 2_000, "a reason is no document: {} bytes", reason.len());
            None
        }
        Ok(()) => {
            assert!(!documents.is_empty(), "no text is a reason");
            check_stop(&input, run, &documents[0]);
            Some(documents)
        }
    }
}

fn check_stop(
    input: &ParseInput<'_>,
    run: impl Fn(&ParseInput<'_>, &mut Emit<'_>) -> Result<(), ParseError>,
    first: &Document,
) {
    let mut taken = Vec::new();
    let stopped = run(input, &mut |it| {
        taken.push(it);
        ControlFlow::Break(())
    });
    assert_eq!(stopped, Ok(()), "who stops is told nothing");
    assert_eq!(taken.len(), 1, "who stops gets no more");
    assert_eq!(&taken[0], first, "a file reads the same every time");
}

fn check_documents(n_bytes: usize, documents: &[Document]) {
    let mut n_bytes_out = 0;
    let mut before = 0;
    for document in documents {
        let Document { title, place, text, record_id } = document;
        assert!(!text.trim().is_empty(), "a text is not blank");
        assert!(text.len() <= MAX_TEXT_BYTES, "a text of {} bytes", text.len());
        assert!(title.chars().count() <= MAX_TITLE_CHARS + 1, "a title of {} bytes", title.len());
        n_bytes_out += text.len() + record_id.as_ref().map_or(0, String::len);
        if let Some(Place::Page(number) | Place::Slide(number)) = place {
            assert!(*number >= before.max(1), "places are in order");
            before = *number;
        }
        check_passages(document);
    }
    // One of them shows whether the pipe keeps what is in it.
    if let Some(document) = documents.last() {
        let frame = Frame::Document { document: document.clone(), done: Some(0.5) };
        assert_eq!(written_and_read(&frame), frame);
    }
    let allowed = MAX_OUTPUT_BYTES.max(n_bytes.saturating_mul(MAX_GROWTH));
    assert!(n_bytes_out <= allowed, "{n_bytes_out} bytes come out of {n_bytes}");
}

/// As a large file is read; `None` if the format or the encoding is none for it.
fn read_in_pieces(parser: &Parser, bytes: &[u8]) -> Option<Option<Vec<Document>>> {
    let (_, read) = STREAMS.iter().find(|it| it.0 == parser.name)?;
    let start = stream::utf8_body(&mut &bytes[..]).expect("memory can be read")?;
    let mut pieces = Cursor::new(bytes);
    pieces.seek(SeekFrom::Start(start)).expect("memory can be sought in");
    let mut documents = Vec::new();
    let mut emit = |it| {
        documents.push(it);
        ControlFlow::Continue(())
    };
    let parsed = counted(parser, &mut emit, |emit| read(NAME, &mut pieces, emit));
    Some(parsed.is_ok().then_some(documents))
}

fn written_and_read(frame: &Frame) -> Frame {
    let mut pipe = Vec::new();
    write_frame(frame, &mut pipe).expect("memory can be written to");
    read_frame(&mut pipe.as_slice()).expect("it is a frame").expect("it is whole")
}
