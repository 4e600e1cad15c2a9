//! From a question to an answer: read it, embed it, rank, fetch the texts from the store, put the answer together.
//!
//! All of it runs on one thread that may block. When the deadline nears, meaning is left out of the search, sentences stay unread,
//! and the answer says that it is partial; when the caller hangs up, what is under way is cancelled.

mod call;
mod payload;
mod queue;
mod reader;
mod texts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::embed::{Models, QuestionVectors};
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::model::{Explanation, MemoryKind, MemoryRecord, Recall, RecallMode, RecallRequest};
use crate::retrieve::{
    Evidence, Query, UNKNOWN, context, explain, facts, rank, rank_by_similarity,
};
use crate::store::Store;

use call::Call;
pub(crate) use call::Deadline;
pub(crate) use queue::{Queue, Turn};
use reader::speak;

/// Passages behind a context, an answer and facts, whatever number of them the caller wants to see.
const EVIDENCE: usize = 10;
/// What the store may take for the texts though the deadline has come: without them there is no answer.
const GRACE: Duration = Duration::from_millis(3);

/// A question to one snapshot of a memory.
pub(crate) struct Asked {
    /// Holds the texts.
    pub(crate) store: Store,
    /// Compare and read.
    pub(crate) models: Models,
    /// Is searched.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The memory.
    pub(crate) record: MemoryRecord,
    /// The question.
    pub(crate) request: RecallRequest,
}

/// A question's vectors.
pub(crate) enum Embedding {
    /// These.
    Of(QuestionVectors),
    /// There is no model, or nothing to compare with.
    None,
    /// The deadline came first.
    TooLate,
}

/// Stages of an answer with their wall time.
#[derive(Default)]
struct Timings(Vec<(&'static str, Duration)>);

/// Answers a question. The turn ends when the last thread that is at work for it ends.
pub(crate) async fn recall(asked: Asked, turn: Turn, deadline: Deadline) -> Result<Recall> {
    on_a_thread(asked, turn, deadline, None).await
}

/// As [`recall`] without a deadline, by vectors that are there already.
pub(crate) async fn recall_near(
    asked: Asked,
    turn: Turn,
    vectors: QuestionVectors,
) -> Result<Recall> {
    on_a_thread(asked, turn, Deadline::after(None), Some(Embedding::Of(vectors))).await
}

async fn on_a_thread(
    asked: Asked,
    turn: Turn,
    deadline: Deadline,
    embedding: Option<Embedding>,
) -> Result<Recall> {
    let call = Call { deadline, cancelled: CancellationToken::new(), turn };
    let _hung_up = call.cancelled.clone().drop_guard();
    let answering = spawn_blocking(move || answer(&asked, embedding, &call));
    answering.await.map_err(|e| Error::Io(e.into()))?
}

fn answer(asked: &Asked, embedding: Option<Embedding>, call: &Call) -> Result<Recall> {
    let Asked { models, snapshot, request, .. } = asked;
    let mut timings = Timings::default();
    let embedder = models.embedder.as_ref().map(|it| it.id().to_owned());
    if snapshot.n_passages() == 0 {
        return Ok(Recall { embedder, ..Recall::default() });
    }
    let mut query = timings.time("read", || Query::new(snapshot, &request.query));
    let embedding = match embedding {
        Some(embedding) => embedding,
        None => timings.time("embed", || embed(asked, &query, call))?,
    };
    let is_partial = matches!(embedding, Embedding::TooLate);
    let embedder = embedder.filter(|_| !is_partial);
    if let Embedding::Of(vectors) = &embedding {
        query.compare_with(vectors);
    }
    call.check()?;
    let evidence = search(asked, &query, call, &mut timings)?;
    call.check()?;
    let Some(evidence) = evidence else {
        let timings = timings.0;
        return Ok(Recall { embedder, is_partial: true, timings, ..Recall::default() });
    };
    let recall = compose(asked, &query, &evidence, call, &mut timings)?;
    let is_partial = is_partial || recall.is_partial;
    Ok(Recall { embedder, is_partial, timings: timings.0, ..recall })
}

fn embed(asked: &Asked, query: &Query, call: &Call) -> Result<Embedding> {
    let Asked { models, snapshot, record, request, .. } = asked;
    let Some(embedder) = models.embedder.clone().filter(|_| snapshot.has_vectors) else {
        return Ok(Embedding::None);
    };
    let text = request.query.clone();
    let names = match record.kind {
        MemoryKind::Graph => query.names(&text),
        MemoryKind::Vector => Vec::new(),
    };
    let reserve = reserve(snapshot.n_passages());
    if !embedder.admits(&text, &names, call.deadline.left(reserve)) {
        return Ok(Embedding::TooLate);
    }
    let embedding =
        call.within(reserve, move |leave| embedder.embed_question(&text, &names, leave));
    Ok(embedding?.map_or(Embedding::TooLate, Embedding::Of))
}

/// What all but the embedding takes, rather too much: docs/BENCHMARKS.md.
fn reserve(n_passages: usize) -> Duration {
    Duration::from_micros(3_500 + n_passages as u64 / 250)
}

/// The passages that answer best, with their texts; `None` if the store does not give these in time.
fn search(
    asked: &Asked,
    query: &Query,
    call: &Call,
    timings: &mut Timings,
) -> Result<Option<Vec<Evidence>>> {
    let Asked { store, snapshot, record, request, .. } = asked;
    let ranked = timings.time("rank", || match record.kind {
        MemoryKind::Graph => rank(snapshot, query),
        MemoryKind::Vector => rank_by_similarity(snapshot, query),
    });
    let k = request.top_k.max(EVIDENCE);
    let best = texts::Best { ranked: &ranked, named: &query.entities, k };
    let fetching = texts::best_texts(store, snapshot, record, best);
    let left = call.deadline.left(Duration::ZERO).max(GRACE);
    let fetched = timings.time("hydrate", || Handle::current().block_on(timeout(left, fetching)));
    fetched.ok().transpose()
}

fn compose(
    asked: &Asked,
    query: &Query,
    evidence: &[Evidence],
    call: &Call,
    timings: &mut Timings,
) -> Result<Recall> {
    let Asked { store, models, snapshot, record, request } = asked;
    let seen = &evidence[..evidence.len().min(request.top_k)];
    let behind = &evidence[..evidence.len().min(EVIDENCE)];
    let context = timings.time("context", || context(snapshot, behind, record.ontology));
    let token_count =
        timings.time("count", || payload::count_tokens(models, record.kind, &context, behind))?;
    let sources = payload::sources(seen);
    let mut recall = Recall { token_count, sources, ..Recall::default() };
    if request.facts {
        recall.facts = timings.time("facts", || facts(snapshot, query, behind));
    }
    if request.explain {
        let explaining = || -> Result<Explanation> {
            let anchors = texts::anchors(seen);
            let anchors = texts::texts(store, snapshot, record, &anchors);
            let anchors = Handle::current().block_on(anchors)?;
            Ok(explain(snapshot, &request.query, query, record.kind, seen, &anchors))
        };
        recall.explanation = Some(timings.time("explain", explaining)?);
    }
    recall.payload = match (request.mode, record.kind) {
        (RecallMode::Assisted, _) => {
            let reranker = models.reranker.as_ref();
            let speaking = || speak(reranker, &request.query, query, behind, snapshot, call);
            let spoken = timings.time("answer", speaking)?;
            recall.is_partial = spoken.is_partial;
            if spoken.text == UNKNOWN {
                recall.facts.clear();
                recall.sources.clear();
            }
            vec![payload::spoken(spoken.text)]
        }
        (RecallMode::Raw, MemoryKind::Graph) => vec![payload::subgraph(context, seen)],
        (RecallMode::Raw, MemoryKind::Vector) => seen.iter().map(payload::chunk).collect(),
    };
    Ok(recall)
}

impl Timings {
    fn time<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let res = work();
        self.0.push((stage, started.elapsed()));
        res
    }
}
