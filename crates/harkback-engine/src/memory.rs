//! The façade the program uses: recall, ingest, forget.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::blobs::Blobs;
use crate::embed::Models;
use crate::error::{Error, Result};
use crate::export::Export;
use crate::index::Snapshot;
use crate::ingest::{Ingest, Intake, Parsing, Tally, Transcriber};
use crate::model::{
    FileRecord, Job, MemoryRecord, MemoryRevision, Micros, Recall, RecallRequest, Receipt,
};
use crate::recall::{self, Asked, Deadline, Queue};
use crate::resident::{CatchUp, MAX_BYTES, Residents};
use crate::store::{Finish, Progress, Store};
use crate::task::spawn;

/// Left of a question's budget when it stops waiting for an index that is being built.
const INDEX_RESERVE: Duration = Duration::from_millis(8);

/// Left of it when it stops waiting for its turn.
const TURN_RESERVE: Duration = Duration::from_millis(4);

/// How long a deletion waits for all the indexes it changes: clients give up on it after 5 s.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far a job came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum JobEnd {
    /// It is done.
    Done,
    /// It goes on when the websites that it has to ingest are fetched: [`Store::sites_to_fetch`].
    Websites,
}

/// All memories of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    store: Store,
    blobs: Blobs,
    models: Models,
    parsing: Parsing,
    transcriber: Option<Transcriber>,
    tally: Arc<Tally>,
    residents: Residents,
    questions: Arc<Queue>,
}

impl Memory {
    /// Bytes of indexes kept in RAM; the one in use is kept whatever its size.
    pub const MAX_RESIDENT_BYTES: usize = MAX_BYTES;

    /// Opens the memories of the data directory `dir`, whose truth is `store`. Files are read as `parsing` says.
    ///
    /// # Errors
    /// If the blob directory cannot be made.
    pub async fn open(dir: &Path, store: Store, models: Models, parsing: Parsing) -> Result<Self> {
        let blobs = Blobs::open(dir).await?;
        let residents = Residents::new(store.clone());
        let (tally, questions) = (Arc::default(), Arc::new(Queue::new()));
        Ok(Self { store, blobs, models, parsing, transcriber: None, tally, residents, questions })
    }

    /// As it is, with somebody who hears recordings.
    #[must_use]
    pub fn with_transcriber(self, transcriber: Option<Transcriber>) -> Self {
        Self { transcriber, ..self }
    }

    /// Answers a question. The caller has checked that `record` is the asking account's. Where the budget does not allow to
    /// wait for an index of the record's revision, the last one answers, with texts that are live all the same.
    ///
    /// # Errors
    /// [`Busy`](crate::Error::Busy) if too many questions wait already; otherwise if the store or a model fails. A memory that
    /// holds nothing answers an empty [`Recall`].
    pub async fn recall(&self, record: &MemoryRecord, request: &RecallRequest) -> Result<Recall> {
        let deadline = Deadline::after(request.budget);
        let (snapshot, is_behind) =
            match deadline.wait(INDEX_RESERVE, self.residents.snapshot(record)).await {
                Some(snapshot) => (snapshot?, false),
                None => match self.residents.last(record.memory_id) {
                    Some(snapshot) => (snapshot, true),
                    None => return Ok(Recall { is_partial: true, ..Recall::default() }),
                },
            };
        // After the index, because who waits for one must not hold up questions to other memories.
        let turn = deadline.wait(TURN_RESERVE, self.questions.turn()).await;
        let Some(turn) = turn.transpose()? else {
            return Ok(Recall { is_partial: true, ..Recall::default() });
        };
        let (store, models) = (self.store.clone(), self.models.clone());
        let (record, request) = (record.clone(), request.clone());
        let asked = Asked { store, models, snapshot, record, request };
        let mut recall = recall::recall(asked, turn, deadline).await?;
        recall.is_partial |= is_behind;
        Ok(recall)
    }

    /// Runs a leased ingestion job to its end, or until only websites are left, which the caller fetches; `now` tells the time. The caller keeps the lease alive meanwhile. Safe to
    /// run twice: what an aborted run has staged is taken up again.
    ///
    /// # Errors
    /// [`LeaseLost`](crate::Error::LeaseLost) if another worker took over; otherwise if the store fails. A file that
    /// cannot be ingested is not an error: its sample is marked failed, with the reason.
    pub async fn run_job(
        &self,
        job: &Job,
        now: &(dyn Fn() -> Micros + Send + Sync),
    ) -> Result<JobEnd> {
        let Some(record) = self.store.memory(job.memory_id).await? else {
            return Ok(JobEnd::Done);
        };
        let _behind = self.residents.behind(job.memory_id);
        let embedder = self.models.embedder.as_ref();
        let Self { store, blobs, parsing, tally, .. } = self;
        let transcriber = self.transcriber.as_ref();
        let ingest = Ingest { store, blobs, embedder, parsing, transcriber, tally, now };
        loop {
            for sample in self.store.begin_batch(job, now()).await? {
                ingest.sample(job, &record, &sample).await?;
            }
            let snapshot = self.residents.rebuild(job.memory_id).await?;
            let progress = Progress {
                n_entities: Some(snapshot.n_entities() as i64),
                n_relations: Some(snapshot.n_relations() as i64),
                ..Progress::default()
            };
            self.store.update_progress(job, progress, now()).await?;
            self.residents.wait_for_last_readers(job.memory_id).await;
            self.store.collect_dead_versions(job).await?;
            match self.store.finish_job(job, now()).await? {
                Finish::Done(_) => return Ok(JobEnd::Done),
                Finish::Websites => return Ok(JobEnd::Websites),
                Finish::MoreSamples => {}
            }
        }
    }

    /// Takes a file and all that was derived from it out of a memory, before it returns. `None` if it was not in it. What
    /// was begun is ended, though the caller stops waiting.
    ///
    /// # Errors
    /// If the store fails: nothing is done then, or nothing reads the file's passages any more and some of them are left,
    /// which the sweep takes.
    pub async fn forget_file(
        &self,
        record: &MemoryRecord,
        file: &FileRecord,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Option<Receipt>> {
        let before = self.residents.last(record.memory_id);
        let (memory, memory_id, file) = (self.clone(), record.memory_id, file.clone());
        let removing = spawn(async move {
            let removed = memory.store.remove_sample(memory_id, &file, receipt_id, now).await?;
            let Some(receipt) = removed else { return Ok(None) };
            memory.carry_out(receipt, vec![before], Vec::new()).await.map(Some)
        });
        removing.await.map_err(|e| Error::Io(e.into()))?
    }

    /// Deletes a file, takes it and all that was derived from it out of every memory, and deletes its bytes if no other
    /// file has them, before it returns. `None` if it is gone already.
    ///
    /// # Errors
    /// If the store or the disk fails. What could not be deleted then belongs to nobody, and the sweep takes it.
    pub async fn delete_file(
        &self,
        file: &FileRecord,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Option<Receipt>> {
        let (memory, file) = (self.clone(), file.clone());
        let deleting = spawn(async move {
            let deleted = memory.store.delete_file(&file, receipt_id, now).await?;
            let Some((receipt, unused)) = deleted else { return Ok(None) };
            let last = |it: &MemoryRevision| memory.residents.last(it.memory_id);
            let before = receipt.memories.iter().map(last).collect();
            memory.carry_out(receipt, before, unused).await.map(Some)
        });
        deleting.await.map_err(|e| Error::Io(e.into()))?
    }

    /// Deletes a memory with everything derived in it; the files stay. `None` if it is gone already. What was begun is ended,
    /// though the caller stops waiting.
    ///
    /// # Errors
    /// If the store fails: nothing is done then, or nothing reads the memory's passages any more and some of them are left,
    /// which the sweep takes.
    pub async fn delete_memory(
        &self,
        record: &MemoryRecord,
        receipt_id: Uuid,
        now: Micros,
    ) -> Result<Option<Receipt>> {
        let before = self.residents.last(record.memory_id);
        let (memory, record) = (self.clone(), record.clone());
        let deleting = spawn(async move {
            let deleted = memory.store.delete_memory(&record, receipt_id, now).await?;
            memory.residents.drop_memory(record.memory_id);
            let Some(receipt) = deleted else { return Ok(None) };
            let mut receipt = memory.store.drop_versions_of(receipt).await?;
            if let Some(before) = before.filter(|it| receipt.memories[0].rev == it.rev) {
                receipt.counts.entities = Some(before.n_entities() as i64);
                receipt.counts.relations = Some(before.n_relations() as i64);
                memory.complete(&receipt).await;
            }
            Ok(Some(receipt))
        });
        deleting.await.map_err(|e| Error::Io(e.into()))?
    }

    /// Takes away what a deletion parted with, and builds the indexes of its memories anew meanwhile, where they are in RAM. On
    /// a large memory that goes on after the deletion was acknowledged, for no deleted text is shown from an index that is behind.
    async fn carry_out(
        &self,
        receipt: Receipt,
        before: Vec<Option<Arc<Snapshot>>>,
        unused_blobs: Vec<String>,
    ) -> Result<Receipt> {
        let deadline = Instant::now() + PATIENCE;
        let changed = |it: &MemoryRevision| self.residents.catch_up(it.memory_id, it.rev);
        let building = receipt.memories.iter().map(changed).collect();
        for key in unused_blobs {
            self.blobs.delete(&key).await?;
        }
        let mut receipt = self.store.drop_versions_of(receipt).await?;
        self.count_graph(&mut receipt, before, building, deadline).await;
        Ok(receipt)
    }

    /// Where the index of each memory was of the revision just before the deletion and is of the one just after it at the
    /// deadline, the difference of their graphs is the deletion's. Otherwise, or if the store fails, the receipt lacks it.
    async fn count_graph(
        &self,
        receipt: &mut Receipt,
        before: Vec<Option<Arc<Snapshot>>>,
        building: Vec<Option<CatchUp>>,
        deadline: Instant,
    ) {
        let (mut n_entities, mut n_relations, mut is_known) = (0, 0, true);
        for ((revision, before), building) in receipt.memories.iter().zip(before).zip(building) {
            let after = match building {
                Some(building) => timeout_at(deadline, building).await.ok().and_then(Result::ok),
                None => None,
            };
            match (before, after.flatten()) {
                (Some(before), Some(after))
                    if before.rev + 1 == revision.rev && after.rev == revision.rev =>
                {
                    n_entities += before.n_entities() as i64 - after.n_entities() as i64;
                    n_relations += before.n_relations() as i64 - after.n_relations() as i64;
                }
                _ => is_known = false,
            }
        }
        if is_known && !receipt.memories.is_empty() {
            receipt.counts.entities = Some(n_entities);
            receipt.counts.relations = Some(n_relations);
            self.complete(receipt).await;
        }
    }

    /// The deletion is done: that its receipt tells less is no reason to say otherwise.
    async fn complete(&self, receipt: &Receipt) {
        if let Err(error) = self.store.complete_receipt(receipt).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                receipt.id = %receipt.receipt_id,
                "the counts of the graph cannot be written into a receipt"
            );
        }
    }

    /// The memory at its present revision, to be read piece by piece. The caller has checked that `record` is the asking
    /// account's.
    ///
    /// # Errors
    /// [`BadInput`](crate::Error::BadInput) while it is being ingested; otherwise if the store fails.
    pub async fn export(&self, record: &MemoryRecord) -> Result<Export> {
        let snapshot = self.residents.snapshot(record).await?;
        Export::new(self.store.clone(), snapshot, record.clone())
    }

    /// Builds a memory's index before the first question asks for it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn warm(&self, record: &MemoryRecord) -> Result<()> {
        self.residents.snapshot(record).await.map(|_| ())
    }

    /// Bytes of the indexes in RAM; those asked longest ago give way when they become more than
    /// [`MAX_RESIDENT_BYTES`](Self::MAX_RESIDENT_BYTES).
    pub fn resident_bytes(&self) -> usize {
        self.residents.n_bytes()
    }

    /// The passages that this process has taken in since this was called last.
    pub fn take_intake(&self) -> Intake {
        self.tally.take()
    }

    /// How files are read.
    pub fn parsing(&self) -> &Parsing {
        &self.parsing
    }

    /// The embedding model in use, `None` in lexical mode.
    pub fn embedder_id(&self) -> Option<&str> {
        self.models.embedder.as_ref().map(|it| it.id())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::model::{AccountId, DeletionKind, MemoryId};

    #[tokio::test]
    async fn a_deletion_in_many_memories_is_patient_once_and_a_failing_index_is_no_failure_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let memory =
            Memory::open(dir.path(), store.clone(), Models::default(), Parsing::InProcess).await;
        let memory = memory.unwrap();
        let account = AccountId(Uuid::from_u128(1));
        let mut receipt =
            Receipt::new(account, Uuid::from_u128(2), DeletionKind::File, "a", Micros::default());
        for n in 0..8 {
            let memory_id = MemoryId(Uuid::from_u128(100 + n));
            memory.residents.rebuild(memory_id).await.unwrap();
            receipt.memories.push(MemoryRevision { memory_id, rev: 1 });
        }
        let before = vec![None; receipt.memories.len()];
        let busy = memory.residents.stop_building().await;
        let done = memory.carry_out(receipt.clone(), before.clone(), Vec::new());
        let done = timeout(PATIENCE * 4, done).await.expect("it waits for all of them together");
        assert_eq!(done.unwrap(), receipt);
        drop(busy);
        store.close().await;
        let deadline = Instant::now() + PATIENCE;
        let changed = |it: &MemoryRevision| memory.residents.catch_up(it.memory_id, it.rev);
        let building = receipt.memories.iter().map(changed).collect();
        memory.count_graph(&mut receipt, before, building, deadline).await;
        assert_eq!(receipt.counts.entities, None);
    }
}
