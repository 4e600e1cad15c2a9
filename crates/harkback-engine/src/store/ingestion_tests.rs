//! What an ingestion does to the store, whoever runs it and however often it is interrupted.

use expect_test::{Expect, expect};
use uuid::Uuid;

use super::*;
use crate::model::{
    AccountId, FileId, FileType, Ingestion, IngestionStatus, Job, MemoryId, MemoryRecord, Micros,
    NewFile, Ontology, Passage, Place, Sample, Span,
};

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));
const MEMORY: MemoryId = MemoryId(Uuid::from_u128(2));
const SECOND: Micros = 1_000_000;

/// A store with one account and one memory.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) record: MemoryRecord,
    _dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        sqlx::query("INSERT INTO account (account_id, name, webhook_secret, created_at) VALUES ($1, 'a', x'00', 0)")
            .bind(ACCOUNT.0)
            .execute(&store.writer)
            .await
            .unwrap();
        let record = MemoryRecord {
            ontology: None,
            webhook_url: Some("https://example.com/hook".into()),
            ..MemoryRecord::graph(ACCOUNT, MEMORY, "m", Ontology::Culture, 0)
        };
        store.create_memory(&record, None).await.unwrap();
        Self { store, record, _dir: dir }
    }

    pub(crate) async fn add(&self, n: u128) -> Sample {
        let file_id = FileId(Uuid::from_u128(100 + n));
        let file = NewFile {
            file_id,
            id: format!("f{n}"),
            name: format!("f{n}.txt"),
            extension: "txt".into(),
            file_type: FileType::Text,
            blob_key: None,
            external_uri: Some("https://example.com".into()),
        };
        self.store.create_file(ACCOUNT, &file, 0, |_| None).await.unwrap();
        let id = Uuid::from_u128(200 + n);
        self.store.add_samples(&self.record, &[file_id], &[id], 0).await.unwrap().remove(0)
    }

    pub(crate) async fn start(&self, n: u128, model_id: Option<&str>) -> Start {
        let ids = StartIds { job_id: Uuid::from_u128(300 + n), batch_id: Uuid::from_u128(400 + n) };
        self.store.start_ingestion(&self.record, ids, model_id, SECOND).await.unwrap()
    }

    pub(crate) async fn claim(&self, token: u128, now: Micros) -> Option<Job> {
        self.store.claim_job(Uuid::from_u128(token), now, now + 10 * SECOND).await.unwrap()
    }

    /// Stages one passage and publishes it.
    pub(crate) async fn publish(&self, job: &Job, sample: &Sample, version: u128) -> Result<bool> {
        let version_id = Uuid::from_u128(version);
        self.stage(version_id).await;
        let version = StagedVersion {
            version_id,
            sha256: vec![1],
            model_id: Some("bge".into()),
            n_passages: 1,
            n_sentences: 3,
            n_tokens: 5,
        };
        self.store.publish_sample(job, sample, &version, 2 * SECOND).await
    }

    async fn stage(&self, version_id: Uuid) {
        sqlx::query(
            "INSERT INTO passage (memory_id, version_id, seq, title, text, n_tokens, sentence_spans)
             VALUES ($1, $2, 0, '', 'Anna lives in Bern.', 5, x'')",
        )
        .bind(MEMORY.0)
        .bind(version_id)
        .execute(&self.store.writer)
        .await
        .unwrap();
    }

    /// Takes a file out of the memory with all its passages; whether it was in.
    pub(crate) async fn remove(&self, sample: &Sample) -> bool {
        let file = self.store.file(ACCOUNT, sample.file_id).await.unwrap().unwrap();
        let receipt_id = Uuid::from_u128(500 + sample.file_id.0.as_u128());
        let receipt = self.store.remove_sample(MEMORY, &file, receipt_id, SECOND).await.unwrap();
        let Some(receipt) = receipt else { return false };
        self.store.drop_versions_of(receipt).await.unwrap();
        true
    }

    pub(crate) async fn n_passages(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM passage")
            .fetch_one(&self.store.reader)
            .await
            .unwrap()
    }

    async fn ingestion(&self) -> Ingestion {
        self.store.last_ingestion(MEMORY).await.unwrap().unwrap()
    }

    /// Checks status, message and counts of all events so far.
    async fn check_events(&self, expected: Expect) {
        let mut text = String::new();
        for it in self.store.deliveries_of_memory(MEMORY).await.unwrap() {
            let body: serde_json::Value = serde_json::from_str(&it.body).unwrap();
            let event = &body["event"];
            let (status, message) =
                (event["status"].as_str().unwrap(), event["message"].as_str().unwrap());
            text += &format!(
                "{status} {}/{} {message}\n",
                event["processedSamples"], event["totalSamples"]
            );
        }
        expected.assert_eq(&text);
    }
}

#[tokio::test]
async fn an_ingestion_from_start_to_end() {
    let f = Fixture::new().await;
    assert_eq!(f.start(0, None).await, Start::Empty);
    let samples = [f.add(1).await, f.add(2).await];
    assert_eq!(f.start(1, None).await, Start::Started { n_samples: 2 });
    let job = f.claim(1, SECOND).await.unwrap();
    assert!(f.claim(2, SECOND).await.is_none(), "a leased job cannot be claimed");
    assert_eq!(f.store.begin_batch(&job, SECOND).await.unwrap().len(), 2);
    assert!(f.publish(&job, &samples[0], 1).await.unwrap());
    f.store.fail_sample(&job, &samples[1], "the file is empty", SECOND).await.unwrap();
    assert_eq!(f.store.begin_batch(&job, SECOND).await.unwrap().len(), 0);
    let finish = f.store.finish_job(&job, 3 * SECOND).await.unwrap();
    assert_eq!(finish, Finish::Done(IngestionStatus::Success));
    assert_eq!(f.ingestion().await.n_done, 2);
    assert_eq!(f.store.memory(MEMORY).await.unwrap().unwrap().rev, 1);
    let counts = f.store.count_samples(&f.record).await.unwrap();
    assert_eq!((counts.n_samples, counts.n_done, counts.n_sentences), (2, 2, 3));
    assert_eq!(counts.failed[0].reason, "the file is empty");
    f.check_events(expect![[r"
        pending 0/2 Ingestion is starting.
        pending 0/2 Waiting for compute.
        processing 0/2 Ingestion in progress.
        processing 2/2 Graph ingestion in progress. This may take a few minutes.
        success 2/2 Ingestion complete.
    "]])
        .await;
}

#[tokio::test]
async fn the_webhook_body_is_the_contract_s() {
    let f = Fixture::new().await;
    f.add(1).await;
    f.start(1, None).await;
    let first = f.store.deliveries_of_memory(MEMORY).await.unwrap().remove(0);
    expect![[r#"{"event":{"memoryID":"00000000-0000-0000-0000-000000000002","batchID":"00000000-0000-0000-0000-000000000191","totalSamples":1,"processedSamples":0,"status":"pending","message":"Ingestion is starting."},"timestamp":"1970-01-01T00:00:01.000Z"}"#]]
        .assert_eq(&first.body);
}

#[tokio::test]
async fn a_new_worker_takes_over_and_the_old_one_can_write_nothing() {
    let f = Fixture::new().await;
    let sample = f.add(1).await;
    f.start(1, None).await;
    let old = f.claim(1, SECOND).await.unwrap();
    f.store.begin_batch(&old, SECOND).await.unwrap();
    f.stage(Uuid::from_u128(77)).await;
    f.store.heartbeat(&old, 20 * SECOND).await.unwrap();
    assert!(f.claim(2, 19 * SECOND).await.is_none(), "the heart-beat prolongs the lease");

    let new = f.claim(2, 21 * SECOND).await.unwrap();
    assert_eq!(new.attempt, 2);
    assert!(matches!(f.store.heartbeat(&old, 99 * SECOND).await, Err(Error::LeaseLost)));
    assert!(matches!(f.publish(&old, &sample, 1).await, Err(Error::LeaseLost)));
    assert!(matches!(f.store.fail_sample(&old, &sample, "", 0).await, Err(Error::LeaseLost)));
    assert!(matches!(f.store.finish_job(&old, 0).await, Err(Error::LeaseLost)));
    assert!(matches!(f.store.retry_job(&old, 0, "", 0).await, Err(Error::LeaseLost)));

    assert_eq!(
        f.store.begin_batch(&new, 22 * SECOND).await.unwrap().len(),
        1,
        "the open sample comes again"
    );
    assert_eq!(f.n_passages().await, 2, "what the old worker staged may be taken up again");
    assert!(matches!(f.store.collect_dead_versions(&old).await, Err(Error::LeaseLost)));
    f.store.collect_dead_versions(&new).await.unwrap();
    assert_eq!(f.n_passages().await, 0, "what was not taken up is dropped");
    assert!(f.publish(&new, &sample, 2).await.unwrap());
    assert_eq!(
        f.store.finish_job(&new, 23 * SECOND).await.unwrap(),
        Finish::Done(IngestionStatus::Success)
    );
    f.check_events(expect![[r"
        pending 0/1 Ingestion is starting.
        pending 0/1 Waiting for compute.
        processing 0/1 Ingestion in progress.
        processing 1/1 Graph ingestion in progress. This may take a few minutes.
        success 1/1 Ingestion complete.
    "]])
        .await;
}

#[tokio::test]
async fn a_start_while_a_job_runs_joins_it() {
    let f = Fixture::new().await;
    let first = f.add(1).await;
    f.start(1, None).await;
    let job = f.claim(1, SECOND).await.unwrap();
    f.store.begin_batch(&job, SECOND).await.unwrap();
    let second = f.add(2).await;
    assert_eq!(
        f.store.begin_batch(&job, SECOND).await.unwrap().len(),
        1,
        "only what was asked for is ingested"
    );
    assert_eq!(f.start(2, None).await, Start::Started { n_samples: 2 });
    f.publish(&job, &first, 1).await.unwrap();
    assert_eq!(f.store.finish_job(&job, SECOND).await.unwrap(), Finish::MoreSamples);
    assert_eq!(f.store.begin_batch(&job, SECOND).await.unwrap()[0].sample_id, second.sample_id);
    f.publish(&job, &second, 2).await.unwrap();
    assert_eq!(
        f.store.finish_job(&job, SECOND).await.unwrap(),
        Finish::Done(IngestionStatus::Success)
    );
    assert!(f.claim(2, 99 * SECOND).await.is_none(), "there was one job");
    assert_eq!(f.ingestion().await.n_samples, 2);
}

#[tokio::test]
async fn unchanged_files_are_not_processed_again_but_failed_and_outdated_ones_are() {
    let f = Fixture::new().await;
    let samples = [f.add(1).await, f.add(2).await];
    f.start(1, Some("bge")).await;
    let job = f.claim(1, SECOND).await.unwrap();
    f.store.begin_batch(&job, SECOND).await.unwrap();
    f.publish(&job, &samples[0], 1).await.unwrap();
    f.store.fail_sample(&job, &samples[1], "no", SECOND).await.unwrap();
    f.store.finish_job(&job, SECOND).await.unwrap();

    assert_eq!(f.start(2, Some("bge")).await, Start::Started { n_samples: 1 });
    let job = f.claim(1, SECOND).await.unwrap();
    f.publish(&job, &samples[1], 2).await.unwrap();
    f.store.finish_job(&job, SECOND).await.unwrap();
    assert_eq!(f.start(3, Some("bge")).await, Start::Started { n_samples: 0 });
    let job = f.claim(1, SECOND).await.unwrap();
    assert_eq!(f.store.begin_batch(&job, SECOND).await.unwrap().len(), 0);
    assert_eq!(
        f.store.finish_job(&job, SECOND).await.unwrap(),
        Finish::Done(IngestionStatus::Success)
    );

    assert_eq!(f.start(4, Some("other")).await, Start::Started { n_samples: 2 });
    let job = f.claim(1, SECOND).await.unwrap();
    f.publish(&job, &samples[0], 3).await.unwrap();
    f.store.skip_sample(&job, &samples[1], SECOND).await.unwrap();
    f.store.collect_dead_versions(&job).await.unwrap();
    f.store.finish_job(&job, SECOND).await.unwrap();
    assert_eq!(f.n_passages().await, 2, "a new version replaces the old one");
}

#[tokio::test]
async fn a_buried_job_fails_its_samples_and_says_so() {
    let f = Fixture::new().await;
    f.add(1).await;
    f.start(1, None).await;
    let job = f.claim(1, SECOND).await.unwrap();
    f.store.retry_job(&job, 9 * SECOND, "disk full", SECOND).await.unwrap();
    assert!(f.claim(2, 8 * SECOND).await.is_none(), "not before its time");
    let job = f.claim(2, 9 * SECOND).await.unwrap();
    f.store.release_job(&job, 9 * SECOND).await.unwrap();
    let job = f.claim(3, 9 * SECOND).await.unwrap();
    assert_eq!(job.attempt, 2, "a release does not count");
    f.store.begin_batch(&job, 9 * SECOND).await.unwrap();
    f.store.bury_job(&job, "ingestion was given up", "disk full", 10 * SECOND).await.unwrap();
    assert!(f.claim(4, 99 * SECOND).await.is_none());
    assert_eq!(f.ingestion().await.status, IngestionStatus::Failed);
    assert_eq!(
        f.store.count_samples(&f.record).await.unwrap().failed[0].reason,
        "ingestion was given up"
    );
    f.check_events(expect![[r"
        pending 0/1 Ingestion is starting.
        pending 0/1 Waiting for compute.
        processing 0/1 Ingestion in progress.
        failed 0/1 Ingestion failed.
    "]])
        .await;
    assert_eq!(f.start(2, None).await, Start::Started { n_samples: 1 });
}

#[tokio::test]
async fn what_leaves_a_memory_leaves_nothing_behind() {
    let f = Fixture::new().await;
    let samples = [f.add(1).await, f.add(2).await, f.add(3).await];
    f.start(1, None).await;
    let job = f.claim(1, SECOND).await.unwrap();
    f.store.begin_batch(&job, SECOND).await.unwrap();
    f.publish(&job, &samples[0], 1).await.unwrap();
    f.publish(&job, &samples[1], 2).await.unwrap();
    assert!(f.remove(&samples[0]).await);
    assert!(!f.remove(&samples[0]).await);
    assert!(f.remove(&samples[2]).await);
    assert!(
        !f.publish(&job, &samples[2], 3).await.unwrap(),
        "it was taken out while it was in work"
    );
    f.store.collect_dead_versions(&job).await.unwrap();
    assert_eq!(f.n_passages().await, 1);
    assert_eq!(
        f.store.finish_job(&job, SECOND).await.unwrap(),
        Finish::Done(IngestionStatus::Success)
    );

    let file = f.store.file(ACCOUNT, samples[1].file_id).await.unwrap().unwrap();
    assert_eq!(
        f.store.extracted_text(file.file_id, 99).await.unwrap().unwrap().text,
        "Anna lives in Bern."
    );
    let (receipt, unused) =
        f.store.delete_file(&file, Uuid::from_u128(8), SECOND).await.unwrap().unwrap();
    assert_eq!(f.store.extracted_text(file.file_id, 99).await.unwrap(), None);
    let receipt = f.store.drop_versions_of(receipt).await.unwrap();
    assert_eq!((receipt.counts.files, receipt.counts.samples, receipt.counts.passages), (1, 1, 1));
    assert_eq!(unused, [] as [String; 0]);
    assert_eq!(f.n_passages().await, 0);
    assert!(f.store.samples_of_memory(MEMORY).await.unwrap().is_empty());

    let id = Uuid::from_u128(9);
    assert!(f.store.delete_memory(&f.record, id, SECOND).await.unwrap().is_some());
    assert!(f.store.delete_memory(&f.record, id, SECOND).await.unwrap().is_none());
    assert!(f.store.deliveries_of_memory(MEMORY).await.unwrap().is_empty());
}

#[tokio::test]
async fn deliveries_go_in_order_and_a_dead_one_lets_the_next_go() {
    let f = Fixture::new().await;
    f.add(1).await;
    f.start(1, None).await;
    let due = f.store.due_deliveries(SECOND, 10).await.unwrap();
    assert_eq!(due.iter().map(|it| it.seq).collect::<Vec<_>>(), [1]);
    f.store
        .fail_delivery(due[0].delivery_id, Some(500), "HTTP 500", Some(5 * SECOND))
        .await
        .unwrap();
    assert!(f.store.due_deliveries(4 * SECOND, 10).await.unwrap().is_empty());
    assert_eq!(f.store.due_deliveries(5 * SECOND, 10).await.unwrap()[0].attempt, 1);
    f.store.fail_delivery(due[0].delivery_id, None, "gone", None).await.unwrap();
    let next = f.store.due_deliveries(5 * SECOND, 10).await.unwrap();
    assert_eq!(next[0].seq, 2);
    f.store.settle_delivery(next[0].delivery_id, 204, 6 * SECOND).await.unwrap();
    assert!(f.store.due_deliveries(99 * SECOND, 10).await.unwrap().is_empty());
    let resent = f.store.resend_delivery(due[0].delivery_id, 7 * SECOND, |_| None).await.unwrap();
    assert_eq!(resent.unwrap().attempt, 0);
    assert_eq!(f.store.due_deliveries(7 * SECOND, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn vectors_are_outdated_when_a_ready_file_has_another_model_s() {
    let f = Fixture::new().await;
    let samples = [f.add(1).await, f.add(2).await];
    let n_outdated = async |model_id| {
        let found = f.store.memories_with_outdated_vectors(model_id).await.unwrap();
        assert!(found.iter().all(|it| it.memory_id == MEMORY));
        found.len()
    };
    f.start(1, Some("bge")).await;
    let job = f.claim(1, SECOND).await.unwrap();
    f.store.begin_batch(&job, SECOND).await.unwrap();
    assert_eq!(n_outdated("other").await, 0, "no file is ready");
    assert!(f.publish(&job, &samples[0], 1).await.unwrap());
    f.store.fail_sample(&job, &samples[1], "the file is empty", SECOND).await.unwrap();
    f.store.finish_job(&job, SECOND).await.unwrap();
    assert_eq!((n_outdated("bge").await, n_outdated("other").await), (0, 1));
    let update = "UPDATE sample SET model_id = NULL WHERE state = 'ready'";
    assert_eq!(sqlx::query(update).execute(&f.store.writer).await.unwrap().rows_affected(), 1);
    assert_eq!(n_outdated("bge").await, 1, "made in lexical mode");
    f.start(2, Some("bge")).await;
    assert_eq!(n_outdated("bge").await, 0, "asked for already");
}

#[tokio::test]
async fn a_passage_keeps_its_place() {
    let fixture = Fixture::new().await;
    let sample = fixture.add(1).await;
    fixture.start(1, None).await;
    let job = fixture.claim(1, 2 * SECOND).await.unwrap();
    let version_id = Uuid::from_u128(9);
    let places = [
        Some(Place::Page(3)),
        Some(Place::Sheet("Prices \"a\"".into())),
        Some(Place::Seconds(0)),
        None,
    ];
    let batch: Vec<StagedPassage> = (0..)
        .zip(&places)
        .map(|(seq, place)| StagedPassage {
            seq,
            passage: Passage {
                record_id: None,
                title: "T".into(),
                place: place.clone(),
                text: "x".into(),
                sentences: vec![Span { start: 0, end: 1 }],
            },
            n_tokens: 1,
            vector: None,
        })
        .collect();
    fixture.store.stage_passages(&sample, version_id, &batch).await.unwrap();
    let version = StagedVersion {
        version_id,
        sha256: vec![1],
        model_id: None,
        n_passages: 4,
        n_sentences: 4,
        n_tokens: 20,
    };
    assert!(fixture.store.publish_sample(&job, &sample, &version, 2 * SECOND).await.unwrap());
    let keys: Vec<PassageKey> =
        (0..4).map(|seq| PassageKey { file_id: sample.file_id, version_id, seq }).collect();
    let texts = fixture.store.passage_texts(MEMORY, &keys).await.unwrap();
    assert_eq!(texts.into_iter().map(|it| it.place).collect::<Vec<_>>(), places);
}
