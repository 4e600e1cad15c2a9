//! The subgraph as a text for a prompt: entities with a line each, the edges between them, the passages that support
//! them, best first, within a budget. The same for the same question, memory and revision.

use std::fmt::Write;

use super::support::Evidence;
use crate::index::Snapshot;

/// Tokens of supporting passages; the best one is there whatever its size.
const MAX_TOKENS: u32 = 1_000;
const MAX_DESCRIPTION_CHARS: usize = 200;

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
pub(crate) fn context(snapshot: &Snapshot, evidence: &[Evidence]) -> Context {
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
    context.graph = graph(snapshot, evidence);
    context
}

fn graph(snapshot: &Snapshot, evidence: &[Evidence]) -> String {
    let mut text = String::new();
    let mut named: Vec<(&str, Option<u32>)> = Vec::new();
    for Evidence { text: passage, .. } in evidence {
        if passage.title.is_empty() || named.iter().any(|it| it.0 == passage.title) {
            continue;
        }
        named.push((&passage.title, snapshot.find_entity(&passage.title)));
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
    let edges = edges(snapshot, evidence, &named);
    if !edges.is_empty() {
        let _ = writeln!(text, "Relations:\n{}", edges.concat());
    }
    text
}

/// Lines for the mentions that join the named passages.
fn edges(snapshot: &Snapshot, evidence: &[Evidence], named: &[(&str, Option<u32>)]) -> Vec<String> {
    let mut lines = Vec::new();
    for Evidence { text: passage, .. } in evidence.iter().filter(|it| !it.text.title.is_empty()) {
        for span in &passage.sentences {
            let sentence = &passage.text[span.start as usize..span.end as usize];
            for mention in snapshot.mentions(sentence) {
                let other =
                    named.iter().find(|it| it.1 == Some(mention.entity) && it.0 != passage.title);
                if let Some((other, _)) = other {
                    let line = format!("- {} — mentions — {other}\n", passage.title);
                    if !lines.contains(&line) {
                        lines.push(line);
                    }
                }
            }
        }
    }
    lines
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
