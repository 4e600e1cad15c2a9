//! What ingestion makes of a file: documents, their passages and the sentences in them.

use serde::{Deserialize, Serialize};

/// A byte range of a passage's text, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// Where in its file a text stands. As JSON, also in the store, it is `{"page":3}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A page, from 1.
    Page(u32),
    /// A slide of a presentation, from 1.
    Slide(u32),
    /// A sheet of a workbook, by its name.
    Sheet(String),
    /// A chapter of a book, by its name.
    Chapter(String),
    /// Seconds from the beginning of a recording.
    Seconds(u32),
}

impl Place {
    /// `url` with the fragment that viewers understand (`#page=3` of PDF files, `#t=62` of recordings). A URL that has a
    /// fragment of its own, a place that has none, and an empty URL stay as they are.
    pub fn link(place: Option<&Self>, url: &str) -> String {
        let fragment = match place {
            Some(Self::Page(page)) => format!("#page={page}"),
            Some(Self::Seconds(seconds)) => format!("#t={seconds}"),
            _ => String::new(),
        };
        let is_plain = !url.is_empty() && !url.contains('#');
        if is_plain { format!("{url}{fragment}") } else { url.to_owned() }
    }
}

/// A text with a name: a file, one page or slide of it, or one record of a JSON Lines file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// A record's `_id`, where the file is made of records.
    pub record_id: Option<String>,
    /// Title or file name; empty if there is none worth reading.
    pub title: String,
    /// Where it stands in a file of pages, slides, sheets, chapters or seconds.
    pub place: Option<Place>,
    /// The text in reading order, as parsed: paragraphs are separated by blank lines, headings are Markdown `#` lines.
    pub text: String,
}

/// A retrievable unit: a paragraph or record of a graph memory, a chunk of a vector memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The record's id, where the file is made of records.
    pub record_id: Option<String>,
    /// The document's title or the nearest heading above the passage.
    pub title: String,
    /// Where it stands in a file of pages, slides, sheets, chapters or seconds.
    pub place: Option<Place>,
    /// The text, never empty.
    pub text: String,
    /// Sentences of `text`, in order, without overlap; at least one. A vector memory's chunk is one sentence.
    pub sentences: Vec<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_page_where_viewers_can_follow() {
        let link = |place: Place, url: &str| Place::link(Some(&place), url);
        assert_eq!(link(Place::Page(3), "https://a.org/b.pdf"), "https://a.org/b.pdf#page=3");
        assert_eq!(link(Place::Seconds(62), "https://a.org/b.mp3"), "https://a.org/b.mp3#t=62");
        assert_eq!(link(Place::Slide(3), "https://a.org/b.pptx"), "https://a.org/b.pptx");
        assert_eq!(link(Place::Page(3), "https://a.org/b#c"), "https://a.org/b#c");
        assert_eq!(link(Place::Page(3), ""), "");
        assert_eq!(Place::link(None, "https://a.org"), "https://a.org");
    }
}
