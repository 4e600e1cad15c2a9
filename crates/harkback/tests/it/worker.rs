//! Jobs, from the start of an ingestion to its end: what a worker does, and what another does after it was killed.

use harkback::worker::run_next;
use harkback_engine::{Models, StagedVersion};
use serde_json::json;
use uuid::Uuid;

use crate::app::TestApp;
use crate::fixtures::{TextOf, ingest, memory, text_file};

const SECOND: i64 = 1_000_000;

#[tokio::test]
async fn a_job_ingests_what_it_can_and_says_why_the_rest_failed() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let good =
        text_file(&app, anna, "clinic.md", "# Clinic\n\nDr. Anna Weber runs the clinic in Bern.")
            .await;
    let empty = text_file(&app, anna, "empty.txt", "").await;
    let body = json!({"memoryID": memory, "files": [good, empty]});
    anna.post("/memories/add-files", body).await.data(201);
    let start = || anna.post("/memories/start-ingestion", json!({"memoryID": memory}));
    assert_eq!(start().await.json()["data"]["sampleCount"], 2);
    assert!(run_next(&app.app).await.unwrap());
    assert!(!run_next(&app.app).await.unwrap(), "there was one job");

    let got = anna.get(&format!("/memories/get/{memory}")).await.data(200);
    assert_eq!((got.text("status"), got.text("step")), ("success".into(), "complete".into()));
    let progress = &got["progress"];
    assert_eq!(progress["samples"], json!({"total": 2, "done": 2}));
    assert!(progress["passages"].as_i64().unwrap() > 0);
    assert_eq!(progress["etaSeconds"], json!(null));
    assert_eq!(progress["failed"][0]["fileID"], empty);
    assert_eq!(progress["failed"][0]["name"], "empty.txt");
    assert!(!progress["failed"][0].text("reason").is_empty());

    let file = anna.get(&format!("/files/get/{good}")).await.data(200);
    assert!(file.text("content").contains("Dr. Anna Weber runs the clinic in Bern."));
    assert_eq!(file["memoryID"], memory);
    assert!(file["tokens"].as_i64().unwrap() > 0);
    assert_eq!(
        start().await.json()["data"]["sampleCount"],
        1,
        "only the failed file is tried again"
    );
}

#[tokio::test]
async fn an_ingestion_goes_on_after_the_worker_was_killed() {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "a.txt", "Mira Okonkwo runs the library in Ulm.").await;
    app.alice
        .post("/memories/add-files", json!({"memoryID": memory, "files": [file]}))
        .await
        .data(201);
    app.alice.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);

    // A worker leases the job, begins, and is never heard of again.
    let now = app.app.now();
    let job =
        app.app.store.claim_job(Uuid::from_u128(1), now, now + 20 * SECOND).await.unwrap().unwrap();
    app.app.store.begin_batch(&job, now).await.unwrap();
    let path = format!("/memories/get/{memory}");
    assert_eq!(app.alice.get(&path).await.data(200)["status"], "processing");

    let app = app.restart().await;
    let stays = app.alice.get(&path).await.data(200);
    assert_eq!(
        (&stays["status"], &stays["progress"]["samples"]["done"]),
        (&json!("processing"), &json!(0))
    );
    assert!(!run_next(&app.app).await.unwrap(), "the lease of the dead worker still holds");
    app.app.clock.set(now + 21 * SECOND);
    assert!(run_next(&app.app).await.unwrap());
    let done = app.alice.get(&path).await.data(200);
    assert_eq!(
        (&done["status"], &done["progress"]["samples"]["done"]),
        (&json!("success"), &json!(1))
    );
}

#[tokio::test]
async fn a_job_that_kills_every_worker_is_given_up() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let file = text_file(&app, anna, "a.txt", "Mira runs the library.").await;
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [file]})).await.data(201);
    anna.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    for n in 1..=5 {
        let now = app.app.now();
        let job =
            app.app.store.claim_job(Uuid::from_u128(n), now, now + SECOND).await.unwrap().unwrap();
        app.app.store.begin_batch(&job, now).await.unwrap();
        app.app.clock.set(now + 2 * SECOND);
    }
    assert!(run_next(&app.app).await.unwrap());
    let got = anna.get(&format!("/memories/get/{memory}")).await.data(200);
    assert_eq!((got.text("status"), got.text("step")), ("failed".into(), "failed".into()));
    let reason = "ingestion was given up after 6 attempts; start it again";
    assert_eq!(got["progress"]["failed"][0]["reason"], reason);
}

#[tokio::test]
async fn a_file_without_bytes_and_address_says_so() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let mut files = Vec::new();
    for body in [
        json!({"name": "a.txt"}),
        json!({"name": "b", "fileType": "website"}),
        json!({"name": "c", "fileType": "youtube", "externalURI": "https://e.com/c"}),
    ] {
        files.push(anna.post("/files/create", body).await.data(201).text("id"));
    }
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": files})).await.data(201);
    anna.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    assert!(run_next(&app.app).await.unwrap());
    let got = anna.get(&format!("/memories/get/{memory}")).await.data(200);
    let failed = got["progress"]["failed"].as_array().unwrap();
    let reason =
        |file: &String| failed.iter().find(|it| it["fileID"] == *file).unwrap()["reason"].clone();
    let neither =
        "the file has neither uploaded bytes nor an address: upload them and name their `key`";
    assert_eq!((reason(&files[0]), reason(&files[1])), (json!(neither), json!(neither)));
    let youtube = "files of type `youtube` cannot be ingested yet: upload the content as a file";
    assert_eq!(reason(&files[2]), youtube);
}

#[tokio::test]
async fn the_tasks_of_the_program_ingest_and_end() {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "a.txt", "Mira Okonkwo runs the library in Ulm.").await;
    harkback::worker::start(&app.app).await.unwrap();
    app.alice
        .post("/memories/add-files", json!({"memoryID": memory, "files": [file]}))
        .await
        .data(201);
    app.alice.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    let mut status = String::new();
    for _ in 0..500 {
        status = app.alice.get(&format!("/memories/get/{memory}")).await.data(200).text("status");
        if status == "success" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(status, "success");
    app.app.shutdown().await;
}

#[tokio::test]
async fn an_account_that_holds_too_much_is_told_so() {
    let app = TestApp::with(Models::default(), |config| config.token_limit = 20).await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let small = text_file(&app, anna, "a.txt", "Mira runs the library.").await;
    ingest(&app, anna, &memory, &[small]).await;
    let large = text_file(&app, anna, "b.txt", &"Mira runs it. ".repeat(10)).await;
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [large]})).await.data(201);
    let refused =
        anna.post("/memories/start-ingestion", json!({"memoryID": memory})).await.expect(400);
    assert!(
        refused.text("error").starts_with("Token limit exceeded: about 35 tokens to ingest, "),
        "{refused}"
    );
}

#[tokio::test]
async fn an_ingestion_under_way_says_how_fast_it_is_and_when_it_will_end() {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let mut files = Vec::new();
    // The first is read, the second half so, the third waits.
    for (name, n_bytes) in [("a.txt", 1000), ("b.txt", 2000), ("c.txt", 3000)] {
        files.push(text_file(&app, &app.alice, name, &"x".repeat(n_bytes)).await);
    }
    let body = json!({"memoryID": memory, "files": files});
    app.alice.post("/memories/add-files", body).await.data(201);
    let body = json!({"memoryID": memory});
    app.alice.post("/memories/start-ingestion", body.clone()).await.data(200);
    let pace = async || {
        let got = app.alice.get(&format!("/memories/get/{memory}")).await.data(200);
        (got["progress"]["rate"].as_f64(), got["progress"]["etaSeconds"].as_i64())
    };
    assert_eq!(pace().await, (None, None));

    let (store, now) = (&app.app.store, app.app.now());
    let job = store.claim_job(Uuid::from_u128(1), now, now + 100 * SECOND).await.unwrap().unwrap();
    let samples = store.begin_batch(&job, now).await.unwrap();
    let version = StagedVersion {
        version_id: Uuid::from_u128(2),
        sha256: vec![0; 32],
        model_id: None,
        n_passages: 100,
        n_sentences: 100,
        n_tokens: 0,
    };
    store.publish_sample(&job, &samples[0], &version, app.app.now()).await.unwrap();
    app.app.clock.set(now + 10 * SECOND);
    let (rate, eta) = pace().await;
    assert_eq!(rate.map(f64::round), Some(10.0));
    // 5000 bytes at 100 a second, but for the microseconds in which the clock was asked.
    assert_eq!(eta, Some(51));

    // The numbers are the process's, and other tests have theirs in it: theirs may come in between.
    let mut numbers = String::new();
    for _ in 0..100 {
        let bytes = app.stranger().get("/metrics").await.body;
        numbers = String::from_utf8(bytes).unwrap();
        if numbers.contains("harkback_ingestion_eta_seconds 51\n")
            && numbers.contains("harkback_ingestions{state=\"processing\"} 1\n")
        {
            assert!(!numbers.contains(&memory), "nobody's ids are told");
            return;
        }
    }
    panic!("{numbers}");
}
