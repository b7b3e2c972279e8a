//! The mask of queries on any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| django_migrate::fuzzing::query(bytes));
