//! Which snapshot answers: the memories held in RAM, rebuilt from the store when they are behind, dropped when they have
//! not been asked for longest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::index::{IndexPassage, Snapshot, SnapshotBuilder};
use crate::model::{MemoryId, MemoryRecord};
use crate::store::Store;

/// Bytes of snapshots kept; the one in use is kept whatever its size.
pub(crate) const MAX_BYTES: usize = 4 << 30;

/// The snapshots of a data directory.
#[derive(Debug)]
pub(crate) struct Residents {
    store: Store,
    slots: Arc<Mutex<HashMap<MemoryId, Arc<Slot>>>>,
    uses: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    snapshot: ArcSwapOption<Snapshot>,
    building: Arc<tokio::sync::Mutex<()>>,
    n_behind: AtomicUsize,
    last_use: AtomicU64,
}

/// While it lives, readers of the memory are content with the last snapshot instead of waiting for one of each revision.
/// The texts that they are shown are live all the same. During an ingestion whoever holds it calls [`Residents::rebuild`]
/// before it tells anyone that the files are in.
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
        Self { store, slots: Arc::default(), uses: AtomicU64::default() }
    }

    /// A snapshot of `record`'s revision or a later one; while a [`Behind`] lives, the last one.
    pub(crate) async fn snapshot(&self, record: &MemoryRecord) -> Result<Arc<Snapshot>> {
        let slot = self.slot(record.memory_id);
        if let Some(snapshot) = slot.fresh(record.rev) {
            return Ok(snapshot);
        }
        let building = Arc::clone(&slot.building).lock_owned().await;
        if let Some(snapshot) = slot.fresh(record.rev) {
            return Ok(snapshot);
        }
        self.build(record.memory_id, slot, building).await
    }

    /// The last snapshot, however old.
    pub(crate) fn last(&self, memory: MemoryId) -> Option<Arc<Snapshot>> {
        self.slot(memory).snapshot.load_full()
    }

    /// Builds the snapshot of what the store holds now and gives it to all readers that come after.
    pub(crate) async fn rebuild(&self, memory: MemoryId) -> Result<Arc<Snapshot>> {
        let slot = self.slot(memory);
        let building = Arc::clone(&slot.building).lock_owned().await;
        self.build(memory, slot, building).await
    }

    /// Rebuilds the snapshot if there is one, and waits for it for as long as `patience` lasts: `None` if there is none, or
    /// it was not there in time. Until it is, readers do with the last one.
    pub(crate) async fn catch_up(
        &self,
        memory: MemoryId,
        patience: Duration,
    ) -> Result<Option<Arc<Snapshot>>> {
        let slot = self.slot(memory);
        if slot.snapshot.load().is_none() {
            return Ok(None);
        }
        let (store, slots) = (self.store.clone(), Arc::clone(&self.slots));
        let (behind, runtime) = (self.behind(memory), Handle::current());
        let built = spawn_blocking(move || {
            runtime.block_on(async {
                let _building = slot.building.lock().await;
                let snapshot = publish(&store, &slots, &slot, memory).await;
                drop(behind);
                snapshot
            })
        });
        match timeout(patience, built).await {
            Ok(built) => built.map_err(|e| Error::Io(e.into()))?.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Lets readers of a memory do with its last snapshot.
    pub(crate) fn behind(&self, memory: MemoryId) -> Behind {
        let slot = self.slot(memory);
        slot.n_behind.fetch_add(1, Ordering::AcqRel);
        Behind(slot)
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

    fn slot(&self, memory: MemoryId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(memory).or_default();
        slot.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Arc::clone(slot)
    }

    /// Builds on a thread of its own and to the end, even if the caller stops waiting.
    async fn build(
        &self,
        memory: MemoryId,
        slot: Arc<Slot>,
        building: OwnedMutexGuard<()>,
    ) -> Result<Arc<Snapshot>> {
        let (store, slots) = (self.store.clone(), Arc::clone(&self.slots));
        let runtime = Handle::current();
        let built = spawn_blocking(move || {
            let _building = building;
            runtime.block_on(publish(&store, &slots, &slot, memory))
        });
        built.await.map_err(|e| Error::Io(e.into()))?
    }
}

/// Reads a snapshot and gives it to all readers that come after. The caller holds `slot.building`.
async fn publish(
    store: &Store,
    slots: &Mutex<HashMap<MemoryId, Arc<Slot>>>,
    slot: &Slot,
    memory: MemoryId,
) -> Result<Arc<Snapshot>> {
    let snapshot = Arc::new(read_snapshot(store, memory).await?);
    slot.snapshot.store(Some(Arc::clone(&snapshot)));
    evict(slots, memory);
    Ok(snapshot)
}

fn evict(slots: &Mutex<HashMap<MemoryId, Arc<Slot>>>, keep: MemoryId) {
    let slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    let mut by_use: Vec<_> = slots.iter().filter(|it| *it.0 != keep).map(|it| it.1).collect();
    by_use.sort_by_key(|it| it.last_use.load(Ordering::Relaxed));
    let mut total: usize = slots.values().map(|it| it.n_bytes()).sum();
    for slot in by_use {
        if total <= MAX_BYTES {
            break;
        }
        total -= slot.n_bytes();
        slot.snapshot.store(None);
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
    async fn an_index_is_built_to_its_end_when_patience_is_over() {
        let Fixture { store, record, .. } = &Fixture::new().await;
        let residents = Residents::new(store.clone());
        let memory = record.memory_id;
        assert!(residents.catch_up(memory, Duration::MAX).await.unwrap().is_none(), "not in RAM");
        let first = residents.snapshot(record).await.unwrap();
        let slot = residents.slot(memory);
        let building = slot.building.lock().await;
        let too_late = residents.catch_up(memory, Duration::from_millis(1)).await.unwrap();
        assert!(too_late.is_none());
        let later = MemoryRecord { rev: record.rev + 1, ..record.clone() };
        assert!(Arc::ptr_eq(&first, &residents.snapshot(&later).await.unwrap()), "the last one");
        drop(building);
        while residents.slot(memory).n_behind.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert!(!Arc::ptr_eq(&first, &residents.last(memory).unwrap()));
        let in_time = residents.catch_up(memory, Duration::from_secs(3600)).await.unwrap();
        assert!(Arc::ptr_eq(&in_time.unwrap(), &residents.last(memory).unwrap()));
    }
}
