//! A memory as one archive: JSON Lines with all that it was made of and all that was derived, written as it is read.
//! The lines are described in docs/ARCHIVE.md.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use harkback_engine::model::{ExportedPassage, FileRecord, MemoryRecord, Ontology, Sample};
use harkback_engine::{Error, Export};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::auth::Caller;
use super::envelope::Time;
use super::error::{ApiError, Errors, Noun, Verb};
use super::extract::PathId;
use super::memories::find_memory;
use crate::app::{App, AppState};

/// The layout of the lines.
pub const ARCHIVE_VERSION: u32 = 1;
/// Bytes of a file in a line; a multiple of three, so that the lines' Base64 texts can be joined.
const BYTES_IN_LINE: usize = 48 * 1024;
/// Lines that may wait for a slow reader.
const LINES_AHEAD: usize = 8;

/// Export a memory as one archive of JSON Lines
///
/// An archive that does not end in a line of kind `end` is not whole.
#[utoipa::path(
    get,
    path = "/memories/export/{id}",
    operation_id = "export_memory",
    tag = "Memories",
    params(("id" = String, Path, description = "The memory's id")),
    responses(
        (status = 200, description = "The archive", body = String, content_type = "application/x-ndjson"),
        Errors
    )
)]
pub async fn export_memory(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Response, ApiError> {
    let record = find_memory(&app, &caller, &id.of(Noun::Memory)?, Verb::Access).await?;
    let export = app.memory.export(&record).await?;
    let file_name = format!("attachment; filename=\"{}.jsonl\"", record.memory_id.0);
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let writing = AppState::clone(&app);
    app.spawn(async move {
        let out = Out(sender.clone());
        let written = tokio::select! {
            () = writing.ending.cancelled() => Err(Broken::Gone),
            written = write(&writing, &record, &export, &out) => written,
        };
        if let Err(Broken::Failed(error)) = &written {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                memory.id = %record.memory_id.0,
                "an export broke off"
            );
        }
        if written.is_err() {
            // Breaks the connection off, so that nobody takes the archive for a whole one.
            _ = sender.send(Err(io::Error::other("the export broke off"))).await;
        }
    });
    let lines = stream::unfold(receiver, async |mut it| it.recv().await.map(|line| (line, it)));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, file_name),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Why an archive is not whole.
enum Broken {
    /// Nobody reads it any more, or the program ends.
    Gone,
    /// The memory changed, or the store failed.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Where the lines go.
struct Out(mpsc::Sender<io::Result<Bytes>>);

impl Out {
    async fn line(&self, line: &Value) -> Result<(), Broken> {
        let bytes = Bytes::from(format!("{line}\n"));
        self.0.send(Ok(bytes)).await.map_err(|_| Broken::Gone)
    }
}

async fn write(app: &App, record: &MemoryRecord, export: &Export, out: &Out) -> Result<(), Broken> {
    out.line(&archive_line(app)).await?;
    out.line(&memory_line(app, record)).await?;
    let mut n_files = 0;
    for sample in app.store.samples_of_memory(record.memory_id).await? {
        // A file that is deleted meanwhile changes the memory, which the end of the export tells.
        if let Some(file) = app.store.file(record.account_id, sample.file_id).await? {
            out.line(&file_line(&sample, &file)).await?;
            write_bytes(app, &file, out).await?;
            n_files += 1;
        }
    }
    let n_named = write_graph(export, out).await?;
    export.check().await?;
    out.line(&json!({"kind": "end", "files": n_files, "passages": export.n_passages(), "entities": n_named}))
        .await
}

async fn write_bytes(app: &App, file: &FileRecord, out: &Out) -> Result<(), Broken> {
    let Some(key) = &file.blob_key else { return Ok(()) };
    let mut bytes = File::open(app.blobs.path(key)?).await?;
    loop {
        let mut part = Vec::with_capacity(BYTES_IN_LINE);
        (&mut bytes).take(BYTES_IN_LINE as u64).read_to_end(&mut part).await?;
        if part.is_empty() {
            return Ok(());
        }
        out.line(&json!({"kind": "bytes", "data": STANDARD.encode(&part)})).await?;
    }
}

/// Writes each entity before the first mention of it. Returns how many entities there were.
async fn write_graph(export: &Export, out: &Out) -> Result<usize, Broken> {
    let mut is_named = vec![false; export.n_entities()];
    let mut from = 0;
    loop {
        let passages = export.passages(from).await?;
        if passages.is_empty() {
            return Ok(is_named.iter().filter(|it| **it).count());
        }
        from += passages.len();
        for passage in passages {
            out.line(&passage_line(&passage)).await?;
            for line in graph_lines(&passage, &mut is_named) {
                out.line(&line).await?;
            }
        }
    }
}

fn archive_line(app: &App) -> Value {
    json!({
        "kind": "archive",
        "version": ARCHIVE_VERSION,
        "harkback": env!("CARGO_PKG_VERSION"),
        "exportedAt": Time(app.now()),
    })
}

/// Without the address of its webhook, which may hold a secret and is another installation's.
fn memory_line(app: &App, it: &MemoryRecord) -> Value {
    json!({
        "kind": "memory",
        "id": it.memory_id.0.to_string(),
        "revision": it.rev,
        "name": it.name,
        "description": it.description,
        "memoryType": it.kind.as_str(),
        "ontology": it.ontology.map(Ontology::as_str),
        "chunkSize": it.chunk_size,
        "chunkOverlap": it.chunk_overlap,
        "acceleration": it.acceleration,
        "factExtraction": it.fact_extraction,
        "model": app.memory.embedder_id(),
        "createdAt": Time(it.created_at),
    })
}

fn file_line(sample: &Sample, file: &FileRecord) -> Value {
    let sha256 = sample
        .content_sha256
        .as_ref()
        .map(|it| it.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    json!({
        "kind": "file",
        "id": file.id,
        "name": file.name,
        "fileType": file.file_type.as_str(),
        "externalURI": file.external_uri,
        "bytes": file.blob_key.as_ref().and(file.size),
        "state": sample.state.as_str(),
        "reason": sample.reason,
        "ingestedSHA256": sha256,
        "model": sample.model_id,
        "createdAt": Time(file.created_at),
    })
}

fn passage_line(it: &ExportedPassage) -> Value {
    let sentences: Vec<_> = it.sentences.iter().map(|it| [it.start, it.end]).collect();
    json!({
        "kind": "passage",
        "passage": it.number,
        "fileID": it.file_id,
        "recordID": it.record_id,
        "title": it.title,
        "text": it.text,
        "place": it.place,
        "tokens": it.n_tokens,
        "sentences": sentences,
    })
}

fn graph_lines(passage: &ExportedPassage, is_named: &mut [bool]) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut name = |entity: u32, name: &str| {
        let is_new = !std::mem::replace(&mut is_named[entity as usize], true);
        is_new.then(|| json!({"kind": "entity", "entity": entity, "name": name}))
    };
    for it in &passage.mentions {
        lines.extend(name(it.entity, &it.name));
        lines.push(json!({
            "kind": "mention",
            "entity": it.entity,
            "passage": passage.number,
            "sentence": it.sentence,
            "start": it.start,
            "end": it.end,
        }));
    }
    for it in &passage.relations {
        lines.extend(it.subject_entity.and_then(|entity| name(entity, &it.subject)));
        lines.extend(it.object_entity.and_then(|entity| name(entity, &it.object)));
        lines.push(json!({
            "kind": "relation",
            "subject": it.subject,
            "subjectEntity": it.subject_entity,
            "predicate": it.predicate,
            "object": it.object,
            "objectEntity": it.object_entity,
            "passage": passage.number,
            "sentence": it.sentence,
        }));
    }
    lines
}
