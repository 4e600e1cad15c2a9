//! Which words stand where on each page, where poppler is not installed?

use pdf_extract::{Document, MediaBox, Object, OutputDev, OutputError, Transform, output_doc};

use super::super::ParseError;
use super::super::package::protected;
use super::page::{Page, Pages, Sheet, Word};

/// Reads a PDF with the `pdf-extract` crate. It panics on some damaged files; whoever calls a parser answers that.
///
/// # Errors
/// If the file is protected or cannot be read.
pub(super) fn pages(bytes: &[u8]) -> Result<Pages, ParseError> {
    let mut document = Document::load_mem(bytes).map_err(|it| damaged(&it))?;
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(protected());
    }
    let mut output = Output::default();
    output_doc(&document, &mut output).map_err(|it| damaged(&it))?;
    Ok(Pages { title: title(&document), sheets: output.sheets })
}

fn damaged(error: &dyn std::fmt::Display) -> ParseError {
    ParseError(format!(
        "the PDF is damaged or uses what is not understood here ({error}): save it again, or install poppler-utils on the \
         server and start the ingestion again"
    ))
}

fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let info = match info {
        Object::Reference(id) => document.get_object(*id).ok()?,
        other => other,
    };
    let text = info.as_dict().ok()?.get(b"Title").ok()?;
    pdf_extract::decode_text_string(text).ok().filter(|it| !it.trim().is_empty())
}

#[derive(Default)]
struct Output {
    sheets: Vec<Sheet>,
    page: Option<Page>,
    top: f64,
    left: f64,
    open: Option<Word>,
}

/// Of the font size: how far characters reach above their baseline, and below it.
const ASCENT: f32 = 0.9;
const DESCENT: f32 = 0.25;
/// Of the font size: a gap that divides words. Most files have spaces as well; they divide by themselves.
const WORD_GAP: f32 = 0.2;
/// Of the font size: how far a character may stand over the one before, by kerning.
const OVERLAP: f32 = 0.4;

impl Output {
    fn end_word(&mut self) {
        let word = self.open.take().and_then(Word::sound);
        if let Some((page, word)) = self.page.as_mut().zip(word) {
            page.words.push(word);
        }
    }
}

impl OutputDev for Output {
    fn begin_page(
        &mut self,
        number: u32,
        media: &MediaBox,
        _art: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        (self.top, self.left) = (media.ury, media.llx);
        self.page = Some(Page::new(number, (media.ury - media.lly) as f32));
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.end_word();
        self.sheets.extend(self.page.take().map(Page::sheet));
        Ok(())
    }

    fn output_character(
        &mut self,
        transform: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        // The side of a square of the area that a letter of the font's size takes.
        let area = transform.m11 * transform.m22 - transform.m12 * transform.m21;
        let size = (area.abs().sqrt() * font_size.abs()) as f32;
        let x0 = (transform.m31 - self.left) as f32;
        let baseline = (self.top - transform.m32) as f32;
        let x1 = x0 + width as f32 * size;
        let (y0, y1) = (baseline - ASCENT * size, baseline + DESCENT * size);
        if text.trim().is_empty() {
            self.end_word();
            return Ok(());
        }
        let goes_on = self.open.as_ref().is_some_and(|it| {
            (it.y1 - y1).abs() < 0.1 * size
                && (-OVERLAP * size..WORD_GAP * size).contains(&(x0 - it.x1))
                && (it.height() - (y1 - y0)).abs() < 0.2 * size
        });
        if !goes_on {
            self.end_word();
        }
        match &mut self.open {
            Some(word) => {
                word.text.push_str(text);
                word.x1 = x1;
            }
            None => self.open = Some(Word { x0, x1, y0, y1, text: text.to_owned() }),
        }
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}
