//! A memory over its whole life, from outside: what a real data directory is after adding, changing, deleting and crashing.

mod interleavings;
mod verification;
mod world;
