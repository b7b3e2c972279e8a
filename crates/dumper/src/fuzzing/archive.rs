//! Any file: it is read to its end or refused, in bounded memory.
//!
//! Absent: pg_restore, which is another program.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::compress::hex;
use crate::error::VerifyError;
use crate::read::{BLOCK, Watch, open_watched};

/// A small file may unpack to very much, and that is no error; but a fuzzer need not wait for it.
const ENOUGH: usize = 16 * 1024 * 1024;

/// Reads a file with these bytes.
///
/// # Panics
/// Where a promise of the reader's is broken.
pub fn archive(bytes: &[u8], folder: &Path) {
    let path = folder.join("archive");
    let mut file = File::create(&path).expect("the folder is there");
    file.write_all(bytes).expect("there is room");
    drop(file);
    let no_program = folder.join("no-pg-restore");
    let mut reading = match open_watched(&path, Some(&no_program), &Watch::default()) {
        Ok(reading) => reading,
        Err(error) => return check_refusal(&error, bytes),
    };
    let mut unpacked = 0;
    loop {
        match reading.block() {
            Ok(Some(block)) => {
                assert!(!block.is_empty() && block.len() <= BLOCK);
                unpacked += block.len();
            }
            Ok(None) => break,
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        VerifyError::CutShort { .. } | VerifyError::Damaged { .. }
                    ),
                    "{error}"
                );
                return;
            }
        }
        if unpacked > ENOUGH {
            return;
        }
    }
    let digested = reading.finish().expect("it was read to its end");
    assert_eq!(digested.bytes, bytes.len() as u64);
    assert_eq!(digested.sha256, hex(&Sha256::digest(bytes)));
}

fn check_refusal(error: &VerifyError, bytes: &[u8]) {
    match error {
        VerifyError::Empty { .. } => assert!(bytes.is_empty()),
        VerifyError::Damaged { .. } | VerifyError::PgRestore { .. } => {
            assert!(bytes.starts_with(b"PGDMP") || bytes.starts_with(b"toc.dat\0"));
        }
        other => panic!("{other}"),
    }
}
