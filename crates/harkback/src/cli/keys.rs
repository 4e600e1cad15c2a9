//! `harkback keys`: make, list and revoke API keys. Works on the data directory, whether a server runs on it or not.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use harkback_engine::Store;
use jiff::Timestamp;

use super::{DataDir, Outcome, Printer};
use crate::app::make_data_dir;
use crate::clock::{Clock, Ids};
use crate::keys::{ListedKey, create_key, list_keys, revoke_key};

/// Arguments of `harkback keys`.
#[derive(Args, Debug)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key, print it alone on standard output; it cannot be shown again
    ///
    /// The account is made with its first key. All keys of an account see the same users, files and memories, and
    /// nothing of other accounts.
    Create {
        /// Name of the account that the key opens
        #[arg(long, value_name = "NAME")]
        account: String,
        #[command(flatten)]
        data: DataDir,
    },
    /// List the keys: id, when it was made, state, account
    List {
        #[command(flatten)]
        data: DataDir,
    },
    /// Revoke a key; a running server refuses it from the next request on
    Revoke {
        /// Id of the key, as `keys list` prints it, or the key itself
        #[arg(value_name = "KEYID")]
        key: String,
        #[command(flatten)]
        data: DataDir,
    },
}

/// Runs the command.
///
/// # Errors
/// If the data directory or its database cannot be used, or there is no such key.
pub(super) async fn keys(args: &KeysArgs, printer: &Printer) -> Outcome {
    match &args.action {
        Action::Create { account, data } => {
            make_data_dir(&data.path).map_err(|e| {
                format!("cannot make the data directory `{}`: {e}", data.path.display())
            })?;
            let store = Store::open(&data.path).await?;
            let key = create_key(&store, account, &Clock::System, &Ids::Random).await?;
            store.close().await;
            printer.data(&key);
            printer.note("keep it: only its hash is stored, and it cannot be shown again");
        }
        Action::List { data } => {
            let store = open_existing(&data.path).await?;
            let keys = list_keys(&store).await?;
            store.close().await;
            if keys.is_empty() {
                printer
                    .note("there are no keys; make one with `harkback keys create --account NAME`");
            }
            for key in &keys {
                printer.data(&line(key)?);
            }
        }
        Action::Revoke { key, data } => {
            let store = open_existing(&data.path).await?;
            let revoked = revoke_key(&store, key, &Clock::System).await?;
            store.close().await;
            if !revoked {
                return Err(
                    "there is no such key, or it is revoked already; see `harkback keys list`"
                        .into(),
                );
            }
            printer.note("revoked, from the next request on");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The database of a data directory, none made where there is none: the directory is most likely mistyped.
///
/// # Errors
/// If there is none, or it cannot be opened.
pub(super) async fn open_existing(
    dir: &Path,
) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
    if dir.join("harkback.db").exists() {
        return Ok(Store::open(dir).await?);
    }
    Err(no_data(dir))
}

/// What to say of a directory without a database.
pub(super) fn no_data(dir: &Path) -> Box<dyn std::error::Error + Send + Sync> {
    let dir = dir.display();
    format!("there is no data in `{dir}`; name the data directory of the server with --data").into()
}

fn line(key: &ListedKey) -> Result<String, jiff::Error> {
    let created = Timestamp::from_microsecond(key.created_at)?;
    let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
    Ok(format!("{}  {created:.0}  {state:<7}  {}", key.key_id, key.account))
}
