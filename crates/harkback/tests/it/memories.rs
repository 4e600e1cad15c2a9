//! The contract of memories and the files in them: every envelope, every error, every stranger.

use expect_test::expect;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::fixtures::{TextOf, file, memory, n_samples, pretty};

#[tokio::test]
async fn a_new_memory_is_as_the_contract_says() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = json!({"name": "n", "memoryType": "graph", "ontology": "cultural", "chunkSize": 250,
        "chunkOverlap": 10, "acceleration": false, "factExtraction": true});
    let made = anna.post("/memories/create", memory).await.data(201);
    let got = anna.get(&format!("/memories/get/{}", made.text("id"))).await.data(200);
    for (key, value) in made.as_object().unwrap() {
        assert_eq!(&got[key], value, "{key}");
    }
    expect![[r#"
        {
          "acceleration": false,
          "adapterRepo": null,
          "adapterVersion": 0,
          "chunkOverlap": 10,
          "chunkSize": 250,
          "createdAt": "2026-01-02T03:04:05.678Z",
          "description": "",
          "factExtraction": true,
          "graphDBName": "019b7ca9-8f2e-7838-ac4c-69ab7ef7d79a",
          "id": "019b7ca9-8f2e-7838-ac4c-69ab7ef7d79a",
          "memoryType": "graph",
          "name": "n",
          "ontology": "culture",
          "progress": {
            "embedded": 0,
            "entities": 0,
            "etaSeconds": null,
            "failed": [],
            "passages": 0,
            "rate": null,
            "relations": 0,
            "reused": 0,
            "samples": {
              "done": 0,
              "total": 0
            },
            "sentences": 0
          },
          "status": "pending",
          "step": "select",
          "updatedAt": "2026-01-02T03:04:05.678Z",
          "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15",
          "vectorDBCollection": "019b7ca9-8f2e-7838-ac4c-69ab7ef7d79a",
          "webhookUrl": null
        }"#]]
    .assert_eq(&pretty(&got));
}

#[tokio::test]
async fn what_a_memory_must_be() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let vector = |field: &str, value: Value| {
        let mut body = json!({"name": "n", "memoryType": "vector"});
        body[field] = value;
        body
    };
    for (body, error) in [
        (json!({}), "name is required"),
        (json!({"name": " ", "memoryType": "graph"}), "name is required"),
        (json!({"name": null}), "name is required"),
        (json!({"name": 5}), "name must be a string"),
        (json!({"name": "n"}), "memoryType is required"),
        (json!({"name": "n", "memoryType": "tree"}), "memoryType must be graph or vector"),
        (json!({"name": "n", "memoryType": "graph"}), "ontology is required"),
        (
            json!({"name": "n", "memoryType": "graph", "ontology": "law"}),
            "ontology must be culture, essays or support_requests",
        ),
        (vector("chunkSize", json!(0)), "chunkSize must be an integer from 1 to 10000"),
        (vector("chunkSize", json!(10_001)), "chunkSize must be an integer from 1 to 10000"),
        (vector("chunkSize", json!("250")), "chunkSize must be an integer from 1 to 10000"),
        (vector("chunkOverlap", json!(0)), "chunkOverlap must be an integer from 1 to 50"),
        (vector("chunkOverlap", json!(51)), "chunkOverlap must be an integer from 1 to 50"),
        (vector("chunkOverlap", json!(1.5)), "chunkOverlap must be an integer from 1 to 50"),
        (vector("description", json!([])), "description must be a string"),
        (vector("acceleration", json!("maybe")), "acceleration must be true or false"),
        (vector("webhookUrl", json!("example.com")), "webhookUrl must be a URL"),
        (
            vector("webhookUrl", json!("ftp://example.com/")),
            "webhookUrl must be an http or https URL",
        ),
        (
            vector("webhookUrl", json!("http://169.254.169.254/")),
            "webhookUrl must be a URL of a public host",
        ),
    ] {
        anna.post("/memories/create", body).await.expect_error(400, error);
    }
    assert_eq!(anna.get("/memories/list").await.data(200)["count"], 0);
    for body in [
        vector("chunkSize", json!(1)),
        vector("chunkSize", json!(10_000)),
        vector("chunkOverlap", json!(1)),
        vector("chunkOverlap", json!(50)),
        vector("ontology", json!(null)),
        vector("ontology", json!("whatever")),
        vector("webhookUrl", json!("")),
        json!({"name": "n", "memoryType": "graph", "ontology": "essays", "chunkSize": 0, "chunkOverlap": "x"}),
    ] {
        anna.post("/memories/create", body).await.data(201);
    }
}

#[tokio::test]
async fn a_change_leaves_alone_what_it_does_not_name() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let body =
        json!({"name": "n", "memoryType": "vector", "webhookUrl": "https://example.com/hook"});
    let made = anna.post("/memories/create", body).await.data(201);
    let update = format!("/memories/update/{}", made.text("id"));
    app.app.clock.set(app.app.clock.now() + 1_000_000);
    let changed = anna.patch(&update, json!({"name": "other"})).await.data(200);
    assert_eq!(changed["name"], "other");
    assert_eq!(changed["webhookUrl"], "https://example.com/hook");
    assert_ne!(changed["updatedAt"], made["updatedAt"]);
    let changed =
        anna.patch(&update, json!({"webhookUrl": null, "acceleration": true})).await.data(200);
    assert_eq!((&changed["webhookUrl"], &changed["acceleration"]), (&json!(null), &json!(true)));
    for (body, error) in [
        (json!({"name": ""}), "name must be a text that is not blank"),
        (json!({"chunkSize": 5}), "chunkSize cannot be changed"),
        (json!({"ontology": "essays"}), "ontology cannot be changed"),
        (json!({"memoryType": "graph"}), "memoryType cannot be changed"),
        (json!({"memoryType": "poem"}), "memoryType cannot be changed"),
        (json!({"chunkOverlap": "10"}), "chunkOverlap cannot be changed"),
        (json!({"id": "mine"}), "id cannot be changed"),
        (json!({"webhookUrl": "http://127.0.0.1/"}), "webhookUrl must be a URL of a public host"),
        (json!([]), "Request body must be a JSON object"),
    ] {
        anna.patch(&update, body).await.expect_error(400, error);
    }
    assert_eq!(
        anna.get(&format!("/memories/get/{}", made.text("id"))).await.data(200)["name"],
        "other"
    );
}

#[tokio::test]
async fn the_whole_of_a_memory_can_be_sent_back() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    for body in [
        json!({"name": "n", "memoryType": "vector", "chunkSize": 100}),
        json!({"name": "n", "memoryType": "graph", "ontology": "cultural"}),
    ] {
        let mut memory = anna.post("/memories/create", body).await.data(201);
        let update = format!("/memories/update/{}", memory.text("id"));
        memory["name"] = json!("other");
        let changed = anna.patch(&update, memory.clone()).await.data(200);
        memory["updatedAt"] = changed["updatedAt"].clone();
        assert_eq!(changed, memory);
    }
}

#[tokio::test]
async fn a_memorys_id_is_not_the_callers() {
    let app = TestApp::new().await;
    let mine = json!({"name": "n", "memoryType": "vector", "id": "mine"});
    let refused = app.alice.post("/memories/create", mine).await;
    refused.expect_error(400, "id cannot be chosen for a memory, the server makes it");
    let null = json!({"name": "n", "memoryType": "vector", "id": null});
    app.alice.post("/memories/create", null).await.data(201);
}

#[tokio::test]
async fn a_deleted_memory_is_gone_and_its_files_stay() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let (memory, file) = (memory(anna).await, file(anna, "f1").await);
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [file]})).await.data(201);
    let delete = format!("/memories/delete/{memory}");
    let answer = anna.delete(&delete).await;
    assert_eq!(
        answer.json(),
        json!({"status": "success", "message": "Memory deleted successfully"})
    );
    assert_eq!(answer.status.as_u16(), 200);
    anna.delete(&delete).await.expect_error(400, "Memory not found");
    anna.get(&format!("/memories/get/{memory}")).await.expect_error(400, "Memory not found");
    assert_eq!(anna.get("/files/get/f1").await.data(200)["memoryID"], json!(null));
}

#[tokio::test]
async fn files_are_put_in_all_or_none_and_once() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let (one, two) = (file(anna, "one").await, file(anna, "two").await);
    let put = |files: Value| {
        anna.post("/memories/add-files", json!({"memoryID": memory, "files": files}))
    };
    for (files, error) in [
        (json!(null), "files is required"),
        (json!([]), "files must be an array of 1 to 1000 file IDs"),
        (json!("one"), "files must be an array of 1 to 1000 file IDs"),
        (json!([1]), "files must be an array of 1 to 1000 file IDs"),
        (json!(vec!["one"; 1001]), "files must be an array of 1 to 1000 file IDs"),
        (json!([""]), "File ID must be 1 to 255 characters without control characters"),
        (json!([one, "nobody's"]), "File not found"),
    ] {
        put(files).await.expect_error(400, error);
    }
    assert_eq!(n_samples(anna, &memory).await, 0, "all or nothing");

    let added = put(json!([one, two, one])).await.data(201);
    expect![[r#"
        {
          "createdAt": "2026-01-02T03:04:05.678Z",
          "fileID": "one",
          "id": "019b7ca9-8f2e-7251-8973-0ea5a2e7aaf6",
          "memoryID": "019b7ca9-8f2e-7838-ac4c-69ab7ef7d79a",
          "samples": [
            {
              "createdAt": "2026-01-02T03:04:05.678Z",
              "fileID": "one",
              "id": "019b7ca9-8f2e-7251-8973-0ea5a2e7aaf6",
              "memoryID": "019b7ca9-8f2e-7838-ac4c-69ab7ef7d79a",
              "type": "document",
              "updatedAt": "2026-01-02T03:04:05.678Z",
              "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
            },
            {
              "createdAt": "2026-01-02T03:04:05.678Z",
              "fileID": "two",
              "id": "019b7ca9-8f2e-7324-b028-c42e00242ad0",
              "memoryID": "019b7ca9-8f2e-7838-ac4c-69ab7ef7d79a",
              "type": "document",
              "updatedAt": "2026-01-02T03:04:05.678Z",
              "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
            }
          ],
          "type": "document",
          "updatedAt": "2026-01-02T03:04:05.678Z",
          "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
        }"#]]
    .assert_eq(&pretty(&added));
    let again = put(json!([two])).await.data(201);
    assert_eq!(again["id"], added["samples"][1]["id"], "a file that is in keeps its sample");
    assert_eq!(n_samples(anna, &memory).await, 2);

    let out = format!("/memories/delete-file?memoryID={memory}&fileID=one");
    let answer = anna.delete(&out).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "success"})));
    anna.delete(&out).await.expect_error(400, "File not found in this memory");
    assert_eq!(n_samples(anna, &memory).await, 1);
    assert_eq!(anna.get("/files/get/one").await.data(200)["id"], "one");
    for (query, error) in [
        (String::new(), "Memory ID is required"),
        (format!("?memoryID={memory}"), "File ID is required"),
        (format!("?memoryID={memory}&fileID=nobody"), "File not found"),
        ("?memoryID=nobody&fileID=two".into(), "Memory not found"),
    ] {
        anna.delete(&format!("/memories/delete-file{query}")).await.expect_error(400, error);
    }
}

#[tokio::test]
async fn a_start_answers_at_once_and_counts_what_is_still_to_do() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let memory = memory(anna).await;
    let start = |memory: &str| anna.post("/memories/start-ingestion", json!({"memoryID": memory}));
    start(&memory).await.expect_error(400, "No files to ingest");
    let (one, two) = (file(anna, "one").await, file(anna, "two").await);
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [one, two]}))
        .await
        .data(201);
    let answer = start(&memory).await;
    expect![[r#"
        {
          "data": {
            "sampleCount": 2,
            "tokenMetrics": {
              "tokensForIngestion": 0,
              "tokensRemaining": 1000000000,
              "totalTokenLimit": 1000000000
            }
          },
          "message": "Sample batch processing started",
          "status": "success"
        }"#]]
    .assert_eq(&pretty(&answer.json()));
    assert_eq!(
        start(&memory).await.json()["data"]["sampleCount"],
        2,
        "a second start joins the first"
    );
    let got = anna.get(&format!("/memories/get/{memory}")).await.data(200);
    assert_eq!((&got["status"], &got["step"]), (&json!("pending"), &json!("ingest")));
}

#[tokio::test]
async fn ids_are_asked_for_before_anything_is_looked_up() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    for path in ["/memories/get", "/memories/get/", "/memories/get/%20"] {
        anna.get(path).await.expect_error(400, "Memory ID is required");
    }
    for path in ["/memories/delete", "/memories/delete/"] {
        anna.delete(path).await.expect_error(400, "Memory ID is required");
    }
    anna.patch("/memories/update", json!({})).await.expect_error(400, "Memory ID is required");
    for path in ["/memories/add-files", "/memories/start-ingestion"] {
        anna.post(path, json!({})).await.expect_error(400, "Memory ID is required");
        anna.post(path, json!({"memoryID": " "})).await.expect_error(400, "Memory ID is required");
        anna.post(path, json!({"memoryID": 1}))
            .await
            .expect_error(400, "memoryID must be a string");
        anna.post(path, json!({"memoryID": "nobody", "files": ["f"]}))
            .await
            .expect_error(400, "Memory not found");
    }
}

#[tokio::test]
async fn a_stranger_gets_at_nothing() {
    let app = TestApp::new().await;
    let (anna, eve) = (&app.alice, &app.bob);
    let (evil, memory, file) = (memory(eve).await, memory(anna).await, file(anna, "f").await);
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [file]})).await.data(201);
    let before = anna.get(&format!("/memories/get/{memory}")).await.data(200);

    let (access, update, delete) = (
        "Not authorized to access this memory",
        "Not authorized to update this memory",
        "Not authorized to delete this memory",
    );
    eve.get(&format!("/memories/get/{memory}")).await.expect_error(403, access);
    eve.get(&format!("/memory?memoryID={memory}&query=q")).await.expect_error(403, access);
    eve.patch(&format!("/memories/update/{memory}"), json!({"name": "x"}))
        .await
        .expect_error(403, update);
    eve.delete(&format!("/memories/delete/{memory}")).await.expect_error(403, delete);
    let ids = json!({"memoryID": memory, "files": ["f"]});
    eve.post("/memories/add-files", ids.clone()).await.expect_error(403, update);
    eve.post("/memories/start-ingestion", ids).await.expect_error(403, update);
    eve.delete(&format!("/memories/delete-file?memoryID={memory}&fileID=f"))
        .await
        .expect_error(403, update);
    // Her own memory, but anna's file.
    let stolen = json!({"memoryID": evil, "files": ["f"]});
    eve.post("/memories/add-files", stolen)
        .await
        .expect_error(403, "Not authorized to access this file");
    let path = format!("/memories/delete-file?memoryID={evil}&fileID=f");
    eve.delete(&path).await.expect_error(403, "Not authorized to access this file");

    assert_eq!(eve.get("/memories/list").await.data(200)["count"], 1);
    assert_eq!(anna.get(&format!("/memories/get/{memory}")).await.data(200), before);
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_memories_come_and_go() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(memory(anna).await);
    }
    let page = anna.get("/memories/list?limit=3").await.data(200);
    assert_eq!(listed(&page), [&ids[6][..], &ids[5], &ids[4]]);
    assert_eq!(page["previousToken"], json!(null));
    // One that was seen, the last one seen, and one to come go; a new one comes.
    for gone in [6, 4, 2] {
        anna.delete(&format!("/memories/delete/{}", ids[gone])).await;
    }
    let new = memory(anna).await;
    let next = anna
        .get(&format!("/memories/list?limit=3&nextToken={}", page.text("nextToken")))
        .await
        .data(200);
    assert_eq!(listed(&next), [&ids[3][..], &ids[1], &ids[0]]);
    assert_eq!(next["nextToken"], json!(null));
    let back = anna
        .get(&format!("/memories/list?limit=3&previousToken={}", next.text("previousToken")))
        .await
        .data(200);
    assert_eq!(listed(&back), [&new[..], &ids[5]]);

    let error = "nextToken must be a token from an earlier answer to the same request";
    anna.get("/memories/list?nextToken=abc").await.expect_error(400, error);
    let eve = &app.bob;
    eve.get(&format!("/memories/list?nextToken={}", page.text("nextToken")))
        .await
        .expect_error(400, error);
    anna.get(&format!("/files/list?nextToken={}", page.text("nextToken")))
        .await
        .expect_error(400, error);
}

fn listed(page: &Value) -> Vec<&str> {
    page["memories"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}
