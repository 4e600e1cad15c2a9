//! What must hold of the passages and sentences of every text?

pub use super::parse::fuzzing::{
    docx, epub, html, mail, opendocument, pdf, pptx, records, rtf, text, xlsx,
};

pub(crate) use super::parse::fuzzing::check_frames;
use super::{chunk, heading, segment};
use crate::model::{Document, Passage, Span};

const CHUNK_CHARS: usize = 200;
const OVERLAP_PERCENT: usize = 20;
/// No passage is longer, whatever its tokens.
const MAX_PASSAGE_BYTES: usize = 6_000;

/// A text under the title in its first line, as prose and as a record.
pub fn passages(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (title, text) = text.split_once('\n').unwrap_or(("", text));
    let prose = Document {
        record_id: None,
        title: title.to_owned(),
        place: None,
        text: text.replace('\r', "\n"),
    };
    check_passages(&prose);
    check_passages(&Document { record_id: Some("1".to_owned()), ..prose });
}

/// The passages of a document in a graph memory, as without a tokeniser.
pub(crate) fn passages_of(document: &Document) -> Vec<Passage> {
    segment::passages(document, &|it| it.len() / 4)
}

/// Cuts a document up in both ways and checks the pieces.
pub(crate) fn check_passages(document: &Document) {
    let passages = passages_of(document);
    let mut at = 0;
    for passage in &passages {
        let Passage { text, sentences, .. } = passage;
        assert!(!text.is_empty() && text.trim() == text, "a passage is trimmed: {text:?}");
        assert!(text.len() <= MAX_PASSAGE_BYTES, "a passage of {} bytes", text.len());
        let found = document.text[at..].find(text.as_str());
        at += found.expect("passages are of the document, in order") + text.len();
        check_sentences(text, sentences);
    }
    // Headings may become titles; all else is in one passage.
    let headings = heading::headings(&document.text, &document.title);
    let n_headings: usize = headings.iter().map(|it| n_solid(&document.text[it.1.clone()])).sum();
    let n_out: usize = passages.iter().map(|it| n_solid(&it.text)).sum();
    let n_all = n_solid(&document.text);
    assert!(n_out <= n_all, "nothing is there twice");
    assert!(n_out + n_headings >= n_all, "nothing is lost");
    for chunk in chunk::chunks(document, CHUNK_CHARS, OVERLAP_PERCENT) {
        assert!((1..=CHUNK_CHARS).contains(&chunk.text.chars().count()), "a chunk has its size");
        assert!(document.text.contains(&chunk.text), "a chunk is of the document");
    }
}

/// Sentences are in order, begin and end with a character that is not white space, and hold every word that is spoken.
fn check_sentences(text: &str, sentences: &[Span]) {
    assert!(!sentences.is_empty(), "there is a sentence in {text:?}");
    let (mut at, mut n_inside) = (0, 0);
    for Span { start, end } in sentences {
        assert!(at <= *start, "sentences are in order");
        let sentence = text.get(*start as usize..*end as usize).expect("it lies on characters");
        assert!(!sentence.is_empty() && sentence.trim() == sentence, "trimmed: {sentence:?}");
        n_inside += n_words(sentence);
        at = *end;
    }
    // Stamps of a chat and the boxes of a list of tasks are not spoken.
    if !text.contains([':', '[']) {
        assert_eq!(n_inside, n_words(text), "no word is outside of a sentence");
    }
}

/// Letters and digits.
fn n_words(text: &str) -> usize {
    text.chars().filter(|it| it.is_alphanumeric()).count()
}

fn n_solid(text: &str) -> usize {
    text.chars().filter(|it| !it.is_whitespace()).count()
}
