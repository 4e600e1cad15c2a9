//! Memories: their settings, the files in them and their ingestion.

use axum::Json;
use axum::extract::State;
use harkback_engine::model::{
    DeletionKind, Ingestion, IngestionStatus, MemoryId, MemoryKind, MemoryRecord, Micros, Ontology,
    WorkBytes,
};
use harkback_engine::{MemoryPatch, SampleCounts};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Created, Deleted, Success, Time, created, success};
use super::error::{ApiError, Errors, Noun, Verb, bad_request, must_be, required, unchangeable};
use super::extract::{Fields, IgnoredBody, Params, PathId};
use super::idempotency::Keyed;
use super::page::{List, PageParams, PageTokens};
use super::receipts::{WithReceipt, deleted_with};
use crate::app::{App, AppState};

const MAX_CHUNK_SIZE: i64 = 10_000;
const MAX_CHUNK_OVERLAP: i64 = 50;

/// A memory to be made.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body to the API document; `record` reads it")]
pub struct NewMemory {
    name: String,
    description: Option<String>,
    #[schema(example = "graph")]
    memory_type: String,
    /// `culture`, `essays` or `support_requests`; required for a graph memory, ignored for a vector memory.
    #[schema(example = "culture")]
    ontology: Option<String>,
    /// Characters of a chunk (vector memories).
    #[schema(minimum = 1, maximum = 10000, default = 250)]
    chunk_size: Option<i64>,
    /// Overlap of chunks in percent (vector memories).
    #[schema(minimum = 1, maximum = 50, default = 10)]
    chunk_overlap: Option<i64>,
    /// Where events of ingestions are posted.
    webhook_url: Option<String>,
    acceleration: Option<bool>,
    fact_extraction: Option<bool>,
}

/// A change of a memory's settings. What is left out stays as it is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body to the API document; `patch` reads it")]
pub struct MemoryChange {
    name: Option<String>,
    description: Option<String>,
    /// `null` removes it.
    webhook_url: Option<String>,
    acceleration: Option<bool>,
    fact_extraction: Option<bool>,
}

/// A memory.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryBody {
    id: String,
    name: String,
    description: String,
    memory_type: &'static str,
    #[schema(required = true)]
    ontology: Option<&'static str>,
    #[serde(rename = "userID")]
    user_id: String,
    #[serde(rename = "graphDBName")]
    #[schema(required = true)]
    graph_db_name: Option<String>,
    #[serde(rename = "vectorDBCollection")]
    #[schema(required = true)]
    vector_db_collection: Option<String>,
    #[schema(required = true)]
    adapter_repo: Option<String>,
    adapter_version: i64,
    /// `select`, then `ingest`, then `complete` or `failed`.
    step: String,
    chunk_size: u32,
    chunk_overlap: u32,
    #[schema(required = true)]
    webhook_url: Option<String>,
    acceleration: bool,
    fact_extraction: bool,
    created_at: Time,
    updated_at: Time,
}

impl From<&MemoryRecord> for MemoryBody {
    fn from(it: &MemoryRecord) -> Self {
        let id = it.memory_id.0.to_string();
        Self {
            name: it.name.clone(),
            description: it.description.clone(),
            memory_type: it.kind.as_str(),
            ontology: it.ontology.map(Ontology::as_str),
            user_id: it.account_id.0.to_string(),
            graph_db_name: (it.kind == MemoryKind::Graph).then(|| id.clone()),
            vector_db_collection: Some(id.clone()),
            adapter_repo: None,
            adapter_version: 0,
            step: it.step.clone(),
            chunk_size: it.chunk_size,
            chunk_overlap: it.chunk_overlap,
            webhook_url: it.webhook_url.clone(),
            acceleration: it.acceleration,
            fact_extraction: it.fact_extraction,
            created_at: Time(it.created_at),
            updated_at: Time(it.updated_at),
            id,
        }
    }
}

/// A memory with the state of its last ingestion.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryDetail {
    #[serde(flatten)]
    memory: MemoryBody,
    /// Of the last ingestion: `pending`, `processing`, `success` or `failed`; `pending` if there was none.
    status: &'static str,
    progress: ProgressBody,
}

/// How far a memory has come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressBody {
    samples: SampleProgress,
    /// Passages that can be recalled, and those on their way.
    passages: i64,
    sentences: i64,
    /// Passages of the last ingestion that went through the embedding model.
    embedded: i64,
    /// Passages of the last ingestion whose vector was taken over from the version before, because their text is the same.
    reused: i64,
    entities: i64,
    relations: i64,
    /// Passages a second in the last ingestion, null until there are any.
    #[schema(required = true)]
    rate: Option<f64>,
    /// Seconds until all passages are in, estimated by bytes as if all files held as many passages a byte; null if no
    /// ingestion is under way, nothing has been read yet, or websites have still to be fetched.
    #[schema(required = true)]
    eta_seconds: Option<i64>,
    /// The files that failed, at most 1000.
    failed: Vec<FailedFile>,
}

/// Files of a memory.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleProgress {
    total: i64,
    /// Those that can be recalled or have failed.
    done: i64,
}

/// A file that could not be ingested.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailedFile {
    #[serde(rename = "fileID")]
    file_id: String,
    name: String,
    reason: String,
}

/// A page of memories, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryPage {
    memories: Vec<MemoryBody>,
    #[serde(flatten)]
    tokens: PageTokens,
}

/// Make a memory
#[utoipa::path(
    post,
    path = "/memories/create",
    operation_id = "create_memory",
    tag = "Memories",
    request_body = NewMemory,
    responses((status = 201, description = "The new memory", body = Success<MemoryBody>), Errors)
)]
pub async fn create_memory(
    State(app): State<AppState>,
    caller: Caller,
    keyed: Keyed,
    fields: Fields,
) -> Result<Created<MemoryBody>, ApiError> {
    let record = record(&app, &caller, &fields)?;
    let answer = created(MemoryBody::from(&record));
    keyed.about(DeletionKind::Memory, &record.memory_id.0.to_string());
    app.store.create_memory(&record, keyed.keep(&answer).as_ref()).await?;
    Ok(answer)
}

/// List memories, newest first
#[utoipa::path(
    get,
    path = "/memories/list",
    operation_id = "list_memories",
    tag = "Memories",
    params(PageParams),
    responses((status = 200, description = "A page of memories", body = Success<MemoryPage>), Errors)
)]
pub async fn list_memories(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<Success<MemoryPage>>, ApiError> {
    let list = List { name: "memories", account_id: caller.account_id, filters: vec![] };
    let page = app.store.list_memories(caller.account_id, &list.request(&app, &params)?).await?;
    let tokens = list.tokens(&app, &page);
    Ok(success(MemoryPage { memories: page.items.iter().map(MemoryBody::from).collect(), tokens }))
}

/// Get a memory with the progress of its last ingestion
#[utoipa::path(
    get,
    path = "/memories/get/{id}",
    operation_id = "get_memory",
    tag = "Memories",
    params(("id" = String, Path, description = "The memory's id")),
    responses((status = 200, description = "The memory", body = Success<MemoryDetail>), Errors)
)]
pub async fn get_memory(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<MemoryDetail>>, ApiError> {
    let record = find_memory(&app, &caller, &id.of(Noun::Memory)?, Verb::Access).await?;
    let counts = app.store.count_samples(&record).await?;
    let ingestion = app.store.last_ingestion(record.memory_id).await?;
    let bytes = app.store.work_bytes(record.memory_id).await?;
    Ok(success(MemoryDetail {
        memory: MemoryBody::from(&record),
        status: ingestion.as_ref().map_or(IngestionStatus::Pending, |it| it.status).as_str(),
        progress: progress(counts, ingestion.as_ref(), bytes, app.now()),
    }))
}

/// Change a memory's settings
#[utoipa::path(
    patch,
    path = "/memories/update/{id}",
    operation_id = "update_memory",
    tag = "Memories",
    params(("id" = String, Path, description = "The memory's id")),
    request_body = MemoryChange,
    responses((status = 200, description = "The memory as it is now", body = Success<MemoryBody>), Errors)
)]
pub async fn update_memory(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    fields: Fields,
) -> Result<Json<Success<MemoryBody>>, ApiError> {
    let id = id.of(Noun::Memory)?;
    let patch = patch(&app, &fields)?;
    let record = find_memory(&app, &caller, &id, Verb::Update).await?;
    refuse_changes(&record, &fields)?;
    let updated =
        app.store.update_memory(caller.account_id, record.memory_id, &patch, app.now()).await?;
    let updated = updated.ok_or_else(|| Noun::Memory.not_found())?;
    Ok(success(MemoryBody::from(&updated)))
}

/// Delete a memory and all that was derived in it; the files stay
#[utoipa::path(
    delete,
    path = "/memories/delete/{id}",
    operation_id = "delete_memory",
    tag = "Memories",
    params(("id" = String, Path, description = "The memory's id")),
    responses((status = 200, description = "The memory is deleted", body = Deleted,
        headers(("X-Receipt-ID" = String, description = "Id of the receipt that says what was deleted"))), Errors)
)]
pub async fn delete_memory(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    _: IgnoredBody,
) -> Result<WithReceipt<Deleted>, ApiError> {
    let record = find_memory(&app, &caller, &id.of(Noun::Memory)?, Verb::Delete).await?;
    let receipt = app.memory.delete_memory(&record, app.new_id(), app.now()).await?;
    Ok(deleted_with(&receipt.ok_or_else(|| Noun::Memory.not_found())?, Noun::Memory))
}

/// The caller's memory of that id.
pub(super) async fn find_memory(
    app: &App,
    caller: &Caller,
    id: &str,
    verb: Verb,
) -> Result<MemoryRecord, ApiError> {
    Noun::Memory.mine(app.store.find_memory(caller.account_id, id).await?, verb)
}

fn record(app: &App, caller: &Caller, fields: &Fields) -> Result<MemoryRecord, ApiError> {
    if fields.value("id").is_some() {
        return Err(bad_request("id cannot be chosen for a memory, the server makes it"));
    }
    let name = fields.required_text("name")?;
    let kind = fields.choice("memoryType", MemoryKind::parse, "graph or vector")?;
    let kind = kind.ok_or_else(|| required("memoryType"))?;
    let ontology = ontology(fields, kind)?;
    let chunk_size = chunk_number(fields, "chunkSize", MAX_CHUNK_SIZE, kind)?;
    let chunk_overlap = chunk_number(fields, "chunkOverlap", MAX_CHUNK_OVERLAP, kind)?;
    let description = fields.text("description")?.unwrap_or_default();
    let webhook_url = webhook_url(app, fields)?;
    let (acceleration, fact_extraction) =
        (fields.flag("acceleration")?, fields.flag("factExtraction")?);
    let now = app.now();
    Ok(MemoryRecord {
        account_id: caller.account_id,
        memory_id: MemoryId(app.new_id()),
        name,
        description,
        kind,
        ontology,
        chunk_size: chunk_size.unwrap_or(MemoryRecord::CHUNK_SIZE),
        chunk_overlap: chunk_overlap.unwrap_or(MemoryRecord::CHUNK_OVERLAP),
        webhook_url,
        acceleration,
        fact_extraction,
        step: "select".into(),
        rev: 0,
        created_at: now,
        updated_at: now,
    })
}

fn patch(app: &App, fields: &Fields) -> Result<MemoryPatch, ApiError> {
    let flag = |name| fields.value(name).map(|_| fields.flag(name)).transpose();
    let name = fields.text("name")?;
    if name.as_deref().is_some_and(|it| it.trim().is_empty()) {
        return Err(must_be("name", "a text that is not blank"));
    }
    Ok(MemoryPatch {
        name,
        description: fields.text("description")?,
        webhook_url: if fields.names("webhookUrl") {
            Some(webhook_url(app, fields)?)
        } else {
            None
        },
        acceleration: flag("acceleration")?,
        fact_extraction: flag("factExtraction")?,
    })
}

/// Refuses what is fixed when a memory is made, unless it is as it was: clients send back the whole of what they got.
fn refuse_changes(record: &MemoryRecord, fields: &Fields) -> Result<(), ApiError> {
    let text = |field| fields.value(field).and_then(Value::as_str);
    let number = |field| fields.integer(field, 0..=i64::MAX).ok().flatten();
    for (field, is_same) in [
        ("id", text("id") == Some(&record.memory_id.0.to_string())),
        ("memoryType", text("memoryType").and_then(MemoryKind::parse) == Some(record.kind)),
        ("ontology", text("ontology").and_then(Ontology::parse) == record.ontology),
        ("chunkSize", number("chunkSize") == Some(record.chunk_size.into())),
        ("chunkOverlap", number("chunkOverlap") == Some(record.chunk_overlap.into())),
    ] {
        if fields.value(field).is_some() && !is_same {
            return Err(unchangeable(field));
        }
    }
    Ok(())
}

fn ontology(fields: &Fields, kind: MemoryKind) -> Result<Option<Ontology>, ApiError> {
    match kind {
        MemoryKind::Vector => Ok(None),
        MemoryKind::Graph => {
            let ontology = fields.choice(
                "ontology",
                Ontology::parse,
                "culture, essays or support_requests",
            )?;
            ontology.map(Some).ok_or_else(|| required("ontology"))
        }
    }
}

/// A number from 1 to `max`. A graph memory, which has no chunks, ignores what is not one.
fn chunk_number(
    fields: &Fields,
    field: &str,
    max: i64,
    kind: MemoryKind,
) -> Result<Option<u32>, ApiError> {
    let number = match (kind, fields.integer(field, 1..=max)) {
        (MemoryKind::Vector, Err(error)) => return Err(error),
        (MemoryKind::Graph, Err(_)) => None,
        (_, Ok(number)) => number,
    };
    Ok(number.map(|it| u32::try_from(it).expect("it is from 1 to `max`")))
}

/// An empty address is none.
fn webhook_url(app: &App, fields: &Fields) -> Result<Option<String>, ApiError> {
    let Some(url) = fields.text("webhookUrl")?.filter(|it| !it.trim().is_empty()) else {
        return Ok(None);
    };
    app.egress.check(&url).map_err(|why| bad_request(format!("webhookUrl {why}")))?;
    Ok(Some(url))
}

fn progress(
    counts: SampleCounts,
    ingestion: Option<&Ingestion>,
    bytes: WorkBytes,
    now: Micros,
) -> ProgressBody {
    let open = ingestion.filter(|it| it.finished_at.is_none());
    let staged = open.map_or(0, |it| it.n_staged);
    ProgressBody {
        samples: SampleProgress { total: counts.n_samples, done: counts.n_done },
        passages: counts.n_passages + staged,
        sentences: counts.n_sentences,
        embedded: ingestion.map_or(0, |it| it.n_embedded),
        reused: ingestion.map_or(0, |it| it.n_reused),
        entities: ingestion.map_or(0, |it| it.n_entities),
        relations: ingestion.map_or(0, |it| it.n_relations),
        rate: ingestion.and_then(|it| it.passages_per_second(now)),
        eta_seconds: open.and_then(|it| it.eta_seconds(bytes, now)),
        failed: counts
            .failed
            .into_iter()
            .map(|it| FailedFile { file_id: it.file_id, name: it.name, reason: it.reason })
            .collect(),
    }
}
