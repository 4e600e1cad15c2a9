//! A question to a memory and what comes back.

use std::time::Duration;

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecallMode {
    /// The subgraph of a graph memory, the chunks of a vector memory.
    Raw,
    /// One answer fit to be spoken.
    Assisted,
}

/// A question.
#[derive(Clone, Debug)]
pub struct RecallRequest {
    /// The question, not empty, at most 8 KB.
    pub query: String,
    /// Most passages or chunks wanted, 1..=100.
    pub top_k: usize,
    /// Raw or assisted.
    pub mode: RecallMode,
    /// Whether up to three supporting facts are wanted.
    pub facts: bool,
}

/// What a memory answers.
#[derive(Clone, Debug, Default)]
pub struct Recall {
    /// Raw graph: one subgraph text. Raw vector: a chunk each, best first. Assisted: one answer. Empty memory: none.
    pub payload: Vec<Item>,
    /// Up to three supporting facts, if asked for.
    pub facts: Vec<Fact>,
    /// The files behind the answer, best first, each once.
    pub sources: Vec<Source>,
    /// Tokens of the graph context; the same for a query and memory in every mode.
    pub token_count: usize,
    /// Stages of the work in order, with their wall time.
    pub timings: Vec<(&'static str, Duration)>,
    /// The embedding model used, `None` in lexical mode.
    pub embedder: Option<String>,
}

/// One item of the payload.
#[derive(Clone, Debug)]
pub struct Item {
    /// Text.
    pub content: String,
    /// 0..=1, 1 best.
    pub score: f32,
    /// What stands beside the text.
    pub metadata: ItemMetadata,
}

/// What an item carries beside its text.
#[derive(Clone, Debug)]
pub enum ItemMetadata {
    /// Nothing.
    None,
    /// A chunk's file: its external URI or name, and its name.
    Chunk {
        /// External URI, or the name where there is none.
        source: String,
        /// Name or page title.
        source_title: String,
    },
    /// The ranked passages behind a subgraph.
    Passages(Vec<RankedPassage>),
}

/// A passage in the order of its relevance.
#[derive(Clone, Debug)]
pub struct RankedPassage {
    /// 1 is best.
    pub rank: usize,
    /// The caller's id of the file.
    pub file_id: String,
    /// A JSON Lines record's `_id`.
    pub record_id: Option<String>,
    /// Title or nearest heading.
    pub title: String,
    /// 0..=1, 1 best.
    pub score: f32,
    /// The text, from the store.
    pub text: String,
}

/// A sentence that the sources support.
#[derive(Clone, Debug)]
pub struct Fact {
    /// One self-contained sentence.
    pub text: String,
    /// 0..=1, 1 best.
    pub relevance: f32,
}

/// A file behind an answer.
#[derive(Clone, Debug)]
pub struct Source {
    /// The caller's id of the file.
    pub file_id: String,
    /// Its name or page title.
    pub name: String,
    /// Its external URI, or empty.
    pub url: String,
    /// 0..=1, 1 best.
    pub score: f32,
}
