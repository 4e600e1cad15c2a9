//! The rounds: start, look whether everything acknowledged is there, write from many connections, kill.

mod disk;
mod ledger;
pub(crate) mod power;
mod server;
mod torn;
mod trace;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use ledger::{Kind, Ledger, State};
use server::{Client, Server};

/// A full check of everything ever written comes after so many rounds, else only of what is new and of some of the rest.
const FULL_CHECK: usize = 25;
const SAMPLE: usize = 150;
/// The torn-write case is tried after every so many kills.
const TORN: usize = 5;
/// Ingestion has low priority, and may get little of a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mix {
    /// Everything, messages above all
    Everything,
    /// Files of some length that come, are ingested and go, above all
    Ingestion,
}

/// What is to be done.
pub(crate) struct Drill {
    pub(crate) binary: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) writers: usize,
    pub(crate) seed: u64,
    pub(crate) mix: Mix,
}

/// What was done, and nothing lost.
pub(crate) struct Figures {
    rounds: usize,
    n_acknowledged: usize,
    n_in_doubt: usize,
    n_checks: usize,
    n_torn: usize,
    n_files_recalled: usize,
    elapsed: Duration,
}

/// Runs the drill; `say` is told of each round.
///
/// # Errors
/// What was lost, or what went wrong.
pub(crate) async fn run(drill: &Drill, say: &dyn Fn(&str)) -> Result<Figures, String> {
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(drill.seed);
    let dir = tempfile::tempdir().map_err(|it| it.to_string())?;
    let data = dir.path().join("data");
    let key = server::create_key(&drill.binary, &data)?;
    let ledger = Mutex::new(Ledger::default());
    let (mut n_checks, mut n_torn, mut n_in_doubt) = (0, 0, 0);
    for round in 0..drill.rounds {
        let mut server = Server::start(&drill.binary, &data)?;
        let client = Client::new(&server.url, &key);
        if round == 0 {
            prepare(&client, &ledger).await?;
        }
        let is_full = round % FULL_CHECK == 0;
        n_checks += check(&client, &ledger, is_full, &mut random).await?;
        server::verify_until_clean(&drill.binary, &data).await?;
        locked(&ledger).begin_round();

        let url = server.url.clone();
        let life = Duration::from_millis(random.random_range(20..1200));
        let writers = (0..drill.writers).map(|number| {
            let random = StdRng::seed_from_u64(drill.seed ^ ((round * 64 + number) as u64) << 16);
            writer::write(Client::new(&url, &key), &ledger, number, (round, drill.mix), random)
        });
        let kill = async {
            tokio::time::sleep(life).await;
            server.kill()
        };
        let (wrote, killed) = tokio::join!(join_all(writers), kill);
        killed?;
        wrote.into_iter().collect::<Result<Vec<()>, String>>()?;
        n_in_doubt += locked(&ledger).n_in_doubt();
        // First, because whoever opens the database next makes the log's index anew.
        let log = torn::Log::read(&data);
        server::verify_dead(&drill.binary, &data)?;
        if let Some(log) = log.filter(|_| round % TORN == TORN - 1) {
            let n_acknowledged = locked(&ledger).n_tape;
            n_torn += torn::check(drill, &data, &log, &key, n_acknowledged, &mut random).await?;
        }
        let n = locked(&ledger).n_acknowledged;
        say(&format!("round {:3}: killed after {life:?}, {n} writes acknowledged", round + 1));
    }
    let mut server = Server::start(&drill.binary, &data)?;
    let client = Client::new(&server.url, &key);
    n_checks += check(&client, &ledger, true, &mut random).await?;
    let n_files_recalled = finish_ingestion(&client, &ledger).await?;
    server::verify_until_clean(&drill.binary, &data).await?;
    server.kill()?;
    let n_acknowledged = locked(&ledger).n_acknowledged;
    let (rounds, elapsed) = (drill.rounds, began.elapsed());
    Ok(Figures { rounds, n_acknowledged, n_in_doubt, n_checks, n_torn, n_files_recalled, elapsed })
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} writes and deletions acknowledged, none lost ({} look-ups; {} were under way at a kill and count \
             neither way); verify clean {} times; {} torn logs, each a prefix of what was written; {} files recalled at the \
             end; {:.0} s",
            self.rounds,
            self.n_acknowledged,
            self.n_checks,
            self.n_in_doubt,
            2 * self.rounds + 1,
            self.n_torn,
            self.n_files_recalled,
            self.elapsed.as_secs_f64()
        )
    }
}

fn locked(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn prepare(client: &Client, ledger: &Mutex<Ledger>) -> Result<(), String> {
    let body = json!({"name": "drill", "memoryType": "graph", "ontology": "support_requests"});
    let made = client.expect(201, client.post("/memories/create", &body).await?)?;
    locked(ledger).memory = text(&made["data"]["id"]);
    client.expect(201, client.post("/sessions/create", &json!({"id": "tape"})).await?)?;
    Ok(())
}

/// Looks up what the ledger says, and lets it know how what was in doubt came out. Returns how many look-ups that took.
async fn check(
    client: &Client,
    ledger: &Mutex<Ledger>,
    is_full: bool,
    random: &mut StdRng,
) -> Result<usize, String> {
    let asked = locked(ledger).to_check(if is_full { usize::MAX } else { SAMPLE }, random);
    for (kind, id) in &asked {
        let path = format!("/{}/get/{id}", kind.plural());
        let (status, body) = client.get(&path).await?.ok_or("the server is gone")?;
        let seen = match status {
            200 => State::Present,
            400 => State::Absent,
            _ => return Err(format!("GET {path}: {status} {body}")),
        };
        locked(ledger).saw(*kind, id, seen, &body["data"])?;
    }
    check_samples(client, ledger).await?;
    Ok(asked.len())
}

/// The memory holds the files that it should. Files whose place in it is in doubt are put in (again).
async fn check_samples(client: &Client, ledger: &Mutex<Ledger>) -> Result<(), String> {
    let (memory, doubtful) = {
        let ledger = locked(ledger);
        (ledger.memory.clone(), ledger.files_in_doubt())
    };
    for file in doubtful {
        let body = json!({"memoryID": memory, "files": [file]});
        client.expect(201, client.post("/memories/add-files", &body).await?)?;
        locked(ledger).is_in_memory(&file, State::Present);
    }
    let expected = locked(ledger).n_in_memory();
    let got = client.expect(200, client.get(&format!("/memories/get/{memory}")).await?)?;
    let total = got["data"]["progress"]["samples"]["total"].as_u64();
    if total != Some(expected as u64) {
        return Err(format!("the memory holds {total:?} files, not {expected}"));
    }
    Ok(())
}

/// Ingests what is still to be ingested; then every file can be read out of the memory, and no deleted one is found.
async fn finish_ingestion(client: &Client, ledger: &Mutex<Ledger>) -> Result<usize, String> {
    let (memory, live, deleted) = {
        let ledger = locked(ledger);
        (ledger.memory.clone(), ledger.live_files(), ledger.deleted_files())
    };
    if !live.is_empty() {
        let body = json!({"memoryID": memory});
        client.expect(200, client.post("/memories/start-ingestion", &body).await?)?;
    }
    let (mut moved, mut done) = (Instant::now(), Value::Null);
    loop {
        let got = client.expect(200, client.get(&format!("/memories/get/{memory}")).await?)?;
        if live.is_empty() || got["data"]["status"] == "success" {
            let failed = &got["data"]["progress"]["failed"];
            if failed != &json!([]) {
                return Err(format!("files failed: {failed}"));
            }
            break;
        }
        let now_done = &got["data"]["progress"]["passages"];
        if done != *now_done {
            (moved, done) = (Instant::now(), now_done.clone());
        }
        if moved.elapsed() > PATIENCE {
            return Err(format!("the ingestion stands still: {got}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (id, words) in &live {
        let got = client.expect(200, client.get(&format!("/files/get/{id}")).await?)?;
        if !text(&got["data"]["content"]).starts_with(words) {
            return Err(format!("file {id} cannot be read out of the memory: {got}"));
        }
    }
    for (id, words) in &deleted {
        let path = format!("/memory?memoryID={memory}&top_k=20&query={}", words.replace(' ', "+"));
        let got = client.expect(200, client.get(&path).await?)?;
        let is_found = |it: &Value| it["id"] == **id;
        if got["sources"].as_array().is_some_and(|it| it.iter().any(is_found)) {
            return Err(format!("the deleted file {id} is found: {got}"));
        }
    }
    Ok(live.len())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What can be written and looked up.
impl Kind {
    fn plural(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Session => "sessions",
            Self::Message => "messages",
            Self::File => "files",
        }
    }
}
