//! How many questions are answered at once? A few a core; some more wait their turn, and the rest is told to come back:
//! a question costs a core for milliseconds, so a longer queue would only make everybody late.

use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// While one question computes, another reads its texts.
const AT_ONCE_A_CORE: usize = 2;

/// At 8 ms a question the last one waits 150 ms.
const WAITING_A_CORE: usize = 16;

/// Questions under way and waiting.
#[derive(Debug)]
pub(crate) struct Queue {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Leave to compute, until its last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Queue {
    /// For the cores of this machine.
    pub(crate) fn new() -> Self {
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE_A_CORE * n_cores)),
            waiting: Semaphore::new(WAITING_A_CORE * n_cores),
        }
    }

    /// Waits for a turn, in the order in which questions came.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let permit = match Arc::clone(&self.running).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.waiting.try_acquire().map_err(|_| Error::Busy)?;
                let running = Arc::clone(&self.running).acquire_owned();
                running.await.expect("the semaphore is never closed")
            }
        };
        Ok(Turn { _permit: Arc::new(permit) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_run_wait_or_are_refused() {
        let queue = Queue { running: Arc::new(Semaphore::new(1)), waiting: Semaphore::new(1) };
        let first = queue.turn().await.unwrap();
        let thread = first.clone();
        let second = queue.turn();
        let third = async {
            let refused = queue.turn().await;
            drop(first);
            assert_eq!(queue.running.available_permits(), 0, "a thread of it is at work");
            drop(thread);
            matches!(refused, Err(Error::Busy))
        };
        let (second, third) = tokio::join!(second, third);
        assert!(third);
        drop(second.unwrap());
        assert!(queue.turn().await.is_ok());
    }
}
