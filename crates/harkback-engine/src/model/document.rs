//! What ingestion makes of a file: documents, their passages and the sentences in them.

/// A byte range of a passage's text, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A text with a name: a file, or one record of a JSON Lines file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// A record's `_id`, where the file is made of records.
    pub record_id: Option<String>,
    /// Title or file name; empty if there is none worth reading.
    pub title: String,
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
    /// The text, never empty.
    pub text: String,
    /// Sentences of `text`, in order, without overlap; at least one. A vector memory's chunk is one sentence.
    pub sentences: Vec<Span>,
}
