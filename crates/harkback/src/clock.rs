//! What time is it, and what is random? The one place where the program asks the machine.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use harkback_engine::model::Micros;
use rand::distr::Alphanumeric;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use uuid::Uuid;

/// Tells the time.
#[derive(Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Stands still until it is set: for tests.
    Fixed(AtomicI64),
}

impl Clock {
    /// A clock that stands still at `now`.
    pub fn fixed(now: Micros) -> Self {
        Self::Fixed(AtomicI64::new(now))
    }

    /// The time it shows.
    pub fn now(&self) -> Micros {
        match self {
            Self::System => system_now(),
            Self::Fixed(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Sets a fixed clock; the machine's clock is left alone.
    pub fn set(&self, now: Micros) {
        if let Self::Fixed(it) = self {
            it.store(now, Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// Where ids and secrets come from.
#[derive(Debug)]
pub enum Ids {
    /// The machine's secure randomness.
    Random,
    /// The same ones in every run: for tests.
    Seeded(Box<Mutex<StdRng>>),
}

impl Ids {
    /// Ids that follow from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Box::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A new UUID of version 7, of the time `now`.
    pub fn uuid(&self, now: Micros) -> Uuid {
        let millis = u64::try_from(now / 1000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    /// Random bytes, fit to be a secret.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match self {
            Self::Random => rand::rng().fill_bytes(&mut bytes),
            Self::Seeded(rng) => {
                rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
        }
        bytes
    }

    /// A random text of `n` characters of `A-Za-z0-9`, just under six bits each.
    pub fn base62(&self, n: usize) -> String {
        let text =
            |rng: &mut dyn Rng| rng.sample_iter(Alphanumeric).take(n).map(char::from).collect();
        match self {
            Self::Random => text(&mut rand::rng()),
            Self::Seeded(rng) => text(&mut *rng.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
