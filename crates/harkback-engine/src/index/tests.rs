//! Small memories for tests of what reads an index.

use uuid::Uuid;

use super::{IndexPassage, Snapshot, SnapshotBuilder};
use crate::model::{FileId, Span};

/// A memory of passages, each one sentence under a title, without vectors.
pub(crate) fn memory<'a>(passages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Snapshot {
    memory_with(passages, |_| None)
}

/// The same, with the vector that each text has.
pub(crate) fn memory_with<'a>(
    passages: impl IntoIterator<Item = (&'a str, &'a str)>,
    vector: impl Fn(&str) -> Option<Vec<f32>>,
) -> Snapshot {
    let mut builder = SnapshotBuilder::new();
    for (seq, (title, text)) in (0..).zip(passages) {
        builder.push(IndexPassage {
            place: (FileId(Uuid::nil()), Uuid::nil(), seq),
            title,
            text,
            sentences: &[Span { start: 0, end: text.len() as u32 }],
            vector: vector(text).as_deref(),
        });
    }
    builder.finish(1)
}
