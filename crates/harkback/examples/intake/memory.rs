//! The most memory that a server takes while it takes in one large file: uploading, ingesting, building the index.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::server::{Caller, Memory, Running};
use crate::{Result, corpus};

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One large file of JSON Lines.
#[derive(Args)]
pub(crate) struct MemoryArgs {
    /// Megabytes of the file
    #[arg(long, default_value_t = 1000)]
    megabytes: u64,
    /// Directory of models; without, the server has none
    #[arg(long)]
    models: Option<PathBuf>,
    /// Where file and data are put; a temporary directory if it is left out
    #[arg(long)]
    scratch: Option<PathBuf>,
}

/// A phase of an ingestion and what it took.
struct Phase {
    name: &'static str,
    began: Instant,
    peak: Memory,
}

impl Phase {
    fn new(name: &'static str) -> Self {
        Self { name, began: Instant::now(), peak: Memory::default() }
    }

    fn print(&self) {
        let Self { name, began, peak } = self;
        println!(
            "{name:20} {:7.1} s  server {:6} MB, of which pages of files {:5} MB; parsers {:4} MB",
            began.elapsed().as_secs_f64(),
            peak.server,
            peak.of_files,
            peak.parsers
        );
    }
}

pub(crate) async fn measure(server: &Path, args: &MemoryArgs) -> Result<()> {
    let scratch = match &args.scratch {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let file = scratch.path().join("large.jsonl");
    let mut out = BufWriter::new(File::create(&file)?);
    let n_records = corpus::write_lines(&mut out, args.megabytes * 1_000_000)?;
    out.flush()?;
    let data = scratch.path().join("data");
    let running = Running::start(server, &data, args.models.as_deref())?;
    let caller = Caller::new(&running, server, &data)?;
    let memory = caller.create_memory("Large").await?;
    println!("{} MB of JSON Lines, {n_records} records", args.megabytes);

    let mut phase = Phase::new("idle");
    tokio::time::sleep(LOOK_EVERY).await;
    phase.peak = running.memory();
    phase.print();
    phase = Phase::new("uploading");
    let mut ingesting = caller.ingest(server, &memory, &file)?;
    let path = format!("/memories/get/{memory}");
    let status = loop {
        let got = caller.get(&path).await?["data"].take();
        let name = phase_of(&got);
        if name != phase.name {
            phase.print();
            phase = Phase::new(name);
        }
        phase.peak = phase.peak.peak(running.memory());
        if let Some(status) = ingesting.try_wait()? {
            break status;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    phase.print();
    let got = caller.get(&path).await?["data"].take();
    println!(
        "{status}; {} passages, {} entities; the database has {} MB, its log {} MB",
        got["progress"]["passages"],
        got["progress"]["entities"],
        megabytes(&data.join("harkback.db")),
        megabytes(&data.join("harkback.db-wal"))
    );
    Ok(())
}

/// Told by what the API shows: the file is in when it counts as done, and what is left then is the index.
fn phase_of(memory: &Value) -> &'static str {
    let samples = &memory["progress"]["samples"];
    match memory["status"].as_str() {
        Some("success" | "failed") => "done",
        Some("processing") if samples["done"] == samples["total"] => "building the index",
        Some("processing") => "ingesting",
        _ => "uploading",
    }
}

fn megabytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |it| it.len() / 1_000_000)
}
