//! Files: their records, made of an upload or an address, and what was read out of them.

use axum::Json;
use axum::extract::State;
use harkback_engine::model::{DeletionKind, FileId, FileRecord, FileType, NewFile};
use harkback_engine::{FilePatch, NewContent};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Created, Deleted, Success, Time, created, success};
use super::error::{ApiError, Errors, Noun, Verb, bad_request, must_be, required, unchangeable};
use super::extract::{Fields, IgnoredBody, Params, PathId};
use super::idempotency::Keyed;
use super::page::{List, PageParams, PageTokens};
use super::receipts::{WithReceipt, deleted_with};
use crate::app::{App, AppState};

const CATEGORIES: [&str; 6] = ["audio", "video", "web", "document", "other", "all"];
/// More text than this is not sent in one answer.
const MAX_CONTENT_BYTES: usize = 8 << 20;

/// A file to be made.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body to the API document; `new_file` reads it")]
pub struct NewFileBody {
    name: String,
    id: Option<String>,
    /// Key of a finished upload.
    key: Option<String>,
    /// Address on the web; `external_uri` is accepted as well.
    #[schema(rename = "externalURI")]
    external_uri: Option<String>,
    /// Told by the name where it is left out.
    file_type: Option<String>,
}

/// A change of a file. What is left out stays as it is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body to the API document; `update_file` reads it")]
pub struct FileChange {
    name: Option<String>,
    /// Key of a finished upload whose bytes take the place of the file's.
    key: Option<String>,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileBody {
    id: String,
    name: String,
    extension: String,
    file_type: &'static str,
    category: &'static str,
    /// Key of the bytes.
    #[schema(required = true)]
    bronze_key: Option<String>,
    #[serde(rename = "organisationID")]
    organisation_id: String,
    #[serde(rename = "userID")]
    user_id: String,
    #[serde(rename = "externalURI")]
    #[schema(required = true)]
    external_uri: Option<String>,
    #[schema(required = true)]
    num_speakers: Option<i64>,
    #[schema(required = true)]
    origin_region: Option<String>,
    created_at: Time,
    updated_at: Time,
}

/// A file with what was read out of it. What is not known is null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileDetail {
    #[serde(flatten)]
    file: FileBody,
    /// The extracted text, once the file is ingested into a memory; at most 8 MB of it.
    #[schema(required = true)]
    content: Option<String>,
    /// Whether the text goes on beyond `content`.
    content_truncated: bool,
    /// Characters of `content`.
    #[schema(required = true)]
    length: Option<usize>,
    /// Bytes of the file.
    #[schema(required = true)]
    size: Option<i64>,
    /// Tokens of the extracted text.
    #[schema(required = true)]
    tokens: Option<i64>,
    /// The first memory that the file was put into.
    #[serde(rename = "memoryID")]
    #[schema(required = true)]
    memory_id: Option<String>,
    /// Where the file comes from: its address, or `upload`.
    #[schema(required = true)]
    source: Option<String>,
    #[serde(rename = "jobID")]
    #[schema(required = true)]
    job_id: Option<String>,
    #[schema(required = true)]
    silver_transcript_key: Option<String>,
    #[schema(required = true)]
    silver_audio_key: Option<String>,
    #[schema(required = true)]
    gold_audio_key: Option<String>,
    #[schema(required = true)]
    gold_chunk_key: Option<String>,
    #[schema(required = true)]
    gold_graph_key: Option<String>,
    #[schema(required = true)]
    ai_key: Option<String>,
    /// Of a `sitemap` or `website_bulk`: pages known of.
    #[schema(required = true)]
    hidden_files_total: Option<i64>,
    /// Those that have a file of their own.
    #[schema(required = true)]
    hidden_files_created: Option<i64>,
    /// Those that were fetched.
    #[schema(required = true)]
    hidden_files_processed: Option<i64>,
    /// Those that can be recalled.
    #[schema(required = true)]
    hidden_files_ingested: Option<i64>,
    /// What was left out when the pages of a website were fetched last.
    #[schema(required = true)]
    fetch_note: Option<String>,
}

/// A page of files, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilePage {
    files: Vec<FileBody>,
    #[serde(flatten)]
    tokens: PageTokens,
}

/// Make a file of an upload or of an address
#[utoipa::path(
    post,
    path = "/files/create",
    operation_id = "create_file",
    tag = "Files",
    request_body = NewFileBody,
    responses((status = 201, description = "The new file", body = Success<FileBody>), Errors)
)]
pub async fn create_file(
    State(app): State<AppState>,
    caller: Caller,
    keyed: Keyed,
    fields: Fields,
) -> Result<Created<FileBody>, ApiError> {
    let file = new_file(&app, &fields)?;
    keyed.about(DeletionKind::File, &file.id);
    let kept = |it: &FileRecord| keyed.keep(&created(FileBody::from(it)));
    let made = app.store.create_file(caller.account_id, &file, app.now(), kept).await;
    let record = made.map_err(|error| Noun::File.creation_failed(error))?;
    Ok(created(FileBody::from(&record)))
}

/// Get a file with what was read out of it
#[utoipa::path(
    get,
    path = "/files/get/{id}",
    operation_id = "get_file",
    tag = "Files",
    params(("id" = String, Path, description = "The file's id")),
    responses((status = 200, description = "The file", body = Success<FileDetail>), Errors)
)]
pub async fn get_file(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<FileDetail>>, ApiError> {
    let record = find_file(&app, &caller, &id.of(Noun::File)?, Verb::Access).await?;
    let memory_id = app.store.memory_of_file(record.file_id).await?;
    let text = app.store.extracted_text(record.file_id, MAX_CONTENT_BYTES).await?;
    let pages = app.store.count_pages(&record).await?;
    Ok(success(FileDetail {
        file: FileBody::from(&record),
        content_truncated: text.as_ref().is_some_and(|it| it.truncated),
        length: text.as_ref().map(|it| it.text.chars().count()),
        tokens: text.as_ref().map(|it| it.n_tokens),
        content: text.map(|it| it.text),
        size: record.size,
        memory_id: memory_id.map(|it| it.0.to_string()),
        source: record
            .external_uri
            .clone()
            .or_else(|| record.blob_key.as_ref().map(|_| "upload".into())),
        job_id: None,
        silver_transcript_key: None,
        silver_audio_key: None,
        gold_audio_key: None,
        gold_chunk_key: None,
        gold_graph_key: None,
        ai_key: None,
        hidden_files_total: pages.as_ref().map(|it| it.n_found),
        hidden_files_created: pages.as_ref().map(|it| it.n_created),
        hidden_files_processed: pages.as_ref().map(|it| it.n_fetched),
        hidden_files_ingested: pages.as_ref().map(|it| it.n_ingested),
        fetch_note: pages.and_then(|it| it.note),
    }))
}

/// List files, newest first
#[utoipa::path(
    get,
    path = "/files/list",
    operation_id = "list_files",
    tag = "Files",
    params(
        (
            "category" = Option<String>, Query,
            description = "Only those of `audio`, `video`, `web`, `document` or `other`; `all` is every one"
        ),
        PageParams,
    ),
    responses((status = 200, description = "A page of files", body = FilePage), Errors)
)]
pub async fn list_files(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<FilePage>, ApiError> {
    let known = |name: &str| CATEGORIES.into_iter().find(|it| *it == name);
    let category =
        params.filter_choice("category", known, "audio, video, web, document, other or all")?;
    let category = category.filter(|it| *it != "all");
    let list = List { name: "files", account_id: caller.account_id, filters: vec![category] };
    let page =
        app.store.list_files(caller.account_id, category, &list.request(&app, &params)?).await?;
    let tokens = list.tokens(&app, &page);
    Ok(Json(FilePage { files: page.items.iter().map(FileBody::from).collect(), tokens }))
}

/// Change a file's name or its bytes
///
/// With other bytes, the memories that hold the file answer from what they made of the former ones until their next
/// ingestion, which embeds only the passages that changed.
#[utoipa::path(
    patch,
    path = "/files/update/{id}",
    operation_id = "update_file",
    tag = "Files",
    params(("id" = String, Path, description = "The file's id")),
    request_body = FileChange,
    responses((status = 200, description = "The file as it is now", body = Success<FileBody>), Errors)
)]
pub async fn update_file(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    fields: Fields,
) -> Result<Json<Success<FileBody>>, ApiError> {
    let id = id.of(Noun::File)?;
    let name = fields.text("name")?;
    if name.as_deref().is_some_and(|it| it.trim().is_empty()) {
        return Err(must_be("name", "a text that is not blank"));
    }
    let key = fields.text("key")?;
    let record = find_file(&app, &caller, &id, Verb::Update).await?;
    // The bytes that it has already are no change.
    let key = key.filter(|it| record.blob_key.as_ref() != Some(it));
    let content = key.map(|key| new_content(&app, &record, name.as_deref(), key));
    refuse_changes(&record, content.as_ref(), &fields)?;
    let patch = FilePatch { name, content };
    let updated = app.store.update_file(&record, &patch, app.now()).await?;
    let (updated, unused) = updated.ok_or_else(|| Noun::File.not_found())?;
    if let Some(key) = unused {
        app.blobs.delete(&key).await?;
    }
    Ok(success(FileBody::from(&updated)))
}

/// Delete a file, its bytes, and what was derived from it in every memory
#[utoipa::path(
    delete,
    path = "/files/delete/{id}",
    operation_id = "delete_file",
    tag = "Files",
    params(("id" = String, Path, description = "The file's id")),
    responses((status = 200, description = "The file is deleted", body = Deleted,
        headers(("X-Receipt-ID" = String, description = "Id of the receipt that says what was deleted"))), Errors)
)]
pub async fn delete_file(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    _: IgnoredBody,
) -> Result<WithReceipt<Deleted>, ApiError> {
    let record = find_file(&app, &caller, &id.of(Noun::File)?, Verb::Delete).await?;
    let receipt = app.memory.delete_file(&record, app.new_id(), app.now()).await?;
    Ok(deleted_with(&receipt.ok_or_else(|| Noun::File.not_found())?, Noun::File))
}

/// The caller's file of that id.
pub(super) async fn find_file(
    app: &App,
    caller: &Caller,
    id: &str,
    verb: Verb,
) -> Result<FileRecord, ApiError> {
    Noun::File.mine(app.store.find_file(caller.account_id, id).await?, verb)
}

fn new_file(app: &App, fields: &Fields) -> Result<NewFile, ApiError> {
    let name = fields.required_text("name")?;
    let id = fields.id("id")?;
    let key = fields.text("key")?;
    let external_uri = external_uri(app, fields)?;
    // An address has no extension.
    let said = Some(name.as_str()).filter(|_| external_uri.is_none());
    let extension = told_extension(said, key.as_deref()).unwrap_or_default();
    let told = match (&key, &external_uri) {
        (None, Some(_)) => FileType::Website,
        _ => FileType::of_extension(&extension),
    };
    let file_type = fields.choice("fileType", FileType::parse, &all_types())?.unwrap_or(told);
    let file_id = app.new_id();
    Ok(NewFile {
        file_id: FileId(file_id),
        id: id.unwrap_or_else(|| file_id.to_string()),
        name,
        extension,
        file_type,
        blob_key: key,
        external_uri,
    })
}

fn new_content(app: &App, record: &FileRecord, name: Option<&str>, key: String) -> NewContent {
    let extension = told_extension(name, Some(&key)).unwrap_or_else(|| record.extension.clone());
    let file_type = if extension == record.extension {
        record.file_type
    } else {
        FileType::of_extension(&extension)
    };
    let (sample_id, receipt_id) = (app.new_id(), app.new_id());
    NewContent { blob_key: key, extension, file_type, sample_id, receipt_id }
}

fn external_uri(app: &App, fields: &Fields) -> Result<Option<String>, ApiError> {
    let given = match fields.text("externalURI")? {
        None => fields.text("external_uri")?,
        given => given,
    };
    let Some(uri) = given else { return Ok(None) };
    if uri.trim().is_empty() {
        // Some clients send it empty beside a key; alone it is an address that got lost.
        let is_upload = fields.value("key").is_some();
        return if is_upload { Ok(None) } else { Err(required("externalURI")) };
    }
    app.egress.check(&uri).map_err(|why| bad_request(format!("externalURI {why}")))?;
    Ok(Some(uri))
}

/// Refuses what is fixed when a file is made, unless it is as it was: clients send back the whole of what they got.
fn refuse_changes(
    record: &FileRecord,
    content: Option<&NewContent>,
    fields: &Fields,
) -> Result<(), ApiError> {
    let file_type = content.map_or(record.file_type, |it| it.file_type).as_str();
    let uri = record.external_uri.as_deref().unwrap_or_default();
    for (field, now) in [
        ("id", record.id.as_str()),
        ("fileType", file_type),
        ("externalURI", uri),
        ("external_uri", uri),
    ] {
        if fields.value(field).is_some_and(|it| it != now) {
            return Err(unchangeable(field));
        }
    }
    Ok(())
}

/// The extension by which a file is read: its name's, unless only its key's is of a type that is known. Lower case.
fn told_extension(name: Option<&str>, key: Option<&str>) -> Option<String> {
    let lower = |text: &str| extension(text).map(str::to_ascii_lowercase);
    let (by_name, by_key) = (name.and_then(lower), key.and_then(lower));
    let is_known = |it: &String| FileType::of_extension(it) != FileType::Other;
    by_name.clone().filter(is_known).or(by_key).or(by_name)
}

/// The extension of a file name or key, if it has one that is worth keeping: letters and digits, at most 16.
pub(super) fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let is_plain = (1..=16).contains(&extension.len())
        && extension.bytes().all(|it| it.is_ascii_alphanumeric());
    (is_plain && !stem.is_empty()).then_some(extension)
}

fn all_types() -> String {
    let names: Vec<_> = FileType::ALL.iter().map(|it| it.as_str()).collect();
    format!("one of {}", names.join(", "))
}

impl From<&FileRecord> for FileBody {
    fn from(it: &FileRecord) -> Self {
        let account_id = it.account_id.0.to_string();
        Self {
            id: it.id.clone(),
            name: it.name.clone(),
            extension: it.extension.clone(),
            file_type: it.file_type.as_str(),
            category: it.file_type.category(),
            bronze_key: it.blob_key.clone(),
            organisation_id: account_id.clone(),
            user_id: account_id,
            external_uri: it.external_uri.clone(),
            num_speakers: None,
            origin_region: None,
            created_at: Time(it.created_at),
            updated_at: Time(it.updated_at),
        }
    }
}
