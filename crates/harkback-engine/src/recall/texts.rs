//! The texts of ranked passages, from the store.

use crate::error::Result;
use crate::index::Snapshot;
use crate::model::MemoryId;
use crate::retrieve::{Evidence, RankedNo};
use crate::store::{PassageKey, Store};

/// The best `k` of `ranked` that are still live, best first: what was deleted since the index was built gives way to the next.
pub(super) async fn best_texts(
    store: &Store,
    snapshot: &Snapshot,
    memory: MemoryId,
    ranked: &[RankedNo],
    k: usize,
) -> Result<Vec<Evidence>> {
    let mut best = Vec::<Evidence>::with_capacity(k);
    for next in ranked.chunks(k) {
        best.extend(texts(store, snapshot, memory, next).await?);
        if best.len() >= k {
            best.truncate(k);
            break;
        }
    }
    Ok(best)
}

/// Those of `ranked` that are still live, in their order.
pub(super) async fn texts(
    store: &Store,
    snapshot: &Snapshot,
    memory: MemoryId,
    ranked: &[RankedNo],
) -> Result<Vec<Evidence>> {
    let key = |it: &RankedNo| {
        let (file_id, version_id, seq) = snapshot.passage_place(it.passage);
        PassageKey { file_id, version_id, seq }
    };
    let keys: Vec<PassageKey> = ranked.iter().map(key).collect();
    let texts = store.passage_texts(memory, &keys).await?;
    Ok(texts
        .into_iter()
        .map(|text| Evidence { ranked: ranked[text.asked].clone(), text })
        .collect())
}

/// The passages from which bridges among `seen` start and that are not among them.
pub(super) fn anchors(seen: &[Evidence]) -> Vec<RankedNo> {
    let mut anchors = Vec::<RankedNo>::new();
    for passage in seen.iter().filter_map(|it| it.ranked.from) {
        let is_there = |it: &RankedNo| it.passage == passage;
        if !seen.iter().any(|it| is_there(&it.ranked)) && !anchors.iter().any(is_there) {
            anchors.push(RankedNo::unranked(passage));
        }
    }
    anchors
}
