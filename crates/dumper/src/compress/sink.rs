//! The end of the stream: blocks as they come out of the pool, into the file.
//!
//! Absent: the choice of a file's name, and threads.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::gzip::Member;
use super::hashed::{Digested, HashedFile};
use super::pool::Block;
use crate::request::Compression;

/// Where blocks go in.
pub(crate) enum Sink<W: Write = File> {
    /// Blocks that are packed already.
    Gzip(Member<HashedFile<W>>),
    /// Boxed: it is much larger than the others.
    Zstd(Box<zstd::stream::write::Encoder<'static, HashedFile<W>>>),
    /// As they were read.
    Plain(HashedFile<W>),
}

impl<W: Write> Sink<W> {
    /// `written` counts along, for progress.
    pub(crate) fn new(
        file: W,
        compression: Compression,
        written: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let file = HashedFile::new(file, written);
        Ok(match compression {
            Compression::Gzip(_) => Self::Gzip(Member::new(file)),
            Compression::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(file, level.get().into())?;
                encoder.include_checksum(true)?;
                Self::Zstd(Box::new(encoder))
            }
            Compression::None => Self::Plain(file),
        })
    }

    pub(crate) fn write(&mut self, block: &Block) -> io::Result<()> {
        match self {
            Self::Gzip(member) => member.write(&block.packed, &block.crc),
            Self::Zstd(encoder) => encoder.write_all(&block.raw),
            Self::Plain(file) => file.write_all(&block.raw),
        }
    }

    /// Bytes in the file so far.
    pub(crate) fn written(&self) -> u64 {
        let file = match self {
            Self::Gzip(member) => member.get_ref(),
            Self::Zstd(encoder) => encoder.get_ref(),
            Self::Plain(file) => file,
        };
        file.bytes()
    }

    /// Ends the stream.
    pub(super) fn end(self) -> io::Result<(W, Digested)> {
        let file = match self {
            Self::Gzip(member) => member.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Plain(file) => file,
        };
        Ok(file.finish())
    }
}

impl Sink {
    /// Ends the stream and waits until the disk has it.
    pub(crate) fn finish(self) -> io::Result<Digested> {
        let (file, digested) = self.end()?;
        file.sync_all()?;
        Ok(digested)
    }
}
