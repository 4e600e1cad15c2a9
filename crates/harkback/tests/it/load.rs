//! The short form of the load program: mixed calls by the clock against the real binary. It prints how long they took and
//! fails on errors alone.

use std::time::Duration;

use serde_json::json;

use crate::binary::{Caller, Serving, create_key};

#[path = "../../examples/load/open_loop.rs"]
mod open_loop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steady_load_is_answered_without_error() {
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let key = create_key(data.path(), "load");
    let caller = Caller::new(&serving, &key);
    let memory = caller.create_memory("Load").await;
    let http = reqwest::Client::new();
    let lasting = Duration::from_secs(2);
    let (creates, queries) = tokio::join!(
        open_loop::run(50, lasting, |i| {
            let body = json!({"role": "user", "content": format!("message {i}")});
            let request = http.post(format!("{}/messages/create", caller.url));
            request.header("x-api-key", &key).json(&body)
        }),
        open_loop::run(10, lasting, |_| {
            let url = format!("{}/memory?memoryID={memory}&query=Who%3F&top_k=5", caller.url);
            http.get(url).header("x-api-key", &key)
        })
    );
    println!("creates {creates}\nqueries {queries}");
    assert!(creates.errors.is_empty() && queries.errors.is_empty());
    assert_eq!((creates.latencies.len(), queries.latencies.len()), (100, 20));
    let asked = open_loop::capacity(2, Duration::from_millis(200), |_| {
        http.get(format!("{}/users/list", caller.url)).header("x-api-key", &key)
    });
    assert!(asked.await > 0.0);
    let (_, listed) = caller.get("/messages/list?limit=1").await;
    assert_eq!(listed["totalCount"], 100);
}
