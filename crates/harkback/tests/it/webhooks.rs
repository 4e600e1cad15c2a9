//! Webhooks: order, signature, retries, and what survives a restart, against a real receiver.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use harkback::clock::Clock;
use harkback::webhooks::deliver_due;
use harkback_engine::Models;
use harkback_engine::model::{DeliveryState, Job, MemoryId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{Client, TestApp};
use crate::binary::{Run, run};
use crate::fixtures::{TextOf, file};

const SECOND: i64 = 1_000_000;

/// A receiver that answers with the statuses it is told, then 200, and keeps what it got.
#[derive(Clone)]
struct Receiver {
    url: String,
    host: String,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    #[expect(clippy::disallowed_methods, reason = "the receiver is no part of the program")]
    async fn answering(statuses: &[u16]) -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (kept, statuses) = (Arc::clone(&got), statuses.to_vec());
        let receive = async move |headers: HeaderMap, body: String| {
            let mut kept = kept.lock().unwrap();
            kept.push((headers, body));
            StatusCode::from_u16(statuses.get(kept.len() - 1).copied().unwrap_or(200)).unwrap()
        };
        let router = axum::Router::new().route("/hook", axum::routing::post(receive));
        tokio::task::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{host}/hook"), host, got }
    }

    fn bodies(&self) -> Vec<Value> {
        self.got
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| serde_json::from_str(body).unwrap())
            .collect()
    }

    fn statuses(&self) -> Vec<String> {
        self.bodies().iter().map(|it| it["event"]["status"].as_str().unwrap().to_owned()).collect()
    }
}

/// A memory with one file whose events go to `url`, and the job that was started on it.
async fn started(app: &TestApp, anna: &Client, url: &str) -> (String, Job) {
    let body =
        json!({"name": "n", "memoryType": "graph", "ontology": "culture", "webhookUrl": url});
    job_of(app, anna, body).await
}

/// The same for a memory that is made so.
async fn job_of(app: &TestApp, anna: &Client, body: Value) -> (String, Job) {
    let memory = anna.post("/memories/create", body).await.data(201).text("id");
    let file = file(anna, &memory).await;
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [file]})).await.data(201);
    assert_eq!(
        anna.post("/memories/start-ingestion", json!({"memoryID": memory})).await.status,
        200
    );
    let now = app.app.now();
    let job =
        app.app.store.claim_job(Uuid::from_u128(1), now, now + 60 * SECOND).await.unwrap().unwrap();
    (memory, job)
}

/// Runs the job to its end without a worker: its one file fails.
async fn fail_all(app: &TestApp, job: &Job) {
    let (store, now) = (&app.app.store, app.app.now());
    for sample in store.begin_batch(job, now).await.unwrap() {
        store.fail_sample(job, &sample, "no text", now).await.unwrap();
    }
    store.finish_job(job, now).await.unwrap();
}

/// Delivers until nothing is due.
async fn drain(app: &TestApp) {
    while deliver_due(&app.app).await.unwrap() > 0 {}
}

#[tokio::test]
async fn events_come_in_order_and_signed() {
    let receiver = Receiver::answering(&[]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let anna = &app.alice;
    let (memory, job) = started(&app, anna, &receiver.url).await;
    fail_all(&app, &job).await;
    drain(&app).await;

    let bodies = receiver.bodies();
    assert_eq!(receiver.statuses(), ["pending", "pending", "processing", "processing", "failed"]);
    for body in &bodies {
        let event = body["event"].as_object().unwrap();
        assert_eq!(body.as_object().unwrap().len(), 2, "event and timestamp");
        assert_eq!(event.len(), 6);
        assert_eq!((&event["memoryID"], &event["totalSamples"]), (&json!(memory), &json!(1)));
        assert_eq!(event["batchID"], bodies[0]["event"]["batchID"]);
    }
    assert_eq!(
        bodies[3]["event"]["message"],
        "Graph ingestion in progress. This may take a few minutes."
    );

    // A vector memory has no graph.
    let vector = json!({"name": "n", "memoryType": "vector", "webhookUrl": receiver.url});
    let job = job_of(&app, anna, vector).await.1;
    fail_all(&app, &job).await;
    drain(&app).await;
    assert_eq!(
        receiver.bodies()[8]["event"]["message"],
        "Vector ingestion in progress. This may take a few minutes."
    );

    // The reference verifier compares the timestamp with the machine's clock and ours stands still, so the reference
    // is asked for the signature.
    let account = app.app.store.account(job.account_id).await.unwrap().unwrap();
    let reference = standardwebhooks::Webhook::from_bytes(account.webhook_secret).unwrap();
    let got = receiver.got.lock().unwrap().clone();
    let mut ids = std::collections::HashSet::new();
    for (headers, body) in &got {
        let id = headers["webhook-id"].to_str().unwrap();
        let timestamp: i64 = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        assert_eq!(timestamp, app.app.clock.now() / SECOND);
        assert_eq!(
            headers["webhook-signature"],
            reference.sign(id, timestamp, body.as_bytes()).unwrap()
        );
        assert!(ids.insert(id.to_owned()), "every event has an id of its own");
        assert_eq!(headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_refusal_is_tried_again_and_holds_back_what_follows() {
    let receiver = Receiver::answering(&[500, 429, 302]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let anna = &app.alice;
    let (memory, job) = started(&app, anna, &receiver.url).await;
    fail_all(&app, &job).await;
    for n_tries in 1..=3 {
        drain(&app).await;
        assert_eq!(
            receiver.statuses(),
            vec!["pending"; n_tries],
            "the first one is tried and tried"
        );
        app.app.clock.set(app.app.clock.now() + 2 * 80 * SECOND);
    }
    let first = app.app.store.deliveries_of_memory(memory_id(&memory)).await.unwrap().remove(0);
    assert_eq!((first.attempt, first.last_status), (3, Some(302)));
    drain(&app).await;
    assert_eq!(receiver.bodies().len(), 3 + 5);
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!(
        got[0].0["webhook-id"], got[3].0["webhook-id"],
        "a retry has the id of the first try"
    );
    assert_ne!(got[0].0["webhook-timestamp"], got[3].0["webhook-timestamp"]);
}

#[tokio::test]
async fn a_receiver_that_never_accepts_is_given_up() {
    let receiver = Receiver::answering(&[500; 8]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let anna = &app.alice;
    let (memory, _) = started(&app, anna, &receiver.url).await;
    for _ in 0..8 {
        drain(&app).await;
        app.app.clock.set(app.app.clock.now() + 10 * 3600 * SECOND);
    }
    let deliveries = app.app.store.deliveries_of_memory(memory_id(&memory)).await.unwrap();
    assert_eq!((deliveries[0].state, deliveries[0].attempt), (DeliveryState::Dead, 8));
    assert_eq!(deliveries[1].state, DeliveryState::Delivered, "the next event goes all the same");
}

#[tokio::test]
async fn gone_receivers_and_private_ones_are_not_tried_again() {
    let receiver = Receiver::answering(&[410]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let anna = &app.alice;
    let (memory, _) = started(&app, anna, &receiver.url).await;
    // The setting was taken back after the memory was made: a name that leads to this machine is refused when it is
    // resolved.
    let eve = &app.bob;
    let port = receiver.host.rsplit_once(':').unwrap().1;
    let (inner, _) = started(&app, eve, &format!("http://localhost:{port}/hook")).await;
    drain(&app).await;
    let dead = |it: &str| {
        let id = memory_id(it);
        let store = app.app.store.clone();
        async move { store.deliveries_of_memory(id).await.unwrap().remove(0) }
    };
    let gone = dead(&memory).await;
    assert_eq!((gone.state, gone.last_status), (DeliveryState::Dead, Some(410)));
    let refused = dead(&inner).await;
    assert_eq!(refused.state, DeliveryState::Dead);
    assert_eq!(refused.last_error.as_deref(), Some("the host has no public address"));
}

#[tokio::test]
async fn undelivered_events_survive_a_restart() {
    let receiver = Receiver::answering(&[503]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let anna = &app.alice;
    let (_, job) = started(&app, anna, &receiver.url).await;
    drain(&app).await;
    fail_all(&app, &job).await;
    let app = app.restart().await;
    app.app.clock.set(app.app.clock.now() + 60 * SECOND);
    drain(&app).await;
    assert_eq!(
        receiver.statuses(),
        ["pending", "pending", "pending", "processing", "processing", "failed"]
    );
}

/// Runs `harkback webhooks` on the data of a program that is running.
fn command(app: &TestApp, args: &[&str]) -> Run {
    let data = app.app.config.data.to_str().unwrap();
    run(&[&["webhooks"], args, &["--data", data]].concat())
}

#[tokio::test]
async fn the_printed_secret_verifies_what_the_account_is_sent() {
    let receiver = Receiver::answering(&[]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    started(&app, &app.alice, &receiver.url).await;
    drain(&app).await;
    let (headers, body) = receiver.got.lock().unwrap()[0].clone();
    let header = |name: &str| headers[name].to_str().unwrap();
    let signature = |account: &str| {
        let printed = command(&app, &["secret", "--account", account]);
        assert_eq!((printed.status.code(), printed.stderr.as_str()), (Some(0), ""));
        let reference = standardwebhooks::Webhook::new(printed.stdout.trim_end()).unwrap();
        assert!(printed.stdout.starts_with("whsec_") && printed.stdout.lines().count() == 1);
        let timestamp = header("webhook-timestamp").parse().unwrap();
        reference.sign(header("webhook-id"), timestamp, body.as_bytes()).unwrap()
    };
    assert_eq!(signature("alice"), header("webhook-signature"));
    assert_ne!(signature("bob"), header("webhook-signature"));

    let unknown = command(&app, &["secret", "--account", "eve"]);
    assert_eq!((unknown.status.code(), unknown.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        unknown.stderr,
        "error: there is no account `eve`; `harkback keys list` names them\n"
    );
}

#[tokio::test]
async fn deliveries_are_listed_and_sent_again_on_command() {
    let receiver = Receiver::answering(&[410]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let (memory, _) = started(&app, &app.alice, &receiver.url).await;
    let (other, _) = started(&app, &app.bob, "https://hooks.example.com/b").await;
    let ids = |memory: &str| {
        let (id, store) = (memory_id(memory), app.app.store.clone());
        async move {
            let all = store.deliveries_of_memory(id).await.unwrap();
            all.iter().map(|it| it.delivery_id.to_string()).collect::<Vec<_>>()
        }
    };
    let (mine, foreign) = (ids(&memory).await, ids(&other).await);
    let error = "refused:\u{1b}[2J\n\tno";
    let first: Uuid = foreign[0].parse().unwrap();
    app.app.store.fail_delivery(first, None, error, None).await.unwrap();
    let second: Uuid = foreign[1].parse().unwrap();
    app.app.store.fail_delivery(second, Some(503), "busy", Some(i64::MAX)).await.unwrap();
    drain(&app).await;

    let url = &receiver.url;
    let listed = command(&app, &["list", "--memory", &memory]);
    assert_eq!((listed.status.code(), listed.stderr.as_str()), (Some(0), ""));
    let lines = [
        format!("{}\t{memory}\t1\tdead\t1\t410\tthe receiver answered 410\t{url}\n", mine[0]),
        format!("{}\t{memory}\t2\tdelivered\t1\t200\t-\t{url}\n", mine[1]),
    ];
    assert_eq!(listed.stdout, lines.concat());
    let all = command(&app, &["list"]).stdout;
    let foreign_lines = [
        format!("{first}\t{other}\t1\tdead\t1\t-\trefused: [2J  no\thttps://hooks.example.com/b\n"),
        format!("{second}\t{other}\t2\tpending\t1\t503\tbusy\thttps://hooks.example.com/b\n"),
    ];
    assert!(lines.iter().chain(&foreign_lines).all(|it| all.contains(it)), "{all}");
    assert_eq!(all.lines().count(), 4);

    // Both go again, in the order of their events.
    for id in mine.iter().rev() {
        let redelivered = command(&app, &["redeliver", id]);
        assert_eq!((redelivered.status.code(), redelivered.stdout.as_str()), (Some(0), ""));
    }
    let due = app.app.store.deliveries_of_memory(memory_id(&memory)).await.unwrap();
    assert!(due.iter().all(|it| it.state == DeliveryState::Pending && it.attempt == 0));
    // The command's clock is the machine's.
    app.app.clock.set(due.iter().map(|it| it.next_at).max().unwrap());
    drain(&app).await;
    let got: Vec<String> = receiver
        .got
        .lock()
        .unwrap()
        .iter()
        .map(|(headers, _)| headers["webhook-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(got, [&mine[0], &mine[1], &mine[0], &mine[1]].map(String::clone));
    let states = command(&app, &["list", "--memory", &memory]).stdout;
    assert_eq!(states.matches("\tdelivered\t1\t200\t-\t").count(), 2, "{states}");
}

#[tokio::test]
async fn deliveries_are_listed_and_sent_again_by_api() {
    let receiver = Receiver::answering(&[410]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let alice = &app.alice;
    let (memory, _) = started(&app, alice, &receiver.url).await;
    let (other, _) = started(&app, alice, "https://hooks.example.com/b").await;
    let list = async |query: &str| {
        let page = alice.get(&format!("/deliveries/list?{query}")).await.data(200);
        page["deliveries"].as_array().unwrap().clone()
    };
    let mine = format!("memoryID={memory}");
    let waiting = list(&mine).await;
    assert_eq!(waiting.len(), 2);
    for it in &waiting {
        assert_eq!((&it["state"], &it["attempts"]), (&json!("pending"), &json!(0)));
        assert!(it["nextAttemptAt"].is_string());
        assert_eq!(it["body"]["event"]["memoryID"], json!(memory));
    }
    let theirs = app.app.store.deliveries_of_memory(memory_id(&other)).await.unwrap();
    for it in &theirs {
        let later = Some(app.app.clock.now() + 3600 * SECOND);
        app.app.store.fail_delivery(it.delivery_id, Some(503), "busy", later).await.unwrap();
    }
    drain(&app).await;

    let dead = list("state=dead").await;
    assert_eq!(dead.len(), 1, "the dead-letter list");
    let id = dead[0].text("id");
    assert_eq!(dead[0]["lastStatus"], 410);
    assert_eq!(dead[0]["lastError"], "the receiver answered 410");
    assert_eq!((&dead[0]["nextAttemptAt"], &dead[0]["deliveredAt"]), (&json!(null), &json!(null)));
    assert_eq!(list("state=delivered").await.len(), 1);
    assert_eq!(list(&format!("{mine}&state=pending")).await.len(), 0);
    assert_eq!(list("").await.len(), 4);
    let first = alice.get("/deliveries/list?limit=3").await.data(200);
    let next = first.text("nextToken");
    assert_eq!(list(&format!("limit=3&nextToken={next}")).await.len(), 1);
    alice
        .get(&format!("/deliveries/list?state=dead&nextToken={next}"))
        .await
        .expect_error(400, "nextToken must be a token from an earlier answer to the same request");
    alice
        .get("/deliveries/list?state=lost")
        .await
        .expect_error(400, "state must be pending, delivered or dead");

    let due = alice.post(&format!("/deliveries/redeliver/{id}"), json!({})).await.data(200);
    assert_eq!((&due["state"], &due["attempts"]), (&json!("pending"), &json!(0)));
    app.app.clock.set(app.app.now());
    drain(&app).await;
    let done = alice.get(&format!("/deliveries/get/{id}")).await.data(200);
    assert_eq!((&done["state"], &done["lastStatus"]), (&json!("delivered"), &json!(200)));
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!(got.last().unwrap().0["webhook-id"], *id, "it keeps its id");

    let get = format!("/deliveries/get/{id}");
    app.bob.get(&get).await.expect_error(403, "Not authorized to access this delivery");
    let again = format!("/deliveries/redeliver/{id}");
    let refused = app.bob.post(&again, json!({})).await;
    refused.expect_error(403, "Not authorized to update this delivery");
    assert_eq!(app.bob.get("/deliveries/list").await.data(200)["count"], 0);
    for nobodys in ["x", "00000000-0000-0000-0000-000000000000"] {
        let got = alice.get(&format!("/deliveries/get/{nobodys}")).await;
        got.expect_error(400, "Delivery not found");
    }
    alice.get("/deliveries/get").await.expect_error(400, "Delivery ID is required");
}

#[tokio::test]
async fn after_a_rotation_both_secrets_verify_for_a_while() {
    let receiver = Receiver::answering(&[]).await;
    let host = receiver.host.clone();
    let app =
        TestApp::with(Models::default(), |config| config.allowed_private_hosts = vec![host]).await;
    let secret = || command(&app, &["secret", "--account", "alice"]).stdout.trim_end().to_owned();
    let old = secret();
    let rotated = command(&app, &["rotate", "--account", "alice", "--overlap-hours", "2"]);
    assert_eq!(rotated.status.code(), Some(0));
    assert_eq!(rotated.stderr, "the secret before goes on signing beside it for 2 hours\n");
    let new = rotated.stdout.trim_end().to_owned();
    assert!(new.starts_with("whsec_") && new != old && new == secret());

    // The commands' clock is the machine's, and so is the reference verifier's.
    let machine = Clock::System.now();
    app.app.clock.set(machine);
    started(&app, &app.alice, &receiver.url).await;
    drain(&app).await;
    app.app.clock.set(machine + 2 * 3600 * SECOND + 60 * SECOND);
    started(&app, &app.alice, &receiver.url).await;
    drain(&app).await;
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!(got.len(), 4);
    let verifies = |secret: &str, at: usize| {
        let (headers, body) = &got[at];
        standardwebhooks::Webhook::new(secret).unwrap().verify(body.as_bytes(), headers).is_ok()
    };
    for secret in [&old, &new] {
        assert!(verifies(secret, 0) && verifies(secret, 1), "both in the first two hours");
    }
    // The reference refuses what comes from the future, so it is asked for the signature.
    let (headers, body) = &got[2];
    let header = |name: &str| headers[name].to_str().unwrap();
    let reference = standardwebhooks::Webhook::new(&new).unwrap();
    let at = header("webhook-timestamp").parse().unwrap();
    let expected = reference.sign(header("webhook-id"), at, body.as_bytes()).unwrap();
    assert_eq!(header("webhook-signature"), expected, "then the new one alone");

    command(&app, &["rotate", "--account", "alice"]);
    let third = command(&app, &["rotate", "--account", "alice"]).stdout;
    let account = app.app.store.accounts().await.unwrap().into_iter().find(|it| it.name == "alice");
    let account = account.unwrap();
    assert_ne!(account.old_webhook_secret.unwrap().secret, account.webhook_secret);
    assert_eq!(third.trim_end(), secret());
    let unknown = command(&app, &["rotate", "--account", "eve"]);
    assert_eq!(
        unknown.stderr,
        "error: there is no account `eve`; `harkback keys list` names them\n"
    );
}

#[tokio::test]
async fn commands_say_what_is_not_there() {
    let app = TestApp::new().await;
    let none = Uuid::nil().to_string();
    for (args, error) in [
        (
            ["redeliver", &none].as_slice(),
            "error: there is no delivery `00000000-0000-0000-0000-000000000000`; see `harkback webhooks list`",
        ),
        (
            &["list", "--memory", &none],
            "error: there is no memory `00000000-0000-0000-0000-000000000000`\n",
        ),
    ] {
        let failed = command(&app, args);
        assert_eq!((failed.status.code(), failed.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(failed.stderr.starts_with(error), "{}", failed.stderr);
    }
    let nothing = command(&app, &["list"]);
    assert_eq!((nothing.status.code(), nothing.stdout.as_str()), (Some(0), ""));
    assert_eq!(nothing.stderr, "there are no deliveries; memories with a `webhookUrl` have them\n");
    let empty = tempfile::tempdir().unwrap();
    let elsewhere = run(&["webhooks", "list", "--data", empty.path().to_str().unwrap()]);
    assert_eq!((elsewhere.status.code(), elsewhere.stdout.as_str()), (Some(1), ""));
    assert!(elsewhere.stderr.contains("name the data directory of the server with --data"));
}

fn memory_id(text: &str) -> MemoryId {
    MemoryId(text.parse().unwrap())
}
