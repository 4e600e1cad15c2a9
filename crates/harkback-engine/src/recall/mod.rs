//! From a question to an answer: embed, rank, fetch the texts from the store, put the answer together.

mod deadline;
mod reader;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::task::spawn_blocking;

use crate::embed::Models;
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::model::{
    Item, ItemMetadata, MemoryKind, MemoryRecord, Place, RankedPassage, Recall, RecallMode,
    RecallRequest, Source,
};
use crate::retrieve::{
    Context, Evidence, Query, RankedNo, context, explain, facts, rank, rank_by_similarity,
};
use crate::store::{PassageKey, PassageText, Store};

pub(crate) use deadline::Deadline;
use reader::{Spoken, speak};

/// Passages behind a context, an answer and facts, whatever number of them the caller wants to see.
const EVIDENCE: usize = 10;

/// Stages of an answer with their wall time.
#[derive(Default)]
struct Timings(Vec<(&'static str, Duration)>);

/// Answers a question from one snapshot. When the deadline nears, meaning is left out of the search, sentences stay unread, and
/// the answer says that it is partial.
pub(crate) async fn recall(
    store: &Store,
    models: &Models,
    snapshot: Arc<Snapshot>,
    record: &MemoryRecord,
    request: &RecallRequest,
    deadline: Deadline,
) -> Result<Recall> {
    let mut timings = Timings::default();
    let vector = embed(models, &snapshot, request, deadline, &mut timings).await?;
    let mut recall = answer(store, models, snapshot, record, request, vector, deadline).await?;
    timings.0.append(&mut recall.timings);
    Ok(Recall { timings: timings.0, ..recall })
}

/// As [`recall`] without a deadline, by a vector that is there already.
pub(crate) async fn recall_near(
    store: &Store,
    models: &Models,
    snapshot: Arc<Snapshot>,
    record: &MemoryRecord,
    request: &RecallRequest,
    vector: Vec<f32>,
) -> Result<Recall> {
    let (vector, deadline) = (Vector::Of(vector), Deadline::after(None));
    answer(store, models, snapshot, record, request, vector, deadline).await
}

async fn answer(
    store: &Store,
    models: &Models,
    snapshot: Arc<Snapshot>,
    record: &MemoryRecord,
    request: &RecallRequest,
    vector: Vector,
    deadline: Deadline,
) -> Result<Recall> {
    let mut timings = Timings::default();
    let embedder = models.embedder.as_ref().map(|it| it.id().to_owned());
    if snapshot.n_passages() == 0 {
        return Ok(Recall { embedder, ..Recall::default() });
    }
    let mut is_partial = matches!(vector, Vector::TooLate);
    let found = search(Arc::clone(&snapshot), record.kind, request, vector, &mut timings).await?;
    let fetching = fetch(store, &snapshot, record, found.ranked);
    let fetching = deadline.wait(Duration::ZERO, fetching);
    let Some(evidence) = timings.time("hydrate", fetching).await.transpose()? else {
        let timings = timings.0;
        return Ok(Recall { embedder, is_partial: true, timings, ..Recall::default() });
    };
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
    if request.explain {
        let started = Instant::now();
        let anchors = fetch(store, &snapshot, record, anchors(seen)).await?;
        let (question, kind) = (&request.query, record.kind);
        recall.explanation = Some(explain(&snapshot, question, &found.query, kind, seen, &anchors));
        timings.push("explain", started);
    }
    recall.payload = match (request.mode, record.kind) {
        (RecallMode::Assisted, _) => {
            let reranker = models.reranker.clone();
            let speaking =
                speak(reranker, &request.query, &found.query, behind, &snapshot, deadline);
            let spoken = timings.time("answer", speaking).await?;
            is_partial |= spoken.is_partial;
            vec![spoken_item(spoken)]
        }
        (RecallMode::Raw, MemoryKind::Graph) => vec![subgraph(context, seen)],
        (RecallMode::Raw, MemoryKind::Vector) => seen.iter().map(chunk).collect(),
    };
    recall.timings = timings.0;
    recall.is_partial = is_partial;
    Ok(recall)
}

/// A question's vector.
enum Vector {
    /// Of unit length.
    Of(Vec<f32>),
    /// There is no model, or nothing to compare with.
    None,
    /// The deadline came first.
    TooLate,
}

async fn embed(
    models: &Models,
    snapshot: &Snapshot,
    request: &RecallRequest,
    deadline: Deadline,
    timings: &mut Timings,
) -> Result<Vector> {
    let Some(embedder) = models.embedder.clone().filter(|_| snapshot.has_vectors) else {
        return Ok(Vector::None);
    };
    let reserve = reserve(snapshot.n_passages());
    if !embedder.is_in_time(&request.query, deadline.left(reserve)) {
        return Ok(Vector::TooLate);
    }
    let text = request.query.clone();
    let embedding = spawn_blocking(move || embedder.embed_query(&text));
    let embedding = deadline.wait(reserve, embedding);
    match timings.time("embed", embedding).await {
        Some(vector) => Ok(Vector::Of(vector.map_err(|e| Error::Io(e.into()))??)),
        None => Ok(Vector::TooLate),
    }
}

/// What all but the embedding takes, rather too much: docs/BENCHMARKS.md.
fn reserve(n_passages: usize) -> Duration {
    Duration::from_micros(2_000 + n_passages as u64 / 250)
}

struct FoundPassages {
    query: Query,
    ranked: Vec<RankedNo>,
}

async fn search(
    snapshot: Arc<Snapshot>,
    kind: MemoryKind,
    request: &RecallRequest,
    vector: Vector,
    timings: &mut Timings,
) -> Result<FoundPassages> {
    let text = request.query.clone();
    let k = request.top_k.max(EVIDENCE);
    let searching = spawn_blocking(move || {
        let vector = match &vector {
            Vector::Of(vector) => Some(vector.as_slice()),
            Vector::None | Vector::TooLate => None,
        };
        let query = Query::new(&snapshot, &text, vector);
        let ranked = match kind {
            MemoryKind::Graph => rank(&snapshot, &query, k),
            MemoryKind::Vector => rank_by_similarity(&snapshot, &query, k),
        };
        FoundPassages { query, ranked }
    });
    timings.time("rank", searching).await.map_err(|e| Error::Io(e.into()))
}

/// The passages from which bridges among `seen` start and that are not among them.
fn anchors(seen: &[Evidence]) -> Vec<RankedNo> {
    let mut anchors = Vec::<RankedNo>::new();
    for passage in seen.iter().filter_map(|it| it.ranked.from) {
        let is_there = |it: &RankedNo| it.passage == passage;
        if !seen.iter().any(|it| is_there(&it.ranked)) && !anchors.iter().any(is_there) {
            anchors.push(RankedNo::unranked(passage));
        }
    }
    anchors
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

/// Its score is 1, as the contract says, also when it is that nothing is known.
fn spoken_item(spoken: Spoken) -> Item {
    Item { content: spoken.text, score: 1.0, metadata: ItemMetadata::None }
}

fn subgraph(context: Context, seen: &[Evidence]) -> Item {
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

fn chunk(evidence: &Evidence) -> Item {
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
fn sources(seen: &[Evidence]) -> Vec<Source> {
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
