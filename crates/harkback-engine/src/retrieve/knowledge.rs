//! What does the graph know of one passage, whatever the question? For archives and viewers.

use super::relation::{SupportSentence, relations};
use super::support::named;
use crate::index::Snapshot;
use crate::model::{ExportedMention, ExportedRelation, Ontology};
use crate::ontology::shipped;
use crate::store::PassageText;

/// The entities that a passage mentions, and the relations that its sentences state, both in reading order. A vector
/// memory, which has no ontology, states none.
pub(crate) fn knowledge(
    snapshot: &Snapshot,
    passage: &PassageText,
    ontology: Option<Ontology>,
) -> (Vec<ExportedMention>, Vec<ExportedRelation>) {
    let Some(ontology) = ontology else { return (Vec::new(), Vec::new()) };
    let sentences =
        passage.sentences.iter().map(|it| (it, &passage.text[it.start as usize..it.end as usize]));
    let mut mentions = Vec::new();
    let mut read = Vec::new();
    for (number, (span, sentence)) in sentences.enumerate() {
        mentions.extend(snapshot.mentions(sentence).into_iter().map(|it| ExportedMention {
            entity: it.entity,
            name: sentence[it.start..it.end].to_owned(),
            sentence: number,
            start: span.start as usize + it.start,
            end: span.start as usize + it.end,
        }));
        read.push((sentence, named(snapshot, sentence)));
    }
    let supports: Vec<SupportSentence<'_>> = read
        .iter()
        .map(|(text, mentions)| SupportSentence { subject: &passage.title, text, mentions })
        .collect();
    let stated = relations(&supports, shipped(ontology)).into_iter().map(|it| ExportedRelation {
        subject_entity: snapshot.find_entity(&it.subject),
        object_entity: snapshot.find_entity(&it.object),
        subject: it.subject,
        predicate: it.predicate,
        object: it.object,
        sentence: it.sentence,
    });
    (mentions, stated.collect())
}
