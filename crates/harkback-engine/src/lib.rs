//! Harkback's engine: a graph memory with multi-hop recall and no language model, embeddable in a voice agent.
//!
//! [`Memory`] is the façade: it takes files in, builds what retrieval needs and answers questions. [`Store`] is the
//! truth behind it (one SQLite file) and also keeps the records around memories: accounts, keys, users, sessions and
//! messages. Everything in `index` is derived from the store and can be thrown away at any time.

mod blobs;
mod calendar;
mod embed;
mod error;
mod export;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod ingest;
pub mod measure;
mod memory;
pub mod model;
mod ontology;
mod recall;
mod resident;
mod retrieve;
mod store;
mod task;
#[cfg(test)]
mod tests;
mod verify;

pub use blobs::{Blobs, Put};
pub use embed::{
    Embedder, Manifest, ModelFile, ModelManifest, ModelRole, ModelSource, ModelState, Models,
    Pooling, Reranker, sha256_of,
};
pub use error::{Error, Result};
pub use export::Export;
pub use ingest::{
    Intake, ParserLimits, ParserProcess, Parsing, Recording, Transcriber, Transcript, Utterance,
    WebPage, parse_stdin,
};
pub use memory::{JobEnd, Memory};
pub use store::{
    ExtractedText, FailedSample, FilePatch, Finish, IngestionCost, MemoryPatch, NewContent,
    Progress, SampleCounts, StagedVersion, Start, StartIds, Store,
};
pub use verify::{Verification, verify};
