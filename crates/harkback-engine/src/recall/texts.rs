//! The texts of ranked passages, from the store.

use rustc_hash::FxHashSet;

use crate::error::Result;
use crate::index::{Mention, Snapshot};
use crate::ingest::spoken_of_chunk;
use crate::model::{MemoryKind, MemoryRecord};
use crate::retrieve::{Evidence, RankedNo};
use crate::store::{PassageKey, PassageText, Store};

/// What is wanted of a ranking.
#[derive(Clone, Copy)]
pub(super) struct Best<'a> {
    /// All of it, best first.
    pub(super) ranked: &'a [RankedNo],
    /// The entities that the question names.
    pub(super) named: &'a [Mention],
    /// How many passages.
    pub(super) k: usize,
}

/// The best that are still live, best first: what was deleted since the index was built gives way to the next, and so does
/// what says the same as a better one.
pub(super) async fn best_texts(
    store: &Store,
    snapshot: &Snapshot,
    record: &MemoryRecord,
    Best { ranked, named, k }: Best<'_>,
) -> Result<Vec<Evidence>> {
    let key = |it: &RankedNo| snapshot.copy_key(it.passage, named);
    let (mut best, mut shown) = (Vec::with_capacity(k), FxHashSet::default());
    let mut rest = ranked.iter();
    while best.len() < k {
        let is_new = |it: &&RankedNo| !shown.contains(&key(it));
        let next: Vec<RankedNo> = rest.by_ref().filter(is_new).take(k).cloned().collect();
        if next.is_empty() {
            break;
        }
        let live = texts(store, snapshot, record, &next).await?;
        best.extend(live.into_iter().filter(|it| shown.insert(key(&it.ranked))));
    }
    best.truncate(k);
    Ok(best)
}

/// Those of `ranked` that are still live, in their order.
pub(super) async fn texts(
    store: &Store,
    snapshot: &Snapshot,
    record: &MemoryRecord,
    ranked: &[RankedNo],
) -> Result<Vec<Evidence>> {
    let key = |it: &RankedNo| {
        let (file_id, version_id, seq) = snapshot.passage_place(it.passage);
        PassageKey { file_id, version_id, seq }
    };
    let keys: Vec<PassageKey> = ranked.iter().map(key).collect();
    let texts = store.passage_texts(record.memory_id, &keys).await?;
    let evidence = |text: PassageText| Evidence {
        ranked: ranked[text.asked].clone(),
        text: match record.kind {
            MemoryKind::Graph => text,
            MemoryKind::Vector => in_sentences(text),
        },
    };
    Ok(texts.into_iter().map(evidence).collect())
}

/// A chunk is embedded and stored as one, and spoken in the sentences in it.
fn in_sentences(text: PassageText) -> PassageText {
    PassageText { sentences: spoken_of_chunk(&text.text, &text.title), ..text }
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
