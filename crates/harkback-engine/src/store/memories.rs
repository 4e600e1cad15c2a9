//! SQL of memories.
