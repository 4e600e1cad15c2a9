//! OpenDocument texts, slides and sheets, mutated part by part.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::opendocument(bytes));
harkback_fuzz::mutates_packages!();
