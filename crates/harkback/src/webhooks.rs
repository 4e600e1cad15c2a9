//! How do the events of ingestions reach their receivers? From the outbox, in order for each memory, signed after the
//! Standard Webhooks rules, and again after a wait until the receiver accepts or the tries are used up.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use harkback_engine::model::{Account, Delivery, Micros};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use crate::app::{App, AppState};
use crate::backoff;
use crate::egress::EgressError;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
const RECEIVERS_AT_ONCE: usize = 8;
const MAX_DUE: i64 = 64;

/// After the last of these a delivery is dead: about seven hours after the first try.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(80),
    Duration::from_secs(320),
    Duration::from_secs(1_280),
    Duration::from_secs(5_120),
    Duration::from_secs(20_480),
];

/// Delivers until the program stops.
pub async fn run(app: AppState) {
    loop {
        match deliver_due(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the webhook outbox cannot be read"
            ),
        }
        tokio::select! {
            () = app.ending.cancelled() => return,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// Tries every delivery that is due, once. Returns how many were tried.
///
/// # Errors
/// If the database fails.
pub async fn deliver_due(app: &App) -> harkback_engine::Result<usize> {
    let due = app.store.due_deliveries(app.now(), MAX_DUE).await?;
    let n_due = due.len();
    let mut tries = futures_util::stream::iter(due)
        .map(|delivery| async move { deliver(app, &delivery).await })
        .buffer_unordered(RECEIVERS_AT_ONCE);
    while let Some(tried) = tries.next().await {
        tried?;
    }
    Ok(n_due)
}

async fn deliver(app: &App, delivery: &Delivery) -> harkback_engine::Result<()> {
    let Some(account) = app.store.account(delivery.account_id).await? else {
        return app
            .store
            .fail_delivery(delivery.delivery_id, None, "the account is gone", None)
            .await;
    };
    let headers = signed_headers(delivery, &account, app.now());
    let outcome = app.egress.post(&delivery.url, headers, Bytes::from(delivery.body.clone())).await;
    let now = app.now();
    let retry_at = || {
        backoff::wait(&WAITS, delivery.delivery_id, delivery.attempt + 1)
            .map(|wait| now + i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 2))
    };
    let (status, error, retry_at) = match outcome {
        Ok(status @ 200..=299) => {
            return app.store.settle_delivery(delivery.delivery_id, status, now).await;
        }
        // The receiver says that it is gone for good.
        Ok(410) => (Some(410), "the receiver answered 410".to_owned(), None),
        Ok(status) => (Some(status), format!("the receiver answered {status}"), retry_at()),
        Err(EgressError::Refused(why)) => (None, why, None),
        Err(error) => (None, error.to_string(), retry_at()),
    };
    tracing::info!(
        delivery.id = %delivery.delivery_id, delivery.attempt = delivery.attempt + 1, delivery.dead = retry_at.is_none(),
        reason = %error, "webhook not delivered"
    );
    app.store.fail_delivery(delivery.delivery_id, status, &error, retry_at).await
}

/// The headers of the Standard Webhooks specification: a signature covers id, time and body. After a rotation there is one
/// by each secret, so that receivers can change theirs in the meantime.
fn signed_headers(delivery: &Delivery, account: &Account, now: Micros) -> HeaderMap {
    let id = delivery.delivery_id.to_string();
    let timestamp = (now / 1_000_000).to_string();
    let old = account.old_webhook_secret.as_ref().filter(|it| now < it.until);
    let signature = |secret: &Vec<u8>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes any key");
        for part in [&id, ".", &timestamp, ".", &delivery.body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    let secrets = std::iter::once(&account.webhook_secret).chain(old.map(|it| &it.secret));
    let signature = secrets.map(signature).collect::<Vec<_>>().join(" ");
    let ascii =
        |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are ASCII");
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("webhook-id"), ascii(&id)),
        (HeaderName::from_static("webhook-timestamp"), ascii(&timestamp)),
        (HeaderName::from_static("webhook-signature"), ascii(&signature)),
    ])
}
