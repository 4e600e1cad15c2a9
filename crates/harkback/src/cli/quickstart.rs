//! `harkback quickstart`: from nothing to a running server that answers questions about a sample clinic.

use std::error::Error;
use std::fs;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ingest::{add_to_memory, watch};
use super::query::{Question, ask, contents_of, names_of};
use super::remote::{Remote, RemoteArgs, RemoteError, text_at};
use super::sample;
use super::serve::Server;
use super::{Outcome, Printer};
use crate::config::{Config, ConfigArgs};
use crate::keys::create_key;
use crate::models::ModelsDir;

/// Remembers, in the data directory, the key and the memory of an earlier run.
const STATE_FILE: &str = "quickstart.json";
const ACCOUNT: &str = "quickstart";
const PASSAGE_CHARS: usize = 240;
const NEXT_QUESTION: &str = "Who treats eczema?";

/// The last one takes two hops: one file says who treats migraine, another on which days she is in.
const QUESTIONS: [&str; 3] = [
    "What does a missed appointment cost?",
    "Do I need an appointment for a flu shot?",
    "On which days can I see the doctor who treats migraine?",
];

/// Arguments of `harkback quickstart`.
#[derive(Args, Debug)]
pub(super) struct QuickstartArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    models: ModelsDir,
    /// Stop after the answers instead of going on serving
    #[arg(long)]
    exit: bool,
}

/// What an earlier run left behind. The key opens nothing but the sample account, and only the owner can read the file.
#[derive(Deserialize, Serialize)]
struct State {
    key: String,
    memory_id: String,
}

/// Runs the command.
///
/// # Errors
/// If the server cannot start, or the sample not be ingested.
pub(super) async fn quickstart(args: &QuickstartArgs, printer: &Printer) -> Outcome {
    let mut config = Config::load(&args.config)?;
    if args.config.log.is_none() {
        // The answers are the show; request logs would bury them.
        config.log = "warn".to_owned();
    }
    let server = Server::start(config, &args.models.path, printer).await?;
    let state = prepare(&server, printer).await?;
    let remote = remote_of(&server, &state.key)?;
    ask_and_print(&remote, &state.memory_id, printer).await?;
    print_next_steps(&server.url, &state, printer);
    if args.exit {
        server.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    printer.note("serving; Ctrl-C stops, and running this again goes on with the same data");
    server.until_told_to_stop(printer).await
}

/// The key and the memory of an earlier run if they still work, new ones otherwise.
async fn prepare(
    server: &Server,
    printer: &Printer,
) -> Result<State, Box<dyn Error + Send + Sync>> {
    let app = &server.app;
    if let Some(state) = saved_state(&app.config.data)? {
        let path = format!("/memories/get/{}", state.memory_id);
        let memory = remote_of(server, &state.key)?.get(&path, &[]).await;
        if memory.is_ok_and(|it| it["data"]["status"] == "success") {
            printer.note("the sample clinic is there already");
            return Ok(state);
        }
    }
    let key = create_key(&app.store, ACCOUNT, &app.clock, &app.ids).await?;
    let memory_id = sample_memory(&remote_of(server, &key)?, printer).await?;
    let state = State { key, memory_id };
    save_state(&app.config.data, &state)?;
    Ok(state)
}

fn remote_of(server: &Server, key: &str) -> Result<Remote, RemoteError> {
    Remote::new(&RemoteArgs { url: server.url.clone(), key: Some(key.to_owned()), key_file: None })
}

async fn sample_memory(
    remote: &Remote,
    printer: &Printer,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let body = json!({"name": "Willowmere Family Clinic", "memoryType": "graph", "ontology": "support_requests"});
    let memory_id = text_at(&remote.post("/memories/create", &body).await?, "/data/id")?.to_owned();
    let mut file_ids = Vec::new();
    for (name, content) in sample::FILES {
        file_ids.push(remote.add_file(name, content.into()).await?);
    }
    add_to_memory(remote, &memory_id, &file_ids.iter().map(String::as_str).collect::<Vec<_>>())
        .await?;
    printer.note(&format!("ingesting {} files about a clinic", file_ids.len()));
    let memory = watch(remote, &memory_id).await?;
    if memory["status"] != "success" {
        return Err(
            format!("the sample could not be ingested: {}", memory["progress"]["failed"]).into()
        );
    }
    Ok(memory_id)
}

async fn ask_and_print(
    remote: &Remote,
    memory_id: &str,
    printer: &Printer,
) -> Result<(), RemoteError> {
    for (number, text) in (1..).zip(QUESTIONS) {
        let (answer, answer_ms) = timed(ask(remote, memory_id, question(text, true))).await?;
        let (context, context_ms) = timed(ask(remote, memory_id, question(text, false))).await?;
        printer.data(&format!("{number}. {text}"));
        for content in contents_of(&answer["payload"]) {
            printer.data(&format!("   {content}"));
        }
        printer.data("   Context for a prompt, best first:");
        for passage in
            context["payload"][0]["metadata"]["passages"].as_array().into_iter().flatten()
        {
            printer
                .data(&format!("   - {}", one_line(passage["text"].as_str().unwrap_or_default())));
        }
        let sources = names_of(&context["sources"]);
        printer.data(&format!(
            "   Sources: {sources} (answer {answer_ms:.0} ms, context {context_ms:.0} ms)\n"
        ));
    }
    Ok(())
}

fn question(text: &str, assisted: bool) -> Question<'_> {
    Question { text, assisted, facts: false, explain: false, budget_ms: None, top_k: 5 }
}

async fn timed<T, E>(call: impl Future<Output = Result<T, E>>) -> Result<(T, f64), E> {
    let began = Instant::now();
    let answer = call.await?;
    Ok((answer, began.elapsed().as_secs_f64() * 1e3))
}

/// A passage on one line of the screen, cut where it gets long.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(PASSAGE_CHARS) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

fn print_next_steps(url: &str, state: &State, printer: &Printer) {
    let State { key, memory_id } = state;
    let query = NEXT_QUESTION.replace(' ', "%20").replace('?', "%3F");
    printer.data(&format!(
        "Go on with curl:

curl -H 'X-API-Key: {key}' '{url}/memory?memoryID={memory_id}&query={query}&assisted=true&top_k=5'

or with the official Python client (pip install duohub requests):

import duohub.environment
duohub.environment.Environment.DEFAULT_BASE_URL = '{url}'
client = duohub.Duohub(api_key='{key}')
print(client.query('{NEXT_QUESTION}', memoryID='{memory_id}', assisted=True)['payload'])

API: {url}/docs
"
    ));
}

fn saved_state(data: &Path) -> Result<Option<State>, Box<dyn Error + Send + Sync>> {
    match fs::read(data.join(STATE_FILE)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn save_state(data: &Path, state: &State) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(data.join(STATE_FILE))?.write_all(&serde_json::to_vec(state)?)?;
    Ok(())
}
