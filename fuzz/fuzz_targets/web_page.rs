//! Pages as websites send them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback::fuzzing::web_page(bytes));
