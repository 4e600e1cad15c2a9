//! What does the parsing process do? It limits itself, reads the file on its standard input, and writes documents to its
//! standard output.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use super::frame::{Frame, write_frame};
use super::limits::{ParserLimits, restrict};
use super::{ParseError, WEB_PAGE_LINKS, parse_file, read_web_page};
use crate::model::Document;

/// Documents wait for each other until they have this many bytes, so that small ones do not cost a system call each.
const PIPE_BYTES: usize = 32 << 10;

/// The whole life of a parsing process, to be called before it has a second thread.
///
/// It ends with failure only if nobody reads its documents any more; a file that cannot be read is told on the pipe.
pub fn parse_stdin(name: &str, extension: &str, limits: &ParserLimits) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // Not the message: it may quote the document.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        _ = writeln!(io::stderr(), "panicked at {place}");
    }));
    let missing = restrict(limits);
    let mut pipe = BufWriter::with_capacity(PIPE_BYTES, io::stdout().lock());
    let told = tell(name, extension, missing, &mut pipe).and_then(|()| pipe.flush());
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(
    name: &str,
    extension: &str,
    missing: Vec<String>,
    pipe: &mut impl Write,
) -> io::Result<()> {
    write_frame(&Frame::Ready { missing }, pipe)?;
    let mut file = stdin()?;
    if extension == WEB_PAGE_LINKS {
        let mut bytes = Vec::new();
        let frame = match file.read_to_end(&mut bytes) {
            Ok(_) => Frame::Page(read_web_page(&bytes)),
            Err(error) => Frame::Failed(ParseError::io(&error).to_string()),
        };
        return write_frame(&frame, pipe);
    }
    let mut broken = None;
    let mut take = |document: Document, done: Option<f32>| match write_frame(
        &Frame::Document { document, done },
        pipe,
    ) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            broken = Some(error);
            ControlFlow::Break(())
        }
    };
    let parsed = parse_file(name, extension, &file, &mut take);
    if let Some(error) = broken {
        return Err(error);
    }
    match parsed {
        Ok(()) => write_frame(&Frame::End, pipe),
        Err(reason) => write_frame(&Frame::Failed(reason.to_string()), pipe),
    }
}

/// Standard input as the file that it is.
#[cfg(unix)]
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}
