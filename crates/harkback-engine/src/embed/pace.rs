//! Does a model come to its end in time? It is known by how long it took lately.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Result;

/// How much a model has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(u64);

impl Size {
    /// Beside its tokens a run takes as long as so many of them.
    const RUN: usize = 20;
    /// Behind so many tokens a text is cut.
    const MOST_TOKENS: usize = 512;

    /// The size of a text of so many bytes: English has about four a token.
    pub(super) fn of(n_bytes: usize) -> Self {
        Self((Self::RUN + (n_bytes / 4).min(Self::MOST_TOKENS)) as u64)
    }

    /// The size of what each of several cores reads of several texts.
    pub(super) fn of_all(n_bytes: impl Iterator<Item = usize>, n_cores: usize) -> Self {
        let (mut longest, mut total) = (Self::of(0), 0);
        for size in n_bytes.map(Self::of) {
            (longest, total) = (longest.max(size), total + size.0);
        }
        longest.max(Self(total / n_cores as u64))
    }
}

/// How long a kind of work takes on this machine, in nanoseconds for each unit of size.
#[derive(Debug)]
pub(super) struct Pace {
    /// Nine of ten times it was faster lately.
    slow: AtomicU64,
    /// It was never faster, as far as it is remembered.
    fastest: AtomicU64,
}

impl Pace {
    /// Nothing is known yet.
    pub(super) const fn new() -> Self {
        Self { slow: AtomicU64::new(0), fastest: AtomicU64::new(u64::MAX) }
    }

    /// Forgets all that was noted: a model's first runs are slow.
    pub(super) fn forget(&self) {
        self.slow.store(0, Ordering::Relaxed);
        self.fastest.store(u64::MAX, Ordering::Relaxed);
    }

    /// Notes how long it took this time until `done`; what was cancelled would have taken longer, so that it is not begun again with
    /// as little time. Two that note at once may lose one: it is an estimate.
    pub(super) fn note<T>(&self, size: Size, took: Duration, done: &Result<T>) {
        let took = took.as_nanos() as u64 / size.0;
        let slow = self.slow.load(Ordering::Relaxed);
        if done.is_err() {
            self.slow.store(slow.max(took + took / 4), Ordering::Relaxed);
            return;
        }
        let slow = match slow {
            0 => took,
            _ if took > slow => slow + (took - slow) / 4,
            _ => slow - (slow - took) / 32,
        };
        self.slow.store(slow, Ordering::Relaxed);
        self.fastest.fetch_min(took, Ordering::Relaxed);
    }

    /// Whether it may begin, because it is likely to end in time. What is refused makes the estimate a little better, so that it is tried again after some
    /// dozens of times, or some hundreds if it was never that fast: a machine does not stay busy for ever.
    pub(super) fn admits(&self, size: Size, time: Duration) -> bool {
        let (slow, fastest) =
            (self.slow.load(Ordering::Relaxed), self.fastest.load(Ordering::Relaxed));
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / size.0;
        if slow <= time || time == 0 {
            return time > 0;
        }
        if fastest <= time {
            self.slow.store(slow - slow.saturating_sub(fastest).div_ceil(32), Ordering::Relaxed);
        } else if slow > 0 {
            self.fastest.store(fastest - fastest / 256, Ordering::Relaxed);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn what_takes_too_long_is_not_begun_and_tried_again_later() {
        let (pace, size) = (Pace::new(), Size::of(100));
        assert!(pace.admits(size, ms(1)), "nothing is known yet");
        assert!(!pace.admits(size, Duration::ZERO));
        pace.note(size, ms(10), &Ok(()));
        pace.note(size, ms(90), &Ok(()));
        assert!(pace.admits(size, ms(40)) && pace.admits(size, Duration::MAX));
        let n_refused = |time| (0..9_999).take_while(|_| !pace.admits(size, time)).count();
        let soon = n_refused(ms(20));
        assert!((10..100).contains(&soon), "{soon}");
        let late = n_refused(ms(5));
        assert!((100..1_000).contains(&late), "it was never that fast: {late}");
        assert!(!pace.admits(Size::of(1_000), ms(6)), "more to read");
    }

    #[test]
    fn what_was_cancelled_is_not_begun_again_with_as_little_time() {
        let (pace, size) = (Pace::new(), Size::of(100));
        pace.note(size, ms(2), &Ok(()));
        pace.note(size, ms(4), &Err::<(), _>(Error::Cancelled));
        assert!(!pace.admits(size, ms(4)) && pace.admits(size, ms(6)));
    }

    #[test]
    fn texts_on_several_cores_take_as_long_as_the_longest_or_their_share() {
        let alone = Size::of_all([400, 40].into_iter(), 2);
        assert_eq!(alone, Size::of(400));
        assert!(Size::of_all([400, 400, 400, 400].into_iter(), 2) > alone);
    }
}
