//! Which sentences are spoken: the cross-encoder reads those that bear on the question, as far as the budget goes.

use std::time::Duration;

use super::call::Call;
use crate::embed::{Leave, Reranker};
use crate::error::Result;
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
pub(super) fn speak(
    reranker: Option<&Reranker>,
    question: &str,
    query: &Query,
    evidence: &[Evidence],
    snapshot: &Snapshot,
    call: &Call,
) -> Result<Spoken> {
    let readings = readings(snapshot, question, query, evidence);
    let pairs: Vec<(String, String)> =
        readings.sentences.iter().map(|it| (it.question.clone(), it.text.clone())).collect();
    let (fits, is_partial) = match reranker.filter(|_| !readings.are_settled()) {
        Some(reranker) => {
            let fits = read(reranker, &pairs, call)?;
            let is_partial = fits.len() < pairs.len();
            (fits, is_partial)
        }
        None => (Vec::new(), false),
    };
    Ok(Spoken { text: choose(snapshot, &readings, &fits), is_partial })
}

/// Scores pairs of question and sentence in their order, as many as there is time for.
fn read(reranker: &Reranker, pairs: &[(String, String)], call: &Call) -> Result<Vec<f32>> {
    if !call.deadline.is_set() {
        return reranker.score_unless_left(pairs, Leave::Before(&call.cancelled));
    }
    let mut fits = Vec::new();
    for group in pairs.chunks(reranker.n_at_once()) {
        if !reranker.admits(group, call.deadline.left(RESERVE)) {
            break;
        }
        let (reranker, group) = (reranker.clone(), group.to_vec());
        let scored =
            call.within(RESERVE, move |leave| reranker.score_unless_left(&group, leave))?;
        let Some(scored) = scored else { break };
        fits.extend(scored);
    }
    Ok(fits)
}
