//! Uploads: a signed URL that takes the bytes of one file, once, without an API key.
//!
//! The signature covers method, path, expiry, largest length and account, so that none of them can be changed. The path
//! ends in the file's extension, from which clients guess the content type.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harkback_engine::Put;
use harkback_engine::model::{AccountId, Micros, Upload};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Success, success};
use super::error::{ApiError, Errors, bad_request, forbidden, too_large};
use super::extract::{Fields, Params};
use super::files::extension;
use super::intake::paced;
use super::samples::Done;
use crate::app::{App, AppState};

/// A URL takes bytes for this long.
const LIFETIME: Micros = 15 * 60 * 1_000_000;

/// The file to be uploaded.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body to the API document; `create_upload` reads it")]
pub struct UploadRequest {
    file_name: String,
}

/// Where to put the bytes, and the key to make a file of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadBody {
    upload_url: String,
    key: String,
}

/// Get a URL to which the bytes of a file can be put once, within 15 minutes
#[utoipa::path(
    post,
    path = "/files/upload",
    operation_id = "create_upload",
    tag = "Files",
    request_body = UploadRequest,
    responses((status = 200, description = "Where to put the bytes", body = Success<UploadBody>), Errors)
)]
pub async fn create_upload(
    State(app): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Json<Success<UploadBody>>, ApiError> {
    let file_name = fields.required_text("fileName")?;
    let base = base_url(&app, &headers)?;
    let now = app.now();
    let suffix = extension(&file_name).map(|it| format!(".{it}")).unwrap_or_default();
    let key = format!("{}/{}{suffix}", caller.account(), app.new_id().simple());
    let upload = Upload {
        key: key.clone(),
        account_id: caller.account_id,
        file_name,
        size: None,
        created_at: now,
        uploaded_at: None,
    };
    app.store.create_upload(&upload).await?;
    let grant =
        Grant { expires_s: (now + LIFETIME) / 1_000_000, max_bytes: app.config.max_file_bytes };
    let signature = URL_SAFE_NO_PAD.encode(grant.signature(&app, &key, caller.account_id));
    let Grant { expires_s, max_bytes } = grant;
    let upload_url =
        format!("{base}/uploads/{key}?exp={expires_s}&len={max_bytes}&sig={signature}");
    Ok(success(UploadBody { upload_url, key }))
}

/// Takes the bytes of an upload.
pub async fn put_upload(
    State(app): State<AppState>,
    uri: Uri,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiError> {
    let key = uri.path().strip_prefix("/uploads/").unwrap_or_default();
    let max_bytes = admit(&app, key, &params).await?;
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|it| it > max_bytes) {
        return Err(too_large(max_bytes));
    }
    match app.blobs.put(key, app.new_id(), max_bytes, paced(body, &app.config.patience)).await? {
        Put::Stored { n_bytes } => {
            let size = i64::try_from(n_bytes).map_err(|_| too_large(max_bytes))?;
            app.store.finish_upload(key, size, app.now()).await?;
            Ok(Json(Done::new()))
        }
        Put::TooLarge => Err(too_large(max_bytes)),
        Put::Taken => Err(used()),
        Put::Aborted => Err(bad_request("The upload ended before all bytes had come")),
    }
}

/// The most bytes that a signed URL takes, if it is ours, in time and not used yet.
async fn admit(app: &App, key: &str, params: &Params) -> Result<u64, ApiError> {
    let refused = || forbidden("Upload URL is invalid or has expired");
    let number = |name| params.text(name).and_then(|it| it.parse::<i64>().ok());
    let max_bytes = number("len").and_then(|it| u64::try_from(it).ok()).ok_or_else(refused)?;
    let grant = Grant { expires_s: number("exp").ok_or_else(refused)?, max_bytes };
    let given =
        params.text("sig").and_then(|it| URL_SAFE_NO_PAD.decode(it).ok()).ok_or_else(refused)?;
    let upload = app.store.find_upload(key).await?.ok_or_else(refused)?;
    let is_ours = bool::from(grant.signature(app, key, upload.account_id).as_slice().ct_eq(&given));
    if !is_ours || app.clock.now() / 1_000_000 >= grant.expires_s {
        return Err(refused());
    }
    if upload.uploaded_at.is_some() { Err(used()) } else { Ok(max_bytes) }
}

fn used() -> ApiError {
    forbidden("Upload URL was used before")
}

/// The address at which the caller reaches us.
fn base_url(app: &App, headers: &HeaderMap) -> Result<String, ApiError> {
    if let Some(url) = &app.config.public_url {
        return Ok(url.clone());
    }
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let host = text("host").ok_or_else(|| bad_request("Host header is required"))?;
    let scheme = text("x-forwarded-proto").filter(|it| *it == "https").unwrap_or("http");
    Ok(format!("{scheme}://{host}"))
}

/// What a signed URL allows.
struct Grant {
    expires_s: i64,
    max_bytes: u64,
}

impl Grant {
    fn signature(&self, app: &App, key: &str, account_id: AccountId) -> [u8; 32] {
        let key_of_urls = app.derived_key("upload url");
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&key_of_urls).expect("HMAC takes a key of any length");
        let Self { expires_s, max_bytes } = self;
        let signed = format!("PUT\n/uploads/{key}\n{expires_s}\n{max_bytes}\n{}", account_id.0);
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes().into()
    }
}
