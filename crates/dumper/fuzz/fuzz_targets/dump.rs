//! Scanner and Splitter on any bytes, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dumper::fuzzing::dump(bytes));
