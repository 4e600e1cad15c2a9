//! Overload: what is beyond the places is told at once to come back, and the next request finds a place again.

use std::time::{Duration, Instant};

use axum::http::header;
use futures_util::future::join_all;
use harkback_engine::Models;
use tokio::time::timeout;

use crate::app::{Reply, TestApp};
use crate::fixtures::{ingest, memory, text_file};
use crate::real_models::real_models;

/// How many were answered with that text and a time to come back at.
fn n_told(answers: &[Reply], text: &str) -> usize {
    let told = answers.iter().filter(|it| it.status == 503);
    told.map(|it| {
        it.expect_error(503, text);
        assert_eq!(it.headers[header::RETRY_AFTER], "1");
    })
    .count()
}

#[tokio::test]
async fn requests_beyond_the_places_are_told_to_come_back() {
    let app = TestApp::with(Models::default(), |it| it.max_requests = 4).await;
    let answers = join_all((0..100).map(|_| app.alice.get("/users/list"))).await;
    let n_shed = n_told(&answers, "Too many requests under way");
    let n_answered = answers.iter().filter(|it| it.status == 200).count();
    assert!(n_answered >= 4 && n_shed > 0, "{n_answered} answered, {n_shed} shed");
    assert_eq!(n_answered + n_shed, 100);
    app.alice.get("/users/list").await.expect(200);
    // Whoever looks after the server sees it all the while.
    let operator = app.stranger();
    let (busy, health) = tokio::join!(
        join_all((0..100).map(|_| app.alice.get("/users/list"))),
        operator.get("/healthz")
    );
    assert!(n_told(&busy, "Too many requests under way") > 0);
    health.expect(200);
}

#[tokio::test]
async fn a_body_on_its_way_takes_no_place() {
    let app = TestApp::with(Models::default(), |it| it.max_requests = 1).await;
    let (sender, receiver) = tokio::io::duplex(64);
    let body = axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(receiver));
    let request = axum::http::Request::post("/users/create").body(body).unwrap();
    let alice = app.alice.clone();
    let (slow, ()) = tokio::join!(alice.request(request), async {
        tokio::task::yield_now().await;
        app.bob.get("/users/list").await.expect(200);
        drop(sender);
    });
    slow.expect_error(400, "Invalid JSON in request body");
}

#[tokio::test]
async fn questions_beyond_the_queue_are_told_to_come_back() {
    let app = TestApp::new().await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "a.txt", "Mia Holm tends the garden.").await;
    ingest(&app, &app.alice, &memory, &[file]).await;
    let path = format!("/memory?memoryID={memory}&query=Who+tends+the+garden%3F&top_k=3");
    let answers = join_all((0..500).map(|_| app.alice.get(&path))).await;
    let n_shed = n_told(&answers, "Too many questions under way");
    let n_answered = answers.iter().filter(|it| it.status == 200).count();
    assert!(n_answered > 0 && n_shed > 0, "{n_answered} answered, {n_shed} shed");
    assert_eq!(n_answered + n_shed, 500);
    app.alice.get(&path).await.expect(200);
}

/// What is done for callers who hung up is stopped and counts as under way until it is, so it cannot pile up.
#[tokio::test(flavor = "multi_thread")]
async fn questions_of_callers_who_hung_up_are_not_worked_off() {
    let app = TestApp::with(real_models().clone(), |_| ()).await;
    let memory = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "a.txt", "Mia Holm tends the garden.").await;
    ingest(&app, &app.alice, &memory, &[file]).await;
    let short = format!("/memory?memoryID={memory}&top_k=3&query=Who+tends+the+garden");
    let long = format!("{short}{}", "+and+who+walks+the+dog+of+the+lady+next+door".repeat(90));
    let started = Instant::now();
    app.alice.get(&long).await.expect(200);
    let alone = started.elapsed();
    for _ in 0..60 {
        let hung_up = timeout(Duration::from_millis(5), app.alice.get(&long)).await;
        assert!(hung_up.is_err(), "it takes longer than 5 ms");
    }
    let started = Instant::now();
    app.alice.get(&short).await.expect(200);
    assert!(started.elapsed() < 8 * alone, "{:?} for {alone:?} alone", started.elapsed());
}
