//! `Idempotency-Key`: the same request with the same key is carried out once, whatever happens on the way.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use harkback_engine::Models;
use harkback_engine::model::{AccountId, Kept};
use serde_json::{Value, json};

use crate::app::{Client, Reply, TestApp};
use crate::binary::{Caller, Serving, create_key};
use crate::fixtures::{TextOf, memory, text_file};
use crate::openapi::{document, operations};

const DAY: i64 = 24 * 3600 * 1_000_000;

pub(crate) async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", key)
        .body(Body::from(body.to_string()));
    client.request(request.unwrap()).await
}

pub(crate) fn is_replay(reply: &Reply) -> bool {
    reply.headers.get("idempotent-replayed").is_some_and(|it| it == "true")
}

/// A body that each POST of the API takes.
async fn bodies(app: &TestApp) -> Vec<(&'static str, Value)> {
    let alice = &app.alice;
    let memory = memory(alice).await;
    let file = text_file(app, alice, "a.txt", "Mia Holm tends the garden.").await;
    vec![
        ("/memories/create", json!({"name": "n", "memoryType": "graph", "ontology": "culture"})),
        ("/memories/add-files", json!({"memoryID": memory, "files": [file]})),
        ("/memories/start-ingestion", json!({"memoryID": memory})),
        ("/files/upload", json!({"fileName": "a.txt"})),
        ("/files/create", json!({"name": "a.txt"})),
        ("/users/create", json!({"firstName": "Ada", "lastName": "Byron"})),
        ("/sessions/create", json!({})),
        ("/messages/create", json!({"role": "user", "content": "Hello"})),
    ]
}

#[tokio::test]
async fn every_post_is_carried_out_once() {
    let app = TestApp::new().await;
    let bodies = bodies(&app).await;
    let account = app.alice.post("/sessions/create", json!({})).await.data(201).text("userID");
    for (path, method, operation) in operations(&document()) {
        if method != "post" || path.contains('{') {
            continue;
        }
        assert!(
            operation["parameters"].to_string().contains("Idempotency-Key"),
            "{path} does not tell of the header"
        );
        let body = bodies.iter().find(|it| it.0 == path);
        let (_, body) = body.unwrap_or_else(|| panic!("give a body for {path} in `bodies`"));
        let key = format!("key of {path}");
        let first = post(&app.alice, &path, &key, body).await;
        assert!(first.status.is_success() && !is_replay(&first), "{path}: {}", first.json());
        let second = post(&app.alice, &format!("{path}/"), &key, body).await;
        assert!(is_replay(&second), "{path}");
        assert_eq!((second.status, &second.body), (first.status, &first.body), "{path}");
        assert_eq!(second.headers[header::CONTENT_TYPE], first.headers[header::CONTENT_TYPE]);
        let account = AccountId(account.parse().unwrap());
        let Some(Kept::Answer(kept)) = app.app.store.kept_answer(account, &key, 0).await.unwrap()
        else {
            panic!("{path} keeps no answer");
        };
        assert_eq!(
            kept.subject.is_some(),
            path.ends_with("/create"),
            "{path}: `Keyed::about` says whose deletion takes an answer that holds what the caller sent"
        );
        let free = post(&app.alice, &path, "another key", body).await;
        assert!(!is_replay(&free), "{path}");
        // The one key must not serve two routes.
        app.app.clock.set(app.app.clock.now() + DAY + 1_000_000);
    }
    let listed = app.alice.get("/users/list").await.expect(200);
    assert_eq!(listed["count"], 2, "one for each key");
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_account() {
    let app = TestApp::new().await;
    let (ada, eve) = (
        json!({"firstName": "Ada", "lastName": "B"}),
        json!({"firstName": "Eve", "lastName": "B"}),
    );
    let first = post(&app.alice, "/users/create", "k", &ada).await.expect(201);
    let used = "Idempotency-Key was used before with another request";
    post(&app.alice, "/users/create", "k", &eve).await.expect_error(400, used);
    post(&app.alice, "/sessions/create", "k", &ada).await.expect_error(400, used);
    post(&app.alice, "/users/create?x=1", "k", &ada).await.expect_error(400, used);
    let bobs = post(&app.bob, "/users/create", "k", &eve).await;
    assert!(!is_replay(&bobs));
    assert_ne!(bobs.expect(201)["data"]["id"], first["data"]["id"]);
    let other_key = app.with_key(&app.new_key("alice").await);
    assert!(is_replay(&post(&other_key, "/users/create", "k", &ada).await), "kept for the account");
    let revoked = app.with_key("hb_x_y");
    post(&revoked, "/users/create", "k", &ada).await.expect_error(403, "Invalid API key");
    post(&app.stranger(), "/users/create", "k", &ada)
        .await
        .expect_error(401, "API key is required");
}

#[tokio::test]
async fn a_key_is_1_to_255_characters() {
    let app = TestApp::new().await;
    let refused = "Idempotency-Key must be 1 to 255 characters without control characters";
    for key in ["", " ", &"k".repeat(256)] {
        post(&app.alice, "/sessions/create", key, &json!({})).await.expect_error(400, refused);
    }
    for key in ["k".repeat(255), "é".repeat(255)] {
        post(&app.alice, "/sessions/create", &key, &json!({})).await.expect(201);
        assert!(is_replay(&post(&app.alice, "/sessions/create", &key, &json!({})).await));
    }
    let two = Request::post("/sessions/create").header("Idempotency-Key", "a");
    let two = two.header("Idempotency-Key", "b").body(Body::from("{}")).unwrap();
    app.alice.request(two).await.expect_error(400, "Idempotency-Key must be given once");
    let request = Request::get("/sessions/list").header("Idempotency-Key", "");
    let reply = app.alice.request(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.expect(200)["data"]["count"], 2, "only POSTs have keys");
}

#[tokio::test]
async fn what_was_executed_is_kept_and_what_was_refused_is_not() {
    let app = TestApp::with(Models::default(), |it| it.max_requests = 1).await;
    let message = |session: &str| json!({"role": "user", "content": "x", "sessionID": session});
    let bad = json!({"content": "x"});
    post(&app.alice, "/messages/create", "a", &bad).await.expect_error(400, "role is required");
    let retried = post(&app.alice, "/messages/create", "a", &message("s")).await;
    retried.expect_error(400, "Session not found");
    app.alice.post("/sessions/create", json!({"id": "s"})).await.expect(201);
    let kept = post(&app.alice, "/messages/create", "a", &message("s")).await;
    kept.expect_error(400, "Session not found");
    assert!(is_replay(&kept), "as it was the first time");
    post(&app.alice, "/messages/create", "b", &message("s")).await.expect(201);
    let many = (0..20).map(|i| {
        let alice = app.alice.clone();
        let body = message("s");
        async move { (i, post(&alice, "/messages/create", &format!("m{i}"), &body).await) }
    });
    let answers = futures_util::future::join_all(many).await;
    let shed: Vec<_> = answers.iter().filter(|it| it.1.status == 503).collect();
    assert!(!shed.is_empty(), "one place for twenty");
    for (i, _) in shed {
        let again = post(&app.alice, "/messages/create", &format!("m{i}"), &message("s")).await;
        assert!(again.status == 201 && !is_replay(&again), "what was shed leaves its key free");
    }
}

#[tokio::test]
async fn of_two_at_once_one_is_carried_out() {
    let app = TestApp::new().await;
    let body = json!({"firstName": "Ada", "lastName": "Byron"});
    let many = (0..30).map(|_| post(&app.alice, "/users/create", "k", &body));
    let answers = futures_util::future::join_all(many).await;
    let (mut n_made, mut n_replayed, mut n_refused) = (0, 0, 0);
    for answer in &answers {
        match answer.status.as_u16() {
            201 if is_replay(answer) => n_replayed += 1,
            201 => n_made += 1,
            _ => {
                answer.expect_error(409, "A request with this Idempotency-Key is under way");
                assert_eq!(answer.headers[header::RETRY_AFTER], "1");
                n_refused += 1;
            }
        }
    }
    assert_eq!((n_made, n_made + n_replayed + n_refused), (1, 30));
    assert!(n_refused > 0);
    assert_eq!(app.alice.get("/users/list").await.expect(200)["count"], 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_finds_the_answer_later() {
    let app = TestApp::new().await;
    let body = json!({"firstName": "Ada", "lastName": "Byron"});
    // Polled until it is under way, then dropped, as the server does when a connection breaks.
    let hung_up = post(&app.alice, "/users/create", "k", &body);
    let gone = tokio::time::timeout(Duration::from_micros(300), hung_up).await;
    let answer = loop {
        let answer = post(&app.alice, "/users/create", "k", &body).await;
        if answer.status != 409 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    answer.expect(201);
    if gone.is_err() {
        assert_eq!(app.alice.get("/users/list").await.expect(200)["count"], 1);
    }
}

#[tokio::test]
async fn answers_are_kept_for_a_day_and_over_a_restart() {
    let app = TestApp::new().await;
    let body = json!({"firstName": "Ada", "lastName": "Byron"});
    let first = post(&app.alice, "/users/create", "k", &body).await.expect(201);
    let (now, account) = (app.app.clock.now(), first["data"].text("userID"));
    let app = app.restart().await;
    app.app.clock.set(now + DAY - 1_000_000);
    harkback::worker::sweep_once(&app.app).await.unwrap();
    let kept = post(&app.alice, "/users/create", "k", &body).await;
    assert!(is_replay(&kept), "nearly a day later");
    assert_eq!(kept.expect(201), first);
    app.app.clock.set(now + DAY + 1_000_000);
    let fresh = post(&app.alice, "/users/create", "k", &body).await;
    assert!(!is_replay(&fresh), "a day later");
    assert_ne!(fresh.expect(201)["data"]["id"], first["data"]["id"]);
    app.app.clock.set(now + 3 * DAY);
    harkback::worker::sweep_once(&app.app).await.unwrap();
    let account = AccountId(account.parse().unwrap());
    assert_eq!(app.app.store.kept_answer(account, "k", 0).await.unwrap(), None, "swept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_makes_nothing_twice_and_keeps_its_word() {
    const N: usize = 400;
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let key = create_key(data.path(), "alice");
    let told = Mutex::new(BTreeMap::new());
    let send = async |caller: &Caller, i: usize| {
        let body = json!({"role": "user", "content": format!("message {i}")});
        let request = reqwest::Client::new()
            .post(format!("{}/messages/create", caller.url))
            .headers((&http_headers(&caller.key, i)).try_into().unwrap())
            .json(&body);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        answer["data"]["id"].as_str().map(str::to_owned)
    };
    let caller = Caller::new(&serving, &key);
    let all = futures_util::StreamExt::for_each_concurrent(
        futures_util::stream::iter(0..N),
        16,
        async |i| {
            if let Some(id) = send(&caller, i).await {
                told.lock().unwrap().insert(i, id);
            }
        },
    );
    let kill = async {
        while told.lock().unwrap().len() < N / 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        serving.kill();
    };
    tokio::join!(all, kill);
    let told = told.into_inner().unwrap();
    assert!(told.len() < N, "some were cut off");

    let serving = Serving::start(data.path());
    let caller = Caller::new(&serving, &key);
    for i in 0..N {
        let id = send(&caller, i).await.unwrap();
        if let Some(first) = told.get(&i) {
            assert_eq!(&id, first, "message {i} was acknowledged");
        }
    }
    let (_, listed) = caller.get("/messages/list?limit=1").await;
    assert_eq!(listed["totalCount"], N, "each was made once");
}

fn http_headers(key: &str, i: usize) -> std::collections::HashMap<String, String> {
    [("x-api-key".to_owned(), key.to_owned()), ("idempotency-key".to_owned(), i.to_string())].into()
}
