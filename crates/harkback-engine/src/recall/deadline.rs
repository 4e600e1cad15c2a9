//! Until when must an answer be there?

use std::sync::atomic::{AtomicU64, Ordering};
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

    /// Whether work of that pace is likely to end before only `reserve` is left. Work that is begun in vain takes the cores
    /// from the next question. Where it is refused the pace is taken for a little better, so that it is tried again.
    pub(crate) fn allows(self, reserve: Duration, pace: &Pace) -> bool {
        let Some(end) = self.0 else { return true };
        let is_enough = Instant::now() + pace.typical() + reserve <= end;
        if !is_enough {
            pace.note(pace.typical() / 2);
        }
        is_enough
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

/// How long a kind of work has taken lately on this machine: a moving average.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// Nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Notes how long it took this time.
    pub(crate) fn note(&self, took: Duration) {
        let took = took.as_micros() as u64;
        let before = self.0.load(Ordering::Relaxed);
        // Two that note at once may lose one: it is an average.
        self.0.store(if before == 0 { took } else { (7 * before + took) / 8 }, Ordering::Relaxed);
    }

    fn typical(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_not_begun_and_tried_again_later() {
        let pace = Pace::new();
        let deadline = Deadline::after(Some(Duration::from_secs(60)));
        assert!(deadline.allows(Duration::ZERO, &pace), "nothing is known yet");
        pace.note(Duration::from_secs(120));
        assert!(Deadline::after(None).allows(Duration::ZERO, &pace));
        let n_refused = (0..100).take_while(|_| !deadline.allows(Duration::ZERO, &pace)).count();
        assert!((5..50).contains(&n_refused), "{n_refused}");
        assert!(!deadline.allows(Duration::from_secs(61), &Pace::new()));
    }
}
