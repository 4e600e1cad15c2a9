//! Sessions: conversations with the caller's end users.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use harkback_engine::model::{self, DeletionKind, Extent, MetadataEntry, SessionDeletion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Created, Deleted, Success, Time, created, deleted, success};
use super::error::{ApiError, Errors, Noun, Verb, bad_request, must_be};
use super::extract::{Fields, IgnoredBody, Params, PathId};
use super::idempotency::Keyed;
use super::page::{List, PageParams, PageTokens};
use super::receipts::{deleted_with, extent};
use crate::app::AppState;

/// A session to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewSession {
    /// The caller's own id; made up when absent. `sessionID` is accepted too.
    #[schema(min_length = 1, max_length = 255)]
    id: Option<String>,
    /// The end user, who need not have been created.
    #[schema(rename = "customerUserID", min_length = 1, max_length = 255)]
    customer_user_id: Option<String>,
    /// Free pairs.
    metadata: Option<Vec<Metadata>>,
}

/// One key and value attached to a session.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Metadata {
    #[schema(example = "source")]
    key: String,
    #[schema(example = "web")]
    value: String,
}

impl NewSession {
    fn read(fields: &Fields) -> Result<Self, ApiError> {
        let id = match fields.id("id")? {
            Some(id) => Some(id),
            None => fields.id("sessionID")?,
        };
        let metadata = fields.value("metadata").map(read_metadata).transpose()?;
        Ok(Self { id, customer_user_id: fields.id("customerUserID")?, metadata })
    }
}

fn read_metadata(value: &Value) -> Result<Vec<Metadata>, ApiError> {
    let pairs = Vec::<Metadata>::deserialize(value).ok();
    pairs
        .filter(|it| it.iter().all(|pair| !pair.key.contains('\0') && !pair.value.contains('\0')))
        .ok_or_else(|| must_be("metadata", "a list of objects with a string `key` and `value`"))
}

/// A session.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    id: String,
    /// The account.
    #[serde(rename = "userID")]
    user_id: String,
    /// The account.
    #[serde(rename = "organisationID")]
    organisation_id: String,
    #[serde(rename = "customerUserID")]
    #[schema(required = true)]
    customer_user_id: Option<String>,
    metadata: Vec<Metadata>,
    created_at: Time,
    updated_at: Time,
    #[schema(required = true)]
    deleted_at: Option<Time>,
    #[schema(required = true)]
    ended_at: Option<Time>,
}

impl From<model::Session> for Session {
    fn from(it: model::Session) -> Self {
        let account = it.account_id.0.to_string();
        let pair = |MetadataEntry { key, value }| Metadata { key, value };
        Self {
            id: it.id,
            user_id: account.clone(),
            organisation_id: account,
            customer_user_id: it.customer_user_id,
            metadata: it.metadata.into_iter().map(pair).collect(),
            created_at: Time(it.created_at),
            updated_at: Time(it.updated_at),
            deleted_at: it.deleted_at.map(Time),
            ended_at: it.ended_at.map(Time),
        }
    }
}

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionPage {
    sessions: Vec<Session>,
    #[serde(flatten)]
    page: PageTokens,
}

/// Create a session
#[utoipa::path(
    post,
    path = "/sessions/create",
    operation_id = "create_session",
    tag = "Sessions",
    request_body = NewSession,
    responses((status = 201, description = "The new session", body = Success<Session>), Errors),
)]
pub async fn create_session(
    State(app): State<AppState>,
    caller: Caller,
    keyed: Keyed,
    fields: Fields,
) -> Result<Created<Session>, ApiError> {
    let new = NewSession::read(&fields)?;
    let pair = |Metadata { key, value }| MetadataEntry { key, value };
    let now = app.now();
    let session = model::Session {
        account_id: caller.account_id,
        id: new.id.unwrap_or_else(|| app.new_id().to_string()),
        customer_user_id: new.customer_user_id,
        metadata: new.metadata.unwrap_or_default().into_iter().map(pair).collect(),
        created_at: now,
        updated_at: now,
        ended_at: None,
        deleted_at: None,
    };
    keyed.about(DeletionKind::Session, &session.id);
    let answer = created(Session::from(session.clone()));
    let kept = keyed.keep(&answer);
    let made = app.store.create_session(&session, kept.as_ref()).await;
    made.map_err(|e| Noun::Session.creation_failed(e))?;
    Ok(answer)
}

/// Get a session
///
/// A deleted session is not found.
#[utoipa::path(
    get,
    path = "/sessions/get/{id}",
    operation_id = "get_session",
    tag = "Sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "The session", body = Success<Session>), Errors),
)]
pub async fn get_session(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<Session>>, ApiError> {
    let id = id.of(Noun::Session)?;
    let found = app.store.session(caller.account_id, &id).await?;
    let session = Noun::Session.mine(found, Verb::Access)?;
    if session.deleted_at.is_some() {
        return Err(Noun::Session.not_found());
    }
    Ok(success(session.into()))
}

/// List sessions that are not deleted, newest first
#[utoipa::path(
    get,
    path = "/sessions/list",
    operation_id = "list_sessions",
    tag = "Sessions",
    params(
        ("customerUserID" = Option<String>, Query, description = "Only those of this end user"),
        PageParams,
    ),
    responses((status = 200, description = "A page of sessions", body = Success<SessionPage>), Errors),
)]
pub async fn list_sessions(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<Success<SessionPage>>, ApiError> {
    let user = params.filter_id("customerUserID")?;
    let list =
        List { name: "sessions", account_id: caller.account_id, filters: vec![user.as_deref()] };
    let request = list.request(&app, &params)?;
    let found = app.store.list_sessions(caller.account_id, user.as_deref(), &request).await?;
    Ok(success(SessionPage {
        page: list.tokens(&app, &found),
        sessions: found.items.into_iter().map(Session::from).collect(),
    }))
}

/// Soft-delete a session by setting its `deletedAt` timestamp
///
/// Its messages are no longer listed; with `wipe=true` they are erased for good, with its metadata and the end user's id.
#[utoipa::path(
    delete,
    path = "/sessions/delete/{id}",
    operation_id = "delete_session",
    tag = "Sessions",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("wipe" = Option<bool>, Query, description = "Erase what was said in it too, also in a session that was deleted before"),
    ),
    responses((status = 200, description = "The session is deleted", body = Deleted,
        headers(("X-Receipt-ID" = String, description = "Id of the receipt that says what was deleted"))), Errors),
)]
pub async fn delete_session(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    params: Params,
    _: IgnoredBody,
) -> Result<Response, ApiError> {
    let id = id.of(Noun::Session)?;
    let extent = extent(&params)?;
    let (receipt_id, now) = (app.new_id(), app.now());
    let found = app.store.delete_session(caller.account_id, &id, extent, receipt_id, now).await?;
    match Noun::Session.mine(found, Verb::Delete)? {
        SessionDeletion::Done(receipt) => Ok(deleted_with(&receipt, Noun::Session).into_response()),
        // Whose answer was lost asks again; there is nothing left, as was wanted.
        SessionDeletion::DoneBefore if extent == Extent::Everything => {
            let receipt = app.store.last_receipt(caller.account_id, DeletionKind::Session, &id);
            Ok(match receipt.await? {
                Some(receipt) => deleted_with(&receipt, Noun::Session).into_response(),
                None => deleted(Noun::Session).into_response(),
            })
        }
        SessionDeletion::DoneBefore => Err(bad_request("Session already deleted")),
    }
}
