//! The subgraph as a text for a prompt: entities with a line each, the edges between them, the passages that support
//! them, best first, within a budget. The same for the same question, memory and revision.

use std::fmt::Write;

use super::relation::{Relation, SupportSentence, relations};
use super::support::{Evidence, named};
use crate::index::Snapshot;
use crate::model::Ontology;
use crate::ontology::shipped;

/// Tokens of supporting passages; the best one is there whatever its size.
const MAX_TOKENS: u32 = 1_000;
const MAX_DESCRIPTION_CHARS: usize = 200;
const MAX_RELATIONS: usize = 24;

/// A subgraph as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// Entities and the edges between them.
    pub(crate) graph: String,
    /// The passages, each under its title.
    pub(crate) passages: String,
    /// Tokens of the passages with their titles, as counted when they were ingested.
    pub(crate) n_passage_tokens: u32,
}

impl Context {
    /// The whole text.
    pub(crate) fn into_text(self) -> String {
        self.graph + &self.passages
    }
}

/// Writes the subgraph behind a ranking.
pub(crate) fn context(
    snapshot: &Snapshot,
    evidence: &[Evidence],
    ontology: Option<Ontology>,
) -> Context {
    let mut context = Context::default();
    for (place, Evidence { text: passage, .. }) in evidence.iter().enumerate() {
        if place > 0 && context.n_passage_tokens + passage.n_tokens > MAX_TOKENS {
            break;
        }
        context.n_passage_tokens += passage.n_tokens;
        if !passage.title.is_empty() {
            let _ = writeln!(context.passages, "{}", passage.title);
        }
        let _ = writeln!(context.passages, "{}\n", passage.text.trim());
    }
    // A vector memory has no ontology and shows no graph.
    context.graph = ontology.map_or_else(String::new, |it| graph(snapshot, evidence, it));
    context
}

fn graph(snapshot: &Snapshot, evidence: &[Evidence], ontology: Ontology) -> String {
    let mut text = String::new();
    let mut things: Vec<(&str, Option<u32>)> = Vec::new();
    for Evidence { text: passage, .. } in evidence {
        if passage.title.is_empty() || things.iter().any(|it| it.0 == passage.title) {
            continue;
        }
        things.push((&passage.title, snapshot.find_entity(&passage.title)));
        let first = passage
            .sentences
            .first()
            .map_or("", |it| &passage.text[it.start as usize..it.end as usize]);
        let _ = writeln!(text, "- {}: {}", passage.title, shortened(first, MAX_DESCRIPTION_CHARS));
    }
    if !text.is_empty() {
        text.insert_str(0, "Entities:\n");
        text.push('\n');
    }
    let edges = edges(snapshot, evidence, &things, ontology);
    if !edges.is_empty() {
        let _ = writeln!(text, "Relations:\n{}", edges.concat());
    }
    text
}

/// Lines for what the sentences say of the named things: typed relations first, then plain mentions between them.
fn edges(
    snapshot: &Snapshot,
    evidence: &[Evidence],
    named_things: &[(&str, Option<u32>)],
    ontology: Ontology,
) -> Vec<String> {
    let mut sentences = Vec::new();
    for Evidence { text: passage, .. } in evidence {
        for span in &passage.sentences {
            let sentence = &passage.text[span.start as usize..span.end as usize];
            sentences.push((passage.title.as_str(), sentence, named(snapshot, sentence)));
        }
    }
    let supports: Vec<SupportSentence<'_>> = sentences
        .iter()
        .map(|(subject, text, mentions)| SupportSentence { subject, text, mentions })
        .collect();
    let joins_things = |it: &Relation| {
        let is_thing = |name: &str| {
            let entity = snapshot.find_entity(name);
            named_things.iter().any(|it| it.0 == name || (entity.is_some() && it.1 == entity))
        };
        it.predicate.is_some() || (is_thing(&it.subject) && is_thing(&it.object))
    };
    let mut relations = relations(&supports, shipped(ontology));
    relations.retain(joins_things);
    relations.sort_by_key(|it| (it.predicate.is_none(), it.sentence));
    let line = |it: &Relation| {
        let predicate = it.predicate.as_deref().unwrap_or("mentioned with");
        format!("- {} — {predicate} — {}\n", it.subject, it.object)
    };
    relations.iter().take(MAX_RELATIONS).map(line).collect()
}

fn shortened(sentence: &str, max_chars: usize) -> String {
    let sentence = sentence.trim();
    match sentence.char_indices().nth(max_chars) {
        None => sentence.to_owned(),
        Some((end, _)) => {
            let end = sentence[..end].rfind(' ').unwrap_or(end);
            format!("{} …", &sentence[..end])
        }
    }
}
