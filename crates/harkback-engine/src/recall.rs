//! From a question to an answer: embed, rank, fetch the texts from the store, put the answer together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::task::spawn_blocking;

use crate::embed::{Models, Reranker};
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::model::{
    Item, ItemMetadata, MemoryKind, MemoryRecord, RankedPassage, Recall, RecallMode, RecallRequest,
    Source,
};
use crate::retrieve::{
    Context, Evidence, Query, RankedNo, choose, context, facts, fits_without_model, rank,
    rank_by_similarity, readings,
};
use crate::store::{PassageKey, PassageText, Store};

/// Passages behind a context, an answer and facts, whatever number of them the caller wants to see.
const EVIDENCE: usize = 10;

/// Stages of an answer with their wall time.
#[derive(Default)]
struct Timings(Vec<(&'static str, Duration)>);

/// Answers a question from one snapshot.
pub(crate) async fn recall(
    store: &Store,
    models: &Models,
    snapshot: Arc<Snapshot>,
    record: &MemoryRecord,
    request: &RecallRequest,
) -> Result<Recall> {
    let mut timings = Timings::default();
    let embedder = models.embedder.as_ref().map(|it| it.id().to_owned());
    if snapshot.n_passages() == 0 {
        return Ok(Recall { embedder, ..Recall::default() });
    }
    let found = search(models, Arc::clone(&snapshot), record.kind, request, &mut timings).await?;
    let evidence = timings.time("hydrate", fetch(store, &snapshot, record, found.ranked)).await?;
    let seen = &evidence[..evidence.len().min(request.top_k)];
    let behind = &evidence[..evidence.len().min(EVIDENCE)];
    let started = Instant::now();
    let context = context(&snapshot, behind, record.ontology);
    timings.push("context", started);
    let started = Instant::now();
    let token_count = count_tokens(models, record.kind, &context, behind)?;
    timings.push("count", started);
    let mut recall = Recall { token_count, sources: sources(seen), embedder, ..Recall::default() };
    if request.facts {
        let started = Instant::now();
        recall.facts = facts(&snapshot, &found.query, behind);
        timings.push("facts", started);
    }
    recall.payload = match (request.mode, record.kind) {
        (RecallMode::Assisted, _) => {
            let reading = answer(models, &request.query, &found.query, behind, &snapshot);
            vec![timings.time("answer", reading).await?]
        }
        (RecallMode::Raw, MemoryKind::Graph) => vec![subgraph(context, seen)],
        (RecallMode::Raw, MemoryKind::Vector) => seen.iter().map(chunk).collect(),
    };
    recall.timings = timings.0;
    Ok(recall)
}

struct FoundPassages {
    query: Query,
    ranked: Vec<RankedNo>,
}

async fn search(
    models: &Models,
    snapshot: Arc<Snapshot>,
    kind: MemoryKind,
    request: &RecallRequest,
    timings: &mut Timings,
) -> Result<FoundPassages> {
    let embedder = models.embedder.clone().filter(|_| snapshot.has_vectors);
    let text = request.query.clone();
    let k = request.top_k.max(EVIDENCE);
    let searching = spawn_blocking(move || -> Result<_> {
        let started = Instant::now();
        let vector = embedder.map(|it| it.embed_query(&text)).transpose()?;
        let embedded = started.elapsed();
        let started = Instant::now();
        let query = Query::new(&snapshot, &text, vector.as_deref());
        let ranked = match kind {
            MemoryKind::Graph => rank(&snapshot, &query, k),
            MemoryKind::Vector => rank_by_similarity(&snapshot, &query, k),
        };
        Ok((FoundPassages { query, ranked }, embedded, started.elapsed()))
    });
    let (found, embedded, ranked) = searching.await.map_err(|e| Error::Io(e.into()))??;
    timings.0.push(("embed", embedded));
    timings.0.push(("rank", ranked));
    Ok(found)
}

/// The texts of the ranked passages that are still live, in their order.
async fn fetch(
    store: &Store,
    snapshot: &Snapshot,
    record: &MemoryRecord,
    ranked: Vec<RankedNo>,
) -> Result<Vec<Evidence>> {
    let key = |it: &RankedNo| {
        let (file_id, version_id, seq) = snapshot.passage_place(it.passage);
        PassageKey { file_id, version_id, seq }
    };
    let keys: Vec<PassageKey> = ranked.iter().map(key).collect();
    let texts = store.passage_texts(record.memory_id, &keys).await?;
    Ok(texts
        .into_iter()
        .map(|text| Evidence { ranked: ranked[text.asked].clone(), text })
        .collect())
}

/// Tokens of what a raw answer hands to a prompt, the same in every mode.
fn count_tokens(
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

/// The answer fit to be spoken. Its score is 1, as the contract says, also when it is that nothing is known.
async fn answer(
    models: &Models,
    question: &str,
    query: &Query,
    evidence: &[Evidence],
    snapshot: &Snapshot,
) -> Result<Item> {
    let readings = readings(snapshot, question, query, evidence);
    let fits = match models.reranker.clone() {
        None => fits_without_model(&readings),
        Some(reranker) => {
            let pairs: Vec<(String, String)> =
                readings.iter().map(|it| (it.question.clone(), it.text.clone())).collect();
            let reading = spawn_blocking(move || read(&reranker, &pairs));
            reading.await.map_err(|e| Error::Io(e.into()))??
        }
    };
    let content = choose(snapshot, evidence, &readings, &fits);
    Ok(Item { content, score: 1.0, metadata: ItemMetadata::None })
}

/// Scores pairs of question and sentence, those with the same question in one go.
fn read(reranker: &Reranker, pairs: &[(String, String)]) -> Result<Vec<f32>> {
    let mut fits = Vec::with_capacity(pairs.len());
    for group in pairs.chunk_by(|a, b| a.0 == b.0) {
        let texts: Vec<&str> = group.iter().map(|it| it.1.as_str()).collect();
        fits.extend(reranker.score(&group[0].0, &texts)?);
    }
    Ok(fits)
}

fn subgraph(context: Context, seen: &[Evidence]) -> Item {
    let passages = seen.iter().enumerate().map(|(i, it)| RankedPassage {
        rank: i + 1,
        file_id: it.text.file_id.clone(),
        record_id: it.text.record_id.clone(),
        title: it.text.title.clone(),
        score: it.ranked.score,
        text: it.text.text.clone(),
    });
    Item {
        content: context.into_text(),
        score: seen.first().map_or(0.0, |it| it.ranked.score),
        metadata: ItemMetadata::Passages(passages.collect()),
    }
}

fn chunk(evidence: &Evidence) -> Item {
    let PassageText { url, file_name, text, .. } = &evidence.text;
    let source = if url.is_empty() { file_name } else { url };
    Item {
        content: text.clone(),
        score: evidence.ranked.score,
        metadata: ItemMetadata::Chunk { source: source.clone(), source_title: file_name.clone() },
    }
}

/// The files behind passages, best first, each once, with its best passage's score.
fn sources(seen: &[Evidence]) -> Vec<Source> {
    let mut place = FxHashMap::<&str, usize>::default();
    let mut sources = Vec::new();
    for it in seen {
        if !place.contains_key(it.text.file_id.as_str()) {
            place.insert(&it.text.file_id, sources.len());
            sources.push(Source {
                file_id: it.text.file_id.clone(),
                name: it.text.file_name.clone(),
                url: it.text.url.clone(),
                score: it.ranked.score,
            });
        }
    }
    sources
}

impl Timings {
    fn push(&mut self, stage: &'static str, started: Instant) {
        self.0.push((stage, started.elapsed()));
    }

    async fn time<T>(&mut self, stage: &'static str, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let res = work.await;
        self.push(stage, started);
        res
    }
}
