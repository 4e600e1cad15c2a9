//! Who is asking? Checked before anything else of a request: headers, key present, key valid, rate.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use governor::clock::{Clock as _, DefaultClock};
use harkback_engine::model::AccountId;

use super::error::{ApiError, bad_request, forbidden, must_be, too_many_requests, unauthorized};
use crate::app::AppState;
use crate::keys::recognise_key;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What HTTP itself requires of a request; a request with nothing else has "no headers".
const OF_HTTP_ITSELF: [HeaderName; 4] =
    [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];

/// The account on whose behalf a request is made.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account_id: AccountId,
    /// The key it used.
    pub key_id: String,
}

impl Caller {
    /// The account as callers see it: `userID`, `owner`, `organisationID`.
    pub fn account(&self) -> String {
        self.account_id.0.to_string()
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let text = key_text(&parts.headers)?;
        let key =
            recognise_key(&app.store, text).await?.ok_or_else(|| forbidden("Invalid API key"))?;
        if let Err(refused) = app.rate_limit.check_key(&key.key_id) {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            return Err(too_many_requests(wait.as_secs() + 1));
        }
        Ok(Self { account_id: key.account_id, key_id: key.key_id })
    }
}

fn key_text(headers: &HeaderMap) -> Result<&str, ApiError> {
    if headers.keys().all(|it| OF_HTTP_ITSELF.contains(it)) {
        return Err(bad_request("No headers provided"));
    }
    let mut values = headers.get_all(API_KEY).iter();
    let value = values.next().ok_or_else(unauthorized)?;
    if values.any(|it| it != value) {
        return Err(must_be("X-API-Key", "given once"));
    }
    let text = value.to_str().map_err(|_| forbidden("Invalid API key"))?.trim();
    if text.is_empty() { Err(unauthorized()) } else { Ok(text) }
}
