//! `harkback export`: a memory of a running server as one archive on standard output, or as GraphML.

use std::process::ExitCode;

use clap::Args;
use futures_util::TryStreamExt;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::io::StreamReader;

use super::graphml;
use super::remote::{Remote, RemoteArgs};
use super::{Outcome, Printer};

/// Arguments of `harkback export`.
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Memory to export
    #[arg(long)]
    memory: String,
    /// Write its graph for viewers, as GraphML: files, passages, entities and what joins them
    #[arg(long)]
    graphml: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Runs the command. Holds one line at a time.
///
/// # Errors
/// If the server refuses or does not answer, or the archive breaks off because the memory changed.
pub(super) async fn export(args: &ExportArgs, printer: &Printer) -> Outcome {
    let remote = Remote::new(&args.remote)?;
    let body = remote.stream(&format!("/memories/export/{}", args.memory)).await?;
    let body = StreamReader::new(body.bytes_stream().map_err(std::io::Error::other));
    let mut lines = BufReader::new(body).lines();
    let mut end = None;
    if args.graphml {
        printer.data(graphml::HEAD);
    }
    loop {
        let line = match lines.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => return Err(format!("{BROKEN_OFF}: {error}").into()),
        };
        let value: Value =
            serde_json::from_str(&line).map_err(|error| format!("{BROKEN_OFF}: {error}"))?;
        if !args.graphml {
            printer.data(&line);
        } else if let Some(element) = graphml::element(&value) {
            printer.data(&element);
        }
        end = (value["kind"] == "end").then_some(value);
    }
    let end = end.ok_or(BROKEN_OFF)?;
    if args.graphml {
        printer.data(graphml::FOOT);
    }
    printer.note(&format!(
        "{} files, {} passages, {} entities",
        end["files"], end["passages"], end["entities"]
    ));
    Ok(ExitCode::SUCCESS)
}

const BROKEN_OFF: &str =
    "the archive broke off, most likely because the memory was changed meanwhile; run it again";
