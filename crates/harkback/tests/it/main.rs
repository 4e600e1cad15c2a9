//! One integration binary: real router, real store, real files, fixed clock.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod app;
mod auth;
mod backup;
mod binary;
mod budget;
mod cli;
mod clients;
mod commands;
mod crash;
mod documents;
mod embedding;
mod explain;
mod export;
mod files;
mod fixtures;
mod idempotency;
mod isolation;
mod kept_answers;
mod load;
mod memories;
mod memory;
mod messages;
mod openapi;
mod overload;
mod pagination;
mod parsing;
mod printed_lines;
mod real_models;
mod receipts;
mod refresh;
mod released;
mod schemathesis;
mod sessions;
mod slow_peers;
mod startup;
mod tidy;
mod timing;
mod toolchain;
mod transcription;
mod uploads;
mod users;
mod webhooks;
mod websites;
mod worker;
