//! SQL of jobs.
