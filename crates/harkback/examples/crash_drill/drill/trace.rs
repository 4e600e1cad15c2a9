//! What did the server ask of the disk, and what did it answer, in which order? Read from a trace of its system calls, as
//! `strace -f -y -xx` writes it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The calls that change files, and those that send answers.
pub(super) const CALLS: &str = "openat,write,pwrite64,writev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,\
                                unlink,unlinkat,mkdir,mkdirat,sendto,sendmsg";

#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// Opened so that it is made if it is not there.
    Create(PathBuf),
    MakeDirectory(PathBuf),
    Write {
        file: PathBuf,
        /// `None` where the last write to it ended.
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Truncate {
        file: PathBuf,
        n_bytes: u64,
    },
    /// A file or directory is on disk as it was when that began, which was after so many events.
    Sync {
        path: PathBuf,
        began: usize,
    },
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Unlink(PathBuf),
    /// An answer of success was sent.
    Answer(String),
}

/// The events of a trace below the directory `data`, in the order in which they had happened.
///
/// # Errors
/// If the trace cannot be read, or holds what is not understood.
pub(super) fn read(trace: &Path, data: &Path) -> Result<Vec<Event>, String> {
    let file = File::open(trace).map_err(|it| it.to_string())?;
    let mut reading = Reading { data, events: Vec::new(), unfinished: HashMap::new() };
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|it| it.to_string())?;
        let Some((process, call)) = line.split_once(' ') else { continue };
        reading.line(process, call.trim_start()).map_err(|why| {
            format!("trace: {why}: {}", line.chars().take(200).collect::<String>())
        })?;
    }
    Ok(reading.events)
}

struct Reading<'a> {
    data: &'a Path,
    events: Vec<Event>,
    /// By process: the beginning of its call, and how many events had happened by then.
    unfinished: HashMap<String, (String, usize)>,
}

impl Reading<'_> {
    fn line(&mut self, process: &str, text: &str) -> Result<(), String> {
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(process.to_owned(), (begun.to_owned(), self.events.len()));
            return Ok(());
        }
        if let Some((_, rest)) =
            text.strip_prefix("<... ").and_then(|it| it.split_once(" resumed>"))
        {
            let Some((begun, at)) = self.unfinished.remove(process) else { return Ok(()) };
            return self.call(&(begun + rest), at);
        }
        self.call(text, self.events.len())
    }

    fn call(&mut self, text: &str, began: usize) -> Result<(), String> {
        let Some((name, rest)) = text.split_once('(') else { return Ok(()) };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Ok(()) };
        if result.starts_with('-') || result.starts_with('?') {
            return Ok(());
        }
        // After an interruption, blanks come before the result.
        let arguments = arguments.trim_end().trim_end_matches(')');
        let strings = strings(arguments)?;
        let named = |nth: usize| -> Result<PathBuf, String> {
            let bytes = strings.get(nth).ok_or("no path")?;
            Ok(PathBuf::from(String::from_utf8_lossy(bytes).into_owned()))
        };
        let opened = descriptor(arguments);
        let last = || {
            let number = arguments.rsplit(", ").next().unwrap_or_default();
            number.parse::<u64>().map_err(|_| "no number".to_owned())
        };
        let event = match name {
            "openat" if arguments.contains("O_CREAT") => Event::Create(named(0)?),
            "mkdir" | "mkdirat" => Event::MakeDirectory(named(0)?),
            "rename" | "renameat" | "renameat2" => Event::Rename(named(0)?, named(1)?),
            "link" | "linkat" => Event::Link(named(0)?, named(1)?),
            "unlink" | "unlinkat" => Event::Unlink(named(0)?),
            "ftruncate" => Event::Truncate { file: opened, n_bytes: last()? },
            "fsync" | "fdatasync" => Event::Sync { path: opened, began },
            "pwrite64" | "write" | "writev" | "sendto" | "sendmsg" => {
                let bytes = strings.concat();
                if opened.to_string_lossy().starts_with("socket:") {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if text.starts_with("HTTP/1.1 20") {
                        self.events.push(Event::Answer(text));
                    }
                    return Ok(());
                }
                let at = if name == "pwrite64" { Some(last()?) } else { None };
                Event::Write { file: opened, at, bytes }
            }
            _ => return Ok(()),
        };
        if event.path().is_some_and(|it| it.starts_with(self.data)) {
            self.events.push(event);
        }
        Ok(())
    }
}

impl Event {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Create(path) | Self::MakeDirectory(path) | Self::Unlink(path) => Some(path),
            Self::Rename(path, _) | Self::Link(path, _) => Some(path),
            Self::Write { file, .. } | Self::Truncate { file, .. } => Some(file),
            Self::Sync { path, .. } => Some(path),
            Self::Answer(_) => None,
        }
    }
}

/// What the first argument, an open file, is.
fn descriptor(arguments: &str) -> PathBuf {
    let name = arguments.split_once('<').and_then(|it| it.1.split_once('>'));
    let bytes = name.and_then(|it| unescaped(it.0).ok()).unwrap_or_default();
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

/// All texts in quotes.
fn strings(arguments: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut parts = arguments.split('"').skip(1);
    let mut found = Vec::new();
    while let Some(text) = parts.next() {
        found.push(unescaped(text)?);
        if parts.next().is_some_and(|it| it.starts_with("...")) {
            return Err("a text is cut off".into());
        }
    }
    Ok(found)
}

/// `\x2f\x74`…
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let byte = |it: &str| u8::from_str_radix(it, 16).map_err(|_| format!("`{it}` is no byte"));
    text.split("\\x").skip(1).map(byte).collect()
}
