//! `harkback verify`: is everything in a data directory whole and owned? Changes nothing, and works while a server runs.

use std::process::ExitCode;

use clap::Args;
use harkback_engine::verify as verify_data;
use serde_json::json;

use super::keys::no_data;
use super::{DataDir, Outcome, Printer};

/// Arguments of `harkback verify`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    data: DataDir,
    /// Print what was found as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Runs the command: a line on standard output for each defect. Ends well only if there is none.
///
/// # Errors
/// If the data directory cannot be read at all, or is of another version of the program.
pub(super) async fn verify(args: &VerifyArgs, printer: &Printer) -> Outcome {
    let path = &args.data.path;
    if !path.join("harkback.db").exists() {
        return Err(no_data(path));
    }
    let found = verify_data(path)
        .await
        .map_err(|error| chained(&format!("`{}` cannot be verified", path.display()), &error))?;
    if args.json {
        let report = json!({
            "defects": found.defects, "leftovers": found.leftovers, "passages": found.n_passages,
            "vectors": found.n_vectors, "blobs": found.n_blobs,
        });
        printer.data(&report.to_string());
    } else {
        found.defects.iter().for_each(|it| printer.data(it));
    }
    for it in &found.leftovers {
        printer.note(&format!("left over, the server removes it: {it}"));
    }
    printer.note(&format!(
        "{} defects in {} passages, {} vectors, {} uploads",
        found.defects.len(),
        found.n_passages,
        found.n_vectors,
        found.n_blobs
    ));
    Ok(if found.defects.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chained(what: &str, error: &harkback_engine::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{what}: {error}: {cause}"),
        None => format!("{what}: {error}"),
    }
}
