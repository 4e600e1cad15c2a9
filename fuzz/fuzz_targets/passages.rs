//! Texts cut into passages, chunks and sentences.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::passages(bytes));
