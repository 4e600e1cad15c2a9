//! `harkback ingest`: puts files, folders and websites into a memory of a running server and waits until it can recall them.
//!
//! What is ingested again is refreshed, not doubled: a path or an address has one file in a memory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::remote::{Remote, RemoteArgs, RemoteError};
use super::{Outcome, Printer};

const UPLOADS_AT_ONCE: usize = 4;
const FILES_PER_CALL: usize = 500;
/// One page, the pages that a sitemap names, those that links lead to.
const WEBSITES: [&str; 3] = ["website", "sitemap", "website_bulk"];
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Arguments of `harkback ingest`.
#[derive(Args, Debug)]
pub(super) struct IngestArgs {
    /// Files and folders, with everything below them but hidden entries; addresses of web pages and sitemaps
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Take the addresses as sitemaps, whatever they are called
    #[arg(long, conflicts_with = "crawl")]
    sitemap: bool,
    /// Follow the links from each address within its host
    #[arg(long)]
    crawl: bool,
    /// Memory that takes them
    #[arg(long)]
    memory: String,
    /// Print what became of each file as JSON on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// A file that is in the server now.
struct Added {
    path: String,
    file_id: String,
}

/// A file that is not, and why.
struct Failed {
    path: String,
    reason: String,
}

/// Runs the command. Ends well only if every file did.
///
/// # Errors
/// If there is no file, or the server refuses or does not answer.
pub(super) async fn ingest(args: &IngestArgs, printer: &Printer) -> Outcome {
    let (urls, paths): (Vec<_>, Vec<_>) =
        args.paths.iter().cloned().partition(|it| is_address(&it.to_string_lossy()));
    let (paths, unreadable) = files_below(&paths);
    if paths.is_empty() && urls.is_empty() && unreadable.is_empty() {
        return Err("there is no file to ingest".into());
    }
    let remote = Remote::new(&args.remote)?;
    // Asked first, so that a wrong key or memory is told before a long upload.
    remote.get(&format!("/memories/get/{}", args.memory), &[]).await?;

    let n_files = paths.len() + urls.len() + unreadable.len();
    let (mut added, mut failed) = upload(&remote, &args.memory, &paths).await?;
    failed.extend(unreadable);
    for url in &urls {
        let path = url.to_string_lossy().into_owned();
        match add_website(&remote, &args.memory, &path, file_type(args, &path)).await {
            Ok(file_id) => added.push(Added { path, file_id }),
            Err(RemoteError::Refused(reason)) => failed.push(Failed { path, reason }),
            Err(error) => return Err(error.into()),
        }
    }
    let file_ids: Vec<&str> = added.iter().map(|it| it.file_id.as_str()).collect();
    add_to_memory(&remote, &args.memory, &file_ids).await?;
    if !added.is_empty() {
        let memory = watch(&remote, &args.memory).await?;
        let failures = failures_among(&memory, &added);
        if !failures.is_empty() {
            printer.note(
                "what failed stays in the memory and is tried again with the next ingestion; `harkback forget` takes it out",
            );
        }
        failed.extend(failures);
        for it in added.iter().filter(|it| is_address(&it.path)) {
            if let Some(told) = pages_of(&remote, &it.file_id).await? {
                printer.note(&format!("{}: {told}", it.path));
            }
        }
    }

    for it in &failed {
        printer.note(&format!("failed: {}: {}", it.path, it.reason));
    }
    printer.note(&format!("{} of {n_files} files can be recalled", n_files - failed.len()));
    if args.json {
        printer.data(&report(&added, &failed).to_string());
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts uploaded files into the memory.
///
/// # Errors
/// If the server refuses or does not answer.
pub(super) async fn add_to_memory(
    remote: &Remote,
    memory_id: &str,
    file_ids: &[&str],
) -> Result<(), RemoteError> {
    for some in file_ids.chunks(FILES_PER_CALL) {
        remote.post("/memories/add-files", &json!({"memoryID": memory_id, "files": some})).await?;
    }
    Ok(())
}

/// Starts the ingestion and shows its progress until it ends. Returns the memory as it is then.
///
/// # Errors
/// If the server refuses or does not answer.
pub(super) async fn watch(remote: &Remote, memory_id: &str) -> Result<Value, RemoteError> {
    remote.post("/memories/start-ingestion", &json!({"memoryID": memory_id})).await?;
    let bar = bar("ingesting {bar:30} {pos}/{len} files{msg}");
    loop {
        let memory = remote.get(&format!("/memories/get/{memory_id}"), &[]).await?["data"].take();
        let progress = &memory["progress"];
        bar.set_length(progress["samples"]["total"].as_u64().unwrap_or(0));
        bar.set_position(progress["samples"]["done"].as_u64().unwrap_or(0));
        bar.set_message(pace(progress));
        if matches!(memory["status"].as_str(), Some("success" | "failed")) {
            bar.finish_and_clear();
            return Ok(memory);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn pace(progress: &Value) -> String {
    let mut text = format!(", {} passages", progress["passages"].as_u64().unwrap_or(0));
    if let Some(rate) = progress["rate"].as_f64() {
        text += &format!(", {rate:.0} passages/s");
    }
    if let Some(eta_s) = progress["etaSeconds"].as_f64() {
        text += &format!(", {eta_s:.0} s to go");
    }
    text
}

/// Uploads a few at a time. What cannot be read or is refused fails alone; a silent server fails all.
async fn upload(
    remote: &Remote,
    memory: &str,
    paths: &[PathBuf],
) -> Result<(Vec<Added>, Vec<Failed>), RemoteError> {
    let bar = bar("uploading {bar:30} {pos}/{len} files, {per_sec}, {eta} to go");
    bar.set_length(paths.len() as u64);
    let mut uploads = stream::iter(paths)
        .map(async |path| {
            let name =
                path.file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
            (path.display().to_string(), put(remote, memory, &name, path).await)
        })
        .buffered(UPLOADS_AT_ONCE);

    let (mut added, mut failed) = (Vec::new(), Vec::new());
    while let Some((path, outcome)) = uploads.next().await {
        bar.inc(1);
        match outcome {
            Ok(file_id) => added.push(Added { path, file_id }),
            Err(RemoteError::Refused(reason)) => failed.push(Failed { path, reason }),
            Err(RemoteError::Unreadable(error)) => {
                failed.push(Failed { path, reason: error.to_string() })
            }
            Err(error) => return Err(error),
        }
    }
    bar.finish_and_clear();
    Ok((added, failed))
}

async fn put(
    remote: &Remote,
    memory: &str,
    name: &str,
    path: &Path,
) -> Result<String, RemoteError> {
    let whole = path.canonicalize().map_err(RemoteError::Unreadable)?;
    let id = file_id(memory, &whole.to_string_lossy());
    remote.put_path(&id, name, path).await?;
    Ok(id)
}

/// The file's id in the server: the same for the same path or address in the same memory.
pub(super) fn file_id(memory: &str, source: &str) -> String {
    let digest = Sha256::new().chain_update(memory).chain_update([0]).chain_update(source);
    let digest: [u8; 32] = digest.finalize().into();
    let (bytes, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
    uuid::Builder::from_custom_bytes(*bytes).into_uuid().to_string()
}

/// Those that an address may have, as each type of website.
pub(super) fn website_ids(memory: &str, url: &str) -> Vec<String> {
    WEBSITES.iter().map(|file_type| website_id(memory, url, file_type)).collect()
}

fn website_id(memory: &str, url: &str, file_type: &str) -> String {
    file_id(memory, &format!("{file_type} {url}"))
}

pub(super) fn is_address(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// A sitemap is told by its name, unless the caller says what the address is.
fn file_type(args: &IngestArgs, url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let [page, sitemap, bulk] = WEBSITES;
    match () {
        () if args.crawl => bulk,
        () if args.sitemap || path.ends_with(".xml") || path.ends_with(".xml.gz") => sitemap,
        () => page,
    }
}

/// A website that is there already is asked again whether it changed when the ingestion starts.
async fn add_website(
    remote: &Remote,
    memory: &str,
    url: &str,
    file_type: &str,
) -> Result<String, RemoteError> {
    let id = website_id(memory, url, file_type);
    let body = json!({"id": id, "name": url, "externalURI": url, "fileType": file_type});
    remote.create_file(&body).await?;
    Ok(id)
}

/// What became of the pages of a file that has some.
async fn pages_of(remote: &Remote, file_id: &str) -> Result<Option<String>, RemoteError> {
    let file = remote.get(&format!("/files/get/{file_id}"), &[]).await?["data"].take();
    let (Some(n_found), Some(n_ingested)) =
        (file["hiddenFilesTotal"].as_i64(), file["hiddenFilesIngested"].as_i64())
    else {
        return Ok(None);
    };
    let note = file["fetchNote"].as_str().map(|it| format!("; {it}")).unwrap_or_default();
    Ok(Some(format!("{n_ingested} of {n_found} pages can be recalled{note}")))
}

/// The memory lists every file of its that failed; those of other uploads are not ours to tell of.
fn failures_among(memory: &Value, added: &[Added]) -> Vec<Failed> {
    let failures = memory["progress"]["failed"].as_array().map_or(&[][..], Vec::as_slice);
    let ours = |it: &Value| {
        let file = added.iter().find(|file| it["fileID"] == file.file_id)?;
        Some(Failed { path: file.path.clone(), reason: it["reason"].as_str()?.to_owned() })
    };
    failures.iter().filter_map(ours).collect()
}

fn report(added: &[Added], failed: &[Failed]) -> Value {
    let is_well = |it: &&Added| !failed.iter().any(|other| other.path == it.path);
    let files: Vec<Value> = added
        .iter()
        .filter(is_well)
        .map(|it| json!({"path": it.path, "fileID": it.file_id}))
        .collect();
    let failed: Vec<Value> =
        failed.iter().map(|it| json!({"path": it.path, "reason": it.reason})).collect();
    json!({"files": files, "failed": failed})
}

/// What is at the paths and below, and what of it cannot be read, which does not stop the rest.
fn files_below(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<Failed>) {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for path in paths {
        collect(path, &mut found, &mut failed);
    }
    (found, failed)
}

fn collect(path: &Path, found: &mut Vec<PathBuf>, failed: &mut Vec<Failed>) {
    match entries(path) {
        Ok(None) => found.push(path.to_owned()),
        Ok(Some(entries)) => entries.iter().for_each(|it| collect(it, found, failed)),
        Err(error) => {
            failed.push(Failed { path: path.display().to_string(), reason: error.to_string() })
        }
    }
}

/// What a folder holds, but for hidden entries; `None` of a file.
fn entries(path: &Path) -> std::io::Result<Option<Vec<PathBuf>>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(None);
    }
    let entries = std::fs::read_dir(path)?.map(|it| Ok(it?.path()));
    let mut entries = entries.collect::<std::io::Result<Vec<_>>>()?;
    let is_hidden =
        |it: &PathBuf| it.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
    // A link inside a folder may lead back to it.
    entries.retain(|it| !is_hidden(it) && !it.is_symlink());
    entries.sort();
    Ok(Some(entries))
}

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).expect("the template is ours"));
    bar
}
