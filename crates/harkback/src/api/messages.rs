//! Messages: the turns of conversations.

use axum::Json;
use axum::extract::State;
use harkback_engine::model::{self, DeletionKind, MessageFilter, MessagePlace, Role};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Created, Deleted, Success, Time, created, success};
use super::error::{ApiError, Errors, Noun, Verb, bad_request, required};
use super::extract::{Fields, IgnoredBody, Params, PathId};
use super::idempotency::Keyed;
use super::page::{List, PageParams, PageTokens};
use super::receipts::{WithReceipt, deleted_with};
use crate::app::AppState;

const ROLES: &str = "one of norole, system, assistant, user, function, tool";

/// A message to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewMessage {
    /// Who speaks.
    #[schema(value_type = RoleName)]
    role: Role,
    /// The words.
    #[schema(min_length = 1, example = "When can I see Dr Reyes?")]
    content: String,
    /// The session it belongs to.
    #[schema(rename = "sessionID", min_length = 1, max_length = 255)]
    session_id: Option<String>,
    /// The end user; the session's when absent.
    #[schema(rename = "customerUserID", min_length = 1, max_length = 255)]
    customer_user_id: Option<String>,
    /// The caller's own id; made up when absent.
    #[schema(min_length = 1, max_length = 255)]
    id: Option<String>,
}

impl NewMessage {
    fn read(fields: &Fields) -> Result<Self, ApiError> {
        Ok(Self {
            role: fields.choice("role", Role::parse, ROLES)?.ok_or_else(|| required("role"))?,
            content: fields.required_text("content")?,
            session_id: fields.id("sessionID")?,
            customer_user_id: fields.id("customerUserID")?,
            id: fields.id("id")?,
        })
    }
}

/// Who speaks.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum RoleName {
    /// No role given.
    NoRole,
    /// The system prompt.
    System,
    /// The agent.
    Assistant,
    /// The end user.
    User,
    /// A function's result.
    Function,
    /// A tool's result.
    Tool,
}

/// A message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    id: String,
    #[serde(rename = "sessionID")]
    #[schema(required = true)]
    session_id: Option<String>,
    #[schema(value_type = RoleName)]
    role: &'static str,
    content: String,
    /// The account.
    #[serde(rename = "userID")]
    user_id: String,
    #[serde(rename = "customerUserID")]
    #[schema(required = true)]
    customer_user_id: Option<String>,
    created_at: Time,
    updated_at: Time,
}

impl From<model::Message> for Message {
    fn from(it: model::Message) -> Self {
        Self {
            id: it.id,
            session_id: it.session_id,
            role: it.role.as_str(),
            content: it.content,
            user_id: it.account_id.0.to_string(),
            customer_user_id: it.customer_user_id,
            created_at: Time(it.created_at),
            updated_at: Time(it.updated_at),
        }
    }
}

/// A page of messages under `data`, and the same keys at the top.
#[derive(Debug, Serialize, ToSchema)]
pub struct Messages {
    #[schema(example = "success")]
    status: &'static str,
    #[serde(flatten)]
    page: MessagePage,
    data: MessagePage,
}

/// A page of messages.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    messages: Vec<Message>,
    #[serde(flatten)]
    page: PageTokens,
    /// Messages on all pages.
    total_count: u64,
}

/// Create a message
#[utoipa::path(
    post,
    path = "/messages/create",
    operation_id = "create_message",
    tag = "Messages",
    request_body = NewMessage,
    responses((status = 201, description = "The new message", body = Success<Message>), Errors),
)]
pub async fn create_message(
    State(app): State<AppState>,
    caller: Caller,
    keyed: Keyed,
    fields: Fields,
) -> Result<Created<Message>, ApiError> {
    let new = NewMessage::read(&fields)?;
    let now = app.now();
    let message = model::Message {
        account_id: caller.account_id,
        id: new.id.unwrap_or_else(|| app.new_id().to_string()),
        session_id: new.session_id,
        customer_user_id: new.customer_user_id,
        role: new.role,
        content: new.content,
        created_at: now,
        updated_at: now,
    };
    keyed.about(DeletionKind::Message, &message.id);
    let kept = |it: &model::Message| keyed.keep(&created(Message::from(it.clone())));
    let place = app.store.create_message(&message, kept).await;
    let place = place.map_err(|e| Noun::Message.creation_failed(e))?;
    match Noun::Session.mine(place, Verb::Access)? {
        MessagePlace::Stored(message) => Ok(created(message.into())),
        MessagePlace::SessionDeleted => Err(bad_request("Session already deleted")),
    }
}

/// Get a message
///
/// That of a deleted session is not found.
#[utoipa::path(
    get,
    path = "/messages/get/{id}",
    operation_id = "get_message",
    tag = "Messages",
    params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "The message", body = Success<Message>), Errors),
)]
pub async fn get_message(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<Message>>, ApiError> {
    let id = id.of(Noun::Message)?;
    let found = app.store.message(caller.account_id, &id).await?;
    Ok(success(Noun::Message.mine(found, Verb::Access)?.into()))
}

/// List messages, newest first
///
/// Messages of deleted sessions are left out.
#[utoipa::path(
    get,
    path = "/messages/list",
    operation_id = "list_messages",
    tag = "Messages",
    params(
        ("sessionID" = Option<String>, Query, description = "Only those of this session"),
        ("customerUserID" = Option<String>, Query, description = "Only those of this end user"),
        ("role" = Option<RoleName>, Query, description = "Only those of this role"),
        PageParams,
    ),
    responses((status = 200, description = "A page of messages", body = Messages), Errors),
)]
pub async fn list_messages(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<Messages>, ApiError> {
    let filter = MessageFilter {
        session_id: params.filter_id("sessionID")?,
        customer_user_id: params.filter_id("customerUserID")?,
        role: params.filter_choice("role", Role::parse, ROLES)?,
    };
    let list = List {
        name: "messages",
        account_id: caller.account_id,
        filters: vec![
            filter.session_id.as_deref(),
            filter.customer_user_id.as_deref(),
            filter.role.map(Role::as_str),
        ],
    };
    let request = list.request(&app, &params)?;
    let (found, total_count) =
        app.store.list_messages(caller.account_id, &filter, &request).await?;
    let page = MessagePage {
        page: list.tokens(&app, &found),
        messages: found.items.into_iter().map(Message::from).collect(),
        total_count,
    };
    Ok(Json(Messages { status: "success", page: page.clone(), data: page }))
}

/// Delete a message
#[utoipa::path(
    delete,
    path = "/messages/delete/{id}",
    operation_id = "delete_message",
    tag = "Messages",
    params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "The message is deleted", body = Deleted,
        headers(("X-Receipt-ID" = String, description = "Id of the receipt that says what was deleted"))), Errors),
)]
pub async fn delete_message(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    _: IgnoredBody,
) -> Result<WithReceipt<Deleted>, ApiError> {
    let id = id.of(Noun::Message)?;
    let (receipt_id, now) = (app.new_id(), app.now());
    let found = app.store.delete_message(caller.account_id, &id, receipt_id, now).await?;
    Ok(deleted_with(&Noun::Message.mine(found, Verb::Delete)?, Noun::Message))
}
