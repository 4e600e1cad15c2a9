//! Is ingestion bound by the embedder and by nothing else, and do questions stay fast meanwhile?

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use harkback::models::default_dir;
use harkback_engine::{Embedder, Models};
use reqwest::Method;

use crate::server::{Caller, Running};
use crate::{Result, corpus};

/// As many as ingestion embeds at once.
const BATCH: usize = 64;
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

/// Ingestion beside the embedder alone.
#[derive(Args)]
pub(crate) struct SpeedArgs {
    /// Passages to ingest
    #[arg(long, default_value_t = 1500)]
    passages: usize,
    /// Directory of models [default: the user's cache]
    #[arg(long)]
    models: Option<PathBuf>,
}

pub(crate) async fn measure(server: &Path, args: &SpeedArgs) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let models = args.models.clone().unwrap_or_else(default_dir);
    let embedder = Models::load(&models)?.embedder.ok_or("the embedding model is missing")?;
    let data = scratch.path().join("data");
    let running = Running::start(server, &data, Some(&models))?;
    let caller = Caller::new(&running, server, &data)?;
    let texts = texts(1, args.passages);

    let asked = caller.create_memory("Asked").await?;
    ingest(&caller, server, &asked, &file(scratch.path(), "asked", &self::texts(2, 1000))?).await?;
    let idle = questions(&caller, &asked, 300, Duration::from_millis(20)).await?;
    // The machine may be faster or slower from minute to minute, so the embedder is timed on both sides of the ingestion.
    let before = embed(&embedder, &texts).await?;
    let quiet = caller.create_memory("Quiet").await?;
    let alone = file(scratch.path(), "quiet", &texts)?;
    let quiet = ingest(&caller, server, &quiet, &alone).await?;
    let after = embed(&embedder, &texts).await?;
    let busy = caller.create_memory("Busy").await?;
    let with_questions = file(scratch.path(), "busy", &self::texts(3, args.passages))?;
    let mut times = Vec::new();
    let ingesting = ingest(&caller, server, &busy, &with_questions);
    tokio::pin!(ingesting);
    let busy = loop {
        tokio::select! {
            took = &mut ingesting => break took?,
            some = questions(&caller, &asked, 1, BETWEEN_QUESTIONS) => times.extend(some?),
        }
    };

    let rate = |took: Duration| args.passages as f64 / took.as_secs_f64();
    let embedder_rate = 2.0 / (1.0 / rate(before) + 1.0 / rate(after));
    println!("embedder alone        {:7.1} and {:.1} passages/s", rate(before), rate(after));
    let of_it = |took| rate(took) / embedder_rate;
    println!("ingestion             {:7.1} passages/s, {:.2} of it", rate(quiet), of_it(quiet));
    println!("  with questions      {:7.1} passages/s, {:.2} of it", rate(busy), of_it(busy));
    print_times("GET /memory, idle", idle);
    print_times("GET /memory, meanwhile", times);
    Ok(())
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let ms = |percent| at(percent).as_secs_f64() * 1e3;
    println!("{what:22} {:6.1} ms p50, {:.1} ms p95 of {}", ms(50), ms(95), times.len());
}

fn texts(seed: u64, n: usize) -> Vec<(String, String)> {
    let mut numbers = corpus::Numbers::new(seed);
    (0..n).map(|_| corpus::text(&mut numbers)).collect()
}

fn file(dir: &Path, name: &str, texts: &[(String, String)]) -> Result<PathBuf> {
    let path = dir.join(format!("{name}.jsonl"));
    let mut out = BufWriter::new(File::create(&path)?);
    for (i, (title, text)) in texts.iter().enumerate() {
        writeln!(out, "{{\"_id\":\"{i}\",\"title\":\"{title}\",\"text\":\"{text}\"}}")?;
    }
    out.flush()?;
    Ok(path)
}

/// With their titles, batch by batch, as ingestion embeds them.
async fn embed(embedder: &Embedder, texts: &[(String, String)]) -> Result<Duration> {
    let texts: Vec<String> = texts.iter().map(|it| format!("{}\n{}", it.0, it.1)).collect();
    let embedder = embedder.clone();
    let began = Instant::now();
    let embedding = tokio::task::spawn_blocking(move || {
        texts.chunks(BATCH).try_for_each(|batch| {
            let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
            embedder.embed_passages(&batch).map(|_| ())
        })
    });
    embedding.await??;
    Ok(began.elapsed())
}

/// How long it took from the start of the ingestion to its end, index included.
async fn ingest(caller: &Caller, server: &Path, memory: &str, file: &Path) -> Result<Duration> {
    let mut ingesting = caller.ingest(server, memory, file)?;
    let path = format!("/memories/get/{memory}");
    let mut began = None;
    loop {
        let got = caller.get(&path).await?["data"].take();
        match got["status"].as_str() {
            Some("processing") if began.is_none() => began = Some(Instant::now()),
            Some("success") => break,
            Some("failed") => return Err(got.to_string().into()),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.ok_or("it was over before it was seen")?.elapsed();
    while ingesting.try_wait()?.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(took)
}

async fn questions(
    caller: &Caller,
    memory: &str,
    n: usize,
    between: Duration,
) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(n);
    for i in 0..n {
        let path =
            format!("/memory?memoryID={memory}&query=Who+was+with+Renba+Toren+{i}%3F&top_k=5");
        tokio::time::sleep(between).await;
        let began = Instant::now();
        caller.request(Method::GET, &path).send().await?.error_for_status()?.bytes().await?;
        times.push(began.elapsed());
    }
    Ok(times)
}
