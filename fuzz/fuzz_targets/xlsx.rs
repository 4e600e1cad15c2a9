//! Excel workbooks, mutated part by part.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::xlsx(bytes));
harkback_fuzz::mutates_packages!();
