//! Sitemaps and `robots.txt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harkback::fuzzing::sitemap(bytes));
