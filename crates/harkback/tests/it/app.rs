//! How do tests talk to the program? Through the real router over a real store in a scratch directory, with a clock that
//! stands still and ids that are the same in every run. Two accounts are there from the start.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use harkback::app::{App, AppState};
use harkback::clock::{Clock, Ids};
use harkback::config::Config;
use harkback::{api, keys};
use harkback_engine::model::Micros;
use harkback_engine::{Models, ParserLimits, ParserProcess, Parsing};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// 2026-01-02T03:04:05.678Z.
pub(crate) const NOW: Micros = 1_767_323_045_678_000;

/// A program under test, in lexical mode unless it was given models.
pub(crate) struct TestApp {
    pub(crate) app: AppState,
    pub(crate) alice: Client,
    pub(crate) bob: Client,
    models: Models,
    dir: TempDir,
}

/// Somebody who sends requests, with a key or without.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) key: Option<String>,
    router: Router,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestApp {
    /// With the default settings.
    pub(crate) async fn new() -> Self {
        Self::with(Models::default(), |_| ()).await
    }

    /// With `models` and changed settings.
    pub(crate) async fn with(models: Models, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { data: dir.path().to_owned(), ..Config::default() };
        change(&mut config);
        Self::open(config, models, dir).await
    }

    /// Ends the program as a shutdown does and starts it again over the same data.
    pub(crate) async fn restart(self) -> Self {
        self.app.shutdown().await;
        let config = self.app.config.clone();
        Self::open(config, self.models, self.dir).await
    }

    /// As [`restart`](Self::restart), with other models.
    pub(crate) async fn restart_with(self, models: Models) -> Self {
        Self { models, ..self }.restart().await
    }

    /// Someone without a key.
    pub(crate) fn stranger(&self) -> Client {
        Client { key: None, router: self.alice.router.clone() }
    }

    /// Someone with this key.
    pub(crate) fn with_key(&self, key: &str) -> Client {
        Client { key: Some(key.to_owned()), ..self.stranger() }
    }

    /// A new key for the account of that name.
    pub(crate) async fn new_key(&self, account: &str) -> String {
        new_key(&self.app, account).await
    }

    /// Serves on a free port of this machine, for clients that need a socket.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = api::listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let app = AppState::clone(&self.app);
        self.app.spawn(async move { api::serve(&app, listener).await.unwrap() });
        address
    }

    async fn open(config: Config, models: Models, dir: TempDir) -> Self {
        let app =
            App::open(config, models.clone(), Clock::fixed(NOW), Ids::seeded(1), parsing()).await;
        let app = app.unwrap();
        let router = api::router(&app);
        let client = async |account| Client {
            key: Some(new_key(&app, account).await),
            router: router.clone(),
        };
        Self { alice: client("alice").await, bob: client("bob").await, app, models, dir }
    }
}

/// Files are read as by the server: each in a process of the real binary.
fn parsing() -> Parsing {
    Parsing::Process(ParserProcess {
        program: env!("CARGO_BIN_EXE_harkback").into(),
        arguments: vec!["parse-file".into()],
        limits: ParserLimits::default(),
    })
}

async fn new_key(app: &App, account: &str) -> String {
    // The seeded ids start anew after a restart, so a key of the same id may be there already.
    loop {
        match keys::create_key(&app.store, account, &app.clock, &app.ids).await {
            Err(harkback_engine::Error::AlreadyExists) => {}
            made => return made.unwrap(),
        }
    }
}

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = Request::builder().method(method).uri(path);
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.request(request.unwrap()).await
    }

    /// Sends any request, with the key added.
    pub(crate) async fn request(&self, mut request: Request<Body>) -> Reply {
        request.headers_mut().insert(header::HOST, "harkback.test".parse().unwrap());
        if let Some(key) = &self.key {
            request.headers_mut().insert("x-api-key", key.parse().unwrap());
        }
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }
}

impl Reply {
    /// The JSON of the body; of JSON Lines, the lines as an array.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let lines = serde_json::Deserializer::from_slice(&self.body).into_iter();
        let mut lines: Vec<Value> = lines
            .collect::<Result<_, _>>()
            .unwrap_or_else(|e| panic!("{e} in {:?}", String::from_utf8_lossy(&self.body)));
        match lines.len() {
            0 => panic!("the body is empty"),
            1 => lines.remove(0),
            _ => Value::Array(lines),
        }
    }

    /// The JSON of the body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self.json()
    }

    /// Checks that this is the error of that status and text, in the one shape that errors have.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, text: &str) {
        let word = match status {
            400 => "bad_request",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            405 => "method_not_allowed",
            408 => "timeout",
            409 => "conflict",
            413 => "payload_too_large",
            429 => "too_many_requests",
            503 => "unavailable",
            _ => "error",
        };
        let body = serde_json::json!({"error": text, "status": word, "message": text});
        assert_eq!(self.expect(status), body);
    }

    /// Status and body, indented, for snapshots.
    pub(crate) fn snapshot(&self) -> String {
        format!("{}\n{:#}\n", self.status.as_u16(), self.json())
    }
}
