//! Until when must an answer be there?

use std::time::{Duration, Instant};

use tokio::time::timeout_at;

/// Timers ring up to so much too late.
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
    pub(crate) fn is_set(self) -> bool {
        self.0.is_some()
    }

    /// The time until only `reserve` is left; without a deadline there is no end of it. Work that is begun in vain takes the cores
    /// from what must still be done.
    pub(crate) fn left(self, reserve: Duration) -> Duration {
        self.0.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now()).saturating_sub(reserve)
        })
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
                let latest = end.checked_sub(reserve + TIMER).unwrap_or(end);
                timeout_at(latest.into(), work).await.ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_deadline_but_its_reserve() {
        let second = Duration::from_secs(1);
        assert_eq!(Deadline::after(None).left(second), Duration::MAX);
        assert_eq!(Deadline::after(Some(second)).left(second), Duration::ZERO);
        let left = Deadline::after(Some(60 * second)).left(second);
        assert!((50 * second..=59 * second).contains(&left), "{left:?}");
    }
}
