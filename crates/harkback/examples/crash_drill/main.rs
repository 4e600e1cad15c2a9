//! Does everything that was acknowledged survive `kill -9`?
//!
//! `cargo run --release --example crash_drill -- --rounds 200`, with `--mix ingestion` of ingestion and deletion above all;
//! with `--power-loss` the same of a power cut (needs `strace`).

mod drill;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use drill::{Drill, Mix};

/// Kills a server at random moments of mixed writes and looks whether anything acknowledged is lost
#[derive(Debug, Parser)]
struct Args {
    /// How often the server is killed
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Connections that write at once
    #[arg(long, default_value_t = 8)]
    writers: usize,
    /// What is written
    #[arg(long, value_enum, default_value_t = Mix::Everything)]
    mix: Mix,
    /// Cuts the power instead: of one traced run, at so many moments
    #[arg(long)]
    power_loss: bool,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The `harkback` binary; built in this program's profile if it is not named
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its output is what it is for")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let binary = match args.binary.map_or_else(build, Ok) {
        Ok(binary) => binary,
        Err(error) => {
            println!("the server cannot be built: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Args { rounds, writers, seed, mix, power_loss, .. } = args;
    let drill = Drill { binary, rounds, writers, seed, mix };
    let say = |line: &str| println!("{line}");
    let done = if power_loss {
        drill::power::run(&drill, &say).await
    } else {
        drill::run(&drill, &say).await.map(|figures| figures.to_string())
    };
    match done {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(loss) => {
            println!("FAILED (seed {seed}): {loss}");
            ExitCode::FAILURE
        }
    }
}

/// The binary beside this program, brought up to date.
fn build() -> Result<PathBuf, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--package", "harkback", "--bin", "harkback"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("cargo: {status}"));
    }
    let example = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = example.parent().and_then(|it| it.parent()).ok_or("no target directory")?;
    Ok(profile.join("harkback"))
}
