//! How do documents get from the process that parses a file to the one that ingests it? As lines of JSON on a pipe.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::WebPage;
use crate::model::Document;

/// One line of the pipe. The last one is `End`, `Page` or `Failed`; without it, the process has died.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Frame {
    /// The process has taken its limits; these it could not get here.
    Ready {
        /// What is missing, each a phrase.
        missing: Vec<String>,
    },
    /// A document.
    Document {
        /// The document.
        document: Document,
        /// How much of the file has been read to its end, 0..=1; `None` where that cannot be told.
        done: Option<f32>,
    },
    /// What a page of a website says of itself, if it is a text at all: all that was asked for.
    Page(Option<WebPage>),
    /// The file cannot be read, and why.
    Failed(String),
    /// All documents have been sent.
    End,
}

/// A document's text has at most [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES), each byte at most six in JSON.
const MAX_FRAME_BYTES: u64 = 6 * super::MAX_TEXT_BYTES as u64 + (1 << 20);

/// Writes a frame.
///
/// # Errors
/// If the pipe is closed.
pub(crate) fn write_frame(frame: &Frame, pipe: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *pipe, frame)?;
    pipe.write_all(b"\n")
}

/// Reads the next frame; `None` at the end of the pipe. Takes memory for one frame only, whatever comes.
///
/// # Errors
/// If the pipe fails, or with [`io::ErrorKind::InvalidData`] if a line is too long or is no frame.
pub(crate) fn read_frame(pipe: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let mut line = Vec::new();
    pipe.by_ref().take(MAX_FRAME_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        // Cut off by the process's death, or too long; the former is the reader's to tell by the exit status.
        let is_cut = (line.len() as u64) < MAX_FRAME_BYTES - 1;
        return if is_cut { Ok(None) } else { Err(invalid("a line is too long")) };
    }
    serde_json::from_slice(&line).map(Some).map_err(|e| invalid(&e.to_string()))
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Place;

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "\\PC*|[\0-\x1f]*", page in any::<u32>(), done in proptest::option::of(0_f32..1.0)) {
            let document = Document {
                record_id: Some(text.clone()),
                title: text.clone(),
                place: Some(Place::Page(page)),
                text,
            };
            let frames = [Frame::Document { document, done }, Frame::End, Frame::Failed("why".into())];
            let mut pipe = Vec::new();
            for frame in &frames {
                write_frame(frame, &mut pipe).unwrap();
            }
            let mut pipe = pipe.as_slice();
            for frame in frames {
                prop_assert_eq!(read_frame(&mut pipe).unwrap(), Some(frame));
            }
            prop_assert_eq!(read_frame(&mut pipe).unwrap(), None);
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some(_)) = read_frame(&mut bytes.as_slice()) {
                prop_assert!(bytes.contains(&b'\n'));
            }
        }
    }

    #[test]
    fn a_line_without_an_end_takes_bounded_memory() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert_eq!(read_frame(&mut endless).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_frame(&mut &b"{\"document\""[..]).unwrap(), None, "cut off");
    }
}
