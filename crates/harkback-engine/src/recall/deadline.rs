//! Until when must an answer be there?

use std::sync::atomic::{AtomicU64, Ordering};
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

    /// Whether work of that pace and size is likely to end before only `reserve` is left. Work that is begun in vain takes the
    /// cores from what must still be done.
    pub(crate) fn allows(self, reserve: Duration, pace: &Pace, size: Size) -> bool {
        let Some(end) = self.0 else { return true };
        pace.fits(size, end.saturating_duration_since(Instant::now() + reserve))
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

/// How much a model has to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(u64);

impl Size {
    /// Beside its tokens a run takes as long as so many of them.
    const RUN: usize = 20;
    /// Behind so many tokens a text is cut.
    const MOST_TOKENS: usize = 512;

    /// The size of a text of so many bytes: English has about four a token.
    pub(crate) fn of(n_bytes: usize) -> Self {
        Self((Self::RUN + (n_bytes / 4).min(Self::MOST_TOKENS)) as u64)
    }
}

/// How long a kind of work takes on this machine, in nanoseconds for each unit of size.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Nine of ten times it was faster lately.
    slow: AtomicU64,
    /// It was never faster.
    fastest: AtomicU64,
}

impl Pace {
    /// Nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self { slow: AtomicU64::new(0), fastest: AtomicU64::new(u64::MAX) }
    }

    /// Notes how long it took this time. Two that note at once may lose one: it is an estimate.
    pub(crate) fn note(&self, size: Size, took: Duration) {
        let took = took.as_nanos() as u64 / size.0;
        let slow = self.slow.load(Ordering::Relaxed);
        let slow = match slow {
            0 => took,
            _ if took > slow => slow + (took - slow) / 4,
            _ => slow - (slow - took) / 32,
        };
        self.slow.store(slow, Ordering::Relaxed);
        self.fastest.fetch_min(took, Ordering::Relaxed);
    }

    /// Whether it is likely to end in time. What is refused although it was once that fast makes the estimate a little better,
    /// so that it is tried again after a while: a machine does not stay busy for ever.
    fn fits(&self, size: Size, time: Duration) -> bool {
        let (slow, fastest) =
            (self.slow.load(Ordering::Relaxed), self.fastest.load(Ordering::Relaxed));
        let time = time.as_nanos() as u64 / size.0;
        let is_likely = slow <= time && time > 0;
        if !is_likely && fastest <= time {
            self.slow.store(slow - slow.saturating_sub(fastest) / 32, Ordering::Relaxed);
        }
        is_likely
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn what_takes_too_long_is_not_begun_and_tried_again_later() {
        let (pace, size) = (Pace::new(), Size::of(100));
        assert!(pace.fits(size, ms(1)), "nothing is known yet");
        pace.note(size, ms(10));
        pace.note(size, ms(90));
        assert!(pace.fits(size, ms(40)));
        let n_refused = (0..1_000).take_while(|_| !pace.fits(size, ms(20))).count();
        assert!((10..100).contains(&n_refused), "{n_refused}");
        assert!((0..1_000).all(|_| !pace.fits(size, ms(9))), "it was never that fast");
        assert!(!pace.fits(Size::of(1_000), ms(20)), "more to read");
    }

    #[test]
    fn a_deadline_that_has_passed_allows_nothing() {
        assert!(Deadline::after(None).allows(ms(60_000), &Pace::new(), Size::of(0)));
        assert!(Deadline::after(Some(ms(60_000))).allows(ms(1), &Pace::new(), Size::of(0)));
        assert!(!Deadline::after(Some(ms(1))).allows(ms(2), &Pace::new(), Size::of(0)));
    }
}
