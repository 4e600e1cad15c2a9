//! What do answers look like around their data?

use axum::Json;
use axum::http::StatusCode;
use harkback_engine::model::Micros;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::error::Noun;

/// Around what was made or found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Success<T> {
    #[schema(example = "success")]
    status: &'static str,
    data: T,
}

/// After something was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    #[schema(example = "success")]
    status: &'static str,
    #[schema(example = "Session deleted successfully")]
    message: String,
}

/// The answer of a create call.
pub type Created<T> = (StatusCode, Json<Success<T>>);

/// 201 with what was made.
pub fn created<T>(data: T) -> Created<T> {
    (StatusCode::CREATED, success(data))
}

/// 200 with what was found.
pub fn success<T>(data: T) -> Json<Success<T>> {
    Json(Success { status: "success", data })
}

/// 200 after something was deleted.
pub fn deleted(noun: Noun) -> Json<Deleted> {
    Json(Deleted { status: "success", message: format!("{} deleted successfully", noun.name()) })
}

/// A time on the wire: ISO-8601, UTC, milliseconds, `Z`.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
pub struct Time(pub Micros);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::from_microsecond(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}
