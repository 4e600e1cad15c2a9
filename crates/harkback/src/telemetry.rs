//! What does the server tell about itself? JSON log lines with dotted fields, and numbers for Prometheus. Never the
//! content of documents or messages, never keys, never the text of a query.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use harkback_engine::model::IngestionStatus;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing_subscriber::EnvFilter;

use crate::app::{App, AppState};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_LEN: usize = 128;
const FOLD_INTERVAL: Duration = Duration::from_secs(5);

/// From 250 µs, as a session call takes, to 10 s.
const SECONDS: [f64; 15] = [
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts to write log lines to standard error. A second call changes nothing.
///
/// # Errors
/// If the filter cannot be understood.
pub fn init_logs(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = filter.parse::<EnvFilter>()?;
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    if started.is_err() {
        tracing::debug!("logs are set up already");
    }
    Ok(())
}

/// The process's numbers, collected from the first call on.
pub fn prometheus() -> &'static PrometheusHandle {
    PROMETHEUS.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .and_then(PrometheusBuilder::install_recorder)
            .expect("the buckets are not empty, and this is the only recorder of the process")
    })
}

/// Folds the recorded durations into their buckets until the program ends: they would pile up where nobody asks for the
/// numbers.
pub(crate) async fn fold_durations(ending: CancellationToken) {
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(FOLD_INTERVAL) => prometheus().run_upkeep(),
        }
    }
}

/// Brings the numbers of ingestions up to date: what was taken in, by this process, and how those under way are doing.
///
/// # Errors
/// If the database fails.
pub(crate) async fn observe_ingestions(app: &App) -> harkback_engine::Result<()> {
    let intake = app.memory.take_intake();
    for (how, n) in
        [("embedded", intake.n_embedded), ("reused", intake.n_reused), ("none", intake.n_lexical)]
    {
        metrics::counter!("harkback_passages_ingested_total", "vector" => how).increment(n);
    }
    let (now, mut rate, mut eta, mut n_unknown) = (app.now(), 0.0, 0, 0);
    let (mut n_pending, mut n_processing) = (0, 0);
    for (ingestion, bytes) in app.store.open_ingestions().await? {
        if ingestion.status == IngestionStatus::Pending {
            n_pending += 1;
            continue;
        }
        n_processing += 1;
        rate += ingestion.passages_per_second(now).unwrap_or(0.0);
        match ingestion.eta_seconds(bytes, now) {
            Some(seconds) => eta = eta.max(seconds),
            None => n_unknown += 1,
        }
    }
    for (state, n) in [("pending", n_pending), ("processing", n_processing)] {
        metrics::gauge!("harkback_ingestions", "state" => state).set(f64::from(n));
    }
    metrics::gauge!("harkback_ingestions_without_eta").set(f64::from(n_unknown));
    metrics::gauge!("harkback_ingestion_passages_per_second").set(rate);
    metrics::gauge!("harkback_ingestion_eta_seconds").set(eta as f64);
    Ok(())
}

/// Gives a request its id, runs it in a span, counts it and writes one line about it.
pub(crate) async fn observe(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => "unknown".to_owned(),
    };
    let request_id = request_id(&request).unwrap_or_else(|| app.new_id().to_string());
    let span = tracing::info_span!("request", request.id = %request_id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed = began.elapsed();
    let status = response.status();
    span.in_scope(|| {
        tracing::info!(
            http.method = %method,
            http.route = %route,
            http.status = status.as_u16(),
            elapsed_ms = elapsed.as_secs_f64() * 1e3,
            "request answered"
        );
    });
    count(method.as_str(), route, status, elapsed.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A caller's own id, if it is short and plain enough to be logged and sent back.
fn request_id(request: &Request) -> Option<String> {
    let given = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.:".contains(&it);
    (!given.is_empty() && given.len() <= MAX_REQUEST_ID_LEN && given.bytes().all(plain))
        .then(|| given.to_owned())
}

fn count(method: &str, route: String, status: StatusCode, seconds: f64) {
    let method = match method {
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" => method.to_owned(),
        _ => "other".to_owned(),
    };
    let labels = [("route", route), ("method", method)];
    metrics::histogram!("harkback_http_request_duration_seconds", &labels).record(seconds);
    let [route, method] = labels;
    let labels = [route, method, ("status", status.as_u16().to_string())];
    metrics::counter!("harkback_http_requests_total", &labels).increment(1);
}
