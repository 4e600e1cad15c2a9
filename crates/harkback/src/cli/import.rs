//! `harkback import`: makes a new memory of an archive, through the API alone. What the archive says was derived is left
//! aside: the server derives it anew from the files, under the limits that hold for every upload, so an archive can claim
//! nothing.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use reqwest::Body;
use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::ingest::{add_to_memory, watch};
use super::remote::{Remote, RemoteArgs, RemoteError, text_at};
use super::{Outcome, Printer};
use crate::api::export::ARCHIVE_VERSION;

/// No line of ours is longer: bytes come in short lines, passages are cut when they are ingested.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// What a memory is made with.
const SETTINGS: [&str; 8] = [
    "name",
    "description",
    "memoryType",
    "ontology",
    "chunkSize",
    "chunkOverlap",
    "acceleration",
    "factExtraction",
];

/// Arguments of `harkback import`.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Archive that `harkback export` wrote
    file: PathBuf,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// What an import has made so far.
#[derive(Default)]
struct Made {
    memory: Option<String>,
    files: Vec<String>,
    /// Those that have other ids than in the archive.
    n_renamed: usize,
}

/// Runs the command: prints the id of the new memory. If the archive or the server fails, what was made is deleted again.
///
/// # Errors
/// If the archive is not whole or not understood, or the server refuses or does not answer.
pub(super) async fn import(args: &ImportArgs, printer: &Printer) -> Outcome {
    let remote = Remote::new(&args.remote)?;
    let mut made = Made::default();
    let end = match read(&args.file, &remote, &mut made).await {
        Ok(end) => end,
        Err(error) => {
            undo(&remote, &made, printer).await;
            return Err(error);
        }
    };
    if made.n_renamed > 0 {
        printer.note(&format!(
            "{} files got new ids: the account has files of theirs already",
            made.n_renamed
        ));
    }
    let id = made.memory.expect("an archive without a memory is refused");
    let files: Vec<&str> = made.files.iter().map(String::as_str).collect();
    let mut status = ExitCode::SUCCESS;
    if !files.is_empty() {
        add_to_memory(&remote, &id, &files).await?;
        let memory = watch(&remote, &id).await?;
        let passages = &memory["progress"]["passages"];
        printer.note(&format!("{} files, {passages} passages", files.len()));
        if *passages != end["passages"] {
            printer.note(&format!(
                "the archive has {} passages; another version or another model cuts and reads files differently",
                end["passages"]
            ));
        }
        for failed in memory["progress"]["failed"].as_array().into_iter().flatten() {
            printer.note(&format!("failed: {}: {}", failed["name"], failed["reason"]));
            status = ExitCode::FAILURE;
        }
    }
    printer.data(&id);
    Ok(status)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes the memory and uploads its files, a line at a time. Returns the last line.
async fn read(path: &Path, remote: &Remote, made: &mut Made) -> Result<Value, Failure> {
    let file =
        File::open(path).await.map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    let mut lines = BufReader::new(file);
    let first = next_bytes(&mut lines).await;
    let first = first.map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    let first = first.unwrap_or_default();
    let first: Value = serde_json::from_slice(&first).unwrap_or_default();
    if first["kind"] != "archive" || first["version"] != ARCHIVE_VERSION {
        let path = path.display();
        let why = format!(
            "`{path}` is no archive of version {ARCHIVE_VERSION}, as `harkback export` writes it; `harkback ingest` takes \
             documents"
        );
        return Err(why.into());
    }
    let mut pending: Option<Pending> = None;
    while let Some(line) = next_line(&mut lines).await? {
        match line["kind"].as_str() {
            Some("bytes") => {
                let data = line["data"].as_str().ok_or("a line of bytes has no `data`")?;
                let data =
                    STANDARD.decode(data).map_err(|e| format!("bytes are no Base64: {e}"))?;
                pending.as_mut().ok_or("bytes come before their file")?.push(&data)?;
                continue;
            }
            Some("memory") if made.memory.is_none() => {
                let settings: Map<String, Value> = SETTINGS
                    .iter()
                    .filter(|it| !line[**it].is_null())
                    .map(|it| ((*it).to_owned(), line[*it].clone()))
                    .collect();
                let memory = remote.post("/memories/create", &settings.into()).await?;
                made.memory = Some(text_at(&memory, "/data/id")?.to_owned());
            }
            _ => {}
        }
        if let Some(whole) = pending.take() {
            whole.add(remote, made).await?;
        }
        match line["kind"].as_str() {
            Some("file") if made.memory.is_none() => {
                return Err("a file comes before its memory".into());
            }
            Some("file") => pending = Some(Pending::new(line)?),
            Some("end") if made.memory.is_none() => {
                return Err("the archive holds no memory".into());
            }
            Some("end") => return Ok(line),
            _ => {}
        }
    }
    Err("the archive is not whole: it does not end in a line of kind `end`".into())
}

async fn next_line(lines: &mut BufReader<File>) -> Result<Option<Value>, Failure> {
    let Some(line) = next_bytes(lines).await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&line).map_err(|e| format!("a line is no JSON: {e}"))?))
}

async fn next_bytes(lines: &mut BufReader<File>) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let n = lines.take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
    if n == 0 {
        return Ok(None);
    }
    if n as u64 == MAX_LINE_BYTES {
        return Err(format!("a line of the archive is longer than {MAX_LINE_BYTES} bytes").into());
    }
    Ok(Some(line))
}

/// A file whose bytes are gathered on disk.
struct Pending {
    line: Value,
    bytes: std::fs::File,
    n_bytes: u64,
}

impl Pending {
    fn new(line: Value) -> Result<Self, Failure> {
        Ok(Self { line, bytes: tempfile::tempfile()?, n_bytes: 0 })
    }

    fn push(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.n_bytes += data.len() as u64;
        if Some(self.n_bytes) > self.line["bytes"].as_u64() {
            return Err(format!("the file {} has more bytes than it says", self.line["id"]).into());
        }
        Ok(self.bytes.write_all(data)?)
    }

    /// Uploads it, under a new id if the account has a file of its id already.
    async fn add(mut self, remote: &Remote, made: &mut Made) -> Result<(), Failure> {
        if self.n_bytes != self.line["bytes"].as_u64().unwrap_or(0) {
            return Err(format!("the file {} has fewer bytes than it says", self.line["id"]).into());
        }
        let mut body = json!({
            "id": self.line["id"],
            "name": self.line["name"],
            "fileType": self.line["fileType"],
            "externalURI": self.line["externalURI"],
        });
        if self.line["bytes"].is_u64() {
            self.bytes.seek(SeekFrom::Start(0))?;
            let name = self.line["name"].as_str().unwrap_or_default();
            let bytes = Body::from(File::from_std(self.bytes));
            body["key"] = Value::from(remote.upload(name, bytes).await?);
        }
        let file = match remote.post("/files/create", &body).await {
            Err(RemoteError::Refused(reason)) if reason == "File already exists" => {
                made.n_renamed += 1;
                body["id"].take();
                remote.post("/files/create", &body).await?
            }
            answer => answer?,
        };
        made.files.push(text_at(&file, "/data/id")?.to_owned());
        Ok(())
    }
}

async fn undo(remote: &Remote, made: &Made, printer: &Printer) {
    let memory = made.memory.iter().map(|it| format!("/memories/delete/{it}"));
    for path in memory.chain(made.files.iter().map(|it| format!("/files/delete/{it}"))) {
        if let Err(error) = remote.delete(&path, &[]).await {
            printer.note(&format!("`{path}` could not be undone: {error}"));
        }
    }
}
