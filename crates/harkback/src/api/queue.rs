//! How many questions are answered at once? A few a core; some more wait their turn, and the rest is told to come back:
//! a question costs a core for milliseconds, so a longer queue would only make everybody late.

use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::error::{ApiError, unavailable};

/// While one question computes, another reads its texts.
const AT_ONCE_A_CORE: usize = 2;

/// At 8 ms a question the last one waits 150 ms.
const WAITING_A_CORE: usize = 16;

/// Questions under way and waiting.
#[derive(Debug)]
pub(crate) struct Queue {
    running: Semaphore,
    waiting: Semaphore,
}

/// What a question may do.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// Compute until the permit is dropped.
    Go { _permit: SemaphorePermit<'a> },
    /// The time it may wait is over.
    TooLate,
}

impl Queue {
    /// For the cores of this machine.
    pub(crate) fn new() -> Self {
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            running: Semaphore::new(AT_ONCE_A_CORE * n_cores),
            waiting: Semaphore::new(WAITING_A_CORE * n_cores),
        }
    }

    /// Waits for a turn, in the order in which questions came, for as long as `patience` if one is given.
    ///
    /// # Errors
    /// 503 if too many wait already.
    pub(crate) async fn turn(&self, patience: Option<Duration>) -> Result<Turn<'_>, ApiError> {
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(Turn::Go { _permit: permit });
        }
        let too_many = |_| unavailable("Too many questions under way");
        let _place = self.waiting.try_acquire().map_err(too_many)?;
        let running = self.running.acquire();
        let permit = match patience {
            None => Ok(running.await),
            Some(patience) => timeout(patience, running).await,
        };
        Ok(permit.map_or(Turn::TooLate, |permit| Turn::Go {
            _permit: permit.expect("the semaphore is never closed"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_run_wait_or_are_refused() {
        let queue = Queue { running: Semaphore::new(1), waiting: Semaphore::new(1) };
        let first = queue.turn(None).await.unwrap();
        let too_late = queue.turn(Some(Duration::from_millis(1))).await.unwrap();
        assert!(matches!(too_late, Turn::TooLate));
        let second = queue.turn(None);
        let third = async {
            let refused = queue.turn(None).await;
            drop(first);
            refused.is_err()
        };
        let (second, third) = tokio::join!(second, third);
        assert!(matches!(second.unwrap(), Turn::Go { .. }) && third);
        assert!(matches!(queue.turn(None).await.unwrap(), Turn::Go { .. }));
    }
}
