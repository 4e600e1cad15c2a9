//! HTML files and pages of websites.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::html(bytes));
