//! SQL of files.
