//! How does a request fail? One body for every error, built by the functions below.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use harkback_engine::Error;
use harkback_engine::model::Owned;
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// An error as the caller sees it.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after_seconds: Option<u64>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
    executed: Option<Executed>,
}

/// Marks an answer of a request that was carried out as far as it could be: it is kept under an idempotency key, while a
/// refusal of what was sent leaves the key free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Executed;

/// Body of every error.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    #[schema(example = "Session not found")]
    error: Cow<'static, str>,
    /// The kind of error.
    #[schema(example = "bad_request")]
    status: &'static str,
    /// The same text as `error`.
    #[schema(example = "Session not found")]
    message: Cow<'static, str>,
}

/// 400: the request cannot be accepted as it is.
pub fn bad_request(message: impl Into<Cow<'static, str>>) -> ApiError {
    error(StatusCode::BAD_REQUEST, message)
}

/// 400: a field that must be there is missing, null or blank.
pub fn required(field: &str) -> ApiError {
    bad_request(format!("{field} is required"))
}

/// 400: a field has a value that it cannot have.
pub fn must_be(field: &str, what: &str) -> ApiError {
    bad_request(format!("{field} must be {what}"))
}

/// 400: a field is fixed from the start.
pub fn unchangeable(field: &str) -> ApiError {
    bad_request(format!("{field} cannot be changed"))
}

/// 401: no key.
pub fn unauthorized() -> ApiError {
    error(StatusCode::UNAUTHORIZED, "API key is required")
}

/// 403: not for this caller.
pub fn forbidden(message: impl Into<Cow<'static, str>>) -> ApiError {
    error(StatusCode::FORBIDDEN, message)
}

/// 404: no such route.
pub fn no_route() -> ApiError {
    error(StatusCode::NOT_FOUND, "Route not found")
}

/// 405: the route has no such method.
pub fn wrong_method() -> ApiError {
    error(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// 408: the body came too slowly.
pub fn too_slow() -> ApiError {
    error(StatusCode::REQUEST_TIMEOUT, "Request body took too long")
}

/// 409: another request is in the way; worth trying again.
pub fn conflict(message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError { retry_after_seconds: Some(1), ..error(StatusCode::CONFLICT, message) }
}

/// 413: more bytes than allowed.
pub fn too_large(max_bytes: u64) -> ApiError {
    error(StatusCode::PAYLOAD_TOO_LARGE, format!("Request body must be at most {max_bytes} bytes"))
}

/// 431: a longer head than is read.
pub fn head_too_long(max_bytes: usize) -> ApiError {
    let message = format!("Request line and headers must be at most {max_bytes} bytes");
    error(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
}

/// 429: more requests than the key may make.
pub fn too_many_requests(retry_after_seconds: u64) -> ApiError {
    ApiError {
        retry_after_seconds: Some(retry_after_seconds),
        ..error(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
    }
}

/// 503: the server cannot take or end this request now.
pub fn unavailable(message: &'static str) -> ApiError {
    ApiError { retry_after_seconds: Some(1), ..error(StatusCode::SERVICE_UNAVAILABLE, message) }
}

/// 500: a fault of ours. The caller learns nothing; the cause goes to the log.
pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> ApiError {
    ApiError {
        cause: Some(cause.into()),
        executed: Some(Executed),
        ..error(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }
}

fn error(status: StatusCode, message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError {
        status,
        message: message.into(),
        retry_after_seconds: None,
        cause: None,
        executed: None,
    }
}

/// The same error, of a request that was carried out.
fn executed(error: ApiError) -> ApiError {
    ApiError { executed: Some(Executed), ..error }
}

/// The resources, as messages name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A memory.
    Memory,
    /// A file.
    File,
    /// A user.
    User,
    /// A session.
    Session,
    /// A message.
    Message,
    /// A receipt.
    Receipt,
    /// A webhook delivery.
    Delivery,
}

impl Noun {
    /// With a capital, as a sentence begins.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "Memory",
            Self::File => "File",
            Self::User => "User",
            Self::Session => "Session",
            Self::Message => "Message",
            Self::Receipt => "Receipt",
            Self::Delivery => "Delivery",
        }
    }

    /// 400: no account has it.
    pub fn not_found(self) -> ApiError {
        executed(bad_request(format!("{} not found", self.name())))
    }

    /// 400: the account has one of this id.
    pub fn already_exists(self) -> ApiError {
        executed(bad_request(format!("{} already exists", self.name())))
    }

    /// 403: another account's.
    pub fn not_authorized(self, verb: Verb) -> ApiError {
        let noun = self.name().to_lowercase();
        executed(forbidden(format!("Not authorized to {} this {noun}", verb.name())))
    }

    /// The record, if it is the caller's own.
    ///
    /// # Errors
    /// 403 if it is another account's, 400 if it is no one's.
    pub fn mine<T>(self, found: Owned<T>, verb: Verb) -> Result<T, ApiError> {
        match found {
            Owned::Mine(it) => Ok(it),
            Owned::Foreign => Err(self.not_authorized(verb)),
            Owned::Absent => Err(self.not_found()),
        }
    }

    /// The error of a create call: a duplicate id is the caller's fault.
    pub fn creation_failed(self, error: Error) -> ApiError {
        if matches!(error, Error::AlreadyExists) { self.already_exists() } else { error.into() }
    }
}

/// What a caller wants to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Look at it or use it.
    Access,
    /// Change it.
    Update,
    /// Delete it.
    Delete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::BadInput(message) => bad_request(message),
            Error::Busy => unavailable("Too many questions under way"),
            other => internal(other),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(error.chain = %chain(cause.as_ref()), "request failed");
        }
        let body = ErrorBody {
            error: self.message.clone(),
            status: word(self.status),
            message: self.message,
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(executed) = self.executed {
            response.extensions_mut().insert(executed);
        }
        response
    }
}

/// The `status` word of an HTTP status.
fn word(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "bad_request",
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::REQUEST_TIMEOUT => "timeout",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "head_too_long",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "error",
    }
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The errors that any route for callers with a key may answer, for the API document.
pub struct Errors;

/// Those of an upload, which its URL allows.
pub struct UploadErrors;

/// Those of the routes that anybody may ask.
pub struct PublicErrors;

const DOCUMENTED: [(u16, &str); 12] = [
    (400, "The request cannot be accepted as it is; `error` says why"),
    (401, "No API key"),
    (403, "Unknown or revoked API key, or another account's record"),
    (404, "No such route"),
    (405, "The route has no such method"),
    (408, "The body came too slowly"),
    (409, "Another request is in the way; see `Retry-After`"),
    (413, "The body is too large"),
    (429, "More requests than the key may make; see `Retry-After`"),
    (431, "Request line and headers are too long"),
    (500, "A fault of the server"),
    (503, "The server cannot take the request now; see `Retry-After`"),
];

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        documented(|_| true)
    }
}

impl IntoResponses for UploadErrors {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        documented(|status| !matches!(status, 401 | 408 | 409 | 429))
    }
}

impl IntoResponses for PublicErrors {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        documented(|status| matches!(status, 405 | 431 | 500 | 503))
    }
}

fn documented(is_meant: fn(u16) -> bool) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    let response = |description: &str| {
        ResponseBuilder::new()
            .description(description)
            .content("application/json", content())
            .build()
    };
    let meant = DOCUMENTED.iter().filter(|(status, _)| is_meant(*status));
    meant.map(|(status, what)| (status.to_string(), RefOr::T(response(what)))).collect()
}
