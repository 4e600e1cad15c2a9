//! `harkback bench`: how fast retrieval and the API are on this machine, each figure with what it was measured on.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use harkback_engine::measure::{self, AnswerTime, RetrievalFigures};
use reqwest::Url;
use serde_json::{Value, json};

use super::eval::ingest;
use super::{Outcome, Printer};
use crate::eval::{QuestionSet, Scratch, milliseconds};
use crate::models::{ModelsDir, load_or_fetch};

/// Requests of each kind that are timed.
const N_RECORDS: usize = 300;
/// Budgets of time given to assisted answers.
const BUDGETS_MS: [u64; 3] = [5, 20, 40];

/// Arguments of `harkback bench`.
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Raw answers from synthetic memories of these sizes, texts included, beside the time the question's embedding takes
    Retrieval {
        /// Passages of each memory
        #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "10000,100000", value_parser = clap::value_parser!(u32).range(1..))]
        passages: Vec<u32>,
        /// Questions asked of each
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        questions: u32,
        /// How often they are asked; medians of the runs are printed
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
        #[command(flatten)]
        models: ModelsDir,
    },
    /// The API over HTTP with one client: questions of a set in BEIR layout, sessions and messages
    Api {
        /// Folder in BEIR layout
        dir: PathBuf,
        #[command(flatten)]
        models: ModelsDir,
    },
}

/// Runs the command.
///
/// # Errors
/// If the set cannot be read, or the server under test fails.
pub(super) async fn bench(args: &BenchArgs, printer: &Printer) -> Outcome {
    match &args.what {
        What::Retrieval { passages, questions, runs, models } => {
            let (models, missing) = load_or_fetch(&models.path, &|line| printer.note(line))?;
            if let Some(reason) = missing {
                printer.note(&format!("{reason}: no embedding is measured"));
            }
            for n_passages in passages {
                printer.note(&format!("making a memory of {n_passages} passages"));
                let data = tempfile::tempdir()?;
                let figures = measure::retrieval(
                    data.path(),
                    models.embedder.clone(),
                    *n_passages as usize,
                    *questions as usize,
                    *runs as usize,
                );
                retrieval(&figures.await?, printer);
            }
        }
        What::Api { dir, models } => api(dir.clone(), models, printer).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn retrieval(figures: &RetrievalFigures, printer: &Printer) {
    printer.data(&format!(
        "{} passages, {} sentences, {} entities: index of {} MB built from the store in {:.1} s",
        figures.n_passages,
        figures.n_sentences,
        figures.n_entities,
        figures.n_bytes >> 20,
        figures.build.as_secs_f64(),
    ));
    let all_else = median_of_runs(figures, |it| it.all_else);
    let ranking = median_of_runs(figures, |it| it.ranking);
    printer.data(&format!(
        "  all but the embedding: p50 {:.2} ms, p95 {:.2} ms; of that ranking: p50 {:.2} ms, p95 {:.2} ms",
        all_else[0], all_else[1], ranking[0], ranking[1],
    ));
    if figures.runs.iter().flatten().all(|it| it.embedding.is_some()) {
        let embedding = median_of_runs(figures, |it| it.embedding.unwrap_or_default());
        printer.data(&format!(
            "  the embedding: p50 {:.2} ms, p95 {:.2} ms; all else takes {:.2} of its p50",
            embedding[0],
            embedding[1],
            all_else[0] / embedding[0],
        ));
    }
    printer.data(&format!(
        "  medians of {} runs of {} questions",
        figures.runs.len(),
        figures.runs[0].len()
    ));
}

/// Of the p50 and of the p95 of each run the median, in milliseconds.
fn median_of_runs(figures: &RetrievalFigures, time: impl Fn(&AnswerTime) -> Duration) -> [f64; 2] {
    let of_run = |run: &Vec<AnswerTime>, quantile| {
        milliseconds(&run.iter().map(&time).collect::<Vec<_>>(), quantile)
    };
    [0.5, 0.95].map(|quantile| {
        let mut runs: Vec<f64> = figures.runs.iter().map(|run| of_run(run, quantile)).collect();
        runs.sort_by(f64::total_cmp);
        runs[runs.len() / 2]
    })
}

async fn api(
    dir: PathBuf,
    models: &ModelsDir,
    printer: &Printer,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let set = QuestionSet::read(&dir)?;
    let (models, missing) = load_or_fetch(&models.path, &|line| printer.note(line))?;
    if let Some(reason) = missing {
        printer.note(&format!("{reason}: measured in lexical mode"));
    }
    let data = tempfile::tempdir()?;
    let mut scratch = Scratch::open(data.path(), models, super::parse_file::parsing()?).await?;
    let n_passages = ingest(&mut scratch, std::fs::read(&set.corpus)?, printer).await?;
    let (url, key) = scratch.serve().await?;
    let client = Client { http: reqwest::Client::new(), url, key };
    let memory = scratch.memory().1.memory_id.0.to_string();
    let n_passages = format!("{n_passages} passages");
    for assisted in ["false", "true"] {
        let times = questions(&client, &memory, &set, &[("assisted", assisted)]).await?;
        let mode = if assisted == "true" { "assisted" } else { "raw" };
        line(&format!("GET /memory {mode}, {n_passages}"), &times, printer);
    }
    for budget in BUDGETS_MS {
        let budget_ms = budget.to_string();
        let params = [("assisted", "true"), ("budget_ms", budget_ms.as_str())];
        let times = questions(&client, &memory, &set, &params).await?;
        let latest = times.iter().max().copied().unwrap_or_default();
        let late = latest.saturating_sub(Duration::from_millis(budget));
        line(&format!("GET /memory assisted, budget_ms={budget}, {n_passages}"), &times, printer);
        printer.data(&format!(
            "  the latest of them {:.1} ms over its budget",
            late.as_secs_f64() * 1e3
        ));
    }
    records(&client, printer).await?;
    scratch.close().await;
    Ok(())
}

/// How long each question of a set takes; the first one is asked once before, which warms up.
async fn questions(
    client: &Client,
    memory: &str,
    set: &QuestionSet,
    params: &[(&str, &str)],
) -> reqwest::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for question in set.questions.iter().take(1).chain(&set.questions) {
        let mut query = vec![("memoryID", memory), ("query", &question.text), ("top_k", "5")];
        query.extend(params);
        times.push(client.get("/memory", &query).await?);
    }
    Ok(times.into_iter().skip(1).collect())
}

async fn records(
    client: &Client,
    printer: &Printer,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sessions, mut messages, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..N_RECORDS {
        let id = format!("bench-{number}");
        sessions.push(client.post("/sessions/create", &json!({"id": id})).await?);
        let message =
            json!({"sessionID": id, "role": "user", "content": "When do you open on Sunday?"});
        messages.push(client.post("/messages/create", &message).await?);
        lists.push(client.get("/messages/list", &[("sessionID", &id), ("limit", "20")]).await?);
    }
    line("POST /sessions/create", &sessions, printer);
    line("POST /messages/create", &messages, printer);
    line("GET /messages/list", &lists, printer);
    Ok(())
}

fn line(what: &str, times: &[Duration], printer: &Printer) {
    let (p50, p95) = (milliseconds(times, 0.5), milliseconds(times, 0.95));
    printer.data(&format!(
        "{what}: p50 {p50} ms, p95 {p95} ms ({} requests, one client)",
        times.len()
    ));
}

struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Result<Duration> {
        let url = Url::parse_with_params(&format!("{}{path}", self.url), query)
            .expect("an address of ours with a path of ours is a URL");
        self.time(self.http.get(url)).await
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Duration> {
        self.time(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    async fn time(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Duration> {
        let started = Instant::now();
        request.header("X-API-Key", &self.key).send().await?.error_for_status()?.bytes().await?;
        Ok(started.elapsed())
    }
}
