//! What deletions take, what they leave, and what their receipts say.

use std::time::Duration;

use harkback_engine::{Embedder, Models};
use serde_json::{Value, json};

use crate::app::{Client, Reply, TestApp};
use crate::fixtures::{TextOf, ingest, memory, n_blob_files, text_file};

const ANN: &str = "Ann Weber runs the clinic in Bern. She has a dog.";
const BEN: &str = "Ben Okafor sells bread in Ulm.";

async fn app() -> TestApp {
    let models = Models { embedder: Some(Embedder::for_tests()), ..Models::default() };
    TestApp::with(models, |_| ()).await
}

/// The receipt that the answer of a deletion names.
pub(crate) async fn receipt(client: &Client, reply: &Reply) -> Value {
    reply.expect(200);
    let id = reply.headers["x-receipt-id"].to_str().unwrap();
    let receipt = client.get(&format!("/receipts/get/{id}")).await.data(200);
    assert_eq!(receipt["id"], id);
    receipt
}

/// The counts of a receipt that are not 0.
fn counts(receipt: &Value) -> String {
    let counts = receipt["counts"].as_object().unwrap();
    let some = counts.iter().filter(|it| it.1 != &json!(0));
    some.map(|(kind, n)| format!("{kind} {n}")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_file_taken_out_of_a_memory_and_then_deleted() {
    let app = app().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let files =
        [text_file(&app, anna, "ann.txt", ANN).await, text_file(&app, anna, "ben.txt", BEN).await];
    ingest(&app, anna, &memory, &files).await;

    let path = format!("/memories/delete-file?memoryID={memory}&fileID={}", files[0]);
    let out = anna.delete(&path).await;
    assert_eq!(out.json(), json!({"status": "success"}));
    let out = receipt(anna, &out).await;
    assert_eq!(
        (out.text("kind"), out.text("subjectID")),
        ("file_in_memory".into(), files[0].clone())
    );
    assert_eq!(out["memories"], json!([{"memoryID": memory, "revision": 3}]));
    assert_eq!(out.text("createdAt"), "2026-01-02T03:04:05.678Z");
    let all = counts(&out);
    assert!(all.contains("passages 1, relations "), "{all}");
    assert!(all.contains(", samples 1, sentences 2, vectors 1"), "{all}");
    assert!(out["counts"]["entities"].as_i64().unwrap() > 0, "{all}");

    let deleted = anna.delete(&format!("/files/delete/{}", files[1])).await;
    deleted.says("File deleted successfully");
    let deleted = receipt(anna, &deleted).await;
    assert_eq!(deleted["counts"]["blobBytes"], BEN.len());
    let all = counts(&deleted);
    assert!(all.contains(", blobs 1, entities ") && all.contains(", files 1, passages 1"), "{all}");
    assert_eq!(n_blob_files(&app), 1);

    let listed = anna.get("/receipts/list?limit=1").await.data(200);
    assert_eq!(listed["receipts"], json!([deleted]), "newest first");
    let next = format!("/receipts/list?nextToken={}", listed.text("nextToken"));
    assert_eq!(anna.get(&next).await.data(200)["receipts"], json!([out]));
}

#[tokio::test]
async fn a_deleted_memory_counts_all_that_was_in_it() {
    let app = app().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let file = text_file(&app, anna, "ann.txt", ANN).await;
    ingest(&app, anna, &memory, &[file]).await;
    let deleted = anna.delete(&format!("/memories/delete/{memory}")).await;
    deleted.says("Memory deleted successfully");
    let receipt = receipt(anna, &deleted).await;
    assert_eq!(receipt["subjectID"], memory);
    let all = counts(&receipt);
    assert!(
        all.starts_with("entities ") && all.contains(", jobs 1, memories 1, passages 1"),
        "{all}"
    );
    assert_eq!(n_blob_files(&app), 1, "the file stays");
}

#[tokio::test]
async fn a_graph_that_is_not_in_ram_is_not_counted() {
    let app = app().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "ann.txt", ANN).await;
    ingest(&app, &app.alice, &memory, std::slice::from_ref(&file)).await;
    let app = app.restart().await;
    let deleted = app.alice.delete(&format!("/files/delete/{file}")).await;
    let counts = receipt(&app.alice, &deleted).await["counts"].clone();
    assert_eq!((&counts["entities"], &counts["relations"]), (&Value::Null, &Value::Null));
    assert_eq!(counts["passages"], 1);
}

/// Two sessions of Cleo with two messages, one message of hers elsewhere, and one of somebody else.
async fn talks(anna: &Client) {
    let cleo = "cleo";
    for id in ["s1", "s2"] {
        let metadata = json!([{"key": "source", "value": "web"}]);
        let body = json!({"id": id, "customerUserID": cleo, "metadata": metadata});
        anna.post("/sessions/create", body).await.data(201);
    }
    for (id, session, user) in [
        ("m1", json!("s1"), Value::Null),
        ("m2", json!("s2"), json!("agent")),
        ("m3", Value::Null, json!(cleo)),
        ("m4", Value::Null, json!("dora")),
    ] {
        let body = json!({"id": id, "sessionID": session, "customerUserID": user, "role": "user", "content": "hi"});
        anna.post("/messages/create", body).await.data(201);
    }
}

async fn is_there(anna: &Client, message: &str) -> bool {
    anna.get(&format!("/messages/get/{message}")).await.status == 200
}

#[tokio::test]
async fn a_session_is_hidden_or_wiped() {
    let app = app().await;
    let anna = &app.alice;
    talks(anna).await;
    let hidden = anna.delete("/sessions/delete/s1").await;
    hidden.says("Session deleted successfully");
    assert_eq!(counts(&receipt(anna, &hidden).await), "entities null, relations null, sessions 1");
    anna.get("/messages/get/m1").await.expect_error(400, "Message not found");
    let again = "/sessions/delete/s1";
    anna.delete(again).await.expect_error(400, "Session already deleted");

    let wiped = anna.delete("/sessions/delete/s1?wipe=true").await;
    wiped.says("Session deleted successfully");
    assert_eq!(counts(&receipt(anna, &wiped).await), "entities null, messages 1, relations null");
    let again = anna.delete("/sessions/delete/s1?wipe=true").await;
    again.says("Session deleted successfully");
    assert_eq!(receipt(anna, &again).await, receipt(anna, &wiped).await);
    // What was to be erased must not stay because of a variable that is not set.
    for (query, error) in [
        ("wipe=maybe", "wipe must be true or false"),
        ("wipe=", "wipe must be true or false"),
        ("wipe", "wipe must be true or false"),
        ("wipe=0&wipe=1", "wipe must be given once"),
        ("Wipe=true", "wipe must be given as wipe=VALUE"),
    ] {
        anna.delete(&format!("/sessions/delete/s2?{query}")).await.expect_error(400, error);
        anna.delete(&format!("/users/delete/cleo?{query}")).await.expect_error(400, error);
    }
    let both = anna.delete("/sessions/delete/s2?wipe=1").await;
    let both = counts(&receipt(anna, &both).await);
    assert_eq!(both, "entities null, messages 1, relations null, sessions 1");
    app.bob
        .delete("/sessions/delete/s2?wipe=1")
        .await
        .expect_error(403, "Not authorized to delete this session");
}

#[tokio::test]
async fn a_user_goes_alone_or_with_all_they_said() {
    let app = app().await;
    let anna = &app.alice;
    talks(anna).await;
    let body = json!({"id": "cleo", "firstName": "Cleo", "lastName": "M"});
    anna.post("/users/create", body).await.data(201);
    let alone = anna.delete("/users/delete/cleo").await;
    alone.says("User deleted successfully");
    assert_eq!(counts(&receipt(anna, &alone).await), "entities null, relations null, users 1");
    assert!(is_there(anna, "m1").await);
    anna.delete("/users/delete/cleo").await.expect_error(400, "User not found");

    app.bob.delete("/users/delete/cleo?wipe=true").await.expect_error(400, "User not found");
    let wiped = anna.delete("/users/delete/cleo?wipe=true").await;
    let all = receipt(anna, &wiped).await;
    assert_eq!(counts(&all), "entities null, messages 3, relations null, sessions 2");
    for (message, stays) in [("m1", false), ("m2", false), ("m3", false), ("m4", true)] {
        assert_eq!(is_there(anna, message).await, stays, "{message}");
    }
    anna.get("/sessions/get/s1").await.expect_error(400, "Session not found");
    let again = anna.delete("/users/delete/cleo?wipe=true").await;
    again.says("User deleted successfully");
    assert_eq!(receipt(anna, &again).await, all);
}

#[tokio::test]
async fn a_receipt_is_its_owner_s() {
    let app = app().await;
    talks(&app.alice).await;
    let reply = app.alice.delete("/messages/delete/m4").await;
    reply.says("Message deleted successfully");
    let receipt = receipt(&app.alice, &reply).await;
    assert_eq!(counts(&receipt), "entities null, messages 1, relations null");
    let path = format!("/receipts/get/{}", receipt.text("id"));
    app.bob.get(&path).await.expect_error(403, "Not authorized to access this receipt");
    app.bob.get("/receipts/get/x").await.expect_error(400, "Receipt not found");
    app.bob.get("/receipts/get/").await.expect_error(400, "Receipt ID is required");
    assert_eq!(app.bob.get("/receipts/list").await.data(200)["receipts"], json!([]));
}

/// Bytes that are deleted are overwritten: they are not in the files of the data directory any more.
#[tokio::test]
async fn what_was_deleted_is_not_on_the_disk() {
    const SECRET: &str = "Zarquon";
    let app = app().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let text = format!("{SECRET} Weber runs the clinic in Bern.\n\n").repeat(200);
    let file = text_file(&app, anna, "ann.txt", &text).await;
    ingest(&app, anna, &memory, std::slice::from_ref(&file)).await;
    let body = json!({"id": "m", "role": "user", "content": SECRET.repeat(5000)});
    anna.post("/messages/create", body).await.data(201);
    assert!(files_with(&app, SECRET) > 0);
    anna.delete(&format!("/files/delete/{file}")).await.expect(200);
    anna.delete("/messages/delete/m").await.expect(200);
    swept_until_gone(&app, SECRET).await;
}

/// The sweep of a running server takes what the database's log still holds, as soon as no reader is in the way.
pub(crate) async fn swept_until_gone(app: &TestApp, text: &str) {
    for _ in 0..100 {
        harkback::worker::sweep_once(&app.app).await.unwrap();
        if files_with(app, text) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("`{text}` is still on the disk");
}

pub(crate) fn files_with(app: &TestApp, text: &str) -> usize {
    let data = &app.app.config.data;
    let mut dirs = vec![data.clone()];
    let mut n = 0;
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                n += usize::from(bytes.windows(text.len()).any(|it| it == text.as_bytes()));
            }
        }
    }
    n
}
