//! A file that knows the hash of what it was given.
//!
//! Absent: buffering. What arrives here are blocks.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digested {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// A file, or in tests what plays one.
#[derive(Debug)]
pub(crate) struct HashedFile<W = File> {
    file: W,
    hash: Sha256,
    bytes: u64,
    written: Arc<AtomicU64>,
}

impl<W: Write> HashedFile<W> {
    /// `written` counts along, for progress.
    pub(super) fn new(file: W, written: Arc<AtomicU64>) -> Self {
        Self {
            file,
            hash: Sha256::new(),
            bytes: 0,
            written,
        }
    }

    /// How long the file is by now.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file, and what is in it.
    pub(super) fn finish(self) -> (W, Digested) {
        let digested = Digested {
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        };
        (self.file, digested)
    }
}

impl<W: Write> Write for HashedFile<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.hash.update(&bytes[..length]);
        self.bytes += length as u64;
        self.written.store(self.bytes, Ordering::Relaxed);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
