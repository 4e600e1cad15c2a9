//! Which sentences are spoken: the cross-encoder reads those that bear on the question, as far as the budget goes.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::deadline::Deadline;
use crate::embed::Reranker;
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::retrieve::{Evidence, Query, choose, readings};

/// Left for putting the answer together.
const RESERVE: Duration = Duration::from_millis(1);

/// An answer fit to be spoken.
pub(super) struct Spoken {
    pub(super) text: String,
    /// Whether time ran out before all sentences were read.
    pub(super) is_partial: bool,
}

/// Reads and answers. Without a reranker, and where time allowed none to be read, the words of the question decide; where it allowed
/// some to be read, these are the likeliest ones.
pub(super) async fn speak(
    reranker: Option<Reranker>,
    question: &str,
    query: &Query,
    evidence: &[Evidence],
    snapshot: &Snapshot,
    deadline: Deadline,
) -> Result<Spoken> {
    let readings = readings(snapshot, question, query, evidence);
    let mut fits = Vec::new();
    let mut is_partial = false;
    if let Some(reranker) = reranker.filter(|_| !readings.are_settled()) {
        let pairs: Vec<(String, String)> =
            readings.sentences.iter().map(|it| (it.question.clone(), it.text.clone())).collect();
        let at_once = if deadline.is_set() { reranker.n_at_once() } else { usize::MAX };
        let (sender, mut scored) = mpsc::unbounded_channel();
        spawn_blocking(move || read(&reranker, &pairs, at_once, deadline, &sender));
        while fits.len() < readings.sentences.len() {
            match deadline.wait(RESERVE, scored.recv()).await {
                Some(Some(some)) => fits.extend(some?),
                Some(None) if !deadline.is_set() => {
                    return Err(Error::Model("the reranker stopped".to_owned()));
                }
                Some(None) | None => {
                    is_partial = true;
                    break;
                }
            }
        }
    }
    let text = choose(snapshot, &readings, &fits);
    Ok(Spoken { text, is_partial })
}

/// Scores pairs of question and sentence in their order, until nobody waits for them any more or the deadline leaves no time for
/// the next.
fn read(
    reranker: &Reranker,
    pairs: &[(String, String)],
    at_once: usize,
    deadline: Deadline,
    sender: &mpsc::UnboundedSender<Result<Vec<f32>>>,
) {
    for group in pairs.chunks(at_once) {
        if !reranker.is_in_time(group, deadline.left(RESERVE))
            || sender.send(reranker.score(group)).is_err()
        {
            return;
        }
    }
}
