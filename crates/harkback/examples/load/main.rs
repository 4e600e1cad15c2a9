//! How does a server hold under load? Starts one on a scratch directory with the sample clinic, sends it mixed calls over
//! loopback by the clock, then twice what it can bear, and looks whether it recovers.
//!
//! `cargo run --release --example load -- --seconds 60`, after `cargo build --release`.

#![expect(clippy::print_stdout, reason = "a command for developers")]

#[path = "../listening/mod.rs"]
mod listening;
mod open_loop;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Parser;
use open_loop::{capacity, run};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

const QUESTIONS: [&str; 5] = [
    "On which days can I see the doctor who treats migraine?",
    "Who arranges an interpreter?",
    "How long does a copy of my records take?",
    "Where can I park at the Riverside building?",
    "What do I do in an emergency at night?",
];

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Load on a server of its own, over loopback.
#[derive(Parser)]
struct Args {
    /// The server's binary [default: `harkback` beside this program]
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// How long the steady load lasts
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Messages created in a second
    #[arg(long, default_value_t = 500)]
    creates: u32,
    /// Questions asked in a second
    #[arg(long, default_value_t = 100)]
    queries: u32,
    /// How long it gets twice what it can bear
    #[arg(long, default_value_t = 10)]
    overload_seconds: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let server = match &args.server {
        Some(path) => path.clone(),
        // The example lies in `examples/` under the folder of the binaries.
        None => {
            let own = std::env::current_exe()?;
            let folder = own.parent().and_then(Path::parent).ok_or("no folder of binaries")?;
            folder.join("harkback")
        }
    };
    let scratch = tempfile::tempdir()?;
    let running = Running::start(&server, scratch.path())?;
    let caller = Caller::new(&running, &server, scratch.path()).await?;
    let seconds = Duration::from_secs;
    running.print_memory("at the start");

    mixed(&caller, args.creates, args.queries, seconds(3)).await;
    running.print_memory("after warming up");
    println!(
        "{} creates and {} queries a second for {} s:",
        args.creates, args.queries, args.seconds
    );
    tokio::select! {
        () = mixed(&caller, args.creates, args.queries, seconds(args.seconds)) => {}
        () = running.watch_memory(seconds(args.seconds)) => {}
    }
    running.print_memory("after the steady load");

    let bears = capacity(8, seconds(5), |i| caller.query(i)).await;
    println!(
        "it bears {bears:.0} queries a second; twice that, with the creates, for {} s:",
        args.overload_seconds
    );
    mixed(&caller, args.creates, (bears * 2.0) as u32, seconds(args.overload_seconds)).await;
    running.print_memory("after the overload");
    println!("the steady load again, at once, for 5 s:");
    mixed(&caller, args.creates, args.queries, seconds(5)).await;
    running.print_memory("at the end");
    Ok(())
}

async fn mixed(caller: &Caller, creates: u32, queries: u32, lasting: Duration) {
    let (creates, queries) = tokio::join!(
        run(creates, lasting, |i| caller.create(i)),
        run(queries, lasting, |i| caller.query(i))
    );
    println!("  creates {creates}\n  queries {queries}");
}

/// A server of our own; it ends with this value.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(server: &Path, data: &Path) -> Result<Self> {
        let mut command = Command::new(server);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"]).arg(data);
        let (child, url) = listening::start(&mut command)?;
        Ok(Self { child, url })
    }

    /// Prints it at every tenth of `lasting`, without end.
    async fn watch_memory(&self, lasting: Duration) {
        for tenth in 1.. {
            tokio::time::sleep(lasting / 10).await;
            self.print_memory(&format!("after {:?}", lasting * tenth / 10));
        }
    }

    fn print_memory(&self, when: &str) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let rss = status.ok().and_then(|text| {
            let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        });
        match rss {
            Some(kb) => println!("RSS {when}: {:.1} MB", kb as f64 / 1024.0),
            None => println!("RSS {when}: unknown on this system"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Somebody with a key, a memory and a session.
struct Caller {
    http: Client,
    url: String,
    key: String,
    memory_id: String,
}

impl Caller {
    async fn new(running: &Running, server: &Path, data: &Path) -> Result<Self> {
        let made = Command::new(server)
            .args(["keys", "create", "--account", "load", "--data"])
            .arg(data)
            .output()?;
        let key = String::from_utf8(made.stdout)?.trim().to_owned();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
        let (http, url) = (Client::new(), running.url.clone());
        let mut caller = Self { http, url, key, memory_id: String::new() };
        let body = json!({"name": "Clinic", "memoryType": "graph", "ontology": "support_requests"});
        let answer =
            caller.post("/memories/create").json(&body).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        caller.memory_id = answer["data"]["id"].as_str().ok_or("an id")?.to_owned();
        caller
            .post("/sessions/create")
            .json(&json!({"id": "s"}))
            .send()
            .await?
            .error_for_status()?;
        let ingested = Command::new(server)
            .args(["ingest", "--memory", &caller.memory_id, "--url", &caller.url])
            .env("HARKBACK_API_KEY", &caller.key)
            .args(fs::read_dir(&sample)?.filter_map(|it| Some(it.ok()?.path())).filter(|it| {
                it.extension().is_some_and(|it| it == "md" || it == "txt" || it == "csv")
            }))
            .stdout(Stdio::null())
            .status()?;
        if ingested.success() { Ok(caller) } else { Err("the sample could not be ingested".into()) }
    }

    fn create(&self, i: usize) -> RequestBuilder {
        let body = json!({"role": "user", "content": format!("message {i}"), "sessionID": "s"});
        self.post("/messages/create").json(&body)
    }

    fn query(&self, i: usize) -> RequestBuilder {
        let question = QUESTIONS[i % QUESTIONS.len()];
        let query = [("memoryID", self.memory_id.as_str()), ("query", question), ("top_k", "5")];
        let url = reqwest::Url::parse_with_params(&format!("{}/memory", self.url), query);
        self.http.get(url.expect("the server's URL is one")).header("x-api-key", &self.key)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).header("x-api-key", &self.key)
    }
}
