//! How is model work spread over the processor's cores?
//!
//! A lane is a one-thread pool. One text on one thread is the cheapest way to run these small models, so many texts at
//! once are spread over lanes, and every lane finishes a text before it takes the next. A question has one lane too: on
//! two idle cores two threads took 6.9 ms for what one does in 7.5, for nearly twice the work, and no less when the
//! cores were busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rten::ThreadPool;

use crate::error::{Error, Result};

/// Who goes first when there is more work than cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody waits for the answer.
    Question,
    /// Ingestion: on Linux its threads give way to all others, so that a question is answered during it nearly as fast
    /// as on an idle machine. Elsewhere they compete as equals.
    Background,
}

/// One lane a core. Callers on different threads share the lanes text by text.
pub(super) struct Cores {
    lanes: Vec<Lane>,
}

struct Lane {
    threads: Arc<ThreadPool>,
    n_waiting: AtomicUsize,
}

impl Cores {
    /// As many lanes as the process may use cores.
    pub(super) fn new(urgency: Urgency) -> Self {
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        let lane = || {
            let threads = ThreadPool::with_num_threads(1);
            if urgency == Urgency::Background {
                threads.run(give_way);
            }
            Lane { threads: Arc::new(threads), n_waiting: AtomicUsize::new(0) }
        };
        Self { lanes: (0..n_cores).map(|_| lane()).collect() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Runs `work` on the lane with the fewest callers.
    pub(super) fn run<R>(&self, work: impl FnOnce(&Arc<ThreadPool>) -> R) -> R {
        let lane = self.lanes.iter().min_by_key(|lane| lane.n_waiting.load(Ordering::Relaxed));
        let lane = lane.expect("there is at least one core");
        let _busy = Busy::new(&lane.n_waiting);
        work(&lane.threads)
    }

    /// Maps every item on some lane; results are in the order of the items. The first error wins.
    pub(super) fn map<T, R, F>(&self, items: &[T], work: F) -> Result<Vec<R>>
    where
        T: Sync,
        R: Send,
        F: Fn(&T, &Arc<ThreadPool>) -> Result<R> + Sync,
    {
        if let [item] = items {
            return Ok(vec![self.run(|threads| work(item, threads))?]);
        }
        let next = AtomicUsize::new(0);
        let drain = || {
            let mut done = Vec::new();
            while let Some((index, item)) = take(items, &next) {
                done.push((index, self.run(|threads| work(item, threads))?));
            }
            Ok(done)
        };
        let parts: Vec<Result<Vec<(usize, R)>>> = thread::scope(|scope| {
            let n_workers = self.lanes.len().min(items.len());
            let workers: Vec<_> = (0..n_workers).map(|_| scope.spawn(drain)).collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|_| Err(Error::Model("a thread panicked".to_owned())))
                })
                .collect()
        });
        let mut done = Vec::with_capacity(items.len());
        for part in parts {
            done.extend(part?);
        }
        done.sort_unstable_by_key(|(index, _)| *index);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }
}

/// Lowers the priority of the calling thread (on Linux a priority is a thread's, not a process's).
#[cfg(target_os = "linux")]
fn give_way() {
    const NICE: i32 = 10;
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "cannot lower the priority of ingestion, questions may be slower during it");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

/// Counts a caller of a lane as long as it is there, even if its work panics.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(n_waiting: &'a AtomicUsize) -> Self {
        n_waiting.fetch_add(1, Ordering::Relaxed);
        Self(n_waiting)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        let doubled = Cores::new(Urgency::Question).map(&items, |item, _| Ok(item * 2)).unwrap();
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(
            Cores::new(Urgency::Question)
                .map(&[] as &[usize], |item, _| Ok(*item))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_error_is_the_result() {
        let work = |item: &usize, _: &_| {
            if *item == 7 { Err(Error::Model("seven".to_owned())) } else { Ok(*item) }
        };
        let items: Vec<usize> = (0..20).collect();
        assert_eq!(
            Cores::new(Urgency::Question).map(&items, work).unwrap_err().to_string(),
            "model: seven"
        );
    }

    #[test]
    fn a_panic_is_an_error_and_the_lanes_stay_usable() {
        let cores = Cores::new(Urgency::Background);
        let items: Vec<usize> = (0..8).collect();
        let error =
            cores.map(&items, |item, threads| threads.run(|| Ok(1 / (item - item)))).unwrap_err();
        assert_eq!(error.to_string(), "model: a thread panicked");
        assert!(cores.lanes.iter().all(|lane| lane.n_waiting.load(Ordering::Relaxed) == 0));
        assert_eq!(cores.map(&items, |item, threads| threads.run(|| Ok(*item))).unwrap(), items);
    }
}
