//! Deliveries: what became of the events that were sent to the account's webhooks, and sending one again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use harkback_engine::model::{DeletionKind, Delivery, DeliveryState};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Caller;
use super::envelope::{Success, Time, success};
use super::error::{ApiError, Errors, Noun, Verb, internal};
use super::extract::{IgnoredBody, Params, PathId};
use super::idempotency::Keyed;
use super::memories::find_memory;
use super::page::{List, PageParams, PageTokens};
use crate::app::{App, AppState};

/// One event on its way to a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryBody {
    /// What the receiver sees as `webhook-id`.
    id: String,
    #[serde(rename = "memoryID")]
    memory_id: String,
    /// Order within the memory, from 1.
    number: i64,
    url: String,
    /// `pending`, `delivered`, or `dead`: given up after the last try, or refused.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Tries since it was put into the outbox.
    attempts: i64,
    /// HTTP status that the last try was answered.
    #[schema(required = true)]
    last_status: Option<i64>,
    /// What went wrong in the last try.
    #[schema(required = true)]
    last_error: Option<String>,
    /// Of a pending one, when it is tried next.
    #[schema(required = true)]
    next_attempt_at: Option<Time>,
    /// When the event happened.
    created_at: Time,
    #[schema(required = true)]
    delivered_at: Option<Time>,
    /// The JSON that is sent.
    #[schema(value_type = Object)]
    body: Value,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    deliveries: Vec<DeliveryBody>,
    #[serde(flatten)]
    page: PageTokens,
}

impl DeliveryBody {
    fn of(it: Delivery) -> Result<Self, ApiError> {
        let is_pending = it.state == DeliveryState::Pending;
        Ok(Self {
            id: it.delivery_id.to_string(),
            memory_id: it.memory_id.0.to_string(),
            number: it.seq,
            url: it.url,
            state: it.state.as_str(),
            attempts: it.attempt,
            last_status: it.last_status,
            last_error: it.last_error,
            next_attempt_at: is_pending.then_some(Time(it.next_at)),
            created_at: Time(it.created_at),
            delivered_at: it.delivered_at.map(Time),
            body: serde_json::from_str(&it.body).map_err(internal)?,
        })
    }
}

/// List webhook deliveries, newest first
///
/// `state=dead` lists those that were given up. Deliveries go with their memory when it is deleted.
#[utoipa::path(
    get,
    path = "/deliveries/list",
    operation_id = "list_deliveries",
    tag = "Webhooks",
    params(
        ("memoryID" = Option<String>, Query, description = "Only those of this memory"),
        ("state" = Option<String>, Query, description = "Only those that are `pending`, `delivered` or `dead`"),
        PageParams,
    ),
    responses((status = 200, description = "A page of deliveries", body = Success<DeliveryPage>), Errors),
)]
pub async fn list_deliveries(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<Success<DeliveryPage>>, ApiError> {
    let memory_id = params.filter_id("memoryID")?;
    let state =
        params.filter_choice("state", DeliveryState::parse, "pending, delivered or dead")?;
    let list = List {
        name: "deliveries",
        account_id: caller.account_id,
        filters: vec![memory_id.as_deref(), state.map(DeliveryState::as_str)],
    };
    let request = list.request(&app, &params)?;
    let memory = match &memory_id {
        None => None,
        Some(id) => Some(find_memory(&app, &caller, id, Verb::Access).await?.memory_id),
    };
    let page = app.store.list_deliveries(caller.account_id, memory, state, &request).await?;
    let tokens = list.tokens(&app, &page);
    let deliveries = page.items.into_iter().map(DeliveryBody::of).collect::<Result<_, _>>()?;
    Ok(success(DeliveryPage { deliveries, page: tokens }))
}

/// Get a webhook delivery
#[utoipa::path(
    get,
    path = "/deliveries/get/{id}",
    operation_id = "get_delivery",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = Success<DeliveryBody>), Errors),
)]
pub async fn get_delivery(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<DeliveryBody>>, ApiError> {
    let found = find_delivery(&app, &caller, id, Verb::Access).await?;
    Ok(success(DeliveryBody::of(found)?))
}

/// Send a webhook delivery again, now
///
/// Whether it is dead, was delivered or waits for its next try: it keeps its id and its body and has all its tries anew.
#[utoipa::path(
    post,
    path = "/deliveries/redeliver/{id}",
    operation_id = "redeliver_delivery",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery, due now", body = Success<DeliveryBody>), Errors),
)]
pub async fn redeliver(
    State(app): State<AppState>,
    caller: Caller,
    keyed: Keyed,
    id: PathId,
    _: IgnoredBody,
) -> Result<Json<Success<DeliveryBody>>, ApiError> {
    let found = find_delivery(&app, &caller, id, Verb::Update).await?;
    // Deliveries go with their memory.
    keyed.about(DeletionKind::Memory, &found.memory_id.0.to_string());
    let kept = |it: &Delivery| {
        let body = DeliveryBody::of(it.clone()).ok()?;
        keyed.keep(&(StatusCode::OK, success(body)))
    };
    let due = app.store.resend_delivery(found.delivery_id, app.now(), kept).await?;
    Ok(success(DeliveryBody::of(due.ok_or_else(|| Noun::Delivery.not_found())?)?))
}

async fn find_delivery(
    app: &App,
    caller: &Caller,
    id: PathId,
    verb: Verb,
) -> Result<Delivery, ApiError> {
    let id = id.of(Noun::Delivery)?;
    let id = Uuid::parse_str(&id).map_err(|_| Noun::Delivery.not_found())?;
    Noun::Delivery.mine(app.store.delivery(caller.account_id, id).await?, verb)
}
