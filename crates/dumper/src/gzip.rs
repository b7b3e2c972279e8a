//! The last stage of the stream: compress, hash, write.
//!
//! Absent: more than one thread. The blocks that arrive here are what parallel compression will be dealt.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::request::Compression;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digested {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Where plain SQL goes in.
pub(crate) enum Sink {
    Gzip(Box<GzEncoder<HashingFile>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, HashingFile>>),
    Plain(HashingFile),
}

impl Sink {
    /// `written` counts along, for progress.
    pub(crate) fn new(
        file: File,
        compression: Compression,
        written: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let file = HashingFile {
            file,
            hash: Sha256::new(),
            bytes: 0,
            written,
        };
        Ok(match compression {
            Compression::Gzip(level) => Self::Gzip(Box::new(GzEncoder::new(
                file,
                flate2::Compression::new(level.get().into()),
            ))),
            Compression::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(file, level.get().into())?;
                encoder.include_checksum(true)?;
                Self::Zstd(Box::new(encoder))
            }
            Compression::None => Self::Plain(file),
        })
    }

    pub(crate) fn write(&mut self, block: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(block),
            Self::Zstd(encoder) => encoder.write_all(block),
            Self::Plain(file) => file.write_all(block),
        }
    }

    /// Ends the stream and waits until the disk has it.
    pub(crate) fn finish(self) -> io::Result<Digested> {
        let file = match self {
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Plain(file) => file,
        };
        file.file.sync_all()?;
        Ok(Digested {
            bytes: file.bytes,
            sha256: hex(&file.hash.finalize()),
        })
    }
}

/// A file that knows the hash of what it was given.
pub(crate) struct HashingFile {
    file: File,
    hash: Sha256,
    bytes: u64,
    written: Arc<AtomicU64>,
}

impl Write for HashingFile {
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
