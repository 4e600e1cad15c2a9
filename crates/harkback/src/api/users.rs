//! Users: the caller's end users.

use axum::Json;
use axum::extract::State;
use harkback_engine::model::{DeletionKind, EndUser, Extent, Owned};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Created, Deleted, Success, Time, created, success};
use super::error::{ApiError, Errors, Noun, Verb};
use super::extract::{Fields, IgnoredBody, Params, PathId};
use super::idempotency::Keyed;
use super::page::{List, PageParams, PageTokens};
use super::receipts::{WithReceipt, deleted_with, extent};
use crate::app::AppState;

/// A user to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewUser {
    /// First name.
    #[schema(min_length = 1, example = "Ada")]
    first_name: String,
    /// Last name.
    #[schema(min_length = 1, example = "Lovelace")]
    last_name: String,
    /// E-mail address.
    email: Option<String>,
    /// Phone number.
    phone: Option<String>,
    /// The caller's own id; made up when absent.
    #[schema(min_length = 1, max_length = 255)]
    id: Option<String>,
}

impl NewUser {
    fn read(fields: &Fields) -> Result<Self, ApiError> {
        Ok(Self {
            first_name: fields.required_text("firstName")?,
            last_name: fields.required_text("lastName")?,
            email: fields.text("email")?,
            phone: fields.text("phone")?,
            id: fields.id("id")?,
        })
    }
}

/// A user.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    id: String,
    first_name: String,
    last_name: String,
    #[schema(required = true)]
    email: Option<String>,
    #[schema(required = true)]
    phone: Option<String>,
    /// The account.
    owner: String,
    /// The account.
    #[serde(rename = "userID")]
    user_id: String,
    created_at: Time,
    updated_at: Time,
}

impl From<EndUser> for User {
    fn from(it: EndUser) -> Self {
        let account = it.account_id.0.to_string();
        Self {
            id: it.id,
            first_name: it.first_name,
            last_name: it.last_name,
            email: it.email,
            phone: it.phone,
            owner: account.clone(),
            user_id: account,
            created_at: Time(it.created_at),
            updated_at: Time(it.updated_at),
        }
    }
}

/// A page of users, and the same under `data`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Users {
    #[serde(flatten)]
    page: UserPage,
    data: UserPage,
}

/// A page of users.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserPage {
    users: Vec<User>,
    #[serde(flatten)]
    page: PageTokens,
}

/// Create a user
#[utoipa::path(
    post,
    path = "/users/create",
    operation_id = "create_user",
    tag = "Users",
    request_body = NewUser,
    responses((status = 201, description = "The new user", body = Success<User>), Errors),
)]
pub async fn create_user(
    State(app): State<AppState>,
    caller: Caller,
    keyed: Keyed,
    fields: Fields,
) -> Result<Created<User>, ApiError> {
    let new = NewUser::read(&fields)?;
    let now = app.now();
    let user = EndUser {
        account_id: caller.account_id,
        id: new.id.unwrap_or_else(|| app.new_id().to_string()),
        first_name: new.first_name,
        last_name: new.last_name,
        email: new.email,
        phone: new.phone,
        created_at: now,
        updated_at: now,
    };
    keyed.about(DeletionKind::User, &user.id);
    let answer = created(User::from(user.clone()));
    let kept = keyed.keep(&answer);
    let made = app.store.create_user(&user, kept.as_ref()).await;
    made.map_err(|e| Noun::User.creation_failed(e))?;
    Ok(answer)
}

/// Get a user
#[utoipa::path(
    get,
    path = "/users/get/{id}",
    operation_id = "get_user",
    tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The user", body = Success<User>), Errors),
)]
pub async fn get_user(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
) -> Result<Json<Success<User>>, ApiError> {
    let id = id.of(Noun::User)?;
    let found = app.store.user(caller.account_id, &id).await?;
    Ok(success(Noun::User.mine(found, Verb::Access)?.into()))
}

/// List users, newest first
#[utoipa::path(
    get,
    path = "/users/list",
    operation_id = "list_users",
    tag = "Users",
    params(PageParams),
    responses((status = 200, description = "A page of users", body = Users), Errors),
)]
pub async fn list_users(
    State(app): State<AppState>,
    caller: Caller,
    params: Params,
) -> Result<Json<Users>, ApiError> {
    let list = List { name: "users", account_id: caller.account_id, filters: vec![] };
    let found = app.store.list_users(caller.account_id, &list.request(&app, &params)?).await?;
    let page = UserPage {
        page: list.tokens(&app, &found),
        users: found.items.into_iter().map(User::from).collect(),
    };
    Ok(Json(Users { page: page.clone(), data: page }))
}

/// Delete a user
///
/// Sessions and messages that name the user stay, unless `wipe=true` erases them as well, for good.
#[utoipa::path(
    delete,
    path = "/users/delete/{id}",
    operation_id = "delete_user",
    tag = "Users",
    params(
        ("id" = String, Path, description = "The user's id"),
        ("wipe" = Option<bool>, Query, description = "Erase the user's sessions and messages too, whether or not the user was ever created"),
    ),
    responses((status = 200, description = "The user is deleted", body = Deleted,
        headers(("X-Receipt-ID" = String, description = "Id of the receipt that says what was deleted"))), Errors),
)]
pub async fn delete_user(
    State(app): State<AppState>,
    caller: Caller,
    id: PathId,
    params: Params,
    _: IgnoredBody,
) -> Result<WithReceipt<Deleted>, ApiError> {
    let id = id.of(Noun::User)?;
    let extent = extent(&params)?;
    let (receipt_id, now) = (app.new_id(), app.now());
    let found = app.store.delete_user(caller.account_id, &id, extent, receipt_id, now).await?;
    if extent == Extent::Everything && !matches!(found, Owned::Mine(_)) {
        // Whose answer was lost asks again. An id that was never deleted is more likely mistyped.
        let receipt = app.store.last_receipt(caller.account_id, DeletionKind::User, &id).await?;
        if let Some(receipt) = receipt {
            return Ok(deleted_with(&receipt, Noun::User));
        }
    }
    Ok(deleted_with(&Noun::User.mine(found, Verb::Delete)?, Noun::User))
}
