//! Passages and sentences of graph memories.
