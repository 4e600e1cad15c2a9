//! How does a slide read: its title as a heading, its text, its speaker notes?

use super::collapse;
use super::prose::Prose;
use crate::model::{Document, Place};

/// A slide in the making.
#[derive(Debug, Default)]
pub(super) struct Slide {
    /// From 1, hidden ones counted, as programs show it.
    pub(super) number: u32,
    /// Hidden slides are not shown to an audience and not read.
    pub(super) is_hidden: bool,
    pub(super) title: String,
    pub(super) prose: Prose,
    pub(super) notes: String,
}

impl Slide {
    /// The slide as a document under the presentation's title, `None` if it is hidden or says nothing.
    pub(super) fn finish(self, presentation: &str) -> Option<Document> {
        let (_, body) = self.prose.finish();
        let heading = collapse(&self.title);
        let notes = collapse(&self.notes);
        let mut blocks = Vec::new();
        if !heading.is_empty() {
            blocks.push(format!("# {heading}"));
        }
        blocks.extend(Some(body).filter(|it| !it.is_empty()));
        if !notes.is_empty() {
            blocks.push(format!("Speaker notes: {notes}"));
        }
        if self.is_hidden || blocks.is_empty() {
            return None;
        }
        Some(Document {
            record_id: None,
            title: presentation.to_owned(),
            place: Some(Place::Slide(self.number)),
            text: blocks.join("\n\n"),
        })
    }
}
