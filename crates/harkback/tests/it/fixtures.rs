//! The records that tests begin with.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::app::{Client, Reply, TestApp};

impl Reply {
    /// The `data` of an answer with this status.
    #[track_caller]
    pub(crate) fn data(&self, status: u16) -> Value {
        let mut body = self.expect(status);
        assert_eq!(body["status"], "success");
        body["data"].take()
    }

    /// Checks that this is the message that something was done.
    #[track_caller]
    pub(crate) fn says(&self, message: &str) {
        assert_eq!(self.expect(200), json!({"status": "success", "message": message}));
    }
}

/// Reads what must be a text.
pub(crate) trait TextOf {
    fn text(&self, key: &str) -> String;
}

impl TextOf for Value {
    #[track_caller]
    fn text(&self, key: &str) -> String {
        self[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {self}")).to_owned()
    }
}

/// A graph memory; its id.
pub(crate) async fn memory(client: &Client) -> String {
    let body = json!({"name": "n", "memoryType": "graph", "ontology": "culture"});
    client.post("/memories/create", body).await.data(201).text("id")
}

/// A file without bytes; its id.
pub(crate) async fn file(client: &Client, id: &str) -> String {
    let made = client.post("/files/create", json!({"id": id, "name": "a.txt"})).await.data(201);
    assert_eq!(made["id"], id);
    id.to_owned()
}

/// An upload URL and the key that its bytes will have.
pub(crate) async fn upload_url(client: &Client, name: &str) -> (String, String) {
    let grant = client.post("/files/upload", json!({"fileName": name})).await.data(200);
    (grant.text("uploadUrl"), grant.text("key"))
}

/// Puts bytes to an upload URL, without a key.
pub(crate) async fn put(app: &TestApp, url: &str, body: impl Into<Body>) -> Reply {
    let target = &url[url.find("/uploads/").unwrap()..];
    app.stranger().request(Request::put(target).body(body.into()).unwrap()).await
}

/// Uploads a text; its key.
pub(crate) async fn upload(app: &TestApp, client: &Client, name: &str, text: &str) -> String {
    let (url, key) = upload_url(client, name).await;
    assert_eq!(put(app, &url, text.to_owned()).await.status, 200);
    key
}

/// How many files a memory holds.
pub(crate) async fn n_samples(client: &Client, memory: &str) -> i64 {
    let got = client.get(&format!("/memories/get/{memory}")).await.data(200);
    got["progress"]["samples"]["total"].as_i64().unwrap()
}

pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// Files of the blob directory, whatever they are.
pub(crate) fn n_blob_files(app: &TestApp) -> usize {
    let folders = std::fs::read_dir(app.app.config.data.join("blobs")).unwrap();
    folders.map(|it| std::fs::read_dir(it.unwrap().path()).unwrap().count()).sum()
}

/// An uploaded file of that text; its id.
pub(crate) async fn text_file(app: &TestApp, client: &Client, name: &str, text: &str) -> String {
    let key = upload(app, client, name, text).await;
    client.post("/files/create", json!({"name": name, "key": key})).await.data(201).text("id")
}

/// Puts files into a memory and ingests them, without a worker's task.
pub(crate) async fn ingest(app: &TestApp, client: &Client, memory: &str, files: &[String]) {
    client.post("/memories/add-files", json!({"memoryID": memory, "files": files})).await.data(201);
    client.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    assert!(harkback::worker::run_next(&app.app).await.unwrap());
    let got = client.get(&format!("/memories/get/{memory}")).await.data(200);
    assert_eq!(
        (&got["status"], &got["progress"]["failed"]),
        (&json!("success"), &json!([])),
        "{got}"
    );
}
