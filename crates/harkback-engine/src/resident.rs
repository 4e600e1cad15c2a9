//! Which snapshot answers: the memories held in RAM, rebuilt from the store when they are behind, dropped when they have
//! not been asked for longest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{Error, Result};
use crate::index::{IndexPassage, Snapshot, SnapshotBuilder};
use crate::model::{MemoryId, MemoryRecord};
use crate::store::Store;
use crate::task::spawn;

/// Bytes of snapshots kept; the one in use is kept whatever its size.
pub(crate) const MAX_BYTES: usize = 4 << 30;

/// How long questions that began with a snapshot that was replaced are waited for, and how often they are looked at. A
/// question takes less; an export may take minutes, and says then that the memory was changed.
const LAST_READERS: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// The snapshots of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Residents {
    store: Store,
    slots: Arc<Mutex<HashMap<MemoryId, Arc<Slot>>>>,
    uses: Arc<AtomicU64>,
    /// A permit for each index that may be built at once: more would only take threads and cores from questions.
    builders: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Slot {
    snapshot: ArcSwapOption<Snapshot>,
    /// Those that were replaced, as long as somebody reads them.
    older: Mutex<Vec<Weak<Snapshot>>>,
    building: tokio::sync::Mutex<()>,
    n_behind: AtomicUsize,
    last_use: AtomicU64,
}

/// A snapshot after a deletion; `None` if it cannot be built.
pub(crate) type CatchUp = JoinHandle<Option<Arc<Snapshot>>>;

/// While it lives, readers of the memory are content with the last snapshot instead of waiting for one of each revision.
/// No text of a file that was deleted is shown to them all the same. During an ingestion whoever holds it calls
/// [`Residents::rebuild`] before it tells anyone that the files are in.
#[derive(Debug)]
pub(crate) struct Behind(Arc<Slot>);

impl Drop for Behind {
    fn drop(&mut self) {
        self.0.n_behind.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Residents {
    /// Nothing is resident yet.
    pub(crate) fn new(store: Store) -> Self {
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        let builders = Arc::new(Semaphore::new(n_cores));
        Self { store, slots: Arc::default(), uses: Arc::default(), builders }
    }

    /// A snapshot of `record`'s revision or a later one; while a [`Behind`] lives, the last one.
    pub(crate) async fn snapshot(&self, record: &MemoryRecord) -> Result<Arc<Snapshot>> {
        let slot = self.slot(record.memory_id);
        match slot.fresh(record.rev) {
            Some(snapshot) => Ok(snapshot),
            None => self.of_revision(record.memory_id, record.rev).await,
        }
    }

    /// The last snapshot, however old.
    pub(crate) fn last(&self, memory: MemoryId) -> Option<Arc<Snapshot>> {
        self.slot(memory).snapshot.load_full()
    }

    /// The snapshot of what the store holds now, which all readers that come after get.
    pub(crate) async fn rebuild(&self, memory: MemoryId) -> Result<Arc<Snapshot>> {
        let rev = self.store.memory(memory).await?.map_or(0, |it| it.rev);
        self.of_revision(memory, rev).await
    }

    /// Has the snapshot built of revision `rev` or a later one, if there is one in RAM. That goes on whether or not the
    /// handle is awaited; until it ends, readers do with the last one. It brings `None` if the snapshot cannot be built,
    /// which is logged: the next reader tries again.
    pub(crate) fn catch_up(&self, memory: MemoryId, rev: i64) -> Option<CatchUp> {
        self.slot(memory).snapshot.load().as_ref()?;
        let (residents, behind) = (self.clone(), self.behind(memory));
        Some(spawn(async move {
            let built = residents.build(memory, rev).await;
            drop(behind);
            let report = |error: &Error| {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    memory.id = %memory.0,
                    "an index cannot be built after a deletion"
                );
            };
            built.inspect_err(report).ok()
        }))
    }

    /// Lets readers of a memory do with its last snapshot.
    pub(crate) fn behind(&self, memory: MemoryId) -> Behind {
        let slot = self.slot(memory);
        slot.n_behind.fetch_add(1, Ordering::AcqRel);
        Behind(slot)
    }

    /// Waits until nobody reads a snapshot of the memory that was replaced, or they take too long.
    pub(crate) async fn wait_for_last_readers(&self, memory: MemoryId) {
        let slot = self.slot(memory);
        let unread = async {
            while slot.has_older_in_use() {
                tokio::time::sleep(LOOK).await;
            }
        };
        _ = tokio::time::timeout(LAST_READERS, unread).await;
    }

    /// Forgets a memory.
    pub(crate) fn drop_memory(&self, memory: MemoryId) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&memory);
    }

    /// Bytes of all snapshots.
    pub(crate) fn n_bytes(&self) -> usize {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().map(|it| it.n_bytes()).sum()
    }

    /// As if other indexes took all builders.
    #[cfg(test)]
    pub(crate) async fn stop_building(&self) -> tokio::sync::OwnedSemaphorePermit {
        let n_builders = self.builders.available_permits() as u32;
        Arc::clone(&self.builders).acquire_many_owned(n_builders).await.unwrap()
    }

    fn slot(&self, memory: MemoryId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(memory).or_default();
        slot.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Arc::clone(slot)
    }

    /// As [`build`](Self::build), to its end even if the caller stops waiting.
    async fn of_revision(&self, memory: MemoryId, rev: i64) -> Result<Arc<Snapshot>> {
        let residents = self.clone();
        let building = spawn(async move { residents.build(memory, rev).await });
        building.await.map_err(|e| Error::Io(e.into()))?
    }

    /// A snapshot of revision `rev` or later, built if it is not there. Of those who come while one is built, the first
    /// builds the next, and the others find it. A thread is taken only while there is something to compute.
    async fn build(&self, memory: MemoryId, rev: i64) -> Result<Arc<Snapshot>> {
        let slot = self.slot(memory);
        let _building = slot.building.lock().await;
        if let Some(snapshot) = slot.snapshot.load_full().filter(|it| it.rev >= rev) {
            return Ok(snapshot);
        }
        let builder = Arc::clone(&self.builders).acquire_owned().await;
        let (store, runtime) = (self.store.clone(), Handle::current());
        let built = spawn_blocking(move || {
            let _builder = builder.expect("the semaphore is never closed");
            runtime.block_on(read_snapshot(&store, memory))
        });
        let snapshot = Arc::new(built.await.map_err(|e| Error::Io(e.into()))??);
        slot.replace(Some(Arc::clone(&snapshot)));
        self.evict(memory);
        Ok(snapshot)
    }

    fn evict(&self, keep: MemoryId) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_use: Vec<_> = slots.iter().filter(|it| *it.0 != keep).map(|it| it.1).collect();
        by_use.sort_by_key(|it| it.last_use.load(Ordering::Relaxed));
        let mut total: usize = slots.values().map(|it| it.n_bytes()).sum();
        for slot in by_use {
            if total <= MAX_BYTES {
                break;
            }
            total -= slot.n_bytes();
            slot.replace(None);
        }
    }
}

impl Slot {
    fn n_bytes(&self) -> usize {
        self.snapshot.load().as_ref().map_or(0, |it| it.n_bytes())
    }

    fn fresh(&self, rev: i64) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.load_full()?;
        (snapshot.rev >= rev || self.n_behind.load(Ordering::Acquire) > 0).then_some(snapshot)
    }

    fn replace(&self, snapshot: Option<Arc<Snapshot>>) {
        let Some(old) = self.snapshot.swap(snapshot) else { return };
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.retain(|it| it.strong_count() > 0);
        older.push(Arc::downgrade(&old));
    }

    fn has_older_in_use(&self) -> bool {
        let older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.iter().any(|it| it.strong_count() > 0)
    }
}

async fn read_snapshot(store: &Store, memory: MemoryId) -> Result<Snapshot> {
    let mut builder = SnapshotBuilder::new();
    let take = |it: crate::store::ActivePassage| {
        builder.push(IndexPassage {
            place: (it.key.file_id, it.key.version_id, it.key.seq),
            title: &it.title,
            text: &it.text,
            sentences: &it.sentences,
            vector: it.vector.as_deref(),
        });
    };
    let rev = store.read_active_passages(memory, take).await?;
    Ok(builder.finish(rev))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::store::ingestion_tests::Fixture;

    #[tokio::test]
    async fn readers_do_with_the_last_snapshot_only_while_somebody_says_so() {
        let Fixture { store, record, .. } = &Fixture::new().await;
        let residents = Residents::new(store.clone());
        let first = residents.snapshot(record).await.unwrap();
        let later = MemoryRecord { rev: record.rev + 1, ..record.clone() };
        let behind = residents.behind(record.memory_id);
        assert!(Arc::ptr_eq(&first, &residents.snapshot(&later).await.unwrap()));
        drop(behind);
        assert!(!Arc::ptr_eq(&first, &residents.snapshot(&later).await.unwrap()));
    }

    #[tokio::test]
    async fn an_index_is_built_to_its_end_though_nobody_waits_for_it() {
        let Fixture { store, record, .. } = &Fixture::new().await;
        let residents = Residents::new(store.clone());
        let (memory, rev) = (record.memory_id, record.rev + 1);
        assert!(residents.catch_up(memory, rev).is_none(), "not in RAM");
        let first = residents.snapshot(record).await.unwrap();
        let slot = residents.slot(memory);
        let building = slot.building.lock().await;
        drop(residents.catch_up(memory, rev).unwrap());
        let later = MemoryRecord { rev, ..record.clone() };
        assert!(Arc::ptr_eq(&first, &residents.snapshot(&later).await.unwrap()), "the last one");
        drop(building);
        while slot.n_behind.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert!(!Arc::ptr_eq(&first, &residents.last(memory).unwrap()));
    }

    #[test]
    fn many_deletions_cost_one_index_and_no_thread_while_they_wait() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(2).build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let (memory, residents) =
                (fixture.record.memory_id, Residents::new(fixture.store.clone()));
            let sample = fixture.add(1).await;
            let first = residents.snapshot(&fixture.record).await.unwrap();
            let busy = residents.stop_building().await;
            assert!(fixture.remove(&sample).await);
            let catch_up = |_| residents.catch_up(memory, first.rev + 1).unwrap();
            let deletions: Vec<_> = (0..50).map(catch_up).collect();
            let other = |n| {
                let residents = residents.clone();
                spawn(async move { residents.rebuild(MemoryId(uuid::Uuid::from_u128(n))).await })
            };
            let others: Vec<_> = (1000..1050).map(other).collect();
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let question = timeout(Duration::from_secs(10), spawn_blocking(|| ())).await;
            question.expect("a question finds a thread").unwrap();
            drop(busy);
            let mut built = Vec::new();
            for it in deletions {
                built.push(it.await.unwrap().unwrap());
            }
            assert_eq!(built[0].rev, first.rev + 1);
            assert!(built.iter().all(|it| Arc::ptr_eq(it, &built[0])), "one index for all");
            for it in others {
                it.await.unwrap().unwrap();
            }
        });
    }

    #[tokio::test]
    async fn whoever_reads_an_older_snapshot_is_waited_for() {
        let fixture = Fixture::new().await;
        let (memory, residents) = (fixture.record.memory_id, Residents::new(fixture.store.clone()));
        let sample = fixture.add(1).await;
        let question = residents.snapshot(&fixture.record).await.unwrap();
        assert!(fixture.remove(&sample).await);
        residents.rebuild(memory).await.unwrap();
        let mut waiting = Box::pin(residents.wait_for_last_readers(memory));
        assert!(timeout(LOOK * 4, &mut waiting).await.is_err(), "it is being read");
        drop(question);
        timeout(LAST_READERS / 2, waiting).await.expect("nobody reads it any more");
    }
}
