//! Is the server alive, can it answer, and how is it doing?

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, PublicErrors, unavailable};
use crate::app::AppState;
use crate::telemetry;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "Operations",
    security(()),
    responses((status = 200, description = "It does", body = Health), PublicErrors),
)]
pub async fn get_health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests can be answered now
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "Operations",
    security(()),
    responses((status = 200, description = "They can", body = Health), PublicErrors),
)]
pub async fn get_readiness(State(app): State<AppState>) -> Result<Json<Health>, ApiError> {
    if app.ending.is_cancelled() {
        return Err(unavailable("Server is shutting down"));
    }
    app.store.check().await?;
    Ok(Json(Health { status: "ok" }))
}

/// Numbers for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "Operations",
    security(()),
    responses((status = 200, description = "The numbers", body = String, content_type = "text/plain"), PublicErrors),
)]
pub async fn get_metrics(State(app): State<AppState>) -> Result<Response, ApiError> {
    telemetry::observe_ingestions(&app).await?;
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((content_type, telemetry::prometheus().render()).into_response())
}
