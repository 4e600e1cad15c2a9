//! What does a POST answer that is sent again with the same `Idempotency-Key`? What it answered first, without being run
//! again. The answer of a create is stored in the transaction of what it makes, so a crash leaves both or neither; the
//! other POSTs can be run twice without harm.

use std::collections::HashSet;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use harkback_engine::model::{AccountId, DeletionKind, Kept, KeptAnswer, Micros};
use http_body_util::BodyExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::auth::Caller;
use super::envelope::Created;
use super::error::{ApiError, Executed, bad_request, conflict, internal, must_be};
use super::extract::checked_id;
use super::panicked;
use crate::app::{App, AppState};

/// The request header.
pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// How long an answer is kept.
pub(crate) const KEPT: Micros = 24 * 3600 * 1_000_000;

/// Keys whose first request is under way.
pub(crate) type Turns = Mutex<HashSet<(AccountId, String)>>;

/// The key of a request and where its answer is kept; nothing in a request without one.
#[derive(Clone, Debug, Default)]
pub struct Keyed(Option<Arc<Place>>);

#[derive(Debug)]
struct Place {
    account_id: AccountId,
    key: String,
    fingerprint: Vec<u8>,
    now: Micros,
    subject: OnceLock<(DeletionKind, String)>,
    /// Whether the handler had the answer stored together with what it made.
    is_stored: AtomicBool,
}

impl Keyed {
    /// Says which record the request is about, by the id that callers know: the deletion of the record takes the answer.
    /// To be said before [`keep`](Self::keep), and before anything can fail that the answer tells.
    pub fn about(&self, kind: DeletionKind, id: &str) {
        if let Some(place) = &self.0 {
            place.subject.get_or_init(|| (kind, id.to_owned()));
        }
    }

    /// The answer to be stored in the transaction of what the request makes, if it has a key.
    pub fn keep<T: Serialize>(&self, (status, body): &Created<T>) -> Option<KeptAnswer> {
        let place = self.0.as_ref()?;
        let body = serde_json::to_vec(&body.0).expect("answers are plain data");
        place.is_stored.store(true, Ordering::SeqCst);
        Some(place.answer(*status, body))
    }
}

impl Place {
    fn answer(&self, status: StatusCode, body: Vec<u8>) -> KeptAnswer {
        KeptAnswer {
            account_id: self.account_id,
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            status: status.as_u16(),
            body,
            subject: self.subject.get().cloned(),
            created_at: self.now,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Keyed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The answer that is kept under the request's key, or that of the request itself.
///
/// # Errors
/// 400 if the key cannot be one, was another request's, or was of something that is deleted now; 409 while its first request is under way.
pub(super) async fn answer_once(
    app: &AppState,
    caller: &Caller,
    mut parts: Parts,
    body: Bytes,
    next: Next,
) -> Result<Response, ApiError> {
    let key = key(&parts.headers)?;
    let fingerprint = fingerprint(&parts, &body);
    let Some(turn) = Turn::take(app, caller.account_id, &key) else {
        return Err(conflict("A request with this Idempotency-Key is under way"));
    };
    let now = app.now();
    match app.store.kept_answer(caller.account_id, &key, now - KEPT).await? {
        None => {}
        Some(Kept::Answer(kept)) if kept.fingerprint == fingerprint => return replay(kept),
        Some(Kept::Answer(_)) => {
            return Err(bad_request("Idempotency-Key was used before with another request"));
        }
        Some(Kept::Erased) => {
            return Err(bad_request(
                "Idempotency-Key was used before, for something that is deleted now",
            ));
        }
    }
    let place = Arc::new(Place {
        account_id: caller.account_id,
        key,
        fingerprint,
        now,
        subject: OnceLock::new(),
        is_stored: AtomicBool::new(false),
    });
    parts.extensions.insert(Keyed(Some(Arc::clone(&place))));
    let request = Request::from_parts(parts, Body::from(body));
    let (sender, answered) = oneshot::channel();
    // On its own, so that a caller who hangs up does not stop it between what it does and what it answers.
    let run = run(Arc::clone(app), place, request, next, turn);
    app.spawn(async move { _ = sender.send(run.await) }.in_current_span());
    answered.await.map_err(internal)?
}

async fn run(
    app: AppState,
    place: Arc<Place>,
    request: Request,
    next: Next,
    turn: Turn,
) -> Result<Response, ApiError> {
    let response =
        AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(panicked);
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(internal)?.to_bytes();
    let is_success = parts.status.is_success();
    let was_executed = is_success || parts.extensions.get::<Executed>().is_some();
    let is_stored = is_success && place.is_stored.load(Ordering::SeqCst);
    if was_executed && !is_stored {
        app.store.keep_answer(&place.answer(parts.status, body.to_vec())).await?;
    }
    drop(turn);
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replay(kept: KeptAnswer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(kept.status).map_err(internal)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    Ok((status, headers, kept.body).into_response())
}

fn key(headers: &HeaderMap) -> Result<String, ApiError> {
    let mut given = headers.get_all(KEY).iter();
    let bytes = given.next().map(HeaderValue::as_bytes).unwrap_or_default();
    if given.any(|it| it != bytes) {
        return Err(must_be("Idempotency-Key", "given once"));
    }
    checked_id("Idempotency-Key", &String::from_utf8_lossy(bytes))
}

/// What makes two requests the same: method, path, query and body, byte by byte.
fn fingerprint(parts: &Parts, body: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    let target = parts.uri.path_and_query().map_or("", |it| it.as_str());
    for part in [parts.method.as_str().as_bytes(), target.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The right to run the request of a key, given back when it is dropped.
struct Turn {
    app: Arc<App>,
    of: (AccountId, String),
}

impl Turn {
    fn take(app: &AppState, account_id: AccountId, key: &str) -> Option<Self> {
        let of = (account_id, key.to_owned());
        let mut turns = app.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.insert(of.clone()).then(|| Self { app: Arc::clone(app), of })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.of);
    }
}
