//! The answer to be spoken: the sentence that a cross-encoder finds to fit the question best, never an invented one.

use tokio::task::spawn_blocking;

use super::query::Query;
use super::support::{Evidence, Support, supports};
use crate::embed::Reranker;
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::model::{Item, ItemMetadata};

/// Sentences that the cross-encoder reads: each costs some milliseconds.
const MAX_READ: usize = 12;
/// Below both of these nothing supports an answer.
const MIN_FIT: f32 = 0.01;
const MIN_COVERAGE: f32 = 0.35;

/// Said when nothing in the memory supports an answer.
const UNKNOWN: &str = "I'm sorry, I don't know that.";

/// Chooses the answer. Its score is 1, as the contract says, also when it is that nothing is known.
pub(crate) async fn answer(
    reranker: Option<Reranker>,
    question: &str,
    query: &Query,
    evidence: &[Evidence],
    snapshot: &Snapshot,
) -> Result<Item> {
    let mut candidates = supports(snapshot, query, evidence);
    candidates.truncate(MAX_READ);
    let fits = match reranker {
        Some(reranker) => {
            let texts: Vec<String> = candidates.iter().map(read_text).collect();
            let question = question.to_owned();
            let reading = spawn_blocking(move || {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                reranker.score(&question, &texts)
            });
            reading.await.map_err(|e| Error::Io(e.into()))??
        }
        None => candidates.iter().map(|it| it.score).collect(),
    };
    let chosen = candidates.iter().zip(fits).max_by(|a, b| a.1.total_cmp(&b.1));
    let content = match chosen {
        Some((support, fit)) if fit >= MIN_FIT || support.coverage >= MIN_COVERAGE => {
            spoken(support)
        }
        _ => UNKNOWN.to_owned(),
    };
    Ok(Item { content, score: 1.0, metadata: ItemMetadata::None })
}

fn read_text(support: &Support<'_>) -> String {
    format!("{}: {}", support.passage.title, support.sentence)
}

fn spoken(support: &Support<'_>) -> String {
    support.sentence.to_owned()
}
