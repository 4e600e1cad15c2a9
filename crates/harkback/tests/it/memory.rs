//! The contract of retrieval: checks in their order, and the answer's shape for each generation of clients.

use harkback::config::PayloadShape;
use harkback_engine::Models;
use serde_json::{Value, json};

use crate::app::{Client, TestApp};
use crate::fixtures::{TextOf, ingest, memory, text_file};

const LIBRARY: &str =
    "# Library\n\nMira Okonkwo runs the library in Ulm.\n\nThe library opens at nine.";

/// A memory of that kind which holds the library.
async fn library(app: &TestApp, kind: &str) -> String {
    let body = json!({"name": "n", "memoryType": kind, "ontology": "culture"});
    let memory = app.alice.post("/memories/create", body).await.data(201).text("id");
    let file = text_file(app, &app.alice, "library.md", LIBRARY).await;
    ingest(app, &app.alice, &memory, &[file]).await;
    memory
}

async fn ask(client: &Client, memory: &str, more: &str) -> Value {
    client
        .get(&format!("/memory?memoryID={memory}&query=Who+runs%20the+library%3F{more}"))
        .await
        .expect(200)
}

#[tokio::test]
async fn checks_come_in_the_contract_s_order() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let id = memory(anna).await;
    let long = "x".repeat(8193);
    for (query, error) in [
        (String::new(), "Memory ID is required"),
        ("memoryID=&query=".into(), "Memory ID is required"),
        ("memoryID=%20&query=q".into(), "Memory ID is required"),
        ("memoryID=nobody".into(), "Query is required"),
        ("memoryID=nobody&query=%20".into(), "Query is required"),
        (format!("memoryID=nobody&query={long}"), "query must be at most 8192 bytes long"),
        ("memoryID=nobody&query=q&top_k=0".into(), "top_k must be an integer from 1 to 100"),
        ("memoryID=nobody&query=q&top_k=101".into(), "top_k must be an integer from 1 to 100"),
        ("memoryID=nobody&query=q&top_k=2.5".into(), "top_k must be an integer from 1 to 100"),
        ("memoryID=nobody&query=q&assisted=maybe".into(), "assisted must be true or false"),
        ("memoryID=nobody&query=q&facts=2".into(), "facts must be true or false"),
        ("memoryID=nobody&query=q".into(), "Memory not found"),
        (format!("memoryID={id}x&query=q"), "Memory not found"),
    ] {
        anna.get(&format!("/memory?{query}")).await.expect_error(400, error);
    }
    for path in [
        format!("/memory?memoryID={id}&query={}", &long[1..]),
        format!("/memory/?memoryID={id}&query=q"),
    ] {
        assert_eq!(anna.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn an_empty_memory_answers_with_nothing() {
    let app = TestApp::new().await;
    let id = memory(&app.alice).await;
    let nothing = json!({"payload": [], "facts": [], "sources": [], "token_count": 0});
    let list = app.alice.get(&format!("/memory?memoryID={id}&query=q&top_k=5&facts=True")).await;
    assert_eq!(list.expect(200), nothing);
    let old = app.alice.get(&format!("/memory?memoryID={id}&query=q")).await.expect(200);
    assert_eq!((&old["payload"], &old["facts"]), (&json!(""), &json!([])));
}

#[tokio::test]
async fn a_graph_memory_answers_with_a_subgraph_and_its_passages() {
    let app = TestApp::new().await;
    let memory = library(&app, "graph").await;
    let answer = ask(&app.alice, &memory, "&top_k=2").await;
    let item = &answer["payload"][0];
    assert_eq!(answer["payload"].as_array().unwrap().len(), 1);
    assert!(item.text("content").contains("Mira Okonkwo"), "{answer}");
    assert!((0.0..=1.0).contains(&item["score"].as_f64().unwrap()));
    let passages = item["metadata"]["passages"].as_array().unwrap();
    assert!((1..=2).contains(&passages.len()));
    for (nth, passage) in passages.iter().enumerate() {
        assert_eq!(passage["rank"], nth + 1);
        let mut keys: Vec<_> = passage.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, ["fileID", "place", "rank", "recordID", "score", "text", "title"]);
    }
    let source = &answer["sources"][0];
    assert_eq!((source.text("name"), source.text("url")), ("library.md".into(), String::new()));
    assert_eq!(source["id"], passages[0]["fileID"]);
    assert!(answer["token_count"].as_i64().unwrap() > 0);
    assert_eq!(answer["facts"], json!([]));
}

#[tokio::test]
async fn facts_and_answers_come_when_asked_for() {
    let app = TestApp::new().await;
    let memory = library(&app, "graph").await;
    let raw = ask(&app.alice, &memory, "&top_k=5").await;
    for spelling in ["true", "True", "1", "yes", "ON"] {
        let answer =
            ask(&app.alice, &memory, &format!("&top_k=5&assisted={spelling}&facts={spelling}"))
                .await;
        assert_eq!(answer["payload"].as_array().unwrap().len(), 1);
        assert_eq!(answer["payload"][0]["score"], 1.0);
        assert!(answer["payload"][0].text("content").contains("Mira Okonkwo"), "{answer}");
        assert_eq!(answer["token_count"], raw["token_count"]);
        let facts = answer["facts"].as_array().unwrap();
        assert!((1..=3).contains(&facts.len()));
        for fact in facts {
            assert_eq!(fact["content"], fact["text"]);
            assert!((0.0..=1.0).contains(&fact["relevance"].as_f64().unwrap()));
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_no_top_k_gets_the_old_shapes() {
    let app = TestApp::new().await;
    let (graph, vector) = (library(&app, "graph").await, library(&app, "vector").await);
    for more in ["", "&assisted=true"] {
        let answer = ask(&app.alice, &graph, more).await;
        assert!(answer.text("payload").contains("Mira Okonkwo"));
        assert!(answer["facts"].is_array() && answer["token_count"].is_i64());
    }
    let chunks = ask(&app.alice, &vector, "").await;
    let chunk = chunks["payload"][0].as_object().unwrap();
    assert_eq!(chunk.keys().collect::<Vec<_>>(), ["content", "metadata"]);
    assert_eq!(chunk["metadata"], json!({"source": "library.md", "sourceTitle": "library.md"}));
    assert!(ask(&app.alice, &vector, "&assisted=true").await["payload"].is_string());

    let items = ask(&app.alice, &vector, "&top_k=1").await;
    assert_eq!(items["payload"].as_array().unwrap().len(), 1);
    assert!(items["payload"][0]["score"].is_number());
}

#[tokio::test]
async fn a_setting_gives_lists_to_everyone() {
    let app = TestApp::with(Models::default(), |config| {
        config.payload_without_top_k = PayloadShape::List
    })
    .await;
    let memory = library(&app, "graph").await;
    assert!(ask(&app.alice, &memory, "").await["payload"].is_array());
}

#[tokio::test]
async fn the_headers_tell_the_mode_and_the_time() {
    let app = TestApp::new().await;
    let memory = library(&app, "graph").await;
    let reply = app.alice.get(&format!("/memory?memoryID={memory}&query=library")).await;
    assert_eq!(reply.headers["x-harkback-mode"], "lexical");
    let timing = reply.headers["server-timing"].to_str().unwrap();
    for stage in timing.split(", ") {
        let (name, took) = stage.split_once(";dur=").unwrap();
        assert!(!name.is_empty() && took.parse::<f64>().unwrap() >= 0.0, "{timing}");
    }
    assert!(timing.contains("rank;") && timing.contains("total;"), "{timing}");
    let empty = crate::fixtures::memory(&app.alice).await;
    let reply = app.alice.get(&format!("/memory?memoryID={empty}&query=library")).await;
    assert!(reply.headers["server-timing"].to_str().unwrap().starts_with("total;dur="));
}

#[tokio::test]
async fn what_is_taken_out_is_never_answered_again() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = library(&app, "graph").await;
    let other = text_file(&app, anna, "museum.md", "Otto Brandt runs the museum in Kiel.").await;
    ingest(&app, anna, &memory, std::slice::from_ref(&other)).await;
    let path = format!("/memory?memoryID={memory}&query=Who+runs+the+museum&top_k=5");
    assert!(anna.get(&path).await.expect(200).to_string().contains("Otto Brandt"));
    anna.delete(&format!("/memories/delete-file?memoryID={memory}&fileID={other}"))
        .await
        .expect(200);
    assert!(!anna.get(&path).await.expect(200).to_string().contains("Brandt"));
    ingest(&app, anna, &memory, std::slice::from_ref(&other)).await;
    assert!(anna.get(&path).await.expect(200).to_string().contains("Otto Brandt"));
    anna.delete(&format!("/files/delete/{other}")).await.says("File deleted successfully");
    assert!(!anna.get(&path).await.expect(200).to_string().contains("Brandt"));
}

/// Content and scores of the answers to a few questions, without the ids that differ from file to file.
async fn answers(client: &Client, memory: &str) -> Vec<(Value, Value)> {
    let mut answers = Vec::new();
    for question in
        ["Who+runs+the+library", "When+does+the+library+in+Ulm+open", "What+is+in+Kiel", "Brandt"]
    {
        for mode in ["", "&assisted=true", "&facts=true"] {
            let path = format!("/memory?memoryID={memory}&query={question}&top_k=5{mode}");
            let answer = client.get(&path).await.expect(200);
            let items: Vec<Value> = answer["payload"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| json!([it["content"], it["score"]]))
                .collect();
            answers.push((json!(items), answer["facts"].clone()));
        }
    }
    answers
}

#[tokio::test]
async fn adding_two_files_and_deleting_one_is_adding_the_other() {
    let app = TestApp::new().await;
    let alone = library(&app, "graph").await;
    let both = library(&app, "graph").await;
    let text = "Otto Brandt, a friend of Mira Okonkwo, runs the museum in Kiel. The library sends him books.";
    let other = text_file(&app, &app.alice, "museum.md", text).await;
    ingest(&app, &app.alice, &both, std::slice::from_ref(&other)).await;
    let before = answers(&app.alice, &alone).await;
    assert_ne!(before, answers(&app.alice, &both).await, "the second file changes the answers");
    let path = format!("/memories/delete-file?memoryID={both}&fileID={other}");
    app.alice.delete(&path).await.expect(200);
    assert_eq!(before, answers(&app.alice, &both).await);
}
