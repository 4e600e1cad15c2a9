//! How does a request come in? Its body is read, under a deadline and for callers with a key alone, before it takes one of
//! the places for requests under way: slow senders must not keep others out.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::auth::Caller;
use super::error::{self, ApiError};
use super::extract::MAX_BODY_BYTES;
use super::idempotency;
use crate::app::AppState;
use crate::config::Patience;

/// Most bytes of a request's head: a query of 8 KB in percent-encoding, a key, and what proxies add.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Refuses a longer head than that.
pub(super) async fn within_head(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    if line + request.headers().iter().map(header).sum::<usize>() > MAX_HEAD_BYTES {
        return error::head_too_long(MAX_HEAD_BYTES).into_response();
    }
    next.run(request).await
}

/// Reads the body, and answers a request that was answered before without running it again.
pub(super) async fn take_in(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let has_key =
        request.method() == Method::POST && request.headers().contains_key(idempotency::KEY);
    if request.body().is_end_stream() && !has_key {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let taken = async {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        let body = read(body, app.config.patience.body).await?;
        parts.extensions.insert(caller.clone());
        if has_key {
            return idempotency::answer_once(&app, &caller, parts, body, next).await;
        }
        Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
    };
    taken.await.unwrap_or_else(ApiError::into_response)
}

/// Takes one of the places for requests under way, or says that there is none.
pub(super) async fn if_there_is_room(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match app.slots.try_acquire() {
        Ok(_slot) => next.run(request).await,
        Err(_) => error::unavailable("Too many requests under way").into_response(),
    }
}

/// The same for uploads, which take as long as their bytes do.
pub(super) async fn if_there_is_room_for_an_upload(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match app.upload_slots.try_acquire() {
        Ok(_slot) => next.run(request).await,
        Err(_) => error::unavailable("Too many uploads under way").into_response(),
    }
}

/// The chunks of an upload, until one comes too late: after a pause, or after less than the slowest rate allows.
pub(super) fn paced(
    body: Body,
    patience: &Patience,
) -> BoxStream<'static, Result<Bytes, axum::Error>> {
    let Patience { upload_pause, upload_bytes_per_second, .. } = *patience;
    let began = Instant::now();
    let chunks = body.into_data_stream();
    futures_util::stream::unfold(Some((chunks, 0_u64)), move |state| async move {
        let (mut chunks, n_bytes) = state?;
        let for_bytes = Duration::from_secs(n_bytes / upload_bytes_per_second.max(1));
        let pause = Instant::now() + upload_pause;
        match timeout_at(pause.min(began + upload_pause + for_bytes), chunks.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => {
                let n_bytes = n_bytes + chunk.len() as u64;
                Some((Ok(chunk), Some((chunks, n_bytes))))
            }
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Err(late) => Some((Err(axum::Error::new(late)), None)),
        }
    })
    .boxed()
}

async fn read(body: Body, patience: Duration) -> Result<Bytes, ApiError> {
    match timeout(patience, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(error::too_large(MAX_BODY_BYTES as u64))
        }
        Ok(Err(_)) => Err(error::bad_request("Request body could not be read")),
        Err(_) => Err(error::too_slow()),
    }
}
