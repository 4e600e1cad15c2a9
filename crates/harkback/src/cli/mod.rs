//! The command line: which commands there are, how they are run, and what they exit with.
//!
//! A command is one file: its arguments (`XArgs`) and an async function that takes them with a [`Printer`]. It is
//! registered by one line in `Command` and one in `run`.

mod backup;
mod bench;
mod doctor;
mod eval;
mod export;
mod forget;
mod graphml;
mod import;
mod ingest;
mod keys;
mod models;
mod parse_file;
mod printer;
mod query;
mod quickstart;
mod remote;
mod sample;
mod serve;
mod verify;
mod webhooks;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use printer::Printer;

/// What a command ends with: its exit status, or what went wrong. Printing the chain of causes is [`main`]'s part.
pub type Outcome = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// Where the data lies.
#[derive(Args, Clone, Debug)]
pub struct DataDir {
    /// Data directory
    #[arg(
        id = "data",
        long,
        value_name = "DIR",
        env = "HARKBACK_DATA",
        default_value = "./harkback-data",
        hide_env_values = true
    )]
    pub path: PathBuf,
}

/// Graph memory for voice agents: multi-hop answers from your documents, on your machine, without an LLM
#[derive(Debug, Parser)]
#[command(name = "harkback", version, propagate_version = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const SHOWN_KEY: &str = "warning: while this runs, other users of this machine can read the key in the list of processes; set \
     HARKBACK_API_KEY, or name a file with --key-file, instead of --key";

const SHOWN_TRANSCRIPTION_KEY: &str = "warning: while this runs, other users of this machine can read the key in the list of \
     processes; set HARKBACK_TRANSCRIPTION_KEY, or name it in the configuration file, instead of --transcription-key";

const EXIT_STATUS: &str = "Exit status: 0 done, 1 failed (standard error says why), 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that a server can run here, and say what to do if not
    Doctor(doctor::DoctorArgs),
    /// Serve the API until Ctrl-C or SIGTERM
    Serve(serve::ServeArgs),
    /// Bring the models, serve, ingest a sample clinic, and ask it three questions
    Quickstart(quickstart::QuickstartArgs),
    /// Copy a data directory, consistent while a server writes to it
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup, verified file by file
    Restore(backup::RestoreArgs),
    /// Measure how fast retrieval and the API are on this machine
    Bench(bench::BenchArgs),
    /// Measure retrieval on a question set in BEIR layout
    Eval(eval::EvalArgs),
    /// Put files and folders into a memory of a running server, and wait until it can recall them
    Ingest(ingest::IngestArgs),
    /// Take files out of a memory of a running server again
    Forget(forget::ForgetArgs),
    /// Write a memory of a running server as one archive, or as a graph for viewers
    Export(export::ExportArgs),
    /// Make a memory of an archive in a running server
    Import(import::ImportArgs),
    /// Ask a memory of a running server
    Query(query::QueryArgs),
    /// Make, list and revoke API keys
    Keys(keys::KeysArgs),
    /// Bring, list and verify the models that retrieval runs on
    Models(models::ModelsArgs),
    /// Prove that a data directory has no orphan and no dangling reference; a server may be running on it
    Verify(verify::VerifyArgs),
    /// Show the secret that signs webhooks, list what was sent, send it again
    Webhooks(webhooks::WebhooksArgs),
    /// Read the file on standard input; the server starts this for each file
    #[command(hide = true)]
    ParseFile(parse_file::ParseFileArgs),
}

/// Runs the program: parses the arguments, runs the command, says what went wrong.
pub fn main() -> ExitCode {
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, shown_secrets(&matches))));
    let (cli, shown_secrets) = match parsed {
        Ok(parsed) => parsed,
        // clap decides between standard output (`--help`) and standard error, and between 0 and 2.
        Err(error) => error.exit(),
    };
    if let Command::ParseFile(args) = &cli.command {
        return parse_file::parse_file(args);
    }
    let printer = Printer::new();
    shown_secrets.into_iter().for_each(|it| printer.note(it));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&printer, &error),
    };
    match runtime.block_on(run(&cli.command, &printer)) {
        Ok(status) => status,
        Err(error) => failed(&printer, error.as_ref()),
    }
}

/// The commands with their arguments.
pub fn command() -> clap::Command {
    Cli::command()
}

/// What to say of the secrets that stand in the arguments of the process.
fn shown_secrets(matches: &ArgMatches) -> Vec<&'static str> {
    let Some((_, matches)) = matches.subcommand() else { return Vec::new() };
    let stands_there = |name: &str| {
        matches.try_contains_id(name).is_ok()
            && matches.value_source(name) == Some(ValueSource::CommandLine)
    };
    [("key", SHOWN_KEY), ("transcription_key", SHOWN_TRANSCRIPTION_KEY)]
        .into_iter()
        .filter_map(|(name, note)| stands_there(name).then_some(note))
        .collect()
}

async fn run(command: &Command, printer: &Printer) -> Outcome {
    match command {
        Command::Doctor(args) => doctor::doctor(args, printer).await,
        Command::Serve(args) => serve::serve(args, printer).await,
        Command::Quickstart(args) => quickstart::quickstart(args, printer).await,
        Command::Backup(args) => backup::backup(args, printer).await,
        Command::Restore(args) => backup::restore(args, printer).await,
        Command::Bench(args) => bench::bench(args, printer).await,
        Command::Eval(args) => eval::eval(args, printer).await,
        Command::Ingest(args) => ingest::ingest(args, printer).await,
        Command::Forget(args) => forget::forget(args, printer).await,
        Command::Export(args) => export::export(args, printer).await,
        Command::Import(args) => import::import(args, printer).await,
        Command::Query(args) => query::query(args, printer).await,
        Command::Keys(args) => keys::keys(args, printer).await,
        Command::Models(args) => models::models(args, printer).await,
        Command::Verify(args) => verify::verify(args, printer).await,
        Command::Webhooks(args) => webhooks::webhooks(args, printer).await,
        Command::ParseFile(_) => unreachable!("it has ended before the runtime was made"),
    }
}

fn failed(printer: &Printer, error: &(dyn Error + 'static)) -> ExitCode {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    printer.note(&text);
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }
}
