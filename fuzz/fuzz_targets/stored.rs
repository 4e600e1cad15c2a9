//! Columns of the database and frames of a parser's pipe.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::stored(bytes));
