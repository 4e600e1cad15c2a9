//! `harkback webhooks`: the secret that receivers verify with, what became of the events, and sending one again. Works on
//! the data directory, whether a server runs on it or not.

use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use harkback_engine::Store;
use harkback_engine::model::{Delivery, MemoryId, Micros};
use uuid::Uuid;

use super::keys::open_existing;
use super::{DataDir, Outcome, Printer};
use crate::clock::{Clock, Ids};

/// Arguments of `harkback webhooks`.
#[derive(Args, Debug)]
pub(super) struct WebhooksArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the secret that signs an account's webhooks, as Standard Webhooks libraries take it
    Secret {
        /// Name of the account, as it was given to `keys create`
        #[arg(long, value_name = "NAME")]
        account: String,
        #[command(flatten)]
        data: DataDir,
    },
    /// Give an account a new webhook secret, and print it
    ///
    /// The one before signs beside it for a while: receivers verify with either until they have the new one. A second
    /// rotation ends the first one's wait.
    Rotate {
        /// Name of the account, as it was given to `keys create`
        #[arg(long, value_name = "NAME")]
        account: String,
        /// How long the secret before goes on signing
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        overlap_hours: u32,
        #[command(flatten)]
        data: DataDir,
    },
    /// List the deliveries, with tabs between: id, memory, number, state, tries, last status, last error, URL
    List {
        /// Only those of this memory
        #[arg(long, value_name = "ID", value_parser = id)]
        memory: Option<Uuid>,
        #[command(flatten)]
        data: DataDir,
    },
    /// Send a delivery again, now: a dead one, a delivered one, or one that waits for its next try
    ///
    /// It keeps its id and its body. The running server sends it; without one, the next that is started.
    Redeliver {
        /// Id of the delivery, as `webhooks list` prints it and receivers see it in `webhook-id`
        #[arg(value_name = "DELIVERY_ID", value_parser = id)]
        delivery: Uuid,
        #[command(flatten)]
        data: DataDir,
    },
}

fn id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(
        |_| "it is no id; `harkback webhooks list` prints those of deliveries and memories",
    )
}

/// Runs the command.
///
/// # Errors
/// If the data directory or its database cannot be used, or there is no such account, memory or delivery.
pub(super) async fn webhooks(args: &WebhooksArgs, printer: &Printer) -> Outcome {
    let (Action::Secret { data, .. }
    | Action::Rotate { data, .. }
    | Action::List { data, .. }
    | Action::Redeliver { data, .. }) = &args.action;
    let store = open_existing(&data.path).await?;
    let done = match &args.action {
        Action::Secret { account, .. } => secret(&store, account, printer).await,
        Action::Rotate { account, overlap_hours, .. } => {
            rotate(&store, account, *overlap_hours, printer).await
        }
        Action::List { memory, .. } => list(&store, memory.map(MemoryId), printer).await,
        Action::Redeliver { delivery, .. } => redeliver(&store, *delivery, printer).await,
    };
    store.close().await;
    done
}

async fn secret(store: &Store, name: &str, printer: &Printer) -> Outcome {
    let name = name.trim();
    let Some(account) = store.accounts().await?.into_iter().find(|it| it.name == name) else {
        return Err(no_account(name));
    };
    printer.data(&printed(&account.webhook_secret));
    Ok(ExitCode::SUCCESS)
}

async fn rotate(store: &Store, name: &str, overlap_hours: u32, printer: &Printer) -> Outcome {
    let name = name.trim();
    let secret = Ids::Random.bytes::<32>();
    let old_until = Clock::System.now() + Micros::from(overlap_hours) * 3600 * 1_000_000;
    if !store.rotate_webhook_secret(name, &secret, old_until).await? {
        return Err(no_account(name));
    }
    printer.data(&printed(&secret));
    printer.note(&format!("the secret before goes on signing beside it for {overlap_hours} hours"));
    Ok(ExitCode::SUCCESS)
}

fn no_account(name: &str) -> Box<dyn std::error::Error + Send + Sync> {
    format!("there is no account `{name}`; `harkback keys list` names them").into()
}

/// As Standard Webhooks libraries take it.
fn printed(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

async fn list(store: &Store, memory: Option<MemoryId>, printer: &Printer) -> Outcome {
    let deliveries = match memory {
        None => store.deliveries().await?,
        Some(id) if store.memory(id).await?.is_none() => {
            return Err(format!("there is no memory `{}`", id.0).into());
        }
        Some(id) => store.deliveries_of_memory(id).await?,
    };
    if deliveries.is_empty() {
        printer.note("there are no deliveries; memories with a `webhookUrl` have them");
    }
    for delivery in &deliveries {
        printer.data(&line(delivery));
    }
    Ok(ExitCode::SUCCESS)
}

async fn redeliver(store: &Store, delivery: Uuid, printer: &Printer) -> Outcome {
    if store.resend_delivery(delivery, Clock::System.now(), |_| None).await?.is_none() {
        return Err(format!(
            "there is no delivery `{delivery}`; see `harkback webhooks list` (those of a deleted memory are gone)"
        )
        .into());
    }
    printer.note("due now; a running server sends it within seconds");
    Ok(ExitCode::SUCCESS)
}

fn line(it: &Delivery) -> String {
    let status = it.last_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    // A receiver's words must not move the columns or steer the terminal.
    let error = it.last_error.as_deref().unwrap_or("-").replace(char::is_control, " ");
    let (id, memory, state) = (it.delivery_id, it.memory_id.0, it.state.as_str());
    format!("{id}\t{memory}\t{}\t{state}\t{}\t{status}\t{error}\t{}", it.seq, it.attempt, it.url)
}
