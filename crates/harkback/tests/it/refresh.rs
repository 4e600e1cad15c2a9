//! A file whose bytes changed: what is embedded again, and what readers see meanwhile.

use harkback::worker::run_next;
use harkback_engine::{Embedder, Models};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::fixtures::{TextOf, ingest, memory, n_blob_files, text_file, upload};

/// A JSON Lines file, of which each line is a passage of its own.
fn people(names: &[&str]) -> String {
    let line = |name| json!({"_id": name, "title": name, "text": format!("{name} works in Ulm.")});
    names.iter().map(|it| line(it).to_string() + "\n").collect()
}

async fn app() -> TestApp {
    let models = Models { embedder: Some(Embedder::for_tests()), ..Models::default() };
    TestApp::with(models, |_| ()).await
}

async fn progress(app: &TestApp, memory: &str) -> Value {
    app.alice.get(&format!("/memories/get/{memory}")).await.data(200)["progress"].clone()
}

/// Gives a file other bytes; the file as it is then.
async fn replace(app: &TestApp, file: &str, text: &str) -> Value {
    let key = upload(app, &app.alice, "people.jsonl", text).await;
    app.alice.patch(&format!("/files/update/{file}"), json!({"key": key})).await.data(200)
}

async fn start(app: &TestApp, memory: &str) {
    app.alice.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
}

async fn records_found(app: &TestApp, memory: &str) -> Vec<String> {
    let path = format!("/memory?memoryID={memory}&query=Who+works+in+Ulm%3F&top_k=9");
    let answer = app.alice.get(&path).await.expect(200);
    let passages = answer["payload"][0]["metadata"]["passages"].as_array().unwrap();
    let mut found: Vec<_> = passages.iter().map(|it| it.text("recordID")).collect();
    found.sort();
    found
}

#[tokio::test]
async fn only_the_changed_passages_of_a_changed_file_are_embedded() {
    let app = app().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "people.jsonl", &people(&["Ann", "Bea", "Cy"])).await;
    ingest(&app, &app.alice, &memory, std::slice::from_ref(&file)).await;
    let first = progress(&app, &memory).await;
    assert_eq!((&first["embedded"], &first["reused"]), (&json!(3), &json!(0)));

    let updated = replace(&app, &file, &people(&["Dan", "Ann", "Cy"])).await;
    assert_eq!((updated.text("id"), updated.text("name")), (file.clone(), "people.jsonl".into()));
    assert_eq!(n_blob_files(&app), 1, "the former bytes are gone");
    assert_eq!(records_found(&app, &memory).await, ["Ann", "Bea", "Cy"], "until it is ingested");
    start(&app, &memory).await;
    assert!(run_next(&app.app).await.unwrap());
    let second = progress(&app, &memory).await;
    assert_eq!((&second["embedded"], &second["reused"]), (&json!(1), &json!(2)));
    assert_eq!(second["passages"], 3);
    assert_eq!(records_found(&app, &memory).await, ["Ann", "Cy", "Dan"]);

    replace(&app, &file, &people(&["Dan", "Ann", "Cy"])).await;
    start(&app, &memory).await;
    assert!(run_next(&app.app).await.unwrap());
    let third = progress(&app, &memory).await;
    assert_eq!((&third["embedded"], &third["reused"]), (&json!(0), &json!(0)), "no work at all");
    let listed = app.alice.get("/receipts/list").await.data(200);
    let told = listed["receipts"].as_array().unwrap().iter().map(|it| {
        assert_eq!((it.text("kind"), it.text("subjectID")), ("refresh".into(), file.clone()));
        let n = |kind: &str| it["counts"][kind].as_i64().unwrap();
        (n("blobs"), n("passages"), n("vectors"))
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(1, 0, 0), (0, 3, 3), (1, 0, 0)], "second bytes, first version, first bytes");
    let metrics = app.stranger().get("/metrics").await.body;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("harkback_passages_ingested_total{vector=\"reused\"}"), "{metrics}");
}

#[tokio::test]
async fn a_refreshed_file_answers_while_the_rest_of_the_ingestion_goes_on() {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let parts = |grams: usize| {
        let line = |n: usize| json!({"title": format!("Part {n}"), "text": format!("Part {n} weighs {grams} grams.")});
        (0..20_000).map(|n| line(n).to_string() + "\n").collect::<String>()
    };
    let small = text_file(&app, &app.alice, "people.jsonl", &people(&["Ann"])).await;
    let large = text_file(&app, &app.alice, "parts.jsonl", &parts(7)).await;
    ingest(&app, &app.alice, &memory, &[small.clone(), large.clone()]).await;
    assert!(records_found(&app, &memory).await.contains(&"Ann".into()));
    replace(&app, &small, &people(&["Ann", "Bea"])).await;
    replace(&app, &large, &parts(8)).await;
    start(&app, &memory).await;

    let mut n_between = 0;
    let asking = async {
        loop {
            let n_done = progress(&app, &memory).await["samples"]["done"].as_i64().unwrap();
            let found = records_found(&app, &memory).await;
            assert!(found.contains(&"Ann".into()), "{n_done} done: {found:?}");
            n_between += i32::from(n_done == 1);
        }
    };
    tokio::select! {
        done = run_next(&app.app) => assert!(done.unwrap()),
        () = asking => {}
    }
    assert!(n_between > 0, "it was asked while the small file was done and the large one was not");
    assert!(records_found(&app, &memory).await.contains(&"Bea".into()));
    let listed = app.alice.get("/receipts/list").await.data(200);
    let taken: i64 = listed["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["counts"]["passages"].as_i64().unwrap())
        .sum();
    assert_eq!(taken, 20_001, "the former versions are gone, and counted");
}

#[tokio::test]
async fn vectors_of_another_model_are_not_taken_over() {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "people.jsonl", &people(&["Ann", "Bea"])).await;
    ingest(&app, &app.alice, &memory, std::slice::from_ref(&file)).await;
    let models = Models { embedder: Some(Embedder::for_tests()), ..Models::default() };
    let app = app.restart_with(models).await;
    replace(&app, &file, &people(&["Ann", "Cy"])).await;
    start(&app, &memory).await;
    assert!(run_next(&app.app).await.unwrap());
    let progress = progress(&app, &memory).await;
    assert_eq!((&progress["embedded"], &progress["reused"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn bytes_that_change_during_an_ingestion_are_what_it_ends_with() {
    let app = app().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "people.jsonl", &people(&["Ann"])).await;
    app.alice
        .post("/memories/add-files", json!({"memoryID": memory, "files": [file]}))
        .await
        .data(201);
    start(&app, &memory).await;
    let now = app.app.now();
    let store = &app.app.store;
    let job = store.claim_job(app.app.new_id(), now, now + 1_000_000).await.unwrap().unwrap();
    let samples = store.begin_batch(&job, now).await.unwrap();
    replace(&app, &file, &people(&["Bea"])).await;
    // What the worker made of the former bytes comes to nothing.
    store.fail_sample(&job, &samples[0], "the bytes are gone", now).await.unwrap();
    assert_eq!(progress(&app, &memory).await["failed"], json!([]));
    app.app.clock.set(now + 2_000_000);
    assert!(run_next(&app.app).await.unwrap());
    assert_eq!(records_found(&app, &memory).await, ["Bea"]);
}

#[tokio::test]
async fn what_an_update_of_a_file_must_be() {
    let app = app().await;
    let file = text_file(&app, &app.alice, "a.txt", "Ann works in Ulm.").await;
    let path = format!("/files/update/{file}");
    let foreign = upload(&app, &app.bob, "a.txt", "his").await;
    for (body, error) in [
        (json!({"name": " "}), "name must be a text that is not blank"),
        (json!({"name": 1}), "name must be a string"),
        (json!({"key": "nothing"}), "key must be the key of a finished upload"),
        (json!({"key": foreign}), "key must be the key of a finished upload"),
    ] {
        app.alice.patch(&path, body).await.expect_error(400, error);
    }
    app.alice.patch("/files/update/", json!({})).await.expect_error(400, "File ID is required");
    app.alice.patch("/files/update/x", json!({})).await.expect_error(400, "File not found");
    app.bob.patch(&path, json!({})).await.expect_error(403, "Not authorized to update this file");
    let key = app.alice.get(&format!("/files/get/{file}")).await.data(200).text("bronzeKey");
    let same = app.alice.patch(&path, json!({"name": "b.txt", "key": key})).await.data(200);
    assert_eq!((same.text("name"), same.text("bronzeKey")), ("b.txt".into(), key));
    let markdown = upload(&app, &app.alice, "b.md", "# B").await;
    let other = app.alice.patch(&path, json!({"key": markdown})).await.data(200);
    assert_eq!((other.text("extension"), other.text("fileType")), ("md".into(), "text".into()));
    assert_eq!(n_blob_files(&app), 2, "Alice's and Bob's");
}
