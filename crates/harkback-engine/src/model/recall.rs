//! A question to a memory and what comes back.

use std::time::Duration;

use super::Place;

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
    /// Whether it is to be told how each result was found.
    pub explain: bool,
    /// How long the answer may take; when it runs out, what was found by then is the answer.
    pub budget: Option<Duration>,
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
    /// Whether the budget ran out before all work was done.
    pub is_partial: bool,
    /// How each result was found, if asked for.
    pub explanation: Option<Explanation>,
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
        /// Where in the file the chunk stands.
        place: Option<Place>,
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
    /// Where in the file it stands.
    pub place: Option<Place>,
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
    /// Its external URI, with the page of its best passage (`#page=3`) if it has pages; or empty.
    pub url: String,
    /// 0..=1, 1 best.
    pub score: f32,
}

/// How the results of a question were found.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// What the question names of the memory, in its own words.
    pub entities: Vec<ExplainedEntity>,
    /// The results, best first.
    pub passages: Vec<ExplainedPassage>,
}

/// An entity that a question names.
#[derive(Clone, Debug)]
pub struct ExplainedEntity {
    /// As the question writes it.
    pub name: String,
    /// ln(1 + N/df): the rarer, the more it counts.
    pub idf: f32,
    /// How many passages are about it.
    pub n_own_passages: usize,
}

/// Why a passage stands where it stands.
#[derive(Clone, Debug)]
pub struct ExplainedPassage {
    /// 1 is best.
    pub rank: usize,
    /// The caller's id of the file.
    pub file_id: String,
    /// A JSON Lines record's `_id`.
    pub record_id: Option<String>,
    /// Title or nearest heading.
    pub title: String,
    /// 0..=1, 1 best: the sum of `weight * value` over the signals, divided by `divisor`.
    pub score: f32,
    /// What the score is made of.
    pub signals: Vec<ExplainedSignal>,
    /// The greatest sum there can be.
    pub divisor: f32,
    /// Its place in each list of candidates, 1 best; `None` where it is not in the list.
    pub lists: Vec<(&'static str, Option<usize>)>,
    /// How one gets from the question to the passage.
    pub path: Vec<PathStep>,
}

/// A signal of a passage.
#[derive(Clone, Copy, Debug)]
pub struct ExplainedSignal {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub weight: f32,
    /// 0..=1.
    pub value: f32,
}

/// A step on the way from a question to a passage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// The question names this, in its own words.
    Entity(String),
    /// A sentence leads on: it mentions the next thing, or bears on the question.
    Sentence {
        /// Title of its passage.
        title: String,
        /// The sentence.
        text: String,
    },
    /// The passage, by its title.
    Passage(String),
}
