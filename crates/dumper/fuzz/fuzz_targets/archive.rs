//! The reader of archives on any file.
#![no_main]

use std::sync::LazyLock;

use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder for the file"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dumper::fuzzing::archive(bytes, FOLDER.path()));
