//! Until when must an answer be there, and does anybody still wait for it?

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::queue::Turn;
use crate::embed::Leave;
use crate::error::{Error, Result};

/// Timers of the runtime ring up to so much too late.
const TIMER: Duration = Duration::from_millis(1);

/// The end of a question's budget, if it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `budget` from now.
    pub(crate) fn after(budget: Option<Duration>) -> Self {
        Self(budget.map(|it| Instant::now() + it))
    }

    /// Whether there is one.
    pub(super) fn is_set(self) -> bool {
        self.0.is_some()
    }

    /// The time until only `reserve` is left; without a deadline there is no end of it.
    pub(super) fn left(self, reserve: Duration) -> Duration {
        self.0.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now()).saturating_sub(reserve)
        })
    }

    /// What `work` comes to, or `None` if it is not there when only `reserve` is left.
    pub(crate) async fn wait<T>(
        self,
        reserve: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        match self.0 {
            None => Some(work.await),
            Some(end) => {
                let latest = end.checked_sub(reserve + TIMER).unwrap_or(end);
                timeout_at(latest.into(), work).await.ok()
            }
        }
    }
}

/// A question that is being answered, on a thread that may block.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Until when.
    pub(super) deadline: Deadline,
    /// Cancelled when nobody waits for the answer any more.
    pub(super) cancelled: CancellationToken,
    /// Its turn, which ends when the last of its threads has ended.
    pub(super) turn: Turn,
}

impl Call {
    /// # Errors
    /// [`Error::Cancelled`] if nobody waits for the answer any more.
    pub(super) fn check(&self) -> Result<()> {
        if self.cancelled.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// What `work` comes to, or `None` if it is not there when only `reserve` is left; then it is cancelled, because work in vain
    /// takes the cores from what must still be done.
    pub(super) fn within<T: Send + 'static>(
        &self,
        reserve: Duration,
        work: impl FnOnce(Leave<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        if !self.deadline.is_set() {
            return work(Leave::Before(&self.cancelled)).map(Some);
        }
        let cancelled = self.cancelled.child_token();
        let _too_late = cancelled.clone().drop_guard();
        let (sender, receiver) = sync_channel(1);
        let turn = self.turn.clone();
        spawn_blocking(move || {
            let _ = sender.send(work(Leave::Between(&cancelled)));
            drop(turn);
        });
        match receiver.recv_timeout(self.deadline.left(reserve)) {
            Ok(done) => done.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::Model("its thread panicked".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::super::queue::Queue;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn call(budget: Option<Duration>) -> Call {
        let turn = Queue::new().turn().await.unwrap();
        Call { deadline: Deadline::after(budget), cancelled: CancellationToken::new(), turn }
    }

    #[test]
    fn nothing_is_left_of_a_deadline_but_its_reserve() {
        assert_eq!(Deadline::after(None).left(SECOND), Duration::MAX);
        assert_eq!(Deadline::after(Some(SECOND)).left(SECOND), Duration::ZERO);
        let left = Deadline::after(Some(60 * SECOND)).left(SECOND);
        assert!((50 * SECOND..=59 * SECOND).contains(&left), "{left:?}");
    }

    #[tokio::test]
    async fn work_that_is_too_late_is_cancelled() {
        let call = call(Some(SECOND)).await;
        let (sender, receiver) = sync_channel(1);
        let late = call.within(SECOND, move |leave| {
            let Leave::Between(cancelled) = leave else { panic!("there is a deadline") };
            while !cancelled.is_cancelled() {
                sleep(Duration::from_millis(1));
            }
            sender.send(()).map_err(|_| Error::Cancelled)
        });
        assert!(late.unwrap().is_none());
        receiver.recv_timeout(60 * SECOND).expect("it was told that nobody waits");
        assert_eq!(call.within(Duration::ZERO, |_| Ok(7)).unwrap(), Some(7));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_cancelled_call() {
        let call = call(None).await;
        assert_eq!(call.within(SECOND, |_| Ok(7)).unwrap(), Some(7), "without a deadline");
        call.check().unwrap();
        call.cancelled.cancel();
        assert!(matches!(call.check(), Err(Error::Cancelled)));
    }
}
