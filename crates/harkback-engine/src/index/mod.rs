//! Pure data structures of retrieval, built from the store's passages and disposable at any time.

mod adjacency;
mod alias;
mod bm25;
mod build;
mod copies;
mod kernels;
mod names;
mod snapshot;
mod subject;
#[cfg(test)]
pub(crate) mod tests;
mod vectors;
mod vocabulary;
mod words;

pub(crate) use build::{IndexPassage, SnapshotBuilder};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use kernels::DIM;
pub(crate) use snapshot::{Edge, EntityId, MAX_LOOKED_AT, Mention, PassageNo, Snapshot};
pub(crate) use vectors::{Quantised, best};
pub(crate) use words::{Word, is_capitalised, without_brackets, words};
