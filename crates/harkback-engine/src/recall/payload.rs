//! What an answer hands over: items, sources and the number of tokens.

use rustc_hash::FxHashMap;

use crate::embed::Models;
use crate::error::Result;
use crate::model::{Item, ItemMetadata, MemoryKind, Place, RankedPassage, Source};
use crate::retrieve::{Context, Evidence};
use crate::store::PassageText;

/// Tokens of what a raw answer hands to a prompt, the same in every mode.
pub(super) fn count_tokens(
    models: &Models,
    kind: MemoryKind,
    context: &Context,
    behind: &[Evidence],
) -> Result<usize> {
    let n_graph = match (kind, &models.embedder) {
        (MemoryKind::Vector, _) => {
            return Ok(behind.iter().map(|it| it.text.n_tokens as usize).sum());
        }
        (MemoryKind::Graph, Some(embedder)) => embedder.count_tokens(&context.graph)?,
        // Without a tokeniser: English has about four letters a token.
        (MemoryKind::Graph, None) => context.graph.len() / 4,
    };
    Ok(n_graph + context.n_passage_tokens as usize)
}

/// Its score is 1, as the contract says, also when it is that nothing is known.
pub(super) fn spoken(text: String) -> Item {
    Item { content: text, score: 1.0, metadata: ItemMetadata::None }
}

/// The whole subgraph of a graph memory, as one item.
pub(super) fn subgraph(context: Context, seen: &[Evidence]) -> Item {
    let passages = seen.iter().enumerate().map(|(i, it)| RankedPassage {
        rank: i + 1,
        file_id: it.text.file_id.clone(),
        record_id: it.text.record_id.clone(),
        title: it.text.title.clone(),
        place: it.text.place.clone(),
        score: it.ranked.score,
        text: it.text.text.clone(),
    });
    Item {
        content: context.into_text(),
        score: seen.first().map_or(0.0, |it| it.ranked.score),
        metadata: ItemMetadata::Passages(passages.collect()),
    }
}

/// A chunk of a vector memory.
pub(super) fn chunk(evidence: &Evidence) -> Item {
    let PassageText { url, file_name, place, text, .. } = &evidence.text;
    let source = if url.is_empty() { file_name.clone() } else { Place::link(place.as_ref(), url) };
    Item {
        content: text.clone(),
        score: evidence.ranked.score,
        metadata: ItemMetadata::Chunk {
            source,
            source_title: file_name.clone(),
            place: place.clone(),
        },
    }
}

/// The files behind passages, best first, each once, with its best passage's score.
pub(super) fn sources(seen: &[Evidence]) -> Vec<Source> {
    let mut place = FxHashMap::<&str, usize>::default();
    let mut sources = Vec::new();
    for it in seen {
        if !place.contains_key(it.text.file_id.as_str()) {
            place.insert(&it.text.file_id, sources.len());
            sources.push(Source {
                file_id: it.text.file_id.clone(),
                name: it.text.file_name.clone(),
                url: Place::link(it.text.place.as_ref(), &it.text.url),
                score: it.ranked.score,
            });
        }
    }
    sources
}
