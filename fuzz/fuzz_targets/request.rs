//! Query strings, bodies, ids, keys and page tokens.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback::fuzzing::request(bytes));
