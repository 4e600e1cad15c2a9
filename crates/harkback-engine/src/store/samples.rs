//! SQL of samples.
