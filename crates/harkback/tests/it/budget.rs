//! Does an answer come within its budget, and does it say what it had to leave out?

use harkback_engine::{Embedder, Models};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::fixtures::{ingest, memory, text_file};
use crate::real_models::real_models;

const LIBRARY: &str =
    "# Library\n\nMira Okonkwo runs the library in Ulm.\n\nThe library opens at nine.";

async fn library(app: &TestApp) -> String {
    let memory = memory(&app.alice).await;
    let file = text_file(app, &app.alice, "library.md", LIBRARY).await;
    ingest(app, &app.alice, &memory, &[file]).await;
    format!("/memory?memoryID={memory}&query=Who+runs+the+library&top_k=5")
}

fn text_of(answer: &Value) -> String {
    answer["payload"][0]["content"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_wide_budget_changes_nothing() {
    let models = Models { embedder: Some(Embedder::for_tests()), ..Models::default() };
    let app = TestApp::with(models, |_| ()).await;
    let path = library(&app).await;
    for mode in ["", "&assisted=true", "&facts=true"] {
        let free = app.alice.get(&format!("{path}{mode}")).await.expect(200);
        let mut bound = app.alice.get(&format!("{path}{mode}&budget_ms=60000")).await.expect(200);
        assert_eq!(bound.as_object_mut().unwrap().remove("partial"), Some(json!(false)));
        assert_eq!(bound, free);
        assert!(free.get("partial").is_none(), "nobody asked");
    }
}

#[tokio::test]
async fn what_is_found_in_time_is_the_answer() {
    // The real models take longer than a millisecond for anything.
    let app = TestApp::with(real_models().clone(), |_| ()).await;
    let path = library(&app).await;
    for mode in ["", "&assisted=true"] {
        // With a budget a model is run in pieces.
        let whole = app.alice.get(&format!("{path}{mode}")).await.expect(200);
        let mut answer = app.alice.get(&format!("{path}{mode}&budget_ms=20000")).await.expect(200);
        assert_eq!(answer.as_object_mut().unwrap().remove("partial"), Some(json!(false)));
        assert_eq!(answer, whole, "bit for bit");
        let answer = app.alice.get(&format!("{path}{mode}&budget_ms=1")).await.expect(200);
        assert_eq!(answer["partial"], true, "{answer}");
        if answer["payload"] != json!([]) {
            assert!(text_of(&answer).contains("Mira Okonkwo"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_budget_is_a_number_of_milliseconds() {
    let app = TestApp::new().await;
    let path = library(&app).await;
    for bad in ["0", "-1", "60001", "soon", "1.5"] {
        app.alice
            .get(&format!("{path}&budget_ms={bad}"))
            .await
            .expect_error(400, "budget_ms must be an integer from 1 to 60000");
    }
}
