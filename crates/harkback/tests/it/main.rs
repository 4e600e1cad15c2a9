//! One integration binary: real router, real store, real files, fixed clock.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod app;
mod auth;
mod commands;
mod embedding;
mod files;
mod fixtures;
mod memories;
mod memory;
mod messages;
mod openapi;
mod pagination;
mod real_models;
mod sessions;
mod tidy;
mod uploads;
mod users;
mod webhooks;
mod worker;
