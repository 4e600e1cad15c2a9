//! Slow peers: connections that send nothing, little or half, and those that do not take their answer. They keep nobody
//! out, and they are closed in time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use harkback::config::{Config, Patience};
use harkback_engine::Models;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::app::TestApp;
use crate::fixtures::{n_blob_files, upload_url};

const PATIENCE: Patience = Patience {
    head: Duration::from_secs(2),
    body: Duration::from_secs(2),
    upload_pause: Duration::from_secs(2),
    upload_bytes_per_second: 1_000_000,
    write: Duration::from_secs(2),
};

/// Only a server that never closes runs into it.
const GIVE_UP: Duration = Duration::from_secs(60);

async fn impatient(change: impl FnOnce(&mut Config)) -> (TestApp, SocketAddr) {
    let app = TestApp::with(Models::default(), |config| {
        config.patience = PATIENCE;
        change(config);
    })
    .await;
    let address = app.listen().await;
    (app, address)
}

/// A connection over which this was sent.
async fn sent(address: SocketAddr, text: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(text.as_bytes()).await.unwrap();
    tcp
}

/// As many of them, one after the other: a burst could be more than the system lets wait.
async fn many(n: usize, address: SocketAddr, text: &str) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for _ in 0..n {
        connections.push(sent(address, text).await);
    }
    connections
}

/// What comes over a connection until the server closes it, with a byte sent now and then if it is to drip.
async fn until_closed(mut tcp: TcpStream, drip: Option<&[u8]>) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let closed = async {
        loop {
            tokio::select! {
                read = tcp.read(&mut chunk) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(n) => answer.extend_from_slice(&chunk[..n]),
                },
                () = sleep(Duration::from_millis(100)), if drip.is_some() => {
                    _ = tcp.write_all(drip.unwrap()).await;
                }
            }
        }
    };
    timeout(GIVE_UP, closed).await.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// One request over a connection of its own; its answer.
async fn ask(address: SocketAddr, key: &str) -> String {
    let request = format!(
        "GET /users/list HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n"
    );
    until_closed(sent(address, &request).await, None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_and_two_hundred_slow_connections_hurt_nobody() {
    let n_files = harkback::api::raise_open_files().unwrap_or(u64::MAX);
    assert!(n_files > 4000, "this test opens some 2500 sockets; raise `ulimit -n`");
    // Fewer places than slow bodies.
    let (app, address) = impatient(|it| it.max_requests = 40).await;
    let key = app.alice.key.clone().unwrap();
    let idle = many(1000, address, "").await;
    let head = format!("GET /users/list HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nx-slow: ");
    let heads = many(100, address, &head).await;
    let body = format!(
        "POST /users/create HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 1000\r\n\r\n{{"
    );
    let bodies = many(60, address, &body).await;
    let mut uploads = Vec::new();
    for i in 0..20 {
        let url = upload_url(&app.alice, &format!("{i}.txt")).await.0;
        let target = &url[url.find("/uploads/").unwrap()..];
        let put = format!("PUT {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
        uploads.push(sent(address, &put).await);
    }
    let half_open = many(20, address, "POST /sessions/crea").await;

    let began = Instant::now();
    let asked = async {
        for _ in 0..50 {
            let answer = ask(address, &key).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        println!("50 requests between 1,200 connections: {:?}", began.elapsed());
    };
    let closed = async {
        let quiet = join_all(idle.into_iter().chain(half_open).map(|it| until_closed(it, None)));
        let dripping = join_all(heads.into_iter().map(|it| until_closed(it, Some(b"x"))));
        let slow = join_all(bodies.into_iter().map(|it| until_closed(it, Some(b" "))));
        let puts = join_all(uploads.into_iter().map(|it| until_closed(it, Some(b"x"))));
        tokio::join!(quiet, dripping, slow, puts)
    };
    let ((), (quiet, dripping, slow, puts)) = tokio::join!(asked, closed);
    assert!(quiet.iter().chain(&dripping).all(String::is_empty));
    for answer in &slow {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains(r#""error":"Request body took too long""#), "{answer}");
    }
    for answer in &puts {
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert_eq!(n_blob_files(&app), 0);
    app.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_take_an_answer_loses_the_connection() {
    let (app, address) = impatient(|_| ()).await;
    let asset = "/docs/swagger-ui-bundle.js";
    let n_bytes = app.stranger().get(asset).await.body.len();
    let one = format!("GET {asset} HTTP/1.1\r\nhost: x\r\n\r\n");
    let n_asked = 64 * 1024 * 1024 / n_bytes;
    let tcp = sent(address, &one.repeat(n_asked)).await;
    // The peer takes nothing for longer than the server waits, then all that the network has kept for it.
    sleep(PATIENCE.write + Duration::from_secs(2)).await;
    let taken = until_closed(tcp, None).await.len();
    assert!(taken < n_bytes * n_asked, "{taken} bytes were taken");
    app.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_most_connections_one_is_told_to_come_back() {
    let (app, address) = impatient(|it| {
        it.max_connections = 5;
        it.max_connections_per_address = Some(6);
        it.patience.head = Duration::from_secs(600);
    })
    .await;
    let key = app.alice.key.clone().unwrap();
    let mut idle = join_all((0..5).map(|_| sent(address, ""))).await;
    let refused = loop {
        let answer = ask(address, &key).await;
        if answer.starts_with("HTTP/1.1 503") {
            break answer;
        }
    };
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("retry-after: 1"), "{head}");
    let text = "Too many connections";
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, json!({"error": text, "status": "unavailable", "message": text}));
    drop(idle.pop());
    let answered = async {
        while !ask(address, &key).await.starts_with("HTTP/1.1 200") {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(GIVE_UP, answered).await.expect("a place is free again");
    app.app.shutdown().await;
}

/// A connection from another address of this machine.
#[cfg(target_os = "linux")]
async fn connected_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_all_connections() {
    const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (app, address) = impatient(|it| {
        it.max_connections = 20;
        it.patience.head = Duration::from_secs(600);
    })
    .await;
    let greedy = [127, 0, 0, 2];
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(connected_from(greedy, address).await);
    }
    let mut more = connected_from(greedy, address).await;
    more.write_all(REQUEST).await.unwrap();
    let refused = until_closed(more, None).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("Too many connections from this address"), "{refused}");
    for _ in 0..3 {
        let mut other = connected_from([127, 0, 0, 3], address).await;
        other.write_all(REQUEST).await.unwrap();
        let answer = until_closed(other, None).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(held.pop());
    let answered = async {
        loop {
            let mut again = connected_from(greedy, address).await;
            _ = again.write_all(REQUEST).await;
            if until_closed(again, None).await.starts_with("HTTP/1.1 200") {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(GIVE_UP, answered).await.expect("a place is free again");
    app.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_long_is_refused() {
    let (app, address) = impatient(|_| ()).await;
    let long = format!("GET /users/list?x={} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000));
    let answer = until_closed(sent(address, &long).await, None).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let answer = until_closed(sent(address, &long).await, None).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    app.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_finished_when_the_server_ends() {
    let (app, address) = impatient(|_| ()).await;
    let key = app.alice.key.clone().unwrap();
    let body = r#"{"firstName": "Ada", "lastName": "Byron"}"#;
    let head = format!(
        "POST /users/create HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let idle = sent(address, "").await;
    let mut tcp = sent(address, &head).await;
    sleep(Duration::from_millis(100)).await;
    let ending = std::sync::Arc::clone(&app.app);
    let (ended, answer) = tokio::join!(timeout(GIVE_UP, ending.shutdown()), async {
        sleep(Duration::from_millis(100)).await;
        tcp.write_all(body.as_bytes()).await.unwrap();
        until_closed(tcp, None).await
    });
    ended.expect("the server ends");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(until_closed(idle, None).await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
