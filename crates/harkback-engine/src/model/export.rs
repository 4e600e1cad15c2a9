//! The pieces of a memory as they go into an archive.

use super::{Place, Span};

/// A passage with what the graph knows of it.
#[derive(Clone, Debug)]
pub struct ExportedPassage {
    /// Place in the memory, from 0.
    pub number: usize,
    /// The caller's id of the file.
    pub file_id: String,
    /// A JSON Lines record's `_id`.
    pub record_id: Option<String>,
    /// Title or nearest heading, or empty.
    pub title: String,
    /// The text.
    pub text: String,
    /// Where in the file it stands, if the format tells.
    pub place: Option<Place>,
    /// Tokens of title and text.
    pub n_tokens: u32,
    /// Its sentences.
    pub sentences: Vec<Span>,
    /// The entities it mentions, in reading order; they may overlap.
    pub mentions: Vec<ExportedMention>,
    /// The relations its sentences state, in reading order, each once.
    pub relations: Vec<ExportedRelation>,
}

/// An entity where a passage names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedMention {
    /// Number of the entity at this revision, from 0.
    pub entity: u32,
    /// The name as it stands there.
    pub name: String,
    /// The sentence of the passage, from 0.
    pub sentence: usize,
    /// First byte in the passage's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Subject, predicate and object as a sentence states them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedRelation {
    /// The subject's name.
    pub subject: String,
    /// Number of the entity of that name, if it is one.
    pub subject_entity: Option<u32>,
    /// Reads between subject and object; `None`: the two only occur in one sentence.
    pub predicate: Option<String>,
    /// The object: a name, a value or a description.
    pub object: String,
    /// Number of the entity of that name, if it is one.
    pub object_entity: Option<u32>,
    /// The sentence of the passage, from 0.
    pub sentence: usize,
}
