//! PDF files as `pdftotext -bbox` tells of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback_engine::fuzzing::pdf(bytes));
