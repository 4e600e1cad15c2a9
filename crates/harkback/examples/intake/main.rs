//! How fast is ingestion, and how much memory does it need? Measured on a real server of its own, over loopback.
//!
//! After `cargo build --release`:
//!
//! `cargo run --release --example intake -- speed` compares ingestion with the embedder alone, and questions on an idle
//! server with questions during an ingestion.
//!
//! `cargo run --release --example intake -- memory --megabytes 1000` ingests one large file of JSON Lines and prints the
//! most memory that each phase took. It runs without models, which would take hours; with `--models DIR` it uses them.

#![expect(clippy::print_stdout, reason = "a command for developers")]

mod corpus;
#[path = "../listening/mod.rs"]
mod listening;
mod memory;
mod server;
mod speed;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures ingestion on a server of its own, over loopback.
#[derive(Parser)]
struct Args {
    /// The server's binary [default: `harkback` beside this program]
    #[arg(long, value_name = "PATH", global = true)]
    server: Option<PathBuf>,
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Passages a second, and questions meanwhile
    Speed(speed::SpeedArgs),
    /// Memory for one large file
    Memory(memory::MemoryArgs),
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let args = Args::parse();
    let server = match args.server {
        Some(path) => path,
        // The example lies in `examples/` under the folder of the binaries.
        None => {
            let own = std::env::current_exe()?;
            let folder = own.parent().and_then(Path::parent).ok_or("no folder of binaries")?;
            folder.join("harkback")
        }
    };
    match args.measure {
        Measure::Speed(args) => speed::measure(&server, &args).await,
        Measure::Memory(args) => memory::measure(&server, &args).await,
    }
}
