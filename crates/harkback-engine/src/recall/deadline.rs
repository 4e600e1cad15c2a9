//! Until when must an answer be there?

use std::time::{Duration, Instant};

use tokio::time::timeout_at;

/// The end of a question's budget, if it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `budget` from now.
    pub(crate) fn after(budget: Option<Duration>) -> Self {
        Self(budget.map(|it| Instant::now() + it))
    }

    /// Whether there is one.
    pub(crate) fn is_set(self) -> bool {
        self.0.is_some()
    }

    /// What `work` comes to, or `None` if it is not there when only `reserve` is left. Work on another thread goes on then,
    /// unseen.
    pub(crate) async fn wait<T>(
        self,
        reserve: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        match self.0 {
            None => Some(work.await),
            Some(end) => {
                let latest = end.checked_sub(reserve).unwrap_or(end);
                timeout_at(latest.into(), work).await.ok()
            }
        }
    }
}
