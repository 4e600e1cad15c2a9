//! How is a file read: in this process, or in one of its own that may fail, hang or be killed without harm?

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use super::parse::{
    Frame, ParserLimits, Take, WEB_PAGE_LINKS, WebPage, parse_file, read_frame, read_web_page,
};
use crate::error::{Error, Result};

/// How files are parsed.
#[derive(Clone, Debug)]
pub enum Parsing {
    /// In this process: for programs that trust their files. Nothing limits a parser then.
    InProcess,
    /// Each file in a process of its own.
    Process(ParserProcess),
}

/// A program that calls [`parse_stdin`](crate::parse_stdin) when it is started with `arguments` and the options `--name`,
/// `--extension`, `--memory-bytes` and `--cpu-seconds`, written `--option=value`.
#[derive(Clone, Debug)]
pub struct ParserProcess {
    /// The program.
    pub program: PathBuf,
    /// What it is started with before the options.
    pub arguments: Vec<OsString>,
    /// What it may use.
    pub limits: ParserLimits,
}

/// A file to be read.
pub(super) struct Unread<'a> {
    pub(super) path: &'a Path,
    pub(super) name: &'a str,
    pub(super) extension: &'a str,
}

impl Parsing {
    /// Reads a file and hands its documents to `take`. `is_wanted` is asked from time to time while there is no document.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if the file cannot be read, [`LeaseLost`](Error::LeaseLost) if it is not wanted any
    /// more, or if the process cannot be started.
    pub(super) fn read(
        &self,
        unread: &Unread<'_>,
        is_wanted: impl Fn() -> bool + Send + Sync,
        take: &mut Take<'_>,
    ) -> Result<()> {
        match self {
            Self::InProcess => {
                let file = File::open(unread.path)?;
                parse_file(unread.name, unread.extension, &file, take)
                    .map_err(|e| Error::BadInput(e.to_string()))
            }
            Self::Process(process) => {
                let stdin = Stdio::from(File::open(unread.path)?);
                Running::start(process, unread, stdin, is_wanted)?.run(take)
            }
        }
    }

    /// Reads where a page leads that was fetched from a website; `None` if it is no text. Blocks.
    ///
    /// # Errors
    /// [`BadInput`](Error::BadInput) if it cannot be read within the limits; otherwise if the process cannot be started.
    pub fn read_web_page(
        &self,
        page: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Option<WebPage>> {
        let Self::Process(process) = self else { return Ok(read_web_page(page.as_ref())) };
        let unread = Unread { path: Path::new(""), name: "page", extension: WEB_PAGE_LINKS };
        let mut running = Running::start(process, &unread, Stdio::piped(), || true)?;
        let mut stdin = running.process.stdin.take().expect("it is piped");
        // Its failure is the process's, which says why it did not read on.
        std::thread::spawn(move || _ = stdin.write_all(page.as_ref()));
        running.page()
    }
}

impl ParserProcess {
    /// Starts the process over an empty file and tells which limits it cannot have on this system.
    ///
    /// # Errors
    /// If it cannot be started or does not answer.
    pub fn missing_limits(&self) -> Result<Vec<String>> {
        let path = Path::new(if cfg!(windows) { "NUL" } else { "/dev/null" });
        let unread = Unread { path, name: "probe", extension: "txt" };
        let stdin = Stdio::from(File::open(path)?);
        let mut running = Running::start(self, &unread, stdin, || true)?;
        match read_frame(&mut running.frames) {
            Ok(Some(Frame::Ready { missing })) => Ok(missing),
            Ok(_) => Err(Error::BadInput(running.cause_of_death())),
            Err(error) => Err(error.into()),
        }
    }
}

/// A process that is parsing; killed with all it started when dropped.
struct Running<F> {
    process: Child,
    frames: BufReader<Patient<F>>,
    complaints: Option<JoinHandle<String>>,
    limits: ParserLimits,
    /// Its id may be another process's then.
    is_reaped: bool,
}

impl<F: Fn() -> bool> Running<F> {
    fn start(
        process: &ParserProcess,
        unread: &Unread<'_>,
        stdin: Stdio,
        is_wanted: F,
    ) -> Result<Self> {
        let limits = process.limits;
        let mut command = Command::new(&process.program);
        command
            .args(&process.arguments)
            .arg(format!("--name={}", unread.name.replace('\0', " ")))
            .arg(format!("--extension={}", unread.extension.replace('\0', " ")))
            .arg(format!("--memory-bytes={}", limits.memory_bytes))
            .arg(format!("--cpu-seconds={}", limits.cpu_seconds))
            .env_clear()
            // The allocator of our program would reserve a gigabyte, which counts as used.
            .env("MIMALLOC_ARENA_RESERVE", "32768")
            .current_dir("/")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().expect("it is piped");
        let stderr = process.stderr.take().expect("it is piped");
        let patience = Duration::from_secs(limits.silence_seconds);
        Ok(Self {
            process,
            frames: BufReader::with_capacity(64 << 10, Patient { stdout, patience, is_wanted }),
            complaints: Some(std::thread::spawn(move || complaints(stderr))),
            limits,
            is_reaped: false,
        })
    }

    fn run(mut self, take: &mut Take<'_>) -> Result<()> {
        loop {
            match read_frame(&mut self.frames) {
                Ok(Some(Frame::Ready { .. })) => {}
                Ok(Some(Frame::Document { document, done })) => {
                    if take(document, done).is_break() {
                        return Ok(());
                    }
                }
                Ok(Some(Frame::Failed(reason))) => return Err(Error::BadInput(reason)),
                Ok(Some(Frame::End | Frame::Page(_))) => return Ok(()),
                Ok(None) => return Err(Error::BadInput(self.cause_of_death())),
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn page(mut self) -> Result<Option<WebPage>> {
        loop {
            match read_frame(&mut self.frames) {
                Ok(Some(Frame::Ready { .. } | Frame::Document { .. })) => {}
                Ok(Some(Frame::Page(page))) => return Ok(page),
                Ok(Some(Frame::Failed(reason))) => return Err(Error::BadInput(reason)),
                Ok(Some(Frame::End)) => return Ok(None),
                Ok(None) => return Err(Error::BadInput(self.cause_of_death())),
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn failure(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::ConnectionAborted => Error::LeaseLost,
            io::ErrorKind::TimedOut => Error::BadInput(format!(
                "no text came out of the file for {} seconds: split it, or save it in another format",
                self.limits.silence_seconds
            )),
            _ => Error::BadInput(format!("the file could not be read: its parser says {error}")),
        }
    }

    /// Why the process ended without a last word.
    fn cause_of_death(&mut self) -> String {
        let status = self.process.wait();
        self.is_reaped = true;
        let complaints = self.complaints.take().and_then(|it| it.join().ok()).unwrap_or_default();
        let limits = &self.limits;
        if complaints.contains("memory allocation of") {
            return format!(
                "the file needs more than {} MB of memory to be read: split it",
                limits.memory_bytes >> 20
            );
        }
        #[cfg(unix)]
        if let Some(signal) =
            status.as_ref().ok().and_then(std::os::unix::process::ExitStatusExt::signal)
        {
            use rustix::process::Signal;
            let is = |it: Signal| signal == it.as_raw();
            // The limit of computing kills where it is both the soft and the hard one.
            if is(Signal::XCPU) || is(Signal::KILL) {
                return format!(
                    "the file takes more than {} seconds of computing, or more memory than there is, to be read: split it",
                    limits.cpu_seconds
                );
            }
            return format!(
                "the file could not be read: its parser crashed with signal {signal}; save it in another format"
            );
        }
        let panicked = complaints.lines().find(|it| it.starts_with("panicked at"));
        let status = status.map_or_else(|e| e.to_string(), |it| it.to_string());
        format!(
            "the file could not be read: its parser stopped ({}); save it in another format",
            panicked.unwrap_or(&status)
        )
    }
}

impl<F> Drop for Running<F> {
    fn drop(&mut self) {
        if self.is_reaped {
            return;
        }
        #[cfg(unix)]
        if let Some(group) =
            i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// What a process wrote to standard error, the beginning of it; the rest is read and dropped, lest it stand still.
fn complaints(mut stderr: ChildStderr) -> String {
    const MAX_BYTES: u64 = 16 << 10;
    let mut bytes = Vec::new();
    _ = stderr.by_ref().take(MAX_BYTES).read_to_end(&mut bytes);
    _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A pipe whose reader gives up: after `patience` without a byte (`TimedOut`), or when the bytes are not wanted any more
/// (`ConnectionAborted`).
struct Patient<F> {
    stdout: ChildStdout,
    patience: Duration,
    is_wanted: F,
}

impl<F: Fn() -> bool> Read for Patient<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        self.wait()?;
        self.stdout.read(buffer)
    }
}

#[cfg(unix)]
impl<F: Fn() -> bool> Patient<F> {
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        const LOOK_EVERY: Duration = Duration::from_millis(200);
        let began = std::time::Instant::now();
        loop {
            let mut fds = [PollFd::new(&self.stdout, PollFlags::IN)];
            let tick = Timespec::try_from(LOOK_EVERY).expect("200 ms are a time");
            match poll(&mut fds, Some(&tick)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if !(self.is_wanted)() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if began.elapsed() > self.patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

#[cfg(all(test, unix))]
#[path = "parsing_tests.rs"]
mod tests;
