//! One integration binary: real router, real store, real files, fixed clock.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod embedding;
mod real_models;
mod tidy;
