//! What does a recording say? Whoever the program names is asked; the engine itself does not hear.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use super::parse::title_of_name;
use crate::error::{Error, Result};
use crate::model::{Document, FileRecord, FileType, Place};

/// A recording to be transcribed.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its bytes on the local disk.
    pub path: PathBuf,
    /// The name its owner gave it, with the extension.
    pub name: String,
}

/// Something that is said without a pause.
#[derive(Clone, Debug, PartialEq)]
pub struct Utterance {
    /// Seconds from the beginning of the recording; `None` if the transcriber does not tell.
    pub start_seconds: Option<f64>,
    /// What is said.
    pub text: String,
}

/// What is said in a recording, in order; or why it cannot be told, in words for its owner.
pub type Transcript = Result<Vec<Utterance>, String>;

/// A transcript under way.
type Transcribing = Pin<Box<dyn Future<Output = Transcript> + Send>>;

/// Turns recordings into text.
#[derive(Clone)]
pub struct Transcriber(Arc<dyn Fn(Recording) -> Transcribing + Send + Sync>);

impl Transcriber {
    /// One that asks `transcribe`.
    pub fn new<F: Future<Output = Transcript> + Send + 'static>(
        transcribe: impl Fn(Recording) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |it| Box::pin(transcribe(it))))
    }
}

impl fmt::Debug for Transcriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transcriber")
    }
}

/// Whether a file is sound or film: by its extension, or by the type its owner gave it where the extension says nothing.
pub(super) fn is_recording(file: &FileRecord) -> bool {
    let is_heard = |it: FileType| matches!(it.category(), "audio" | "video");
    match FileType::of_extension(&file.extension.to_ascii_lowercase()) {
        FileType::Other => is_heard(file.file_type),
        by_extension => is_heard(by_extension),
    }
}

/// The documents of a recording: what is said in it, in pieces that begin at known seconds.
///
/// # Errors
/// [`BadInput`](Error::BadInput) with the reason.
pub(super) async fn documents(
    transcriber: Option<&Transcriber>,
    recording: Recording,
) -> Result<Vec<Document>> {
    let Some(transcriber) = transcriber else {
        return Err(Error::BadInput(
            "no transcription endpoint is configured: set `transcription_url`, or upload a transcript as text".into(),
        ));
    };
    let title = title_of_name(&recording.name);
    let utterances = (transcriber.0)(recording).await.map_err(Error::BadInput)?;
    let documents = pieces(&utterances, &title);
    if documents.is_empty() {
        return Err(Error::BadInput("nothing is said in the recording".into()));
    }
    Ok(documents)
}

/// Utterances are joined until they have the length of a paragraph, so that a passage is not half a sentence.
fn pieces(utterances: &[Utterance], title: &str) -> Vec<Document> {
    const PIECE_BYTES: usize = 600;
    let mut documents: Vec<Document> = Vec::new();
    for it in utterances {
        let text = it.text.trim();
        match documents.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.text.len() + text.len() < PIECE_BYTES => {
                last.text.push(' ');
                last.text.push_str(text);
            }
            _ => documents.push(Document {
                record_id: None,
                title: title.to_owned(),
                // A cast from f64 keeps within the range of u32.
                place: it.start_seconds.map(|it| Place::Seconds(it as u32)),
                text: text.to_owned(),
            }),
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utterances_become_paragraphs_that_know_their_second() {
        let said = |start_seconds, text: &str| Utterance { start_seconds, text: text.to_owned() };
        let long = "word ".repeat(118);
        let utterances = [
            said(Some(0.4), " Hello. "),
            said(Some(2.0), "This is Mia."),
            said(Some(4.0), " "),
            said(Some(61.9), &long),
            said(Some(f64::MAX), "Bye."),
        ];
        let pieces: Vec<_> =
            pieces(&utterances, "T").into_iter().map(|it| (it.place, it.text.len())).collect();
        let at = |it| Some(Place::Seconds(it));
        assert_eq!(pieces, [(at(0), 19), (at(61), 594)]);
    }
}
