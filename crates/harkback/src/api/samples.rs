//! The files of a memory: put in, taken out, ingested.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use harkback_engine::model::{FileRecord, MemoryRecord, Sample};
use harkback_engine::{IngestionCost, Start, StartIds};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Created, Success, Time, created};
use super::error::{ApiError, Errors, Verb, bad_request, must_be, required};
use super::extract::{Fields, IgnoredBody, Params, checked_id};
use super::files::find_file;
use super::memories::find_memory;
use super::receipts::{WithReceipt, with_receipt};
use crate::app::AppState;

const MAX_FILES: usize = 1000;
/// English text has about four bytes a token; the exact number is known only after the ingestion.
const BYTES_PER_TOKEN: i64 = 4;

/// Files to put into a memory.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body to the API document; `add_files` reads it")]
pub struct AddedFiles {
    #[schema(rename = "memoryID")]
    memory_id: String,
    /// Ids of files.
    #[schema(min_items = 1, max_items = 1000)]
    files: Vec<String>,
}

/// Which memory to ingest.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body to the API document; `start_ingestion` reads it")]
pub struct IngestionRequest {
    #[schema(rename = "memoryID")]
    memory_id: String,
}

/// That something was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    #[schema(example = "success")]
    status: &'static str,
}

impl Done {
    pub(super) fn new() -> Self {
        Self { status: "success" }
    }
}

/// A file in a memory.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampleBody {
    id: String,
    #[serde(rename = "fileID")]
    file_id: String,
    #[serde(rename = "memoryID")]
    memory_id: String,
    #[serde(rename = "userID")]
    user_id: String,
    /// Always `document`.
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: Time,
    updated_at: Time,
}

/// The first sample, and all of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedSamples {
    #[serde(flatten)]
    first: SampleBody,
    samples: Vec<SampleBody>,
}

/// That an ingestion was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartedIngestion {
    status: &'static str,
    message: &'static str,
    data: StartedBatch,
}

/// What the ingestion has to do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedBatch {
    token_metrics: TokenMetrics,
    /// Samples still to process.
    sample_count: i64,
}

/// Tokens of the account's memories.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenMetrics {
    /// Estimated from the size of the files still to process.
    tokens_for_ingestion: i64,
    /// The limit less what the account's memories hold.
    tokens_remaining: i64,
    /// The server's limit for an account.
    total_token_limit: i64,
}

/// Put files into a memory, all or none; a file that is in already keeps its sample
#[utoipa::path(
    post,
    path = "/memories/add-files",
    operation_id = "add_files_to_memory",
    tag = "Memories",
    request_body = AddedFiles,
    responses((status = 201, description = "The samples", body = Success<AddedSamples>), Errors)
)]
pub async fn add_files(
    State(app): State<AppState>,
    caller: Caller,
    fields: Fields,
) -> Result<Created<AddedSamples>, ApiError> {
    let memory_id = memory_id(&fields)?;
    let ids = file_ids(&fields)?;
    let record = find_memory(&app, &caller, &memory_id, Verb::Update).await?;
    let mut files = Vec::with_capacity(ids.len());
    for id in &ids {
        files.push(find_file(&app, &caller, id, Verb::Access).await?);
    }
    let inner: Vec<_> = files.iter().map(|it| it.file_id).collect();
    let new_ids: Vec<_> = files.iter().map(|_| app.new_id()).collect();
    let samples = app.store.add_samples(&record, &inner, &new_ids, app.now()).await?;
    let samples: Vec<_> =
        samples.iter().zip(&files).map(|(it, file)| sample_body(&record, file, it)).collect();
    let first = samples.first().expect("there is at least one file").clone();
    Ok(created(AddedSamples { first, samples }))
}

/// Take a file and all that was derived from it out of a memory; the file's record stays
#[utoipa::path(
    delete,
    path = "/memories/delete-file",
    operation_id = "delete_file_from_memory",
    tag = "Memories",
    params(
        ("memoryID" = String, Query, description = "The memory's id"),
        ("fileID" = String, Query, description = "The file's id"),
    ),
    responses((status = 200, description = "The file is out", body = Done,
        headers(("X-Receipt-ID" = String, description = "Id of the receipt that says what was deleted"))), Errors)
)]
pub async fn delete_file_from_memory(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
    _: IgnoredBody,
) -> Result<WithReceipt<Done>, ApiError> {
    let memory_id = params.required_id("memoryID", "Memory ID")?;
    let file_id = params.required_id("fileID", "File ID")?;
    let record = find_memory(&app, &caller, &memory_id, Verb::Update).await?;
    let file = find_file(&app, &caller, &file_id, Verb::Access).await?;
    let receipt = app.memory.forget_file(&record, &file, app.new_id(), app.now()).await?;
    let receipt = receipt.ok_or_else(|| bad_request("File not found in this memory"))?;
    Ok(with_receipt(&receipt, Json(Done::new())))
}

/// Start the ingestion of a memory's files in the background; unchanged files are not processed again
#[utoipa::path(
    post,
    path = "/memories/start-ingestion",
    operation_id = "start_ingestion",
    tag = "Memories",
    request_body = IngestionRequest,
    responses((status = 200, description = "The ingestion is started", body = StartedIngestion), Errors)
)]
pub async fn start_ingestion(
    State(app): State<AppState>,
    caller: Caller,
    fields: Fields,
) -> Result<Json<StartedIngestion>, ApiError> {
    let record = find_memory(&app, &caller, &memory_id(&fields)?, Verb::Update).await?;
    let model_id = app.memory.embedder_id();
    let cost = app.store.ingestion_cost(&record, model_id).await?;
    let token_metrics = token_metrics(cost, app.config.token_limit);
    if token_metrics.tokens_for_ingestion > token_metrics.tokens_remaining {
        return Err(bad_request(format!(
            "Token limit exceeded: about {} tokens to ingest, {} remaining",
            token_metrics.tokens_for_ingestion, token_metrics.tokens_remaining
        )));
    }
    let ids = StartIds { job_id: app.new_id(), batch_id: app.new_id() };
    match app.store.start_ingestion(&record, ids, model_id, app.now()).await? {
        Start::Empty => Err(bad_request("No files to ingest")),
        Start::Started { n_samples } => {
            app.job_ready.notify_one();
            Ok(Json(StartedIngestion {
                status: "success",
                message: "Sample batch processing started",
                data: StartedBatch { token_metrics, sample_count: n_samples },
            }))
        }
    }
}

fn memory_id(fields: &Fields) -> Result<String, ApiError> {
    match fields.value("memoryID") {
        None => Err(required("Memory ID")),
        Some(Value::String(id)) if id.trim().is_empty() => Err(required("Memory ID")),
        Some(_) => fields.required_id("memoryID"),
    }
}

/// The ids in `files`, each once, in the order given.
fn file_ids(fields: &Fields) -> Result<Vec<String>, ApiError> {
    let Some(files) = fields.value("files") else { return Err(required("files")) };
    let must = || must_be("files", "an array of 1 to 1000 file IDs");
    let files =
        files.as_array().filter(|it| (1..=MAX_FILES).contains(&it.len())).ok_or_else(must)?;
    let mut seen = HashSet::new();
    let mut ids = Vec::with_capacity(files.len());
    for file in files {
        let id = checked_id("File ID", file.as_str().ok_or_else(must)?)?;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn token_metrics(cost: IngestionCost, limit: i64) -> TokenMetrics {
    TokenMetrics {
        tokens_for_ingestion: (cost.n_bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN,
        tokens_remaining: (limit - cost.n_tokens_held).max(0),
        total_token_limit: limit,
    }
}

fn sample_body(record: &MemoryRecord, file: &FileRecord, it: &Sample) -> SampleBody {
    SampleBody {
        id: it.sample_id.to_string(),
        file_id: file.id.clone(),
        memory_id: record.memory_id.0.to_string(),
        user_id: record.account_id.0.to_string(),
        kind: "document",
        created_at: Time(it.created_at),
        updated_at: Time(it.updated_at),
    }
}
