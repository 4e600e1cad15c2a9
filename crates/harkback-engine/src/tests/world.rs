//! A data directory with one memory, driven as the program drives it. Time and ids are counters.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use uuid::Uuid;

use crate::ingest::Parsing;
use crate::model::{
    Account, AccountId, FileId, FileRecord, FileType, ItemMetadata, MemoryId, MemoryRecord, Micros,
    NewFile, Ontology, Owned, RecallMode, RecallRequest, Upload,
};
use crate::{
    Blobs, Embedder, FilePatch, Memory, Models, NewContent, Put, StartIds, Store, Verification,
    verify,
};

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));
const MEMORY: MemoryId = MemoryId(Uuid::from_u128(2));
/// Longer than any lease.
const LONG: Micros = 60_000_000;

pub(super) struct World {
    pub(super) store: Store,
    pub(super) memory: Memory,
    pub(super) dir: tempfile::TempDir,
    clock: AtomicI64,
}

/// What a question brought, without the ids that differ from one world to the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// Caller's file id, text and score of each passage, best first.
    pub(super) passages: Vec<(String, String, f32)>,
    pub(super) subgraph: String,
    pub(super) facts: Vec<String>,
    pub(super) n_tokens: usize,
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, memory) = open(dir.path()).await;
        let world = Self { store, memory, dir, clock: AtomicI64::new(1) };
        let account = Account {
            account_id: ACCOUNT,
            name: "a".into(),
            webhook_secret: vec![0; 24],
            old_webhook_secret: None,
            created_at: 0,
        };
        world.store.ensure_account(&account).await.unwrap();
        world.store.create_memory(&world.new_record(), None).await.unwrap();
        world
    }

    /// What is left after the process died: nothing was told to end, nothing was closed.
    pub(super) async fn crash(self) -> Self {
        let Self { store, memory, dir, clock } = self;
        drop((store, memory));
        let (store, memory) = open(dir.path()).await;
        clock.fetch_add(LONG, Ordering::Relaxed);
        Self { store, memory, dir, clock }
    }

    pub(super) async fn add(&self, id: &str, text: &str) {
        let file = NewFile {
            file_id: FileId(self.id()),
            id: id.into(),
            name: format!("{id}.txt"),
            extension: "txt".into(),
            file_type: FileType::Text,
            blob_key: Some(self.upload(text).await),
            external_uri: None,
        };
        let file = self.store.create_file(ACCOUNT, &file, self.now(), |_| None).await.unwrap();
        self.put_in(&file).await;
    }

    pub(super) async fn put_in(&self, file: &FileRecord) {
        let record = self.record().await;
        let samples =
            self.store.add_samples(&record, &[file.file_id], &[self.id()], self.now()).await;
        assert_eq!(samples.unwrap().len(), 1);
    }

    pub(super) async fn change(&self, id: &str, text: &str) {
        let file = self.file(id).await.unwrap();
        let content = NewContent {
            blob_key: self.upload(text).await,
            extension: "txt".into(),
            file_type: FileType::Text,
            sample_id: self.id(),
            receipt_id: self.id(),
        };
        let patch = FilePatch { name: None, content: Some(content) };
        let (_, unused) = self.store.update_file(&file, &patch, self.now()).await.unwrap().unwrap();
        let blobs = Blobs::open(self.dir.path()).await.unwrap();
        blobs.delete(&unused.unwrap()).await.unwrap();
    }

    /// Takes a file out of the memory; its record and its bytes stay.
    pub(super) async fn take_out(&self, id: &str) {
        let (record, file) = (self.record().await, self.file(id).await.unwrap());
        self.memory.forget_file(&record, &file, self.id(), self.now()).await.unwrap();
    }

    pub(super) async fn delete(&self, id: &str) {
        let file = self.file(id).await.unwrap();
        self.memory.delete_file(&file, self.id(), self.now()).await.unwrap().unwrap();
    }

    pub(super) async fn start(&self) {
        let ids = StartIds { job_id: self.id(), batch_id: self.id() };
        let model = self.memory.embedder_id();
        self.store.start_ingestion(&self.record().await, ids, model, self.now()).await.unwrap();
    }

    /// Runs the job that is due to its end, if there is one.
    pub(super) async fn work(&self) {
        let now = self.now();
        let job = self.store.claim_job(self.id(), now, now + LONG / 2).await.unwrap();
        if let Some(job) = job {
            let end = self.memory.run_job(&job, &|| self.now()).await.unwrap();
            assert_eq!(end, crate::JobEnd::Done, "there is no website");
        }
    }

    /// Runs the job for a while only: the worker is gone then, wherever it was.
    pub(super) async fn work_for(&self, time: Duration) {
        _ = tokio::time::timeout(time, self.work()).await;
    }

    pub(super) async fn ask(&self, query: &str) -> Answer {
        let request = RecallRequest {
            query: query.into(),
            top_k: 20,
            mode: RecallMode::Raw,
            facts: true,
            explain: false,
            budget: None,
        };
        let recall = self.memory.recall(&self.record().await, &request).await.unwrap();
        let item = recall.payload.first();
        let ranked = match item.map(|it| &it.metadata) {
            Some(ItemMetadata::Passages(ranked)) => ranked.as_slice(),
            _ => &[],
        };
        let passage =
            |it: &crate::model::RankedPassage| (it.file_id.clone(), it.text.clone(), it.score);
        Answer {
            passages: ranked.iter().map(passage).collect(),
            subgraph: item.map(|it| it.content.clone()).unwrap_or_default(),
            facts: recall.facts.into_iter().map(|it| it.text).collect(),
            n_tokens: recall.token_count,
        }
    }

    /// What the memory holds of a file.
    pub(super) async fn text_of(&self, id: &str) -> Option<String> {
        let file = self.file(id).await?;
        let text = self.store.extracted_text(file.file_id, 1 << 20).await.unwrap();
        text.map(|it| it.text)
    }

    /// Entities and relations of the last ingestion's graph.
    pub(super) async fn graph(&self) -> (i64, i64) {
        let ingestion = self.store.last_ingestion(MEMORY).await.unwrap();
        ingestion.map_or((0, 0), |it| (it.n_entities, it.n_relations))
    }

    pub(super) async fn verify(&self) -> Verification {
        verify(self.dir.path()).await.unwrap()
    }

    #[track_caller]
    pub(super) fn assert_sound(found: &Verification) {
        assert_eq!(found.defects, [] as [&str; 0]);
        assert_eq!(found.leftovers, [] as [&str; 0]);
    }

    pub(super) async fn file(&self, id: &str) -> Option<FileRecord> {
        match self.store.find_file(ACCOUNT, id).await.unwrap() {
            Owned::Mine(file) => Some(file),
            _ => None,
        }
    }

    async fn record(&self) -> MemoryRecord {
        self.store.memory(MEMORY).await.unwrap().unwrap()
    }

    async fn upload(&self, text: &str) -> String {
        let key = format!("{}/{}.txt", ACCOUNT.0, self.id().simple());
        let upload = Upload {
            key: key.clone(),
            account_id: ACCOUNT,
            file_name: "a.txt".into(),
            size: None,
            created_at: self.now(),
            uploaded_at: None,
        };
        self.store.create_upload(&upload).await.unwrap();
        let bytes = stream::iter([Ok::<_, crate::Error>(Bytes::from(text.to_owned()))]);
        let blobs = Blobs::open(self.dir.path()).await.unwrap();
        let n_bytes = text.len() as u64;
        assert_eq!(
            blobs.put(&key, self.id(), 1 << 20, bytes).await.unwrap(),
            Put::Stored { n_bytes }
        );
        self.store.finish_upload(&key, n_bytes as i64, self.now()).await.unwrap();
        key
    }

    fn new_record(&self) -> MemoryRecord {
        let record = MemoryRecord::graph(ACCOUNT, MEMORY, "m", Ontology::Culture, 0);
        MemoryRecord { webhook_url: Some("https://example.com/hook".into()), ..record }
    }

    fn now(&self) -> Micros {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn id(&self) -> Uuid {
        Uuid::from_u128(1000 + self.now() as u128)
    }
}

async fn open(dir: &Path) -> (Store, Memory) {
    let store = Store::open(dir).await.unwrap();
    let models = Models { embedder: Some(Embedder::for_tests()), ..Models::default() };
    let memory = Memory::open(dir, store.clone(), models, Parsing::InProcess).await.unwrap();
    (store, memory)
}
