//! `harkback backup` and `harkback restore`: a data directory into a directory that can be carried away, and back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{DataDir, Outcome, Printer};
use crate::backup;
use crate::clock::Clock;

/// Arguments of `harkback backup`.
#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// Directory to make; must not be there, or be empty
    #[arg(value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    data: DataDir,
}

/// Arguments of `harkback restore`.
#[derive(Args, Debug)]
pub(super) struct RestoreArgs {
    /// Directory that `harkback backup` made
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Data directory to make; must not be there, or be empty
    #[arg(long, value_name = "NEW")]
    data: PathBuf,
}

/// Runs `harkback backup`, whether a server runs on the data or not.
///
/// # Errors
/// If there is no data, the directory has something in it, or a disk fails.
pub(super) async fn backup(args: &BackupArgs, printer: &Printer) -> Outcome {
    let now = Timestamp::from_microsecond(Clock::System.now())?;
    let made = backup::backup(&args.data.path, &args.to, format!("{now:.3}")).await?;
    printer.note(&format!(
        "{} files, {} bytes in `{}`; it holds all documents and secrets of the server, so keep it as safe",
        made.files.len(),
        made.n_bytes(),
        args.to.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Runs `harkback restore`.
///
/// # Errors
/// If the backup is damaged, the directory has something in it, or a disk fails.
pub(super) async fn restore(args: &RestoreArgs, printer: &Printer) -> Outcome {
    let made = backup::restore(&args.from, &args.data).await?;
    printer.note(&format!(
        "{} files of {} are in `{}`, verified; start it with `harkback serve --data {}`",
        made.files.len(),
        made.created_at,
        args.data.display(),
        args.data.display()
    ));
    Ok(ExitCode::SUCCESS)
}
