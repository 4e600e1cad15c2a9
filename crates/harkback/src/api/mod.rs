//! Which routes are there, and what happens around each of them?

pub mod auth;
mod connections;
pub mod deliveries;
pub mod envelope;
pub mod error;
pub mod explanation;
pub mod export;
pub mod extract;
pub mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod health;
pub mod idempotency;
mod intake;
pub mod memories;
pub mod memory;
pub mod messages;
mod openapi;
pub mod page;
mod peers;
pub mod receipts;
pub mod samples;
pub mod sessions;
pub mod uploads;
pub mod users;

use std::any::Any;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::Uri;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use tower::Layer;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::telemetry;

pub use connections::{listen, raise_open_files, serve};

/// Every route that answers within the time limit.
fn resources() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(memory::query_memory))
        .routes(routes!(memories::create_memory))
        .routes(routes!(memories::get_memory))
        .routes(routes!(memories::list_memories))
        .routes(routes!(memories::update_memory))
        .routes(routes!(memories::delete_memory))
        .routes(routes!(samples::add_files))
        .routes(routes!(samples::delete_file_from_memory))
        .routes(routes!(samples::start_ingestion))
        .routes(routes!(uploads::create_upload))
        .routes(routes!(files::create_file))
        .routes(routes!(files::get_file))
        .routes(routes!(files::list_files))
        .routes(routes!(files::update_file))
        .routes(routes!(files::delete_file))
        .routes(routes!(users::create_user))
        .routes(routes!(users::get_user))
        .routes(routes!(users::list_users))
        .routes(routes!(users::delete_user))
        .routes(routes!(sessions::create_session))
        .routes(routes!(sessions::get_session))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::delete_session))
        .routes(routes!(messages::create_message))
        .routes(routes!(messages::get_message))
        .routes(routes!(messages::list_messages))
        .routes(routes!(messages::delete_message))
        .routes(routes!(receipts::get_receipt))
        .routes(routes!(receipts::list_receipts))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::get_delivery))
        .routes(routes!(deliveries::redeliver))
        // Without an id these answer that it is required, not that there is no such route.
        .route("/memories/get", get(memories::get_memory))
        .route("/memories/update", patch(memories::update_memory))
        .route("/memories/delete", delete(memories::delete_memory))
        .route("/files/get", get(files::get_file))
        .route("/files/update", patch(files::update_file))
        .route("/files/delete", delete(files::delete_file))
        .route("/users/get", get(users::get_user))
        .route("/users/delete", delete(users::delete_user))
        .route("/sessions/get", get(sessions::get_session))
        .route("/sessions/delete", delete(sessions::delete_session))
        .route("/messages/get", get(messages::get_message))
        .route("/messages/delete", delete(messages::delete_message))
        .route("/receipts/get", get(receipts::get_receipt))
        .route("/deliveries/get", get(deliveries::get_delivery))
        .route("/deliveries/redeliver", post(deliveries::redeliver))
}

/// What operators ask: answered also when the server is full.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_readiness))
        .routes(routes!(health::get_metrics))
        .route("/docs", get(openapi::get_docs))
        .route("/docs/{file}", get(openapi::get_docs_file))
}

/// Every route that takes as long as its body does.
fn transfers() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(export::export_memory))
        .route("/uploads/{*key}", put(uploads::put_upload))
}

/// The whole API, ready to be served.
pub fn router(app: &AppState) -> Router {
    telemetry::prometheus();
    let resources = resources()
        .layer(from_fn_with_state(Arc::clone(app), intake::if_there_is_room))
        .layer(from_fn_with_state(Arc::clone(app), intake::take_in))
        .merge(operations())
        .layer(from_fn_with_state(Arc::clone(app), within_time))
        .layer(DefaultBodyLimit::max(extract::MAX_BODY_BYTES));
    let transfers = transfers()
        .layer(from_fn_with_state(Arc::clone(app), intake::if_there_is_room_for_an_upload));
    let (routes, document) = resources.merge(transfers).split_for_parts();
    let document = openapi::finished(document);
    let inner = routes
        .route("/openapi.json", get(async move || Json(document.clone())))
        .fallback(async || error::no_route())
        .method_not_allowed_fallback(async || error::wrong_method())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(intake::within_head))
        .layer(from_fn_with_state(Arc::clone(app), telemetry::observe))
        .with_state(Arc::clone(app));
    Router::new().fallback_service(MapRequestLayer::new(without_trailing_slash).layer(inner))
}

/// The OpenAPI document of [`router`].
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::finished(resources().merge(operations()).merge(transfers()).into_openapi())
}

/// Every route answers with and without a trailing slash, directly.
fn without_trailing_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() {
        return request;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = Uri::try_from(target) {
        *request.uri_mut() = uri;
    }
    request
}

async fn within_time(State(app): State<AppState>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.config.timeout(), next.run(request)).await {
        Ok(response) => response,
        Err(_) => error::unavailable("Request took too long").into_response(),
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|it| (*it).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned());
    error::internal(format!("panic: {text}")).into_response()
}
