//! Chunks of vector memories.
