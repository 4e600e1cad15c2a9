//! Do recordings become passages? A real server of this machine plays the transcription endpoint.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use harkback::config::Secret;
use harkback_engine::Models;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::fixtures::{TextOf, memory, text_file};

type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// An endpoint that answers so, and what it was sent; its base URL.
async fn endpoint(status: StatusCode, answer: Value) -> (String, Heard) {
    let heard = Heard::default();
    let hear = async move |State(heard): State<Heard>, headers: HeaderMap, body: String| {
        heard.lock().unwrap().push((headers, body));
        (status, answer.to_string())
    };
    let router =
        Router::new().route("/v1/audio/transcriptions", post(hear)).with_state(Arc::clone(&heard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = listener.into_std().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    (url, heard)
}

async fn app(url: Option<String>) -> TestApp {
    TestApp::with(Models::default(), |config| {
        config.transcription_url = url;
        config.transcription_key = Some(Secret::from("key-1".to_owned()));
    })
    .await
}

/// Ingests one recording; the memory and its state.
async fn ingest(app: &TestApp, name: &str) -> (String, Value) {
    let anna = &app.alice;
    let memory = memory(anna).await;
    let file = text_file(app, anna, name, "ID3 not really sound").await;
    anna.post("/memories/add-files", json!({"memoryID": memory, "files": [file]})).await.data(201);
    anna.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    assert!(harkback::worker::run_next(&app.app).await.unwrap());
    let got = anna.get(&format!("/memories/get/{memory}")).await.data(200);
    (memory, got)
}

#[tokio::test]
async fn a_recording_is_transcribed_and_its_seconds_are_kept() {
    let answer = json!({"text": "…", "segments": [
        {"id": 0, "start": 62.5, "end": 66.0, "text": " Mira Okonkwo runs the library in Ulm."},
        {"id": 1, "start": 66.0, "end": 70.0, "text": " It opens at nine."},
    ]});
    let (url, heard) = endpoint(StatusCode::OK, answer).await;
    let app = app(Some(url)).await;
    let (memory, got) = ingest(&app, "city talk.mp3").await;
    assert_eq!(got["status"], "success", "{got}");
    let path = format!("/memory?memoryID={memory}&query=Who+runs+the+library&top_k=5");
    let answer = app.alice.get(&path).await.expect(200);
    let passage = &answer["payload"][0]["metadata"]["passages"][0];
    assert_eq!(passage["place"], json!({"seconds": 62}), "{answer}");
    assert_eq!(passage.text("title"), "city talk");
    assert_eq!(passage.text("text"), "Mira Okonkwo runs the library in Ulm. It opens at nine.");
    let heard = heard.lock().unwrap();
    let (headers, body) = &heard[0];
    assert_eq!(headers["authorization"], "Bearer key-1");
    for part in [
        "name=\"model\"\r\n\r\nwhisper-1",
        "verbose_json",
        "filename=\"city talk.mp3\"",
        "ID3 not really",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn without_an_endpoint_or_an_answer_the_file_fails_with_the_reason() {
    let reason = |got: &Value| got["progress"]["failed"][0].text("reason");
    let silent = app(None).await;
    let (_, got) = ingest(&silent, "talk.mp4").await;
    assert_eq!(
        reason(&got),
        "no transcription endpoint is configured: set `transcription_url`, or upload a transcript as text"
    );
    for (status, answer, expected) in [
        (
            StatusCode::UNAUTHORIZED,
            json!({}),
            "the transcription endpoint answered 401 and refuses the key: set `transcription_key`",
        ),
        (StatusCode::OK, json!({"text": " "}), "nothing is said in the recording"),
        (StatusCode::OK, json!([1]), "the transcription endpoint answers something else than JSON"),
    ] {
        let (url, _) = endpoint(status, answer).await;
        let app = app(Some(url)).await;
        let (_, got) = ingest(&app, "talk.wav").await;
        assert_eq!((got["status"].clone(), reason(&got)), (json!("failed"), expected.to_owned()));
    }
    let app = app(Some("http://127.0.0.1:9/v1".into())).await;
    let (_, got) = ingest(&app, "talk.wav").await;
    assert_eq!(
        reason(&got),
        "the transcription endpoint does not answer: start the ingestion again later"
    );
}
