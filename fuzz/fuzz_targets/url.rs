//! Addresses that are to be called.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback::fuzzing::url(bytes));
