//! Receipts: what each deletion took, and each refresh.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use harkback_engine::model::{DeletedCounts, Extent, Receipt};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Deleted, Success, Time, deleted, success};
use super::error::{ApiError, Errors, Noun, Verb};
use super::extract::{Params, PathId};
use super::page::{List, PageParams, PageTokens};
use crate::app::AppState;

/// Names the receipt in the answer of a deletion, whose body is the contract's.
const RECEIPT_ID: HeaderName = HeaderName::from_static("x-receipt-id");

/// The answer of a deletion, with the id of its receipt in the header `X-Receipt-ID`.
pub(super) type WithReceipt<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

/// 200 after something was deleted.
pub(super) fn deleted_with(receipt: &Receipt, noun: Noun) -> WithReceipt<Deleted> {
    with_receipt(receipt, deleted(noun))
}

/// Adds the id of a receipt to an answer.
pub(super) fn with_receipt<T>(receipt: &Receipt, answer: Json<T>) -> WithReceipt<T> {
    let id = HeaderValue::from_str(&receipt.receipt_id.to_string()).expect("a UUID is ASCII");
    ([(RECEIPT_ID, id)], answer)
}

/// What the deletion of a session or a user is to take.
pub(super) fn extent(params: &Params) -> Result<Extent, ApiError> {
    Ok(if params.strict_flag("wipe")? { Extent::Everything } else { Extent::Record })
}

/// What a deletion took.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptBody {
    id: String,
    /// What was deleted: `memory`, `file_in_memory`, `file`, `user`, `session` or `message`; `refresh` for what an
    /// ingestion replaced of a file, or no longer found of a website: versions, pages, bytes.
    #[schema(example = "file")]
    kind: &'static str,
    /// The id of what was deleted.
    #[serde(rename = "subjectID")]
    subject_id: String,
    /// The memories that the deletion changed.
    memories: Vec<ChangedMemory>,
    counts: CountsBody,
    created_at: Time,
}

/// A memory after a deletion in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedMemory {
    #[serde(rename = "memoryID")]
    memory_id: String,
    /// Counts the visible changes of the memory.
    revision: i64,
}

/// How many of each kind a deletion took. Entities and relations are derived: how many fewer the graph has, null where it
/// was not in RAM or changed at the same time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountsBody {
    memories: i64,
    files: i64,
    samples: i64,
    passages: i64,
    sentences: i64,
    vectors: i64,
    #[schema(required = true)]
    entities: Option<i64>,
    #[schema(required = true)]
    relations: Option<i64>,
    blobs: i64,
    blob_bytes: i64,
    jobs: i64,
    deliveries: i64,
    users: i64,
    sessions: i64,
    messages: i64,
    /// Answers kept under idempotency keys that told of it.
    kept_answers: i64,
}

/// A page of receipts.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptPage {
    receipts: Vec<ReceiptBody>,
    #[serde(flatten)]
    page: PageTokens,
}

/// Get the receipt of a deletion
#[utoipa::path(
    get,
    path = "/receipts/get/{id}",
    operation_id = "get_receipt",
    tag = "Receipts",
    params(("id" = String, Path, description = "The receipt's id, as `X-Receipt-ID` named it")),
    responses((status = 200, description = "The receipt", body = Success<ReceiptBody>), Errors),
)]
pub async fn get_receipt(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<ReceiptBody>>, ApiError> {
    let found = app.store.receipt(caller.account_id, &id.of(Noun::Receipt)?).await?;
    Ok(success(ReceiptBody::from(Noun::Receipt.mine(found, Verb::Access)?)))
}

/// List the receipts of deletions, newest first
#[utoipa::path(
    get,
    path = "/receipts/list",
    operation_id = "list_receipts",
    tag = "Receipts",
    params(PageParams),
    responses((status = 200, description = "A page of receipts", body = Success<ReceiptPage>), Errors),
)]
pub async fn list_receipts(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<Success<ReceiptPage>>, ApiError> {
    let list = List { name: "receipts", account_id: caller.account_id, filters: vec![] };
    let found = app.store.list_receipts(caller.account_id, &list.request(&app, &params)?).await?;
    Ok(success(ReceiptPage {
        page: list.tokens(&app, &found),
        receipts: found.items.into_iter().map(ReceiptBody::from).collect(),
    }))
}

impl From<Receipt> for ReceiptBody {
    fn from(it: Receipt) -> Self {
        let memories = it
            .memories
            .iter()
            .map(|it| ChangedMemory { memory_id: it.memory_id.0.to_string(), revision: it.rev });
        Self {
            id: it.receipt_id.to_string(),
            kind: it.kind.as_str(),
            subject_id: it.subject_id.clone(),
            memories: memories.collect(),
            counts: it.counts.into(),
            created_at: Time(it.created_at),
        }
    }
}

impl From<DeletedCounts> for CountsBody {
    fn from(it: DeletedCounts) -> Self {
        Self {
            memories: it.memories,
            files: it.files,
            samples: it.samples,
            passages: it.passages,
            sentences: it.sentences,
            vectors: it.vectors,
            entities: it.entities,
            relations: it.relations,
            blobs: it.blobs,
            blob_bytes: it.blob_bytes,
            jobs: it.jobs,
            deliveries: it.deliveries,
            users: it.users,
            sessions: it.sessions,
            messages: it.messages,
            kept_answers: it.kept_answers,
        }
    }
}
