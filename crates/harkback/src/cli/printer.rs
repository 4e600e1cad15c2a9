//! What do commands write, and where? Data goes to standard output, everything else to standard error.

use std::io::{self, Write};

/// The only writer to standard output and standard error.
#[derive(Clone, Copy, Debug)]
pub struct Printer(());

impl Printer {
    pub(super) fn new() -> Self {
        Self(())
    }

    /// A line of what the caller asked for: standard output, so that it can be piped.
    pub fn data(&self, line: &str) {
        write_line(io::stdout().lock(), line);
    }

    /// A line about what is going on: standard error.
    pub fn note(&self, line: &str) {
        write_line(io::stderr().lock(), line);
    }
}

/// A reader that has gone away (`harkback … | head -1`) is no failure of the command.
fn write_line(mut stream: impl Write, line: &str) {
    _ = writeln!(stream, "{line}").and_then(|()| stream.flush());
}
