//! Who is let in, and in which order is a request checked?

use axum::body::Body;
use axum::http::{Method, Request, header};
use harkback::keys;
use harkback_engine::Models;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::openapi::{document, operations};

#[tokio::test]
async fn a_request_without_a_key_is_told_so() {
    let test = TestApp::new().await;
    for (method, path) in routes() {
        let request = || Request::builder().method(&method).uri(&path).header("accept", "*/*");
        let reply = test.stranger().request(request().body(Body::from("{")).unwrap()).await;
        reply.expect_error(401, "API key is required");
        let blank = request().header("x-api-key", "  ").body(Body::empty()).unwrap();
        test.stranger().request(blank).await.expect_error(401, "API key is required");
        let bare = Request::builder().method(&method).uri(&path).body(Body::empty()).unwrap();
        test.stranger().request(bare).await.expect_error(400, "No headers provided");
    }
}

#[tokio::test]
async fn unknown_mistyped_and_revoked_keys_are_refused() {
    let test = TestApp::new().await;
    let key = test.new_key("alice").await;
    let mistyped = format!("{}x", &key[..key.len() - 1]);
    let other = TestApp::new().await;
    // Both servers make the same keys, so the second one is known only there.
    other.new_key("carol").await;
    let of_another_server = other.new_key("carol").await;
    for wrong in ["x", "hb_", "hb__", "hb_a_b", &mistyped, &format!("{key}0"), &of_another_server] {
        for (method, path) in routes() {
            let reply = test.with_key(wrong).send(method, &path, None).await;
            reply.expect_error(403, "Invalid API key");
        }
    }
    let client = test.with_key(&key);
    client.get("/users/list").await.expect(200);
    assert!(keys::revoke_key(&test.app.store, &key, &test.app.clock).await.unwrap());
    client.get("/users/list").await.expect_error(403, "Invalid API key");
    assert!(!keys::revoke_key(&test.app.store, &key, &test.app.clock).await.unwrap());
}

#[tokio::test]
async fn two_different_keys_are_refused() {
    let test = TestApp::new().await;
    let ask = |other: &str| {
        let request = Request::get("/users/list").header("x-api-key", other);
        let mut request = request.body(Body::empty()).unwrap();
        request.headers_mut().append("x-api-key", test.alice.key.clone().unwrap().parse().unwrap());
        request
    };
    let reply = test.stranger().request(ask("other")).await;
    reply.expect_error(400, "X-API-Key must be given once");
    test.stranger().request(ask(test.alice.key.as_deref().unwrap())).await.expect(200);
}

#[tokio::test]
async fn keys_made_and_revoked_by_another_process_count_at_once() {
    let test = TestApp::new().await;
    let elsewhere = harkback_engine::Store::open(&test.app.config.data).await.unwrap();
    let key = keys::create_key(&elsewhere, "alice", &test.app.clock, &test.app.ids).await.unwrap();
    let client = test.with_key(&key);
    client.post("/users/create", NAMES.clone()).await.expect(201);
    assert_eq!(client.get("/users/list").await.expect(200)["count"], 1);
    assert_eq!(test.alice.get("/users/list").await.expect(200)["count"], 1, "the same account");
    let key_id = key.split('_').nth(1).unwrap();
    assert!(keys::revoke_key(&elsewhere, key_id, &test.app.clock).await.unwrap());
    client.get("/users/list").await.expect_error(403, "Invalid API key");
    test.alice.get("/users/list").await.expect(200);
    let listed = keys::list_keys(&elsewhere).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed.iter().filter(|it| it.revoked_at.is_some()).count(), 1);
}

#[tokio::test]
async fn the_secret_of_a_key_is_not_stored() {
    let test = TestApp::new().await;
    let secret = test.alice.key.clone().unwrap().split_off("hb_xxxxxxxxxxxx_".len());
    let data = test.app.config.data.clone();
    test.app.shutdown().await;
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
            assert!(!found, "in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_request_without_any_header_is_told_so_over_the_wire() {
    let test = TestApp::new().await;
    let address = test.listen().await;
    let ask = async |request: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask("DELETE /sessions/delete/s1 HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
    assert!(
        answer.contains(r#"{"error":"No headers provided","status":"bad_request""#),
        "{answer}"
    );
    let answer = ask("DELETE /sessions/delete/s1 HTTP/1.0\r\nAccept: */*\r\n\r\n").await;
    assert!(
        answer.contains(r#"{"error":"API key is required","status":"unauthorized""#),
        "{answer}"
    );
    test.app.shutdown().await;
}

#[tokio::test]
async fn a_head_is_bounded() {
    let test = TestApp::new().await;
    let address = test.listen().await;
    let ask = async |n_bytes: usize| {
        let key = test.alice.key.clone().unwrap();
        let mut request = format!(
            "GET /users/list HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n"
        );
        for at in 0.. {
            let left = n_bytes - request.len() - 2;
            if left == 0 {
                break;
            }
            // No more than a piece is left for the last line, whose name and end take 8 bytes.
            let piece = if left > 8192 { 4096 } else { left };
            let name = format!("x-{at:02}: ");
            request += &format!("{name}{}\r\n", "x".repeat(piece - name.len() - 2));
        }
        request += "\r\n";
        assert_eq!(request.len(), n_bytes);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that has answered may close before it has read all.
        _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let answer = ask(65_000).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for n_bytes in [66_000, 70_000, 120_000] {
        let answer = ask(n_bytes).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{n_bytes}: {answer}");
    }
    let answer = ask(65_600).await;
    let error = "Request line and headers must be at most 65536 bytes";
    assert!(
        answer.contains(&format!(r#"{{"error":"{error}","status":"head_too_long""#)),
        "{answer}"
    );
    test.app.shutdown().await;
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let test =
        TestApp::with(Models::default(), |it| it.requests_per_second = 1.try_into().unwrap()).await;
    let mut last = test.alice.get("/users/list").await;
    for _ in 0..50 {
        if last.status == 429 {
            break;
        }
        last = test.alice.get("/users/list").await;
    }
    last.expect_error(429, "Too many requests");
    let wait: u64 = last.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    test.bob.get("/users/list").await.expect(200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let test = TestApp::with(Models::default(), |it| it.timeout_seconds = 1).await;
    let (_sender, body) = slow_body();
    let request = Request::builder().method("POST").uri("/users/create").body(body).unwrap();
    test.alice.request(request).await.expect_error(503, "Request took too long");
}

/// A body that does not end until the sender is dropped.
fn slow_body() -> (tokio::io::DuplexStream, Body) {
    let (sender, receiver) = tokio::io::duplex(64);
    (sender, Body::from_stream(tokio_util::io::ReaderStream::new(receiver)))
}

static NAMES: std::sync::LazyLock<serde_json::Value> =
    std::sync::LazyLock::new(|| serde_json::json!({"firstName": "Ada", "lastName": "Lovelace"}));

/// Every documented route that needs a key, as (method, path).
fn routes() -> Vec<(Method, String)> {
    let document = document();
    let locked = operations(&document).into_iter().filter(|(.., it)| it["security"].is_null());
    let routes: Vec<_> = locked
        .map(|(path, method, _)| {
            (method.to_uppercase().parse().unwrap(), path.replace("{id}", "x"))
        })
        .collect();
    assert!(routes.len() >= 24, "{routes:?}");
    routes
}
