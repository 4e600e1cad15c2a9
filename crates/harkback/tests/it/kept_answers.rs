//! What is kept under an idempotency key goes with the deletion of what it tells of: it cannot be had any more, is not on the
//! disk, and the key does not make it anew.

use std::collections::BTreeMap;

use harkback_engine::model::{AccountId, Kept};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::app::{Client, TestApp};
use crate::fixtures::{TextOf, ingest, text_file};
use crate::idempotency::{is_replay, post};
use crate::receipts::{files_with, receipt, swept_until_gone};

const ERASED: &str = "Idempotency-Key was used before, for something that is deleted now";

/// Of each kind of record: how it is created with `SECRET` in it, and how it is deleted.
const RECORDS: [(&str, &str, &str); 9] = [
    ("users", r#"{"id": "ID", "firstName": "SECRET", "lastName": "B"}"#, "/users/delete/ID"),
    (
        "users",
        r#"{"id": "ID", "firstName": "SECRET", "lastName": "B"}"#,
        "/users/delete/ID?wipe=true",
    ),
    (
        "sessions",
        r#"{"id": "ID", "metadata": [{"key": "a", "value": "SECRET"}]}"#,
        "/sessions/delete/ID?wipe=true",
    ),
    (
        "sessions",
        r#"{"id": "ID", "customerUserID": "USER", "metadata": [{"key": "a", "value": "SECRET"}]}"#,
        "/users/delete/USER?wipe=true",
    ),
    ("messages", r#"{"id": "ID", "role": "user", "content": "SECRET"}"#, "/messages/delete/ID"),
    (
        "messages",
        r#"{"id": "ID", "role": "user", "content": "SECRET", "sessionID": "SESSION"}"#,
        "/sessions/delete/SESSION?wipe=true",
    ),
    (
        "messages",
        r#"{"id": "ID", "role": "user", "content": "SECRET", "customerUserID": "USER"}"#,
        "/users/delete/USER?wipe=true",
    ),
    ("files", r#"{"id": "ID", "name": "SECRET.txt"}"#, "/files/delete/ID"),
    (
        "memories",
        r#"{"name": "SECRET", "memoryType": "vector", "description": "x"}"#,
        "/memories/delete/ID",
    ),
];

#[tokio::test]
async fn a_deletion_takes_the_answers_that_tell_of_it() {
    const SECRET: &str = "zarquon";
    for (kind, body, deletion) in RECORDS {
        let app = TestApp::new().await;
        let alice = &app.alice;
        alice.post("/sessions/create", json!({"id": "SESSION"})).await.data(201);
        let (create, what) = (format!("/{kind}/create"), format!("{kind} by {deletion}"));
        let body: Value = serde_json::from_str(&body.replace("SECRET", SECRET)).unwrap();
        let made = post(alice, &create, "k", &body).await.data(201);
        if kind != "memories" {
            // A failure to create it again holds a hash of the same words.
            let exists = post(alice, &create, "again", &body).await.expect(400);
            assert!(exists.text("error").ends_with("already exists"), "{what}");
        }
        assert!(is_replay(&post(alice, &create, "k", &body).await), "{what}");
        assert!(files_with(&app, SECRET) > 0);

        let deleted = alice.delete(&deletion.replace("ID", &made.text("id"))).await;
        let n_kept = if kind == "memories" { 1 } else { 2 };
        assert_eq!(receipt(alice, &deleted).await["counts"]["keptAnswers"], n_kept, "{what}");
        sound(&app, &what).await;
        let n_receipts = alice.get("/receipts/list").await.data(200)["count"].clone();
        let mut other = body.clone();
        other["x"] = json!(1);
        for (key, body) in [("k", &body), ("k", &other), ("again", &body)] {
            let again = post(alice, &create, key, body).await;
            if kind == "memories" && key == "again" {
                continue;
            }
            again.expect_error(400, ERASED);
            assert_eq!(kept(&app, &made, key).await, Some(Kept::Erased), "{what}");
        }
        if kind != "memories" {
            let got = alice.get(&format!("/{kind}/get/{}", made.text("id"))).await;
            assert_eq!(got.status, 400, "{what}: it is not made anew");
        }
        assert_eq!(alice.get("/receipts/list").await.data(200)["count"], n_receipts);
        if kind != "memories" {
            swept_until_gone(&app, SECRET).await;
        }
    }
}

async fn kept(app: &TestApp, made: &Value, key: &str) -> Option<Kept> {
    let account = AccountId(made.text("userID").parse().unwrap());
    app.app.store.kept_answer(account, key, 0).await.unwrap()
}

async fn sound(app: &TestApp, what: &str) {
    let found = harkback_engine::verify(&app.app.config.data).await.unwrap();
    assert!(found.defects.is_empty(), "{what}: {:#?}", found.defects);
}

#[tokio::test]
async fn a_hidden_session_takes_the_answers_of_its_messages() {
    let app = TestApp::new().await;
    let alice = &app.alice;
    let session = json!({"id": "s", "metadata": [{"key": "a", "value": "b"}]});
    post(alice, "/sessions/create", "s", &session).await.data(201);
    let message = json!({"role": "user", "content": "Hello", "sessionID": "s"});
    let made = post(alice, "/messages/create", "m", &message).await.data(201);
    let beside = json!({"role": "user", "content": "Hello"});
    post(alice, "/messages/create", "b", &beside).await.data(201);
    post(&app.bob, "/sessions/create", "s", &session).await.data(201);

    let hidden = alice.delete("/sessions/delete/s").await;
    assert_eq!(receipt(alice, &hidden).await["counts"]["keptAnswers"], 2);
    post(alice, "/sessions/create", "s", &session).await.expect_error(400, ERASED);
    post(alice, "/messages/create", "m", &message).await.expect_error(400, ERASED);
    assert!(is_replay(&post(alice, "/messages/create", "b", &beside).await));
    assert!(is_replay(&post(&app.bob, "/sessions/create", "s", &session).await), "Bob's stays");
    let got = alice.get(&format!("/messages/get/{}", made.text("id"))).await;
    got.expect_error(400, "Message not found");
    sound(&app, "hidden").await;
}

#[tokio::test]
async fn a_redelivery_is_forgotten_with_its_memory() {
    let app = TestApp::new().await;
    let alice = &app.alice;
    let hook = "https://hooks.example.com/zarquon";
    let body = json!({"name": "m", "memoryType": "vector", "webhookUrl": hook});
    let memory = alice.post("/memories/create", body).await.data(201).text("id");
    let file = text_file(&app, alice, "a.txt", "Mia Holm tends the garden.").await;
    ingest(&app, alice, &memory, &[file]).await;
    let listed = alice.get("/deliveries/list?limit=1").await.data(200);
    let path = format!("/deliveries/redeliver/{}", listed["deliveries"][0].text("id"));
    let first = post(alice, &path, "k", &json!({})).await;
    assert_eq!(first.data(200)["url"], hook);
    let second = post(alice, &path, "k", &json!({})).await;
    assert!(is_replay(&second) && second.body == first.body);
    let deleted = alice.delete(&format!("/memories/delete/{memory}")).await;
    assert_eq!(receipt(alice, &deleted).await["counts"]["keptAnswers"], 1);
    post(alice, &path, "k", &json!({})).await.expect_error(400, ERASED);
    sound(&app, "redelivered").await;
}

#[derive(Clone, Debug)]
enum Act {
    User(u8),
    Session(u8, u8),
    Message(u8, Option<u8>, Option<u8>),
    DeleteUser(u8, bool),
    DeleteSession(u8, bool),
    DeleteMessage(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let id = || 0..3_u8;
    prop_oneof![
        id().prop_map(Act::User),
        (id(), id()).prop_map(|(id, user)| Act::Session(id, user)),
        (id(), prop::option::of(id()), prop::option::of(id()))
            .prop_map(|(id, session, user)| Act::Message(id, session, user)),
        (id(), any::<bool>()).prop_map(|(id, wipe)| Act::DeleteUser(id, wipe)),
        (id(), any::<bool>()).prop_map(|(id, wipe)| Act::DeleteSession(id, wipe)),
        id().prop_map(Act::DeleteMessage),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    /// Whatever is made and deleted in whatever order, a key is answered as the first time exactly while what it made is there.
    #[test]
    fn an_answer_lives_as_long_as_what_it_tells_of(acts in prop::collection::vec(act(), 6..30)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(acts));
    }
}

async fn live(acts: Vec<Act>) {
    let app = TestApp::new().await;
    let alice = &app.alice;
    // Path, body and first answer of each key that made something.
    let mut made: BTreeMap<String, (&str, Value, Value)> = BTreeMap::new();
    for (n, act) in acts.iter().enumerate() {
        match create(act, n) {
            Some((path, body)) => {
                let key = format!("k{n}");
                let answer = post(alice, path, &key, &body).await;
                if answer.status == 201 {
                    made.insert(key, (path, body, answer.json()));
                }
            }
            None => delete(alice, act).await,
        }
    }
    sound(&app, &format!("{acts:?}")).await;
    for (key, (path, body, first)) in &made {
        let kind = path.trim_end_matches("/create");
        let now = alice.get(&format!("{kind}/get/{}", first["data"].text("id"))).await;
        // Another one may have been made under the same id meanwhile.
        let is_there = now.status == 200 && now.json()["data"] == first["data"];
        let again = post(alice, path, key, body).await;
        if is_there {
            assert!(is_replay(&again) && again.json() == *first, "{key} in {acts:?}");
        } else {
            again.expect_error(400, ERASED);
        }
    }
}

/// What act number `n` creates, with words of its own.
fn create(act: &Act, n: usize) -> Option<(&'static str, Value)> {
    let name = |kind: &str, id: &Option<u8>| id.map(|id| format!("{kind}{id}"));
    Some(match act {
        Act::User(id) => (
            "/users/create",
            json!({"id": format!("u{id}"), "firstName": "A", "lastName": format!("{n}")}),
        ),
        Act::Session(id, user) => (
            "/sessions/create",
            json!({"id": format!("s{id}"), "customerUserID": format!("u{user}"),
                   "metadata": [{"key": "n", "value": format!("{n}")}]}),
        ),
        Act::Message(id, session, user) => (
            "/messages/create",
            json!({"id": format!("m{id}"), "role": "user", "content": format!("{n}"),
                   "sessionID": name("s", session), "customerUserID": name("u", user)}),
        ),
        _ => return None,
    })
}

async fn delete(client: &Client, act: &Act) {
    let path = match act {
        Act::DeleteUser(id, wipe) => format!("/users/delete/u{id}?wipe={wipe}"),
        Act::DeleteSession(id, wipe) => format!("/sessions/delete/s{id}?wipe={wipe}"),
        Act::DeleteMessage(id) => format!("/messages/delete/m{id}"),
        _ => return,
    };
    let status = client.delete(&path).await.status.as_u16();
    assert!(matches!(status, 200 | 400), "{path}: {status}");
}
