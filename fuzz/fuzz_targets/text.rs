//! Plain text and Markdown in any encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::text(bytes));
