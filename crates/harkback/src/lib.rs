//! The Harkback program as a library, so that its integration tests run the real router and store in process.

pub mod api;
pub mod app;
mod backoff;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod egress;
pub mod eval;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod keys;
pub mod models;
pub mod startup;
pub mod telemetry;
pub mod transcription;
mod web;
pub mod webhooks;
pub mod worker;
