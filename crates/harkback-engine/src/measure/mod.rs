//! How fast is retrieval at a size nobody has at hand? A synthetic memory in a data directory of its own, and questions to it.
//!
//! All of an answer is timed as a caller gets it, texts included: the embedding of the question by the real model, the ranking, the
//! fetching from the store, the subgraph. Only the vector that is searched with is another one: a synthetic passage means nothing, so
//! a synthetic vector near it stands for the question's.

mod synthetic;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::embed::{Embedder, Leave, Models};
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::model::{
    Account, AccountId, FileId, FileType, Job, MemoryId, MemoryRecord, NewFile, Ontology,
    RecallMode, RecallRequest, Sample,
};
use crate::recall::{Asked, Queue, recall_near};
use crate::resident::Residents;
use crate::store::{StagedPassage, StagedVector, StagedVersion, StartIds, Store};
use synthetic::{Question, Synthetic};

const BATCH: usize = 5_000;

/// What was measured.
#[derive(Clone, Debug)]
pub struct RetrievalFigures {
    /// Passages of the memory.
    pub n_passages: usize,
    /// Sentences of the memory.
    pub n_sentences: usize,
    /// Entities found in it.
    pub n_entities: usize,
    /// Time to build the index from the store.
    pub build: Duration,
    /// Bytes of the index, estimated from its parts.
    pub n_bytes: usize,
    /// The questions of each run.
    pub runs: Vec<Vec<AnswerTime>>,
}

/// How long a question took.
#[derive(Clone, Copy, Debug)]
pub struct AnswerTime {
    /// Embedding it and the name in it, if there is a model.
    pub embedding: Option<Duration>,
    /// Ranking passages.
    pub ranking: Duration,
    /// All but the embedding: ranking, fetching texts, the subgraph and its tokens.
    pub all_else: Duration,
}

/// Writes a synthetic memory of `n_passages` into the empty directory `dir` and asks it `n_questions`, `n_runs` times over. The same memory
/// and questions at every call.
///
/// # Errors
/// [`BadInput`](crate::Error::BadInput) if any of the numbers is 0; otherwise if the directory cannot be written or the
/// model cannot be run.
pub async fn retrieval(
    dir: &Path,
    embedder: Option<Embedder>,
    n_passages: usize,
    n_questions: usize,
    n_runs: usize,
) -> Result<RetrievalFigures> {
    if [n_passages, n_questions, n_runs].contains(&0) {
        let what = "nothing is measured without a passage, a question and a run";
        return Err(Error::BadInput(what.into()));
    }
    let store = Store::open(dir).await?;
    let mut synthetic = Synthetic::new(n_passages);
    let record = write(&store, &mut synthetic, n_passages).await?;
    let started = Instant::now();
    let snapshot = Residents::new(store.clone()).rebuild(record.memory_id).await?;
    let build = started.elapsed();
    let models = Models { embedder, reranker: None };
    let questions: Vec<_> = (0..n_questions).map(|_| synthetic.question()).collect();
    let mut runs = Vec::new();
    for _ in 0..n_runs {
        let mut run = Vec::new();
        for question in &questions {
            run.push(ask(&store, &models, &snapshot, &record, question).await?);
        }
        runs.push(run);
    }
    store.close().await;
    Ok(RetrievalFigures {
        n_passages,
        n_sentences: snapshot.n_sentences(),
        n_entities: snapshot.n_entities(),
        build,
        n_bytes: snapshot.n_bytes(),
        runs,
    })
}

async fn ask(
    store: &Store,
    models: &Models,
    snapshot: &Arc<Snapshot>,
    record: &MemoryRecord,
    question: &Question,
) -> Result<AnswerTime> {
    let embedding = match &models.embedder {
        None => None,
        Some(embedder) => {
            let started = Instant::now();
            let Question { text, names, .. } = question;
            embedder.embed_question(text, names, Leave::Never)?;
            Some(started.elapsed())
        }
    };
    let request = RecallRequest {
        query: question.text.clone(),
        top_k: 10,
        mode: RecallMode::Raw,
        facts: false,
        explain: false,
        budget: None,
    };
    let asked = Asked {
        store: store.clone(),
        models: models.clone(),
        snapshot: Arc::clone(snapshot),
        record: record.clone(),
        request,
    };
    let (turn, vectors) = (Queue::new().turn().await?, question.vectors.clone());
    let started = Instant::now();
    let recall = recall_near(asked, turn, vectors).await?;
    let all_else = started.elapsed();
    if recall.sources.is_empty() {
        return Err(Error::Corrupt("a question about a known name found nothing".into()));
    }
    let ranking = recall.timings.iter().find(|it| it.0 == "rank").map_or(all_else, |it| it.1);
    Ok(AnswerTime { embedding, ranking, all_else })
}

/// Writes the memory as an ingestion does, in batches and with one switch at the end.
async fn write(
    store: &Store,
    synthetic: &mut Synthetic,
    n_passages: usize,
) -> Result<MemoryRecord> {
    let (record, sample, job) = begin(store).await?;
    let version_id = Uuid::from_u128(6);
    let (mut batch, mut n_sentences) = (Vec::new(), 0);
    for number in 0..n_passages {
        let (passage, values) = synthetic.passage(number);
        n_sentences += passage.sentences.len() as i64;
        batch.push(StagedPassage {
            seq: number as u32,
            n_tokens: passage.text.split(' ').count() as u32,
            passage,
            vector: Some(StagedVector {
                values,
                text: (number as u128).to_le_bytes(),
                is_reused: false,
            }),
        });
        if batch.len() == BATCH || number + 1 == n_passages {
            store.stage_passages(&sample, version_id, &batch).await?;
            batch.clear();
        }
    }
    let version = StagedVersion {
        version_id,
        sha256: vec![0; 32],
        model_id: None,
        n_passages: n_passages as i64,
        n_sentences,
        n_tokens: store.count_tokens(record.memory_id, version_id).await?,
    };
    store.publish_sample(&job, &sample, &version, 0).await?;
    Ok(record)
}

/// An account with a memory, and a file in it that is being ingested.
async fn begin(store: &Store) -> Result<(MemoryRecord, Sample, Job)> {
    let account_id = AccountId(Uuid::from_u128(1));
    let account = Account {
        account_id,
        name: "measure".into(),
        webhook_secret: vec![0; 32],
        old_webhook_secret: None,
        created_at: 0,
    };
    store.ensure_account(&account).await?;
    let memory_id = MemoryId(Uuid::from_u128(2));
    let record = MemoryRecord::graph(account_id, memory_id, "synthetic", Ontology::Culture, 0);
    store.create_memory(&record, None).await?;
    let file_id = FileId(Uuid::from_u128(3));
    let file = NewFile {
        file_id,
        id: "synthetic".into(),
        name: "synthetic.txt".into(),
        extension: "txt".into(),
        file_type: FileType::Text,
        blob_key: None,
        external_uri: Some("https://example.com".into()),
    };
    store.create_file(account_id, &file, 0, |_| None).await?;
    store.add_samples(&record, &[file_id], &[Uuid::from_u128(4)], 0).await?;
    let ids = StartIds { job_id: Uuid::from_u128(5), batch_id: Uuid::from_u128(6) };
    store.start_ingestion(&record, ids, None, 0).await?;
    let lost = || Error::Corrupt("the synthetic memory has no job".into());
    let job = store.claim_job(Uuid::from_u128(7), 0, i64::MAX).await?.ok_or_else(lost)?;
    let sample = store.begin_batch(&job, 0).await?.pop().ok_or_else(lost)?;
    Ok((record, sample, job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_synthetic_memory_answers() {
        let dir = tempfile::tempdir().unwrap();
        let figures = retrieval(dir.path(), Some(Embedder::for_tests()), 300, 5, 2).await.unwrap();
        assert_eq!((figures.n_passages, figures.n_sentences), (300, 1_200));
        assert!(figures.n_entities >= 300);
        let times: Vec<_> = figures.runs.iter().flatten().collect();
        assert_eq!((figures.runs.len(), times.len()), (2, 10));
        assert!(times.iter().all(|it| it.ranking < it.all_else && it.embedding.is_some()));
    }

    #[tokio::test]
    async fn the_smallest_memory_answers_and_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let figures = retrieval(dir.path(), None, 1, 1, 1).await.unwrap();
        assert_eq!((figures.n_passages, figures.runs.len(), figures.runs[0].len()), (1, 1, 1));
        for (n_passages, n_questions, n_runs) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            let dir = tempfile::tempdir().unwrap();
            let refused = retrieval(dir.path(), None, n_passages, n_questions, n_runs).await;
            assert!(matches!(refused, Err(Error::BadInput(_))), "{refused:?}");
        }
    }
}
