//! What does a start do with what is there already?

use std::time::Duration;

use harkback::startup::catch_up;
use harkback::worker::{self, run_next};
use harkback_engine::model::{MemoryId, MemoryRecord, Recall, RecallMode, RecallRequest};
use harkback_engine::{Embedder, Models};

use crate::app::TestApp;
use crate::fixtures::{ingest, memory, text_file};

const MODEL: &str = "for-tests-only";

fn models() -> Models {
    Models { embedder: Some(Embedder::for_tests()), reranker: None }
}

/// A program in lexical mode with a memory of one file, ended and started again with a model.
async fn restarted_with_a_model() -> (TestApp, MemoryId) {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let text = "Mira Okonkwo runs the library in Ulm.";
    let file = text_file(&app, &app.alice, "a.txt", text).await;
    ingest(&app, &app.alice, &memory, &[file]).await;
    assert_eq!(asked(&app, MemoryId(memory.parse().unwrap())).await.embedder, None);
    let app = app.restart_with(models()).await;
    (app, MemoryId(memory.parse().unwrap()))
}

async fn record(app: &TestApp, memory: MemoryId) -> MemoryRecord {
    app.app.store.memory(memory).await.unwrap().unwrap()
}

async fn asked(app: &TestApp, memory: MemoryId) -> Recall {
    let request = RecallRequest {
        query: "Who runs the library in Ulm?".into(),
        mode: RecallMode::Assisted,
        facts: false,
        explain: false,
        budget: None,
        top_k: 5,
    };
    let recall = app.app.memory.recall(&record(app, memory).await, &request).await.unwrap();
    assert!(recall.payload[0].content.contains("Mira Okonkwo"), "{recall:?}");
    recall
}

/// The model of the memory's one file.
async fn model(app: &TestApp, memory: MemoryId) -> Option<String> {
    app.app.store.samples_of_memory(memory).await.unwrap().remove(0).model_id
}

#[tokio::test]
async fn vectors_are_made_when_a_model_appears_and_the_old_version_answers_until_then() {
    let (app, memory) = restarted_with_a_model().await;
    assert!(!run_next(&app.app).await.unwrap(), "nothing was asked for before the start");

    catch_up(&app.app).await.unwrap();
    assert_eq!(model(&app, memory).await, None);
    asked(&app, memory).await;
    assert!(run_next(&app.app).await.unwrap());
    assert_eq!(model(&app, memory).await.as_deref(), Some(MODEL));
    assert_eq!(asked(&app, memory).await.embedder.as_deref(), Some(MODEL));

    let app = app.restart().await;
    catch_up(&app.app).await.unwrap();
    assert!(!run_next(&app.app).await.unwrap(), "all vectors are the model's");
    let app = app.restart_with(Models::default()).await;
    catch_up(&app.app).await.unwrap();
    assert!(!run_next(&app.app).await.unwrap(), "without a model nothing is outdated");
}

#[tokio::test]
async fn a_start_of_the_program_does_it_by_itself() {
    let (app, memory) = restarted_with_a_model().await;
    worker::start(&app.app).await.unwrap();
    for _ in 0..500 {
        if model(&app, memory).await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(model(&app, memory).await.as_deref(), Some(MODEL));
    app.app.shutdown().await;
}

#[tokio::test]
async fn indexes_are_built_before_the_first_question() {
    let (app, memory) = restarted_with_a_model().await;
    let n_bytes = || app.app.memory.resident_bytes();
    assert_eq!(n_bytes(), 0);
    catch_up(&app.app).await.unwrap();
    let warmed = n_bytes();
    assert!(warmed > 0);
    asked(&app, memory).await;
    assert_eq!(n_bytes(), warmed);
}
