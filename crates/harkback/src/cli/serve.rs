//! `harkback serve`: the server, until it is told to stop.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::{Outcome, Printer, parse_file};
use crate::app::{App, AppState, make_data_dir};
use crate::clock::{Clock, Ids};
use crate::config::{Config, ConfigArgs};
use crate::models::{ModelsDir, load_or_fetch};
use crate::{api, telemetry, worker};

/// Files that are open beside the connections: the database's, uploads, models.
const FILES_BESIDE_CONNECTIONS: u64 = 512;

/// Arguments of `harkback serve`.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    models: ModelsDir,
}

/// A server that listens.
pub(super) struct Server {
    pub(super) app: AppState,
    /// `http://` and the address it listens on.
    pub(super) url: String,
    ended: oneshot::Receiver<io::Result<()>>,
    /// Held as long as the server runs.
    _data: File,
}

/// Runs the command.
///
/// # Errors
/// If a setting is wrong, the address or the data directory is taken, or the data or the models cannot be used.
pub(super) async fn serve(args: &ServeArgs, printer: &Printer) -> Outcome {
    let server = Server::start(Config::load(&args.config)?, &args.models.path, printer).await?;
    server.until_told_to_stop(printer).await
}

impl Server {
    /// Listens, and answers as soon as the models are loaded.
    ///
    /// # Errors
    /// If the address or the data directory is taken, or the data or the models cannot be used.
    pub(super) async fn start(
        config: Config,
        models_dir: &Path,
        printer: &Printer,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        telemetry::init_logs(&config.log)?;
        if let Some(n_files) = api::raise_open_files()
            && n_files < config.max_connections as u64 + FILES_BESIDE_CONNECTIONS
        {
            printer.note(&format!(
                "the system lets this process open {n_files} files, which is too few for {} connections: raise the \
                 limit (`ulimit -n`) or lower `max_connections`",
                config.max_connections
            ));
        }
        keep_memory_private()?;
        // First, because nothing should be downloaded for a server that cannot start.
        let data = claim(&config.data)?;
        let listener =
            api::listen(config.listen).map_err(|error| cannot_listen(&config, &error))?;
        let url = format!("http://{}", listener.local_addr()?);

        let (dir, say) = (models_dir.to_owned(), *printer);
        let loaded =
            tokio::task::spawn_blocking(move || load_or_fetch(&dir, &|line| say.note(line)))
                .await?;
        let (models, missing) = loaded?;
        if let Some(reason) = missing {
            printer.note(&format!(
                "{reason}\nserving in lexical mode: answers come from words and the graph alone"
            ));
        }

        let app =
            App::open(config, models, Clock::System, Ids::Random, parse_file::parsing()?).await?;
        worker::start(&app).await?;
        let ended = answer_requests(&app, listener);
        printer.note(&format!("listening on {url}"));
        Ok(Self { app, url, ended, _data: data })
    }

    /// Serves until Ctrl-C or SIGTERM, then finishes what is under way.
    ///
    /// # Errors
    /// If the listener fails.
    pub(super) async fn until_told_to_stop(mut self, printer: &Printer) -> Outcome {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            outcome = &mut self.ended => outcome??,
        }
        printer.note("stopping; requests under way are finished first");
        self.stop().await;
        Ok(ExitCode::SUCCESS)
    }

    /// Finishes what is under way and closes the data.
    pub(super) async fn stop(self) {
        self.app.shutdown().await;
    }
}

/// Makes the data directory this server's alone: two would each take all of it for their own. The lock ends with the
/// process, however that ends. Commands that may run beside a server do not ask for it.
fn claim(dir: &Path) -> Result<File, String> {
    let shown = dir.display();
    make_data_dir(dir).map_err(|e| format!("cannot make the data directory `{shown}`: {e}"))?;
    let unusable = |e: io::Error| format!("cannot lock the data directory `{shown}`: {e}");
    let file = File::create(dir.join("server.lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another server runs on the data directory `{shown}`; stop it, or name another directory with --data"
        )),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

fn cannot_listen(config: &Config, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; stop what listens there, or name another address with --listen"
        }
        _ => "",
    };
    format!("cannot listen on `{}`: {error}{hint}", config.listen)
}

/// No core dump holds documents or secrets, and on Linux no other process of this user reads this one's memory.
fn keep_memory_private() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

fn answer_requests(app: &AppState, listener: TcpListener) -> oneshot::Receiver<io::Result<()>> {
    let (sender, ended) = oneshot::channel();
    let shared = Arc::clone(app);
    app.spawn(async move {
        // Nobody waits for it any more when the server was told to stop.
        _ = sender.send(api::serve(&shared, listener).await);
    });
    ended
}
