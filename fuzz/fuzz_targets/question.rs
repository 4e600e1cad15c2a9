//! A question asked of a memory of a text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::question(bytes));
