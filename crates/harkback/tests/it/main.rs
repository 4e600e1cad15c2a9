//! One integration binary: real router, real store, real files, fixed clock.

mod embedding;
mod real_models;
