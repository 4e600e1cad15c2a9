//! Which words stand where on each page, by poppler's `pdftotext`?

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use super::super::ParseError;
use super::super::package::protected;
use super::page::{Page, Pages, Word};

/// What came of asking poppler.
pub(super) enum Outcome {
    Read(Pages),
    /// The program is not installed.
    Absent,
}

/// Reads a PDF with the program of this name or path.
///
/// # Errors
/// If poppler cannot read the file.
pub(super) fn pages(bytes: &[u8], program: &str) -> Result<Outcome, ParseError> {
    let spawned = Command::new(program)
        .args(["-q", "-bbox", "-enc", "UTF-8", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => Ended(child),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Outcome::Absent),
        Err(error) => return Err(ParseError(format!("pdftotext does not start: {error}"))),
    };
    let stdin = child.0.stdin.take();
    let stdout = child.0.stdout.take();
    let pages = std::thread::scope(|scope| {
        // A program that gives up early closes its end; its exit status says so.
        scope.spawn(move || stdin.map(|mut it| it.write_all(bytes)));
        stdout.map(|it| read(BufReader::new(it)))
    });
    let pages = pages.transpose().map_err(|it| stopped(&it))?.unwrap_or_default();
    let status = child.0.wait().map_err(|it| stopped(&it))?;
    if status.success() {
        return Ok(Outcome::Read(pages));
    }
    if bytes.windows(8).any(|it| it == b"/Encrypt") {
        return Err(protected());
    }
    Err(ParseError::new(
        "the PDF is damaged or cut off: open it in a viewer, save it again and upload that",
    ))
}

/// A child that does not outlive its use.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

fn stopped(error: &std::io::Error) -> ParseError {
    ParseError(format!("pdftotext stopped before the end of the PDF ({error}): upload it again"))
}

/// The output is XHTML with one element a line.
pub(super) fn read(mut out: impl BufRead) -> std::io::Result<Pages> {
    let mut pages = Pages::default();
    let mut open: Option<Page> = None;
    let mut line = Vec::new();
    // A line is a word; a longer one is cut, and what is cut off is no element.
    const MAX_LINE_BYTES: u64 = 1 << 20;
    loop {
        line.clear();
        if out.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(pages);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if let Some(attributes) = line.strip_prefix("<page ") {
            let number = u32::try_from(pages.sheets.len() + 1).unwrap_or(u32::MAX);
            open = Some(Page::new(number, value(attributes, "height").unwrap_or(0.0)));
        } else if line == "</page>" {
            pages.sheets.extend(open.take().map(Page::sheet));
        } else if let Some(rest) = line.strip_prefix("<word ") {
            if let Some((page, word)) = open.as_mut().zip(word(rest)) {
                page.words.push(word);
            }
        } else if let Some(title) = line.strip_prefix("<title>") {
            let title = title.strip_suffix("</title>").unwrap_or(title);
            pages.title = Some(unescape(title)).filter(|it| !it.trim().is_empty());
        }
    }
}

fn word(rest: &str) -> Option<Word> {
    let (attributes, text) = rest.split_once('>')?;
    let text = unescape(text.strip_suffix("</word>").unwrap_or(text));
    Word {
        x0: value(attributes, "xMin")?,
        x1: value(attributes, "xMax")?,
        y0: value(attributes, "yMin")?,
        y1: value(attributes, "yMax")?,
        text,
    }
    .sound()
}

fn value(attributes: &str, name: &str) -> Option<f32> {
    let (_, after) = attributes.split_once(name)?;
    after.strip_prefix("=\"")?.split_once('"')?.0.parse().ok()
}

fn unescape(text: &str) -> String {
    quick_xml::escape::unescape(text).map_or_else(|_| text.to_owned(), Into::into)
}
