//! Does everything that was acknowledged survive a power cut? A server is traced while it serves; then, at many moments of
//! the trace, what a disk may hold when the power goes just then is made, and a server started on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::disk::{Disk, Remains};
use super::server::{self, Client, Server};
use super::trace::{self, Event};
use super::{Drill, text};

const WRITING: Duration = Duration::from_secs(4);

/// What was asked of one record.
#[derive(Debug, Default)]
struct History {
    path: String,
    words: String,
    /// Of a file: the key of its bytes.
    key: Option<String>,
    /// What stands in the answer to its deletion, once that was asked for; empty until it came.
    receipt: Option<String>,
}

/// By id.
type Histories = Mutex<BTreeMap<String, History>>;

/// Cuts the power `drill.rounds` times. Returns what was done.
///
/// # Errors
/// What was lost, or what went wrong.
pub(crate) async fn run(drill: &Drill, say: &dyn Fn(&str)) -> Result<String, String> {
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(drill.seed);
    let dir = tempfile::tempdir().map_err(|it| it.to_string())?;
    let dir = dir.path().canonicalize().map_err(|it| it.to_string())?;
    let (data, traced) = (dir.join("data"), dir.join("trace"));
    let key = server::create_key(&drill.binary, &data)?;
    let before = Disk::read(&data).map_err(|it| it.to_string())?;

    let histories = Histories::default();
    let mut server = Server::traced(&drill.binary, &data, &traced)?;
    let url = server.url.clone();
    let until = Instant::now() + WRITING;
    let writers = (0..drill.writers).map(|number| {
        let random = StdRng::seed_from_u64(drill.seed << 8 | number as u64);
        write(Client::new(&url, &key), number, &histories, until, random)
    });
    join_all(writers).await.into_iter().collect::<Result<Vec<()>, String>>()?;
    server.kill()?;

    let events = trace::read(&traced, &data)?;
    let histories = histories.into_inner().unwrap_or_else(PoisonError::into_inner);
    let n_answers = events.iter().filter(|it| matches!(it, Event::Answer(_))).count();
    let n_syncs = events.iter().filter(|it| matches!(it, Event::Sync { .. })).count();
    say(&format!("{} records, {n_answers} answers, {n_syncs} syncs traced", histories.len()));
    let answered = answered(&events, &histories);
    let n_known = answered.values().filter(|it| it.0.is_some()).count();
    if 2 * n_known < histories.len() {
        return Err(format!("of {} records only {n_known} answers were traced", histories.len()));
    }

    let mut moments: Vec<usize> = (0..drill.rounds).map(|_| moment(&events, &mut random)).collect();
    moments.sort_unstable();
    let (mut disk, mut n_applied, mut n_checked) = (before, 0, 0);
    for (nth, moment) in moments.into_iter().enumerate() {
        for event in &events[n_applied..moment] {
            disk.apply(event)?;
        }
        n_applied = moment;
        let remains = [Remains::Nothing, Remains::Any, Remains::Beginning, Remains::Everything];
        let remains = remains[nth % remains.len()];
        let cut = tempfile::tempdir().map_err(|it| it.to_string())?;
        disk.cut(&data, cut.path(), remains, &mut random).map_err(|it| it.to_string())?;
        let what = format!("cut {} after {moment} events, left {remains:?}", nth + 1);
        let n = check(drill, cut.path(), &key, &histories, &answered, moment).await;
        n_checked += n.map_err(|why| format!("{what}: {why}"))?;
        say(&what);
    }
    Ok(format!(
        "{} power cuts in {} events ({n_syncs} syncs, {n_answers} answers): verify and integrity_check clean each time, \
         {n_checked} look-ups, nothing acknowledged lost; {:.0} s",
        drill.rounds,
        events.len(),
        began.elapsed().as_secs_f64()
    ))
}

/// Half of them at once after an answer: then it counts.
fn moment(events: &[Event], random: &mut StdRng) -> usize {
    let any = random.random_range(1..=events.len());
    if random.random_bool(0.5) {
        return any;
    }
    let next = events[any - 1..].iter().position(|it| matches!(it, Event::Answer(_)));
    next.map_or(any, |it| any + it)
}

/// After how many events each record's creation, and its deletion, was acknowledged.
fn answered<'a>(
    events: &[Event],
    histories: &'a BTreeMap<String, History>,
) -> BTreeMap<&'a str, (Option<usize>, Option<usize>)> {
    let mut answers = BTreeMap::new();
    for (nth, event) in events.iter().enumerate() {
        let Event::Answer(text) = event else { continue };
        let field = |before: &str, after: &str| {
            let (_, rest) = text.split_once(before)?;
            Some(rest.split_once(after)?.0.to_owned())
        };
        answers.extend(field("\"id\":\"", "\"").map(|it| (it, nth + 1)));
        answers.extend(field("x-receipt-id: ", "\r").map(|it| (it, nth + 1)));
    }
    let at = |token: &str| answers.get(token).copied();
    let both = |(id, it): (&'a String, &History)| {
        (id.as_str(), (at(id), it.receipt.as_deref().and_then(at)))
    };
    histories.iter().map(both).collect()
}

/// Starts on what the power cut left. Returns how many records were looked up.
async fn check(
    drill: &Drill,
    data: &Path,
    key: &str,
    histories: &BTreeMap<String, History>,
    answered: &BTreeMap<&str, (Option<usize>, Option<usize>)>,
    moment: usize,
) -> Result<usize, String> {
    server::verify_dead(&drill.binary, data)?;
    let mut server = Server::start(&drill.binary, data)?;
    let client = Client::new(&server.url, key);
    let mut n = 0;
    for (id, it) in histories {
        let (made, deleted) = answered[id.as_str()];
        let by_now = |at: Option<usize>| at.is_some_and(|at| at <= moment);
        let expected = match (by_now(made), by_now(deleted)) {
            (_, true) => 400,
            (true, false) if it.receipt.is_none() => 200,
            // Under way at that moment.
            _ => continue,
        };
        n += 1;
        let got = client.get(&format!("{}/get/{id}", it.path)).await?;
        let got = client.expect(expected, got).map_err(|why| format!("{id}: {why}"))?;
        if expected == 200 && !got.to_string().contains(&it.words) {
            return Err(format!("{id} does not say `{}`: {got}", it.words));
        }
        if let (200, Some(key)) = (expected, &it.key) {
            let bytes = std::fs::read(data.join("blobs").join(key));
            if bytes.ok().as_deref() != Some(it.words.as_bytes()) {
                return Err(format!("the bytes of {id} are not what was sent"));
            }
        }
    }
    server::verify_until_clean(&drill.binary, data).await?;
    server.kill()?;
    Ok(n)
}

/// Creates and deletes until it is time.
async fn write(
    client: Client,
    number: usize,
    histories: &Histories,
    until: Instant,
    mut random: StdRng,
) -> Result<(), String> {
    let mut mine: Vec<String> = Vec::new();
    for nth in 0.. {
        if Instant::now() > until {
            break;
        }
        let id = format!("w{number}n{nth}");
        match random.random_range(0..10) {
            0..5 => {
                let body = json!({"id": id, "role": "user", "content": id});
                create(&client, histories, "/messages", &id, &body, None).await?;
                mine.push(id);
            }
            5 => {
                let body = json!({"id": id, "metadata": [{"key": "k", "value": id}]});
                create(&client, histories, "/sessions", &id, &body, None).await?;
                mine.push(id);
            }
            6..8 => {
                create_file(&client, histories, &id).await?;
                mine.push(id);
            }
            _ if mine.is_empty() => {}
            _ => {
                let id = mine.swap_remove(random.random_range(0..mine.len()));
                delete(&client, histories, &id).await?;
            }
        }
    }
    Ok(())
}

async fn create(
    client: &Client,
    histories: &Histories,
    path: &str,
    id: &str,
    body: &Value,
    key: Option<String>,
) -> Result<(), String> {
    let history = History { path: path.to_owned(), words: id.to_owned(), key, receipt: None };
    locked(histories).insert(id.to_owned(), history);
    client.expect(201, client.post(&format!("{path}/create"), body).await?)?;
    Ok(())
}

async fn create_file(client: &Client, histories: &Histories, id: &str) -> Result<(), String> {
    let upload = client.post("/files/upload", &json!({"fileName": "a.txt"})).await?;
    let grant = client.expect(200, upload)?;
    client.expect(200, client.put(&text(&grant["data"]["uploadUrl"]), id).await?)?;
    let key = text(&grant["data"]["key"]);
    let body = json!({"id": id, "name": format!("{id}.txt"), "key": key});
    create(client, histories, "/files", id, &body, Some(key)).await
}

async fn delete(client: &Client, histories: &Histories, id: &str) -> Result<(), String> {
    let path = {
        let mut histories = locked(histories);
        let it = histories.get_mut(id).ok_or("it was created")?;
        it.receipt = Some(String::new());
        format!("{}/delete/{id}", it.path)
    };
    let receipt = client.delete_with_receipt(&path).await?;
    locked(histories).entry(id.to_owned()).or_default().receipt = Some(receipt);
    Ok(())
}

fn locked(histories: &Histories) -> std::sync::MutexGuard<'_, BTreeMap<String, History>> {
    histories.lock().unwrap_or_else(PoisonError::into_inner)
}
