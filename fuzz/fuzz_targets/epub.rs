//! EPUB books, mutated part by part.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::epub(bytes));
harkback_fuzz::mutates_packages!();
