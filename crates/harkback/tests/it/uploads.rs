//! Signed upload URLs: what they take, once, and all the ways in which they take nothing.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use harkback_engine::Models;

use crate::app::TestApp;
use crate::fixtures::{TextOf, n_blob_files, put, upload_url};

const MAX_FILE_BYTES: u64 = 1000;

async fn small() -> TestApp {
    TestApp::with(Models::default(), |config| config.max_file_bytes = MAX_FILE_BYTES).await
}

#[tokio::test]
async fn a_url_takes_bytes_without_a_key_and_once() {
    let app = small().await;
    let anna = &app.alice;
    let grant = anna.post("/files/upload", json!({"fileName": "My Notes.v2.MD"})).await.data(200);
    let (url, key) = (grant.text("uploadUrl"), grant.text("key"));
    let user = anna.post("/files/create", json!({"name": "a"})).await.data(201);
    let (path, query) = url.split_once('?').unwrap();
    assert!(path.ends_with(&format!("/uploads/{key}")), "{url}");
    assert!(key.starts_with(&format!("{}/", user.text("userID"))) && key.ends_with(".MD"), "{key}");
    assert!(!query.contains('/'), "{query}");

    let answer = put(&app, &url, "hello").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "success"})));
    // A client that lost the answer sends the same bytes again.
    assert_eq!(put(&app, &url, "hello").await.json(), json!({"status": "success"}));
    for other in ["other", "", "hello!"] {
        put(&app, &url, other).await.expect_error(403, "Upload URL was used before");
    }
    assert_eq!(n_blob_files(&app), 1);
    assert_eq!(app.app.blobs.get(&key).await.unwrap().unwrap(), "hello");
    let made = anna.post("/files/create", json!({"name": "a.md", "key": key})).await.data(201);
    assert_eq!(anna.get(&format!("/files/get/{}", made.text("id"))).await.data(200)["size"], 5);
}

#[tokio::test]
async fn the_extension_stays_if_it_is_plain() {
    let app = small().await;
    let anna = &app.alice;
    for (name, suffix) in [
        ("a.txt", ".txt"),
        ("a.tar.gz", ".gz"),
        ("a", ""),
        (".env", ""),
        ("a.", ""),
        ("a.b/c", ""),
        ("a.é", ""),
        ("a.%2f", ""),
    ] {
        let key = anna.post("/files/upload", json!({"fileName": name})).await.data(200).text("key");
        let file = key.split_once('/').unwrap().1;
        assert_eq!(file.find('.').map_or("", |at| &file[at..]), suffix, "{name}");
    }
    anna.post("/files/upload", json!({})).await.expect_error(400, "fileName is required");
    anna.post("/files/upload", json!({"fileName": ""}))
        .await
        .expect_error(400, "fileName is required");
}

#[tokio::test]
async fn a_url_ends_after_fifteen_minutes() {
    let app = small().await;
    let anna = &app.alice;
    let (url, key) = upload_url(anna, "a.txt").await;
    let in_time = upload_url(anna, "a.txt").await.0;
    let now = app.app.clock.now();
    app.app.clock.set(now + 14 * 60 * 1_000_000);
    assert_eq!(put(&app, &in_time, "x").await.status, 200);
    app.app.clock.set(now + 15 * 60 * 1_000_000 + 1_000_000);
    put(&app, &url, "x").await.expect_error(403, "Upload URL is invalid or has expired");
    assert_eq!(app.app.blobs.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn no_part_of_a_url_can_be_changed() {
    let app = small().await;
    let (anna, eve) = (&app.alice, &app.bob);
    let (url, key) = upload_url(anna, "a.txt").await;
    let (other_url, other_key) = upload_url(anna, "b.txt").await;
    let eves_key = upload_url(eve, "a.txt").await.1;
    let (path, query) = url.split_once('?').unwrap();
    let part = |name: &str| {
        let found = query.split('&').find_map(|it| it.strip_prefix(&format!("{name}=")));
        found.unwrap().to_owned()
    };
    let (exp, len, sig) = (part("exp"), part("len"), part("sig"));
    let other_sig = other_url.rsplit_once("sig=").unwrap().1;
    let later: i64 = exp.parse::<i64>().unwrap() + 1;
    let mut tampered = vec![
        path.to_owned(),
        format!("{path}?exp={exp}&len={len}"),
        format!("{path}?exp={later}&len={len}&sig={sig}"),
        format!("{path}?exp={exp}&len=2000&sig={sig}"),
        format!("{path}?exp={exp}&len=-1&sig={sig}"),
        format!("{path}?exp=x&len={len}&sig={sig}"),
        format!("{path}?exp={exp}&len={len}&sig={other_sig}"),
        format!("{path}?exp={exp}&len={len}&sig="),
        format!("{path}?exp={exp}&len={len}&sig={}", &sig[..sig.len() - 1]),
        url.replace(&key, &other_key),
        url.replace(&key, &eves_key),
        url.replace(".txt", ".md"),
        url.replace(".txt", ""),
        url.replace("/uploads/", "/uploads/../uploads/"),
        url.replace("/uploads/", "/uploads//"),
    ];
    for at in 0..sig.len() {
        let mut other = sig.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        tampered.push(url.replace(&sig, &String::from_utf8(other).unwrap()));
    }
    for url in tampered {
        put(&app, &url, "evil").await.expect_error(403, "Upload URL is invalid or has expired");
    }
    for it in [&key, &other_key, &eves_key] {
        assert_eq!(app.app.blobs.get(it).await.unwrap(), None, "nothing was written");
    }
    assert_eq!(put(&app, &url, "good").await.status, 200, "and the URL itself still works");
}

#[tokio::test]
async fn too_many_bytes_leave_nothing() {
    let app = small().await;
    let anna = &app.alice;
    let (url, key) = upload_url(anna, "a.txt").await;
    let too_many = "x".repeat(1001);
    let error = "Request body must be at most 1000 bytes";
    put(&app, &url, too_many).await.expect_error(413, error);
    let chunks = (0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 100])));
    let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
    put(&app, &url, body).await.expect_error(413, error);
    assert_eq!(n_blob_files(&app), 0);
    anna.post("/files/create", json!({"name": "a.txt", "key": key}))
        .await
        .expect_error(400, "key must be the key of a finished upload");
    assert_eq!(
        put(&app, &url, "x".repeat(1000)).await.status,
        200,
        "the URL is not used up by a refusal"
    );
}

#[tokio::test]
async fn a_broken_connection_leaves_nothing() {
    let app = small().await;
    let anna = &app.alice;
    let (url, key) = upload_url(anna, "a.txt").await;
    let target = &url[url.find("/uploads/").unwrap()..];
    let address = app.listen().await;
    for (head, body) in [
        ("content-length: 100", "half of it".to_owned()),
        ("transfer-encoding: chunked", "64\r\nhalf of it".to_owned()),
        ("transfer-encoding: chunked", "not a chunk\r\n\r\n".to_owned()),
    ] {
        let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("PUT {target} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{body}");
        tcp.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        tcp.shutdown().await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    for _ in 0..100 {
        if n_blob_files(&app) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(n_blob_files(&app), 0);
    assert_eq!(put(&app, &url, "whole").await.status, 200, "the caller can try again");
    assert_eq!(app.app.blobs.get(&key).await.unwrap().unwrap(), "whole");
}

#[tokio::test]
async fn of_two_uploads_at_once_one_wins() {
    let app = small().await;
    let anna = &app.alice;
    let (url, key) = upload_url(anna, "a.txt").await;
    let (a, b) = ("a".repeat(700), "b".repeat(900));
    let (one, two) = tokio::join!(put(&app, &url, a.clone()), put(&app, &url, b.clone()));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    let stored = app.app.blobs.get(&key).await.unwrap().unwrap();
    assert_eq!(stored, if one.status == 200 { a } else { b });
    assert_eq!(n_blob_files(&app), 1);
    let made = anna.post("/files/create", json!({"name": "a.txt", "key": key})).await.data(201);
    let size = &anna.get(&format!("/files/get/{}", made.text("id"))).await.data(200)["size"];
    assert_eq!(size, stored.len());
}

#[tokio::test]
async fn bytes_that_nobody_uses_are_swept_away() {
    let app = small().await;
    let anna = &app.alice;
    let (used_url, used) = upload_url(anna, "a.txt").await;
    let (unused_url, unused) = upload_url(anna, "b.txt").await;
    put(&app, &used_url, "used").await;
    put(&app, &unused_url, "unused").await;
    anna.post("/files/create", json!({"name": "a.txt", "key": used})).await.data(201);
    harkback::worker::sweep_once(&app.app).await.unwrap();
    assert!(app.app.blobs.get(&unused).await.unwrap().is_some(), "a file may still be made of it");
    app.app.clock.set(app.app.clock.now() + 25 * 3600 * 1_000_000);
    harkback::worker::sweep_once(&app.app).await.unwrap();
    assert!(app.app.blobs.get(&unused).await.unwrap().is_none());
    assert_eq!(app.app.blobs.get(&used).await.unwrap().unwrap(), "used");
}

#[tokio::test]
async fn names_that_are_paths_lead_nowhere() {
    let app = small().await;
    let anna = &app.alice;
    let account = anna.post("/users/create", json!({"firstName": "A", "lastName": "B"})).await;
    let account = account.data(201).text("userID");
    for name in [
        "../../etc/passwd.txt",
        "/etc/cron.d/x.txt",
        "..\\..\\x.txt",
        "a/../../b.txt",
        "%2e%2e%2fx.txt",
        "x.txt?len=9999999&sig=x.txt",
        "x.txt#a.txt",
        "\u{202e}txt.exe.txt",
        &format!("{}.txt", "x".repeat(10_000)),
    ] {
        let (url, key) = upload_url(anna, name).await;
        let (owner, file) = key.split_once('/').unwrap();
        assert_eq!(owner, account, "{name}");
        let (stem, extension) = file.split_once('.').unwrap();
        assert!(stem.len() == 32 && stem.bytes().all(|it| it.is_ascii_hexdigit()), "{key}");
        assert_eq!(extension, "txt", "{key}");
        assert_eq!(put(&app, &url, "x").await.status, 200, "{name}");
    }
    for file in std::fs::read_dir(app.app.config.data.join("blobs")).unwrap() {
        assert_eq!(file.unwrap().file_name().to_str(), Some(account.as_str()));
    }
    let outside = ["../../etc/passwd", "..", "/etc/passwd", "a\\b", "", "%2e%2e", "blobs/../x"];
    for key in outside.iter().map(|it| format!("{account}/{it}")).chain(outside.map(String::from)) {
        let made = anna.post("/files/create", json!({"name": "a.txt", "key": key})).await;
        made.expect_error(400, "key must be the key of a finished upload");
    }
}

#[tokio::test]
async fn a_url_is_taken_as_it_is_written() {
    let app = small().await;
    let anna = &app.alice;
    let (url, key) = upload_url(anna, "a.txt").await;
    let (path, query) = url.split_once('?').unwrap();
    let first = key.as_bytes()[0];
    let folder = key.split_once('/').unwrap().0;
    for other in [
        path.replacen(&key, &format!("%{first:02x}{}", &key[1..]), 1),
        path.replacen(&key, &key.replacen('/', "%2f", 1), 1),
        path.replacen(&key, &key.replacen('/', "//", 1), 1),
        path.replacen(&key, &format!("{folder}/../{key}"), 1),
        path.replacen(&key, &format!("{folder}/%2e%2e/{key}"), 1),
        format!("{path}%00"),
        path.replacen(".txt", ".TXT", 1),
        path.replacen(&key, "..", 1),
    ] {
        let refused = put(&app, &format!("{other}?{query}"), "evil").await;
        refused.expect_error(403, "Upload URL is invalid or has expired");
    }
    // Of a part given twice the last one counts, here as everywhere.
    for query in
        [format!("{query}&len=9999"), format!("{query}&exp=99999999999"), format!("{query}&sig=x")]
    {
        let refused = put(&app, &format!("{path}?{query}"), "evil").await;
        refused.expect_error(403, "Upload URL is invalid or has expired");
    }
    let target = &url[url.find("/uploads/").unwrap()..];
    for method in ["GET", "POST", "DELETE"] {
        let reply = app.stranger().send(method.parse().unwrap(), target, None).await;
        reply.expect_error(405, "Method not allowed");
    }
    assert_eq!(n_blob_files(&app), 0);
    assert_eq!(put(&app, &url, "good").await.status, 200);
}

#[tokio::test]
async fn a_length_that_is_not_the_bodys_leaves_nothing() {
    let app = small().await;
    let anna = &app.alice;
    let address = app.listen().await;
    for (length, body, status) in [
        ("content-length: 1001\r\n", "x".repeat(10), "413"),
        ("content-length: 99999999999999999999\r\n", "x".repeat(10), "400"),
        ("content-length: -1\r\n", "x".repeat(10), "400"),
        ("content-length: 5\r\ncontent-length: 6\r\n", "x".repeat(6), "400"),
        (
            "transfer-encoding: chunked\r\n",
            format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001)),
            "413",
        ),
    ] {
        let url = upload_url(anna, "a.txt").await.0;
        let target = &url[url.find("/uploads/").unwrap()..];
        let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("PUT {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{length}\r\n");
        tcp.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        _ = tcp.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{length}: {answer}");
    }
    assert_eq!(n_blob_files(&app), 0);
    // What comes after the announced length is no part of the file.
    let (url, key) = upload_url(anna, "a.txt").await;
    let target = &url[url.find("/uploads/").unwrap()..];
    let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let put = format!(
        "PUT {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello, world"
    );
    tcp.write_all(put.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    _ = tcp.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(app.app.blobs.get(&key).await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn an_upload_that_was_stored_and_not_recorded_can_be_sent_again() {
    let app = small().await;
    let anna = &app.alice;
    let (url, key) = upload_url(anna, "a.txt").await;
    let bytes = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"hello"))]);
    // As a server leaves it that ends between the two.
    app.app.blobs.put(&key, app.app.new_id(), MAX_FILE_BYTES, bytes).await.unwrap();
    let file = json!({"name": "a.txt", "key": key});
    let made = anna.post("/files/create", file.clone()).await;
    made.expect_error(400, "key must be the key of a finished upload");
    assert_eq!(put(&app, &url, "hello").await.status, 200);
    let made = anna.post("/files/create", file).await.data(201);
    assert_eq!(anna.get(&format!("/files/get/{}", made.text("id"))).await.data(200)["size"], 5);
}
