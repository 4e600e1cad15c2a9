//! Does a paragraph that lies in many files take one place of an answer? Through the API, in both kinds of memory.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::fixtures::{TextOf, ingest, text_file};

const TERMS: &str = "Every visit is paid at the desk before noon, in cash or by card.";

/// A memory of that kind with the terms in six files, each titled by its name, and one file about something else.
async fn prices(app: &TestApp, kind: &str) -> (String, Vec<String>) {
    let body = json!({"name": "n", "memoryType": kind, "ontology": "culture"});
    let memory = app.alice.post("/memories/create", body).await.data(201).text("id");
    let mut files = Vec::new();
    for year in 2020..2026 {
        files.push(text_file(app, &app.alice, &format!("prices {year}.txt"), TERMS).await);
    }
    let other = "Parking beside the desk is free for two hours.";
    files.push(text_file(app, &app.alice, "parking.txt", other).await);
    ingest(app, &app.alice, &memory, &files).await;
    (memory, files)
}

async fn names(app: &TestApp, memory: &str, question: &str) -> Vec<String> {
    let question = question.replace(' ', "%20");
    let path = format!("/memory?memoryID={memory}&query={question}&top_k=10");
    let answer: Value = app.alice.get(&path).await.expect(200);
    answer["sources"].as_array().unwrap().iter().map(|it| it.text("name")).collect()
}

#[tokio::test]
async fn the_same_paragraph_of_many_files_takes_one_place() {
    let app = TestApp::new().await;
    for kind in ["graph", "vector"] {
        let (memory, files) = prices(&app, kind).await;
        let question = "Where is a visit paid at the desk?";
        let before = names(&app, &memory, question).await;
        assert_eq!(before.len(), 2, "{kind}: {before:?}");
        let of_terms: Vec<&String> = before.iter().filter(|it| it.starts_with("prices")).collect();
        assert_eq!(of_terms.len(), 1, "{kind}: {before:?}");

        let year: usize = of_terms[0][7..11].parse().unwrap();
        let path = format!("/memories/delete-file?memoryID={memory}&fileID={}", files[year - 2020]);
        app.alice.delete(&path).await.expect(200);
        let after = names(&app, &memory, question).await;
        assert_eq!(after.len(), 2, "a copy stands for what was deleted: {kind}: {after:?}");
        assert!(!after.contains(of_terms[0]), "{kind}: {after:?}");
    }
}

#[tokio::test]
async fn files_that_the_question_names_stand_side_by_side() {
    let app = TestApp::new().await;
    let (memory, _) = prices(&app, "graph").await;
    let question = "Do Prices 2021 and Prices 2024 differ in how a visit is paid?";
    let found = names(&app, &memory, question).await;
    for name in ["prices 2021.txt", "prices 2024.txt"] {
        assert!(found.iter().any(|it| it == name), "{found:?}");
    }
}
