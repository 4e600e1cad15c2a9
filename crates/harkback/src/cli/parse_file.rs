//! `harkback parse-file`: the process in which the server reads one file. Not for people, and so not in `--help`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use harkback_engine::{ParserLimits, ParserProcess, Parsing, parse_stdin};

/// Arguments of `harkback parse-file`.
#[derive(Args, Debug)]
pub(super) struct ParseFileArgs {
    /// The file's name, for its title
    #[arg(long, allow_hyphen_values = true)]
    name: String,
    /// Its extension, which chooses the parser
    #[arg(long, allow_hyphen_values = true)]
    extension: String,
    /// Most memory
    #[arg(long)]
    memory_bytes: u64,
    /// Most computing
    #[arg(long)]
    cpu_seconds: u64,
}

/// Runs the command, in the only thread of the process: its limits hold for a thread and those it starts.
pub(super) fn parse_file(args: &ParseFileArgs) -> ExitCode {
    let limits = ParserLimits {
        memory_bytes: args.memory_bytes,
        cpu_seconds: args.cpu_seconds,
        ..ParserLimits::default()
    };
    parse_stdin(&args.name, &args.extension, &limits)
}

/// How this program reads files: each in a process that runs this command.
///
/// # Errors
/// If the program does not know where it lies.
pub(super) fn parsing() -> io::Result<Parsing> {
    process().map(Parsing::Process)
}

/// The process that reads a file.
///
/// # Errors
/// If the program does not know where it lies.
pub(super) fn process() -> io::Result<ParserProcess> {
    // The link leads to the program that runs, also after an update has put another one in its place.
    let program = PathBuf::from("/proc/self/exe");
    let program = if program.exists() { program } else { std::env::current_exe()? };
    let limits = ParserLimits::default();
    Ok(ParserProcess { program, arguments: vec!["parse-file".into()], limits })
}
