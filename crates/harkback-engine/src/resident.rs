//! Which snapshot answers: the memories held in RAM, rebuilt from the store when they are behind, dropped when they have
//! not been asked for longest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

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
    ingesting: AtomicUsize,
    last_use: AtomicU64,
}

/// While it lives, readers of the memory are content with the last snapshot instead of waiting for each published file;
/// whoever holds it calls [`Residents::rebuild`] before it tells anyone that the files are in.
#[derive(Debug)]
pub(crate) struct Ingesting(Arc<Slot>);

impl Drop for Ingesting {
    fn drop(&mut self) {
        self.0.ingesting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Residents {
    /// Nothing is resident yet.
    pub(crate) fn new(store: Store) -> Self {
        Self { store, slots: Arc::default(), uses: AtomicU64::default() }
    }

    /// A snapshot of `record`'s revision or a later one; while files are being ingested, the last one.
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

    /// Rebuilds the snapshot if there is one.
    pub(crate) async fn rebuild_if_resident(
        &self,
        memory: MemoryId,
    ) -> Result<Option<Arc<Snapshot>>> {
        let is_resident = self.slot(memory).snapshot.load().is_some();
        if is_resident { self.rebuild(memory).await.map(Some) } else { Ok(None) }
    }

    /// Says that files of a memory are being ingested.
    pub(crate) fn ingesting(&self, memory: MemoryId) -> Ingesting {
        let slot = self.slot(memory);
        slot.ingesting.fetch_add(1, Ordering::AcqRel);
        Ingesting(slot)
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
            let snapshot = Arc::new(runtime.block_on(read_snapshot(&store, memory))?);
            slot.snapshot.store(Some(Arc::clone(&snapshot)));
            evict(&slots, memory);
            Ok(snapshot)
        });
        built.await.map_err(|e| Error::Io(e.into()))?
    }
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
        (snapshot.rev >= rev || self.ingesting.load(Ordering::Acquire) > 0).then_some(snapshot)
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
