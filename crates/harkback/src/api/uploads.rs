//! Uploads: a signed URL that takes the bytes of one file, and no others after them, without an API key.
//!
//! The signature covers method, path, expiry, largest length and account, so that none of them can be changed. The path
//! ends in the file's extension, from which clients guess the content type.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use harkback_engine::model::{AccountId, Micros, Upload};
use harkback_engine::{Put, sha256_of};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::auth::Caller;
use super::envelope::{Success, success};
use super::error::{ApiError, Errors, UploadErrors, bad_request, forbidden, internal, too_large};
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

/// Put the bytes of a file to the URL that `/files/upload` gave
///
/// The URL is to be used as it was given. The same bytes may be put again, other ones may not.
#[utoipa::path(
    put,
    path = "/uploads/{account}/{name}",
    operation_id = "put_upload",
    tag = "Files",
    security(()),
    params(
        ("account" = String, Path, description = "As the URL says"),
        ("name" = String, Path, description = "As the URL says"),
        ("exp" = i64, Query, description = "As the URL says"),
        ("len" = i64, Query, description = "As the URL says: most bytes that it takes"),
        ("sig" = String, Query, description = "As the URL says"),
    ),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, description = "The bytes are stored", body = Done), UploadErrors)
)]
pub async fn put_upload(
    State(app): State<AppState>,
    uri: Uri,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiError> {
    let key = uri.path().strip_prefix("/uploads/").unwrap_or_default();
    let Admitted { max_bytes, size } = admit(&app, key, &params).await?;
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|it| it > max_bytes) {
        return Err(too_large(max_bytes));
    }
    if size.is_some_and(|size| length.is_some_and(|it| Ok(it) != u64::try_from(size))) {
        return Err(used());
    }
    let mut hash = Sha256::new();
    let bytes = paced(body, &app.config.patience)
        .inspect(|chunk| chunk.iter().for_each(|it| hash.update(it)));
    let put = app.blobs.put(key, app.new_id(), max_bytes, bytes).await?;
    match put {
        Put::Stored { .. } => {}
        Put::TooLarge => return Err(too_large(max_bytes)),
        // Sent again: our answer was lost, or we ended between storing the bytes and their record.
        Put::Taken => {
            let path = app.blobs.path(key)?;
            let stored = tokio::task::spawn_blocking(move || sha256_of(&path)).await;
            let sent: String = hash.finalize().iter().map(|it| format!("{it:02x}")).collect();
            if stored.map_err(internal)?.map_err(internal)? != sent {
                return Err(used());
            }
        }
        Put::Aborted => return Err(bad_request("The upload ended before all bytes had come")),
    }
    let n_bytes = app.blobs.size(key).await?.ok_or_else(used)?;
    let size = i64::try_from(n_bytes).map_err(|_| too_large(max_bytes))?;
    app.store.finish_upload(key, size, app.now()).await?;
    Ok(Json(Done::new()))
}

/// What a signed URL allows.
struct Admitted {
    max_bytes: u64,
    /// Of the bytes that it took already.
    size: Option<i64>,
}

/// What a signed URL allows, if it is ours and in time.
async fn admit(app: &App, key: &str, params: &Params) -> Result<Admitted, ApiError> {
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
    Ok(Admitted { max_bytes, size: upload.size })
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

/// What the signature of a URL covers.
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
