//! `harkback forget`: takes files out of a memory of a running server again, such as one that could not be ingested.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::ingest::{file_id, is_address, website_ids};
use super::remote::{Remote, RemoteArgs, RemoteError};
use super::{Outcome, Printer};

/// Arguments of `harkback forget`.
#[derive(Args, Debug)]
pub(super) struct ForgetArgs {
    /// Files and addresses as `harkback ingest` was given them, even if they are no longer there; or ids of files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Memory that is to forget them
    #[arg(long)]
    memory: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Runs the command. Ends well only if every file was in the memory.
///
/// # Errors
/// If the server does not answer.
pub(super) async fn forget(args: &ForgetArgs, printer: &Printer) -> Outcome {
    let remote = Remote::new(&args.remote)?;
    // Asked first, so that a wrong key or memory is told once and not of every file.
    remote.get(&format!("/memories/get/{}", args.memory), &[]).await?;
    let mut n_forgotten = 0;
    for file in &args.files {
        match forget_one(&remote, &args.memory, file).await {
            Ok(()) => n_forgotten += 1,
            Err(RemoteError::Refused(reason)) => printer.note(&format!("failed: {file}: {reason}")),
            Err(error) => return Err(error.into()),
        }
    }
    let n_files = args.files.len();
    printer.note(&format!("{n_forgotten} of {n_files} files are out of the memory"));
    Ok(if n_forgotten == n_files { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `harkback ingest` made is deleted whole; of what somebody else made, the file stays and leaves the memory.
async fn forget_one(remote: &Remote, memory: &str, file: &str) -> Result<(), RemoteError> {
    let mut is_gone = false;
    for id in ingested_ids(memory, file) {
        match remote.delete(&format!("/files/delete/{id}"), &[]).await {
            Err(RemoteError::Refused(reason)) if reason == "File not found" => {}
            answer => is_gone = answer.map(|_| true)?,
        }
    }
    if is_gone {
        return Ok(());
    }
    let params = [("memoryID", memory), ("fileID", file)];
    remote.delete("/memories/delete-file", &params).await.map(drop)
}

fn ingested_ids(memory: &str, file: &str) -> Vec<String> {
    if is_address(file) {
        return website_ids(memory, file);
    }
    whole(Path::new(file)).iter().map(|it| file_id(memory, &it.to_string_lossy())).collect()
}

/// The path as it was when the file was ingested: only its folder has to be there still.
fn whole(path: &Path) -> Option<PathBuf> {
    let of_gone = || {
        let path = std::path::absolute(path).ok()?;
        Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(of_gone)
}
