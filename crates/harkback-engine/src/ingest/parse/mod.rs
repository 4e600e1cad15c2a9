//! The table of formats.
