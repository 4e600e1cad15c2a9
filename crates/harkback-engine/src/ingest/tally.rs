//! How many passages has this process taken in? Numbers for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::StagedPassage;

/// Passages taken in since the last look, by where their vectors came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Those that went through the model.
    pub n_embedded: u64,
    /// Those that took over the vector of the version before.
    pub n_reused: u64,
    /// Those without a vector, in lexical mode.
    pub n_lexical: u64,
}

/// Counts passages as they are staged.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    n_embedded: AtomicU64,
    n_reused: AtomicU64,
    n_lexical: AtomicU64,
}

impl Tally {
    pub(super) fn add(&self, batch: &[StagedPassage]) {
        for passage in batch {
            let count = match &passage.vector {
                Some(vector) if vector.is_reused => &self.n_reused,
                Some(_) => &self.n_embedded,
                None => &self.n_lexical,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted since this was called last.
    pub(crate) fn take(&self) -> Intake {
        Intake {
            n_embedded: self.n_embedded.swap(0, Ordering::Relaxed),
            n_reused: self.n_reused.swap(0, Ordering::Relaxed),
            n_lexical: self.n_lexical.swap(0, Ordering::Relaxed),
        }
    }
}
