//! `GET /memory`: a question to a memory, and the answer in the shape the client's generation reads.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{AppendHeaders, IntoResponse};
use harkback_engine::model::{
    Fact, Item, ItemMetadata, MemoryKind, Place, RankedPassage, Recall, RecallMode, RecallRequest,
    Source,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::error::{ApiError, Errors, Verb, must_be};
use super::explanation::ExplanationBody;
use super::extract::Params;
use super::memories::find_memory;
use crate::app::{App, AppState};
use crate::config::PayloadShape;

const DEFAULT_TOP_K: i64 = 5;
const MAX_TOP_K: i64 = 100;
const MAX_QUERY_BYTES: usize = 8 * 1024;
const MAX_BUDGET_MS: i64 = 60_000;

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryAnswer {
    payload: Payload,
    facts: Vec<FactBody>,
    /// The files behind the answer, best first.
    sources: Vec<SourceBody>,
    /// Tokens of the graph context, the same in every mode.
    token_count: usize,
    /// Only with `budget_ms`: whether time ran out before all work was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<bool>,
    /// Only with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationBody>,
}

/// A list for a client that sends `top_k`; for one that does not, one string, or chunks without a score.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Payload {
    Items(Vec<ItemBody>),
    Text(String),
    Chunks(Vec<ChunkBody>),
}

/// A subgraph, a chunk or an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemBody {
    content: String,
    /// 0 to 1, 1 is best.
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataBody>,
}

/// A chunk as clients up to 0.14 read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChunkBody {
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataBody>,
}

/// What stands beside an item: the file of a chunk, or the ranked passages of a subgraph.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MetadataBody {
    Chunk {
        source: String,
        #[serde(rename = "sourceTitle")]
        source_title: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<PlaceBody>,
    },
    Passages {
        passages: Vec<PassageBody>,
    },
}

/// A passage behind a subgraph, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct PassageBody {
    rank: usize,
    #[serde(rename = "fileID")]
    file_id: String,
    /// `_id` of a JSON Lines record.
    #[serde(rename = "recordID")]
    #[schema(required = true)]
    record_id: Option<String>,
    title: String,
    /// Where in the file it stands, null in files without pages, slides, sheets or chapters.
    #[schema(required = true)]
    place: Option<PlaceBody>,
    /// 0 to 1, 1 is best.
    score: f32,
    text: String,
}

/// Where in its file a text stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlaceBody {
    /// From 1.
    Page(u32),
    /// From 1.
    Slide(u32),
    /// The sheet's name.
    Sheet(String),
    /// The chapter's name.
    Chapter(String),
    /// Seconds from the beginning of a recording.
    Seconds(u32),
}

/// A single sentence that the sources support.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactBody {
    content: String,
    /// The same as `content`.
    text: String,
    /// 0 to 1, 1 is best.
    relevance: f32,
}

/// A file behind the answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceBody {
    id: String,
    name: String,
    /// External URI, or empty; with `#page=N` of the best passage if the file has pages.
    url: String,
    /// 0 to 1, 1 is best.
    score: f32,
}

/// Ask a memory
///
/// `X-Harkback-Mode` tells whether meaning was compared (`semantic`) or only words (`lexical`, where the
/// embedding model is not installed or the budget too small), `Server-Timing` how long each stage took, and all of them with waiting (`total`).
#[utoipa::path(
    get,
    path = "/memory",
    tag = "Memory",
    operation_id = "query_memory",
    params(
        ("memoryID" = String, Query, description = "The memory to ask"),
        ("query" = String, Query, description = "The question, at most 8 KB"),
        ("assisted" = Option<bool>, Query, description = "An answer fit to be spoken instead of raw matches"),
        ("facts" = Option<bool>, Query, description = "Also up to three supporting facts"),
        (
            "top_k" = Option<i64>, Query, minimum = 1, maximum = 100,
            description = "Most passages or chunks wanted, 5 if not given; without it the payload has the shape that \
                           clients up to 0.14 read"
        ),
        ("explain" = Option<bool>, Query, description = "Also tell how each result was found"),
        (
            "budget_ms" = Option<i64>, Query, minimum = 1, maximum = 60000,
            description = "Milliseconds the answer may take: what was found by then is the answer, and `partial` says \
                           whether anything was left out"
        ),
    ),
    responses(
        (
            status = 200,
            description = "What the memory answers",
            body = MemoryAnswer,
            headers(
                ("X-Harkback-Mode" = String, description = "`semantic` or `lexical`"),
                ("Server-Timing" = String, description = "Stages of the answer and `total`, in milliseconds"),
            )
        ),
        Errors
    )
)]
pub async fn query_memory(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<impl IntoResponse, ApiError> {
    let memory_id = params.required_id("memoryID", "Memory ID")?;
    let mut request = request(&params)?;
    let came = Instant::now();
    let shape = shape(&app, &params);
    let has_budget = request.budget.is_some();
    let record = find_memory(&app, &caller, &memory_id, Verb::Access).await?;
    request.budget = request.budget.map(|it| it.saturating_sub(came.elapsed()));
    let recall = app.memory.recall(&record, &request).await?;
    let mode = if recall.embedder.is_some() { "semantic" } else { "lexical" };
    let headers = AppendHeaders([
        ("server-timing", server_timing(&recall, came.elapsed())),
        ("x-harkback-mode", HeaderValue::from_static(mode)),
    ]);
    let partial = has_budget.then_some(recall.is_partial);
    Ok((
        headers,
        Json(MemoryAnswer { partial, ..answer(recall, shape, record.kind, request.mode) }),
    ))
}

/// The payload's shape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    List,
    Legacy,
}

fn shape(app: &App, params: &Params) -> Shape {
    let has_top_k = params.text("top_k").is_some();
    if has_top_k || app.config.payload_without_top_k == PayloadShape::List {
        Shape::List
    } else {
        Shape::Legacy
    }
}

fn request(params: &Params) -> Result<RecallRequest, ApiError> {
    let query = params.required_text("query", "Query")?;
    if query.len() > MAX_QUERY_BYTES {
        return Err(must_be("query", "at most 8192 bytes long"));
    }
    let top_k = params.integer("top_k", 1..=MAX_TOP_K)?.unwrap_or(DEFAULT_TOP_K);
    Ok(RecallRequest {
        query: query.to_owned(),
        top_k: usize::try_from(top_k).expect("it is from 1 to 100"),
        mode: if params.flag("assisted")? { RecallMode::Assisted } else { RecallMode::Raw },
        facts: params.flag("facts")?,
        explain: params.flag("explain")?,
        budget: params
            .integer("budget_ms", 1..=MAX_BUDGET_MS)?
            .map(|it| Duration::from_millis(it.unsigned_abs())),
    })
}

fn answer(recall: Recall, shape: Shape, kind: MemoryKind, mode: RecallMode) -> MemoryAnswer {
    let payload = match (shape, kind, mode) {
        (Shape::List, _, _) => {
            Payload::Items(recall.payload.into_iter().map(ItemBody::from).collect())
        }
        (Shape::Legacy, MemoryKind::Vector, RecallMode::Raw) => {
            Payload::Chunks(recall.payload.into_iter().map(ChunkBody::from).collect())
        }
        (Shape::Legacy, _, _) => Payload::Text(
            recall.payload.into_iter().map(|it| it.content).collect::<Vec<_>>().join("\n\n"),
        ),
    };
    MemoryAnswer {
        payload,
        facts: recall.facts.into_iter().map(FactBody::from).collect(),
        sources: recall.sources.into_iter().map(SourceBody::from).collect(),
        token_count: recall.token_count,
        partial: None,
        explanation: recall.explanation.map(ExplanationBody::from),
    }
}

/// The stages and the whole in milliseconds, after the W3C's Server Timing. The whole has what the stages do not: waiting for a
/// turn or for an index.
fn server_timing(recall: &Recall, total: Duration) -> HeaderValue {
    let stages: Vec<String> = recall
        .timings
        .iter()
        .chain([&("total", total)])
        .map(|(stage, took)| format!("{stage};dur={:.3}", took.as_secs_f64() * 1000.0))
        .collect();
    HeaderValue::from_str(&stages.join(", ")).expect("stages are named in ASCII")
}

impl From<Item> for ItemBody {
    fn from(item: Item) -> Self {
        Self { content: item.content, score: item.score, metadata: MetadataBody::of(item.metadata) }
    }
}

impl From<Item> for ChunkBody {
    fn from(item: Item) -> Self {
        Self { content: item.content, metadata: MetadataBody::of(item.metadata) }
    }
}

impl MetadataBody {
    fn of(metadata: ItemMetadata) -> Option<Self> {
        match metadata {
            ItemMetadata::None => None,
            ItemMetadata::Chunk { source, source_title, place } => {
                Some(Self::Chunk { source, source_title, place: place.map(PlaceBody::from) })
            }
            ItemMetadata::Passages(passages) => Some(Self::Passages {
                passages: passages.into_iter().map(PassageBody::from).collect(),
            }),
        }
    }
}

impl From<RankedPassage> for PassageBody {
    fn from(it: RankedPassage) -> Self {
        Self {
            rank: it.rank,
            file_id: it.file_id,
            record_id: it.record_id,
            title: it.title,
            place: it.place.map(PlaceBody::from),
            score: it.score,
            text: it.text,
        }
    }
}

impl From<Place> for PlaceBody {
    fn from(it: Place) -> Self {
        match it {
            Place::Page(page) => Self::Page(page),
            Place::Slide(slide) => Self::Slide(slide),
            Place::Sheet(name) => Self::Sheet(name),
            Place::Chapter(name) => Self::Chapter(name),
            Place::Seconds(seconds) => Self::Seconds(seconds),
        }
    }
}

impl From<Fact> for FactBody {
    fn from(it: Fact) -> Self {
        Self { content: it.text.clone(), text: it.text, relevance: it.relevance }
    }
}

impl From<Source> for SourceBody {
    fn from(it: Source) -> Self {
        Self { id: it.file_id, name: it.name, url: it.url, score: it.score }
    }
}
